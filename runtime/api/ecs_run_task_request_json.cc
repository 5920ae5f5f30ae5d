// RunTask's request: JSON to RunTaskRequest.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "isolation/base/text.h"
#include "runtime/api/ecs_run_task.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/model/limits.h"

namespace skiff::runtime::api {
namespace {

Result<> RefuseUnknownMembers(const JsonCursor& input) {
  return RefuseUnknown(
      input, {"capacityProviderStrategy", "clientToken", "cluster", "count", "enableECSManagedTags",
              "enableExecuteCommand", "group", "launchType", "networkConfiguration", "overrides",
              "placementConstraints", "placementStrategy", "platformVersion", "propagateTags",
              "referenceId", "startedBy", "tags", "taskDefinition", "volumeConfigurations"});
}

// Not carried out: given with content they are refused rather than forgotten.
Result<> RefuseNotOffered(const JsonCursor& input) {
  bool wants_exec = TRY(FlagIn(input, "enableExecuteCommand"));
  if (wants_exec) {
    return InvalidParameter("enableExecuteCommand: ECS Exec is not offered by this version");
  }
  std::vector<JsonCursor> volumes = TRY(input.FindElements("volumeConfigurations"));
  if (!volumes.empty()) {
    return InvalidParameter("volumeConfigurations: not offered by this version");
  }
  std::optional<std::string> reference = TRY(input.FindString("referenceId"));
  if (reference) return InvalidParameter("referenceId: not offered by this version");
  return {};
}

Result<> RefusePlacement(const JsonCursor& input) {
  std::vector<JsonCursor> constraints = TRY(input.FindElements("placementConstraints"));
  if (!constraints.empty()) {
    return InvalidParameter("Placement constraints are not supported with FARGATE launch type.");
  }
  std::vector<JsonCursor> strategy = TRY(input.FindElements("placementStrategy"));
  if (!strategy.empty()) {
    return InvalidParameter("Placement strategies are not supported with FARGATE launch type.");
  }
  return {};
}

Result<std::string> ReadWord(const JsonCursor& input, std::string_view name,
                             std::initializer_list<std::string_view> words) {
  std::optional<std::string> word = TRY(input.FindString(name));
  if (!word || word->empty()) return std::string();
  if (std::find(words.begin(), words.end(), *word) != words.end()) return *word;
  std::string list;
  for (std::string_view candidate : words) {
    list += (list.empty() ? "" : ", ") + std::string(candidate);
  }
  return InvalidParameter(std::string(name) + ": \"" + *word + "\" is none of " + list);
}

Result<std::optional<NetworkRequest>> ReadNetwork(const JsonCursor& input) {
  std::optional<JsonCursor> outer = TRY(input.Find("networkConfiguration"));
  if (!outer) return std::optional<NetworkRequest>();
  TRY(RefuseUnknown(*outer, {"awsvpcConfiguration"}));
  std::optional<JsonCursor> inner = TRY(outer->Find("awsvpcConfiguration"));
  if (!inner) return std::optional<NetworkRequest>();
  TRY(RefuseUnknown(*inner, {"subnets", "securityGroups", "assignPublicIp"}));
  NetworkRequest network;
  network.subnets = TRY(inner->FindStrings("subnets"));
  network.security_groups = TRY(inner->FindStrings("securityGroups"));
  std::string assign = TRY(ReadWord(*inner, "assignPublicIp", {"ENABLED", "DISABLED"}));
  network.assign_public_ip = assign == "ENABLED";
  return std::optional<NetworkRequest>(std::move(network));
}

Result<> CheckTag(const Tag& tag, const std::string& path) {
  if (tag.key.empty() || tag.key.size() > kMaxTagKeyLength) {
    return InvalidParameter(path + ".key: has not 1 to " + std::to_string(kMaxTagKeyLength) +
                            " characters");
  }
  if (tag.value.size() > kMaxTagValueLength) {
    return InvalidParameter(path + ".value: has more than " + std::to_string(kMaxTagValueLength) +
                            " characters");
  }
  if (tag.key.starts_with("aws:")) {
    return InvalidParameter(path + ".key: begins with \"aws:\", which is reserved");
  }
  return {};
}

Result<std::vector<Tag>> ReadTags(const JsonCursor& input) {
  std::vector<JsonCursor> elements = TRY(input.FindElements("tags"));
  if (elements.size() > kMaxTags) {
    return InvalidParameter("tags: has more than " + std::to_string(kMaxTags) + " items");
  }
  std::vector<Tag> tags;
  std::set<std::string> seen;
  for (const JsonCursor& element : elements) {
    Tag tag;
    JsonCursor key = TRY(element.Get("key"));
    tag.key = TRY(key.String());
    tag.value = TRY(TextIn(element, "value", ""));
    TRY(CheckTag(tag, element.path()));
    if (!seen.insert(tag.key).second) {
      return InvalidParameter(element.path() + ".key: \"" + tag.key + "\" is given twice");
    }
    tags.push_back(std::move(tag));
  }
  return tags;
}

Result<std::string> ReadStartedBy(const JsonCursor& input) {
  std::string text = TRY(TextIn(input, "startedBy", ""));
  bool is_good =
      text.size() <= kMaxStartedByLength && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '/' || c == '.';
      });
  if (is_good) return text;
  return InvalidParameter("startedBy: has not up to " + std::to_string(kMaxStartedByLength) +
                          " letters, digits, hyphens, underscores, slashes and dots");
}

