#include <nlohmann/json.hpp>

#include "isolation/oci/config.h"
#include "isolation/oci/config_parts.h"
#include "isolation/oci/limits.h"

namespace skiff::isolation::oci {
namespace {

bool SaysNothing(const nlohmann::json& value) {
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number()) return value == 0;
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  return value.empty();
}

Result<> CheckVersion(const JsonCursor& root, Config* config) {
  JsonCursor version = TRY(root.Get("ociVersion"));
  config->version = TRY(version.String());
  std::string_view text = config->version;
  // 1.x is compatible by the rules of semantic versioning; later minor versions only add.
  bool is_known = text.rfind("1.", 0) == 0 && text.size() >= 5 && text[2] >= '0' && text[2] <= '9';
  if (!is_known) return version.Invalid("version '" + config->version + "' is not 1.x");
  return {};
}

Result<> ParseRoot(const JsonCursor& root, Config* config) {
  JsonCursor section = TRY(root.Get("root"));
  JsonCursor path = TRY(section.Get("path"));
  config->root_path = TRY(CleanString(path));
  if (config->root_path.empty()) return path.Invalid("must not be empty");
  std::optional<bool> is_readonly = TRY(section.FindBoolean("readonly"));
  config->is_root_readonly = is_readonly.value_or(false);
  return {};
}

Result<Mount> ParseMount(const JsonCursor& cursor) {
  Mount mount;
  mount.path = cursor.path();
  JsonCursor destination = TRY(cursor.Get("destination"));
  mount.destination = TRY(CleanString(destination));
  if (mount.destination.empty()) return destination.Invalid("must not be empty");
  // 1.0 asked for an absolute path; 1.2 reads a relative one from "/".
  if (mount.destination[0] != '/') mount.destination.insert(0, "/");
  std::optional<std::string> type = TRY(cursor.FindString("type"));
  std::optional<std::string> source = TRY(cursor.FindString("source"));
  mount.type = type.value_or("");
  mount.source = source.value_or("");
  mount.options = TRY(FindStringList(cursor, "options"));
  TRY(ParseMappings(cursor, "uidMappings", &mount.uid_mappings));
  TRY(ParseMappings(cursor, "gidMappings", &mount.gid_mappings));
  return mount;
}

Result<> ParseMounts(const JsonCursor& root, Config* config) {
  std::vector<JsonCursor> mounts = TRY(FindList(root, "mounts"));
  for (const JsonCursor& cursor : mounts) {
    Mount mount = TRY(ParseMount(cursor));
    config->mounts.push_back(std::move(mount));
  }
  return {};
}

// hostname and domainname live in the UTS namespace: without an own one they would be the host's.
Result<> ParseNames(const JsonCursor& root, Config* config) {
  for (auto [name, value] :
       {std::pair{"hostname", &config->hostname}, {"domainname", &config->domainname}}) {
    std::optional<JsonCursor> cursor = TRY(root.Find(name));
    if (!cursor) continue;
    *value = TRY(CleanString(*cursor));
    constexpr size_t kMaxUtsName = 64;
    if (value->size() > kMaxUtsName) return cursor->Invalid("longer than 64 characters");
    if (!value->empty() && !config->namespaces.contains(NamespaceType::kUts)) {
      return cursor->Invalid("needs a namespace of type uts in linux.namespaces");
    }
  }
  return {};
}

Result<> ParseAnnotations(const JsonCursor& root, Config* config) {
  std::optional<JsonCursor> annotations = TRY(root.Find("annotations"));
  if (!annotations) return {};
  auto members = TRY(annotations->Members());
  for (const auto& [name, cursor] : members) {
    if (name.empty()) return annotations->Invalid("a key must not be empty");
    std::string value = TRY(cursor.String());
    config->annotations.emplace(name, std::move(value));
  }
  return {};
}

Result<Hook> ParseHook(const JsonCursor& cursor) {
  Hook hook;
  JsonCursor path = TRY(cursor.Get("path"));
  hook.path = TRY(AbsolutePath(path));
  hook.arguments = TRY(FindStringList(cursor, "args"));
  if (hook.arguments.empty()) hook.arguments.push_back(hook.path);
  std::optional<JsonCursor> environment = TRY(cursor.Find("env"));
  hook.has_environment = environment.has_value();
  hook.environment = TRY(FindStringList(cursor, "env"));
  std::optional<int64_t> timeout = TRY(cursor.FindInteger("timeout", 1, INT32_MAX / 1000));
  if (timeout) hook.timeout_seconds = static_cast<int>(*timeout);
  return hook;
}

Result<> ParseHooks(const JsonCursor& root, Config* config) {
  std::optional<JsonCursor> hooks = TRY(root.Find("hooks"));
  if (!hooks) return {};
  Hooks& parsed = config->hooks;
  for (auto [name, list] : {std::pair{"prestart", &parsed.prestart},
                            {"createRuntime", &parsed.create_runtime},
                            {"createContainer", &parsed.create_container},
                            {"startContainer", &parsed.start_container},
                            {"poststart", &parsed.poststart},
                            {"poststop", &parsed.poststop}}) {
    std::vector<JsonCursor> elements = TRY(FindList(*hooks, name));
    for (const JsonCursor& element : elements) {
      Hook hook = TRY(ParseHook(element));
      list->push_back(std::move(hook));
    }
  }
  return {};
}

}  // namespace

