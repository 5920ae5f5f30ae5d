#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/api/ecs_cluster_members.h"
#include "runtime/api/ecs_run_task.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"

namespace skiff::runtime::api {
namespace {

constexpr std::string_view kContainerInsights = "containerInsights";

Result<std::vector<KeyValue>> ReadSettings(const JsonCursor& input) {
  std::vector<KeyValue> settings;
  std::vector<JsonCursor> elements = TRY(input.FindElements("settings"));
  for (const JsonCursor& element : elements) {
    TRY(RefuseUnknown(element, {"name", "value"}));
    KeyValue setting;
    setting.name = TRY(TextIn(element, "name", ""));
    setting.value = TRY(TextIn(element, "value", ""));
    if (setting.name != kContainerInsights) {
      return InvalidParameter(element.path() + ".name: \"" + setting.name +
                              "\" is none of containerInsights");
    }
    if (setting.value != "enabled" && setting.value != "disabled" && setting.value != "enhanced") {
      return InvalidParameter(element.path() + ".value: \"" + setting.value +
                              "\" is none of enabled, disabled, enhanced");
    }
    settings.push_back(std::move(setting));
  }
  return settings;
}

// How ECS Exec logs and where storage keys lie. Neither is used here; it is kept and shown.
Result<std::optional<std::string>> ReadConfiguration(const JsonCursor& input) {
  std::optional<JsonCursor> given = TRY(input.Find("configuration"));
  if (!given) return std::optional<std::string>();
  TRY(RefuseUnknown(*given, {"executeCommandConfiguration", "managedStorageConfiguration"}));
  std::optional<JsonCursor> exec = TRY(given->Find("executeCommandConfiguration"));
  if (exec) {
    TRY(RefuseUnknown(*exec, {"kmsKeyId", "logging", "logConfiguration"}));
    std::string logging = TRY(TextIn(*exec, "logging", "DEFAULT"));
    if (logging != "NONE" && logging != "DEFAULT" && logging != "OVERRIDE") {
      return InvalidParameter(exec->path() + ".logging: \"" + logging +
                              "\" is none of NONE, DEFAULT, OVERRIDE");
    }
    std::optional<JsonCursor> log = TRY(exec->Find("logConfiguration"));
    if (log) {
      TRY(RefuseUnknown(*log, {"cloudWatchLogGroupName", "cloudWatchEncryptionEnabled",
                               "s3BucketName", "s3EncryptionEnabled", "s3KeyPrefix"}));
    }
    if (logging == "OVERRIDE" && !log) {
      return InvalidParameter(exec->path() +
                              ".logConfiguration: is required when logging is OVERRIDE");
    }
  }
  std::optional<JsonCursor> storage = TRY(given->Find("managedStorageConfiguration"));
  if (storage) {
    TRY(RefuseUnknown(*storage, {"kmsKeyId", "fargateEphemeralStorageKmsKeyId"}));
  }
  return std::optional<std::string>(EncodeJson(given->value()));
}

Result<std::optional<std::string>> ReadServiceConnect(const JsonCursor& input) {
  std::optional<JsonCursor> given = TRY(input.Find("serviceConnectDefaults"));
  if (!given) return std::optional<std::string>();
  TRY(RefuseUnknown(*given, {"namespace"}));
  JsonCursor name = TRY(given->Get("namespace"));
  std::string text = TRY(name.String());
  if (text.size() > kMaxNamespaceLength) {
    return InvalidParameter(name.path() + ": has more than " + std::to_string(kMaxNamespaceLength) +
                            " characters");
  }
  return std::optional<std::string>(std::move(text));
}

Result<std::optional<std::vector<std::string>>> ReadProviders(const JsonCursor& input) {
  std::optional<JsonCursor> given = TRY(input.Find("capacityProviders"));
  if (!given) return std::optional<std::vector<std::string>>();
  std::vector<std::string> names = TRY(given->Strings());
  for (const std::string& name : names) {
    if (IsCapacityProvider(name)) continue;
    return InvalidParameter("The specified capacity provider " + name +
                            " was not found. Specify a valid name or ARN and try again.");
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return std::optional<std::vector<std::string>>(std::move(names));
}

Result<std::optional<std::vector<CapacityProviderItem>>> ReadDefault(const JsonCursor& input) {
  constexpr std::string_view kMember = "defaultCapacityProviderStrategy";
  std::optional<JsonCursor> given = TRY(input.Find(kMember));
  if (!given) return std::optional<std::vector<CapacityProviderItem>>();
  std::vector<CapacityProviderItem> items = TRY(ReadStrategy(input, kMember));
  return std::optional<std::vector<CapacityProviderItem>>(std::move(items));
}

}  // namespace

bool IsCapacityProvider(std::string_view name) {
  return std::find(std::begin(kFargateProviders), std::end(kFargateProviders), name) !=
         std::end(kFargateProviders);
}

Result<ClusterMembers> ReadClusterMembers(const JsonCursor& input) {
  ClusterMembers members;
  members.settings = TRY(ReadSettings(input));
  members.configuration = TRY(ReadConfiguration(input));
  members.service_connect = TRY(ReadServiceConnect(input));
  members.capacity_providers = TRY(ReadProviders(input));
  members.default_strategy = TRY(ReadDefault(input));
  return members;
}

Result<> ApplyMembers(const ClusterMembers& members, ClusterRecord* record) {
  for (const KeyValue& setting : members.settings) {
    std::erase_if(record->settings, [&](const KeyValue& k) { return k.name == setting.name; });
    record->settings.push_back(setting);
  }
  if (members.configuration) record->configuration = *members.configuration;
  if (members.service_connect) record->service_connect = *members.service_connect;
  if (members.capacity_providers) record->capacity_providers = *members.capacity_providers;
  if (members.default_strategy) record->default_strategy = *members.default_strategy;
  if (record->default_strategy.empty()) return {};
  return CheckStrategy(record->default_strategy, *record);
}

}  // namespace skiff::runtime::api