Result<std::string> ReadGroup(const JsonCursor& input) {
  std::string group = TRY(TextIn(input, "group", ""));
  if (group.size() > kMaxNameLength) {
    return InvalidParameter("group: has more than " + std::to_string(kMaxNameLength) +
                            " characters");
  }
  if (group.starts_with("service:")) return InvalidParameter("Invalid namespace for group.");
  return group;
}

Result<std::string> ReadClientToken(const JsonCursor& input) {
  std::string token = TRY(TextIn(input, "clientToken", ""));
  bool is_good = token.size() <= kMaxClientTokenLength &&
                 std::all_of(token.begin(), token.end(), [](char c) { return c > 32 && c < 127; });
  if (is_good) return token;
  return InvalidParameter("clientToken: has not up to " + std::to_string(kMaxClientTokenLength) +
                          " printable ASCII characters");
}

// The request without its token, members in one order.
std::string Fingerprint(const JsonCursor& input) {
  nlohmann::json rest = input.value();
  rest.erase("clientToken");
  std::string text = EncodeJson(rest);
  uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return HexEncode(&hash, sizeof hash) + "-" + std::to_string(text.size());
}

Result<> ReadWords(const JsonCursor& input, RunTaskRequest& request) {
  request.count = TRY(IntegerIn(input, "count", 1));
  if (request.count < 1 || request.count > kMaxRunTaskCount) {
    return InvalidParameter("count: is not between 1 and " + std::to_string(kMaxRunTaskCount));
  }
  request.launch_type = TRY(ReadWord(input, "launchType", {"EC2", "FARGATE", "EXTERNAL"}));
  if (request.launch_type == "EXTERNAL") {
    return InvalidParameter("No Container Instances were found in your cluster.");
  }
  std::string propagate =
      TRY(ReadWord(input, "propagateTags", {"TASK_DEFINITION", "SERVICE", "NONE"}));
  if (propagate == "SERVICE") {
    return InvalidParameter("propagateTags: SERVICE is not valid when running a task");
  }
  request.propagate_tags = propagate == "TASK_DEFINITION";
  request.managed_tags = TRY(FlagIn(input, "enableECSManagedTags"));
  request.platform_version = TRY(TextIn(input, "platformVersion", ""));
  return {};
}

Result<> ReadOverrides(const JsonCursor& input, RunTaskRequest& request) {
  std::optional<JsonCursor> object = TRY(input.Find("overrides"));
  if (!object) return {};
  Result<TaskOverrides> overrides = ParseOverrides(*object);
  if (!overrides.ok()) return InvalidParameter(overrides.error().message());
  request.overrides = std::move(overrides).value();
  return {};
}

}  // namespace

Result<std::vector<CapacityProviderItem>> ReadStrategy(const JsonCursor& input,
                                                       std::string_view member) {
  std::vector<JsonCursor> elements = TRY(input.FindElements(member));
  if (elements.size() > kMaxStrategyItems) {
    return InvalidParameter(std::string(member) + ": has more than " +
                            std::to_string(kMaxStrategyItems) + " items");
  }
  std::vector<CapacityProviderItem> items;
  for (const JsonCursor& element : elements) {
    CapacityProviderItem item;
    JsonCursor name = TRY(element.Get("capacityProvider"));
    item.name = TRY(name.String());
    item.weight = TRY(IntegerIn(element, "weight", 0, 0, kMaxStrategyWeight));
    item.base = TRY(IntegerIn(element, "base", 0, 0, kMaxStrategyBase));
    items.push_back(std::move(item));
  }
  return items;
}

Result<RunTaskRequest> ReadRunTask(const JsonCursor& input) {
  TRY(RefuseUnknownMembers(input));
  TRY(RefuseNotOffered(input));
  TRY(RefusePlacement(input));
  RunTaskRequest request;
  request.task_definition = TRY(TextIn(input, "taskDefinition", ""));
  if (request.task_definition.empty()) {
    return InvalidParameter("taskDefinition: is required");
  }
  TRY(ReadWords(input, request));
  TRY(ReadOverrides(input, request));
  request.strategy = TRY(ReadStrategy(input, "capacityProviderStrategy"));
  request.network = TRY(ReadNetwork(input));
  request.tags = TRY(ReadTags(input));
  request.started_by = TRY(ReadStartedBy(input));
  request.group = TRY(ReadGroup(input));
  request.client_token = TRY(ReadClientToken(input));
  request.fingerprint = Fingerprint(input);
  return request;
}

}  // namespace skiff::runtime::api
