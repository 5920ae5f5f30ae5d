// Capacity providers: the two of Fargate, and which of them a cluster may use.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/api/active_tasks.h"
#include "runtime/api/ecs_cluster_members.h"
#include "runtime/api/ecs_registry.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/control/keys.h"

namespace skiff::runtime::api {
namespace {

using Json = nlohmann::json;

std::string ProviderArn(const ControlSettings& settings, const std::string& name) {
  return "arn:aws:ecs:" + settings.region + ":" + settings.account_id + ":capacity-provider/" +
         name;
}

// A provider that tasks run on cannot be taken away beneath them.
Result<> CheckUnused(Store& store, const ClusterRecord& before, const ClusterRecord& after) {
  std::string used;
  TRY(VisitActiveTasks(store, [&](const TaskRecord& task) {
    const std::vector<std::string>& kept = after.capacity_providers;
    if (task.cluster != before.name || task.capacity_provider.empty()) return;
    if (std::find(kept.begin(), kept.end(), task.capacity_provider) == kept.end()) {
      used = task.capacity_provider;
    }
  }));
  if (used.empty()) return {};
  return Error(Code::kConflict,
               "The specified capacity provider is in use and cannot be "
               "removed: " +
                   used)
      .WithKind("ResourceInUseException");
}

}  // namespace

Result<std::string> EcsRegistry::DescribeCapacityProviders(const Call& call) {
  TRY(RefuseUnknown(call.input,
                    {"capacityProviders", "cluster", "include", "maxResults", "nextToken"}));
  PageRequest page = TRY(ReadPage(call.input));
  std::vector<std::string> include = TRY(call.input.FindStrings("include"));
  if (std::any_of(include.begin(), include.end(),
                  [](const std::string& what) { return what != "TAGS"; })) {
    return InvalidParameter("include: only TAGS can be included");
  }
  // Fargate's are not a cluster's own: what it names must exist, and changes nothing.
  std::optional<JsonCursor> cluster = TRY(call.input.Find("cluster"));
  if (cluster) TRY(FindActiveCluster(store_, call.input, settings_));
  std::vector<std::string> names = TRY(call.input.FindStrings("capacityProviders"));
  if (names.empty()) names.assign(std::begin(kFargateProviders), std::end(kFargateProviders));
  Json answer = {{"capacityProviders", Json::array()}, {"failures", Json::array()}};
  std::string prefix = ProviderArn(settings_, "");
  for (const std::string& given : names) {
    std::string name = given.starts_with(prefix) ? given.substr(prefix.size()) : given;
    if (name <= page.after) continue;
    if (!IsCapacityProvider(name)) {
      answer["failures"].push_back(
          {{"arn", given.starts_with("arn:") ? given : ProviderArn(settings_, name)},
           {"reason", "MISSING"}});
      continue;
    }
    if (answer["capacityProviders"].size() == page.size) {
      answer["nextToken"] =
          NextToken(answer["capacityProviders"].back()["name"].get<std::string>());
      break;
    }
    answer["capacityProviders"].push_back({{"capacityProviderArn", ProviderArn(settings_, name)},
                                           {"name", name},
                                           {"status", "ACTIVE"},
                                           {"tags", Json::array()}});
  }
  return EncodeJson(answer);
}

Result<std::string> EcsRegistry::PutClusterCapacityProviders(const Call& call) {
  TRY(RefuseUnknown(call.input,
                    {"cluster", "capacityProviders", "defaultCapacityProviderStrategy"}));
  TRY(call.input.Get("cluster"));
  TRY(call.input.Get("capacityProviders"));
  TRY(call.input.Get("defaultCapacityProviderStrategy"));
  ClusterMembers members = TRY(ReadClusterMembers(call.input));
  return ChangeCluster(call, [&](ClusterRecord& record) -> Result<> {
    ClusterRecord before = record;
    TRY(ApplyMembers(members, &record));
    return CheckUnused(store_, before, record);
  });
}

}  // namespace skiff::runtime::api
