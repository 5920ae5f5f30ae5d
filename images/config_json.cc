#include <algorithm>

#include "images/config.h"
#include "images/limits.h"
#include "isolation/base/json.h"
#include "isolation/base/text.h"

namespace skiff::images {
namespace {

// What becomes an argument, a variable or a path of a process cannot hold a NUL.
Result<> CheckText(const JsonCursor& object, std::string_view name, const std::string& text) {
  if (text.find('\0') == std::string::npos) return {};
  return object.Invalid(std::string(name) + " contains a NUL character");
}

Result<std::string> ReadText(const JsonCursor& object, std::string_view name) {
  std::optional<std::string> text = TRY(object.FindString(name));
  if (!text) return std::string();
  TRY(CheckText(object, name, *text));
  return std::move(*text);
}

Result<std::vector<std::string>> ReadTexts(const JsonCursor& object, std::string_view name) {
  std::vector<std::string> texts = TRY(object.FindStrings(name));
  if (texts.size() > kMaxConfigStrings) {
    return object.Invalid(std::string(name) + " has too many elements");
  }
  for (const std::string& text : texts) TRY(CheckText(object, name, text));
  return texts;
}

// The keys of a set written as an object: {"80/tcp": {}}.
Result<std::vector<std::string>> ReadKeys(const JsonCursor& object, std::string_view name) {
  std::vector<std::string> keys;
  std::optional<JsonCursor> set = TRY(object.Find(name));
  if (!set) return keys;
  auto members = TRY(set->Members());
  if (members.size() > kMaxConfigStrings) return set->Invalid("has too many members");
  for (const auto& [key, value] : members) {
    TRY(CheckText(object, name, key));
    keys.push_back(key);
  }
  return keys;
}

Result<> ReadLabels(const JsonCursor& object, ImageConfig* config) {
  std::optional<JsonCursor> labels = TRY(object.Find("Labels"));
  if (!labels) return {};
  auto members = TRY(labels->Members());
  if (members.size() > kMaxConfigStrings) return labels->Invalid("has too many members");
  for (const auto& [key, value] : members) {
    std::string text = TRY(value.String());
    config->labels.emplace_back(key, std::move(text));
  }
  return {};
}

Result<> ReadDefaults(const JsonCursor& object, ImageConfig* config) {
  config->env = TRY(ReadTexts(object, "Env"));
  config->entrypoint = TRY(ReadTexts(object, "Entrypoint"));
  config->cmd = TRY(ReadTexts(object, "Cmd"));
  config->working_dir = TRY(ReadText(object, "WorkingDir"));
  config->user = TRY(ReadText(object, "User"));
  config->stop_signal = TRY(ReadText(object, "StopSignal"));
  config->exposed_ports = TRY(ReadKeys(object, "ExposedPorts"));
  config->volumes = TRY(ReadKeys(object, "Volumes"));
  for (const std::string& path : config->volumes) {
    std::vector<std::string_view> parts = Split(path, '/');
    if (std::find(parts.begin(), parts.end(), "..") == parts.end()) continue;
    return object.Invalid("Volumes: '" + path + "' leads upwards");
  }
  return ReadLabels(object, config);
}

Result<> ReadDiffIds(const JsonCursor& root, ImageConfig* config) {
  JsonCursor rootfs = TRY(root.Get("rootfs"));
  std::string type = TRY(ReadText(rootfs, "type"));
  if (type != "layers") return rootfs.Invalid("type is '" + type + "', expected 'layers'");
  std::vector<std::string> texts = TRY(rootfs.FindStrings("diff_ids"));
  if (texts.size() > kMaxLayers) {
    return rootfs.Invalid("more than " + std::to_string(kMaxLayers) + " layers");
  }
  for (const std::string& text : texts) {
    Digest digest = TRY(Digest::Parse(text).Context(rootfs.path() + ".diff_ids"));
    config->diff_ids.push_back(digest);
  }
  return {};
}

Result<ImageConfig> Read(const JsonCursor& root) {
  ImageConfig config;
  config.platform.os = TRY(ReadText(root, "os"));
  config.platform.architecture = TRY(ReadText(root, "architecture"));
  config.platform.variant = TRY(ReadText(root, "variant"));
  config.created = TRY(ReadText(root, "created"));
  TRY(ReadDiffIds(root, &config));
  std::optional<JsonCursor> defaults = TRY(root.Find("config"));
  if (defaults) TRY(ReadDefaults(*defaults, &config));
  return config;
}

}  // namespace

Result<ImageConfig> DecodeImageConfig(std::string_view text, std::string_view what) {
  JsonDocument document = TRY(JsonDocument::Parse(text, what, kMaxManifest.count()));
  return Read(document.root()).Context(what);
}

}  // namespace skiff::images
