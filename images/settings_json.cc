#include <fcntl.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "images/limits.h"
#include "images/settings.h"
#include "isolation/base/json.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

constexpr char kDefaultFile[] = "/etc/skiff/images.json";

template <typename T>
Result<> ReadNumber(const JsonCursor& object, const char* name, int64_t min, int64_t max,
                    T* target) {
  std::optional<int64_t> number = TRY(object.FindInteger(name, min, max));
  if (number) *target = T(*number);
  return {};
}

Result<CollectRules> ReadRules(const JsonCursor& object) {
  std::vector<std::string> unknown =
      object.UnknownMembers({"enabled", "minutes", "namelessHours", "unusedHours", "images",
                             "diskPercent", "diskGoalPercent", "leastUnusedMinutes"});
  if (!unknown.empty()) return Error(Code::kInvalid, unknown[0] + ": unknown");
  constexpr int64_t kYear = int64_t{366} * 24;
  CollectRules rules;
  std::optional<bool> is_enabled = TRY(object.FindBoolean("enabled"));
  rules.is_enabled = is_enabled.value_or(true);
  TRY(ReadNumber(object, "minutes", 1, kYear * 60, &rules.interval));
  TRY(ReadNumber(object, "namelessHours", 0, 10 * kYear, &rules.nameless));
  TRY(ReadNumber(object, "unusedHours", 0, 10 * kYear, &rules.unused));
  TRY(ReadNumber(object, "images", 0, INT32_MAX, &rules.images));
  TRY(ReadNumber(object, "diskPercent", 0, 100, &rules.disk_percent));
  TRY(ReadNumber(object, "diskGoalPercent", 0, 100, &rules.disk_goal_percent));
  TRY(ReadNumber(object, "leastUnusedMinutes", 0, kYear * 60, &rules.least_unused));
  if (rules.disk_percent > 0 && rules.disk_goal_percent > rules.disk_percent) {
    return object.Invalid("diskGoalPercent is above diskPercent");
  }
  return rules;
}

Result<StoreLimits> ReadLimits(const JsonCursor& object) {
  std::vector<std::string> unknown = object.UnknownMembers({"layerMiB", "imageMiB", "reserveMiB"});
  if (!unknown.empty()) return Error(Code::kInvalid, unknown[0] + ": unknown");
  const int64_t most = static_cast<int64_t>(kMaxLayer.mib());
  constexpr int64_t kMostReserve = int64_t{1} << 40;
  StoreLimits limits;
  std::optional<int64_t> layer = TRY(object.FindInteger("layerMiB", 1, most));
  std::optional<int64_t> image = TRY(object.FindInteger("imageMiB", 1, most * 16));
  std::optional<int64_t> reserve = TRY(object.FindInteger("reserveMiB", 0, kMostReserve));
  if (layer) limits.layer = Bytes::MiB(static_cast<uint64_t>(*layer));
  if (image) limits.image = Bytes::MiB(static_cast<uint64_t>(*image));
  if (reserve) limits.reserve = Bytes::MiB(static_cast<uint64_t>(*reserve));
  return limits;
}

Result<StoreSettings> ReadSettings(const JsonCursor& root) {
  std::vector<std::string> unknown =
      root.UnknownMembers({"keepLayerFiles", "layers", "limits", "collect"});
  if (!unknown.empty()) return Error(Code::kInvalid, unknown[0] + ": unknown");
  StoreSettings settings;
  std::optional<bool> is_kept = TRY(root.FindBoolean("keepLayerFiles"));
  settings.keeps_layer_files = is_kept.value_or(true);
  std::optional<std::string> layers = TRY(root.FindString("layers"));
  if (layers) {
    std::optional<LayerChoice> choice = LayerChoiceByName(*layers);
    if (!choice) return root.Invalid("layers is none of auto, unpacked and erofs");
    settings.layers = *choice;
  }
  std::optional<JsonCursor> collect = TRY(root.Find("collect"));
  if (collect) settings.collect = TRY(ReadRules(*collect));
  std::optional<JsonCursor> limits = TRY(root.Find("limits"));
  if (limits) settings.limits = TRY(ReadLimits(*limits));
  return settings;
}

}  // namespace

Result<StoreSettings> DecodeStoreSettings(std::string_view text, std::string_view what) {
  JsonDocument document = TRY(JsonDocument::Parse(text, what, kMaxStoreSettings.count()));
  return ReadSettings(document.root()).Context(what);
}

Result<StoreSettings> LoadStoreSettings() {
  const char* named = getenv("SKIFF_IMAGES");
  bool is_named = named != nullptr && *named != '\0';
  std::string path = is_named ? named : kDefaultFile;
  Result<std::string> text = sys::ReadFile(AT_FDCWD, path, kMaxStoreSettings);
  if (!text.ok() && !is_named && text.error().sys_errno() == ENOENT) return StoreSettings();
  std::string content = TRY(std::move(text));
  return DecodeStoreSettings(content, path);
}

}  // namespace skiff::images