Result<> RefuseMembers(const JsonCursor& object, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) {
    std::optional<JsonCursor> found = TRY(object.Find(name));
    if (found && !SaysNothing(found->value())) return found->Invalid("not supported by skiff-oci");
  }
  return {};
}

Result<std::vector<JsonCursor>> FindList(const JsonCursor& object, std::string_view name) {
  std::optional<JsonCursor> found = TRY(object.Find(name));
  if (!found) return std::vector<JsonCursor>();
  std::vector<JsonCursor> elements = TRY(found->Elements());
  if (elements.size() > kMaxListEntries)
    return found->Invalid("more than " + std::to_string(kMaxListEntries) + " entries");
  return elements;
}

Result<std::vector<std::string>> FindStringList(const JsonCursor& object, std::string_view name) {
  std::vector<JsonCursor> elements = TRY(FindList(object, name));
  std::vector<std::string> strings;
  for (const JsonCursor& element : elements) {
    std::string text = TRY(CleanString(element));
    strings.push_back(std::move(text));
  }
  return strings;
}

Result<std::string> CleanString(const JsonCursor& cursor) {
  std::string text = TRY(cursor.String());
  if (text.find('\0') != std::string::npos) return cursor.Invalid("holds a NUL character");
  return text;
}

Result<std::string> AbsolutePath(const JsonCursor& cursor) {
  std::string path = TRY(CleanString(cursor));
  if (path.empty() || path[0] != '/') return cursor.Invalid("'" + path + "' is not absolute");
  return path;
}

Result<Config> ParseConfig(std::string_view text) {
  JsonDocument document = TRY(JsonDocument::Parse(text, "config.json", kMaxConfigFile.count()));
  JsonCursor root = document.root();
  Config config;
  TRY(CheckVersion(root, &config));
  TRY(RefuseMembers(root, {"solaris", "windows", "vm", "zos", "freebsd"}));
  TRY(ParseHooks(root, &config));
  JsonCursor process = TRY(root.Get("process"));
  TRY(ParseProcess(process, &config));
  TRY(ParseRoot(root, &config));
  TRY(ParseMounts(root, &config));
  std::optional<JsonCursor> linux_section = TRY(root.Find("linux"));
  if (linux_section) TRY(ParseLinux(*linux_section, &config));
  TRY(ParseNames(root, &config));
  TRY(ParseAnnotations(root, &config));
  return config;
}

Result<Resources> ParseResourcesFile(std::string_view text) {
  JsonDocument document = TRY(JsonDocument::Parse(text, "resources", kMaxConfigFile.count()));
  Resources resources;
  TRY(ParseResourceMembers(document.root(), &resources));
  return resources;
}

Result<Process> ParseProcessFile(std::string_view text, std::vector<std::string>* warnings) {
  JsonDocument document = TRY(JsonDocument::Parse(text, "process", kMaxConfigFile.count()));
  Config config;
  TRY(ParseProcess(document.root(), &config));
  *warnings = std::move(config.warnings);
  return std::move(config.process);
}

}  // namespace skiff::isolation::oci
