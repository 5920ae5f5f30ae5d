// What RunTask decides from its request, the cluster and the definition.
#include <algorithm>
#include <set>

#include "runtime/api/ecs_run_task.h"
#include "runtime/api/ecs_task_service.h"
#include "runtime/api/limits.h"
#include "runtime/model/supported.h"
#include "runtime/model/validate.h"

namespace skiff::runtime::api {
namespace {

// The item that is furthest behind its part: first those with an unmet base, then by weight.
size_t NextItem(const std::vector<CapacityProviderItem>& strategy,
                const std::vector<int64_t>& given) {
  size_t best = 0;
  for (size_t i = 0; i < strategy.size(); ++i) {
    if (given[i] < strategy[i].base) return i;
    int64_t ours = std::max<int64_t>(given[i] - strategy[i].base, 0);
    int64_t theirs = std::max<int64_t>(given[best] - strategy[best].base, 0);
    bool is_behind = (ours + 1) * strategy[best].weight < (theirs + 1) * strategy[i].weight;
    if (strategy[i].weight > 0 && (strategy[best].weight == 0 || is_behind)) best = i;
  }
  return best;
}

std::vector<Launch> Distribute(const std::vector<CapacityProviderItem>& strategy, int64_t count) {
  std::vector<int64_t> given(strategy.size());
  std::vector<Launch> launches;
  for (int64_t i = 0; i < count; ++i) {
    size_t next = NextItem(strategy, given);
    ++given[next];
    launches.push_back({"", strategy[next].name});
  }
  return launches;
}

Result<> CheckIds(const std::vector<std::string>& ids, std::string_view known,
                  std::string_view kind, std::string_view thing, std::string_view code) {
  for (const std::string& id : ids) {
    if (id == known) continue;
    return InvalidParameter("Error retrieving " + std::string(kind) + " information for [" + id +
                            "]: The " + std::string(thing) + " '" + id +
                            "' does not exist (ErrorCode: " + std::string(code) + ")");
  }
  return {};
}

Result<> CheckSubnets(const NetworkRequest& network) {
  if (network.subnets.empty()) return InvalidParameter("subnets can not be empty.");
  if (network.subnets.size() > kMaxSubnets) {
    return InvalidParameter("subnets can have at most " + std::to_string(kMaxSubnets) + " items.");
  }
  if (network.security_groups.size() > kMaxSecurityGroups) {
    return InvalidParameter("securityGroups can have at most " +
                            std::to_string(kMaxSecurityGroups) + " items.");
  }
  TRY(CheckIds(network.subnets, kDefaultSubnet, "subnet", "subnet ID", "InvalidSubnetID.NotFound"));
  return CheckIds(network.security_groups, kDefaultSecurityGroup, "security group",
                  "security group", "InvalidGroup.NotFound");
}

}  // namespace

Result<> CheckStrategy(const std::vector<CapacityProviderItem>& strategy,
                       const ClusterRecord& cluster) {
  const std::vector<std::string>& known = cluster.capacity_providers;
  int64_t weights = 0;
  int with_base = 0;
  for (const CapacityProviderItem& item : strategy) {
    if (std::find(known.begin(), known.end(), item.name) == known.end()) {
      return InvalidParameter(
          "The specified capacity provider strategy cannot contain a capacity provider that is "
          "not associated with the cluster: " +
          item.name);
    }
    weights += item.weight;
    with_base += item.base > 0 ? 1 : 0;
  }
  if (with_base > 1) {
    return InvalidParameter("capacityProviderStrategy: only one item may have a base");
  }
  // A single item without a weight leaves no doubt.
  if (weights == 0 && strategy.size() > 1) {
    return InvalidParameter("capacityProviderStrategy: no item has a weight above 0");
  }
  return {};
}

Result<std::vector<Launch>> ChooseLaunches(const RunTaskRequest& request,
                                           const ClusterRecord& cluster,
                                           const TaskDefinition& definition) {
  if (!request.launch_type.empty() && !request.strategy.empty()) {
    return InvalidParameter(
        "Specifying both a launch type and capacity provider strategy is not supported. Remove "
        "one and try again.");
  }
  size_t count = static_cast<size_t>(request.count);
  if (!request.launch_type.empty()) {
    return std::vector<Launch>(count, Launch{request.launch_type, ""});
  }
  const std::vector<CapacityProviderItem>& strategy =
      request.strategy.empty() ? cluster.default_strategy : request.strategy;
  if (strategy.empty()) {
    return std::vector<Launch>(count, Launch{IsFargate(definition) ? "FARGATE" : "EC2", ""});
  }
  TRY(CheckStrategy(strategy, cluster));
  return Distribute(strategy, request.count);
}

Result<std::string> ChoosePlatform(const std::string& requested, const Launch& launch) {
  if (!launch.IsFargate()) {
    if (requested.empty()) return std::string();
    return InvalidParameter(
        "The platform version must be null when specifying an EC2 launch type.");
  }
  if (requested.empty() || requested == "LATEST" || requested == kPlatformVersion) {
    return std::string(kPlatformVersion);
  }
  return Error(Code::kInvalid, "The specified platform does not exist.")
      .WithKind("PlatformUnknownException");
}

Result<> CheckNetwork(const std::optional<NetworkRequest>& network,
                      const TaskDefinition& definition, const Launch& launch) {
  bool is_awsvpc = EffectiveNetworkMode(definition) == NetworkMode::kAwsvpc;
  // A definition that names no mode has not asked for a choice of subnets either: it gets the
  // default ones.
  if (definition.network_mode == NetworkMode::kAwsvpc && !network) {
    return InvalidParameter(
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.");
  }
  if (!is_awsvpc && network) {
    return InvalidParameter(
        "Network Configuration is not valid for the given networkMode of this task definition.");
  }
  if (!network) return {};
  if (network->assign_public_ip && !launch.IsFargate()) {
    return InvalidParameter("Assign public IP is not supported for this launch type.");
  }
  return CheckSubnets(*network);
}

Result<> CheckCompatible(const TaskDefinition& definition, const Launch& launch) {
  std::vector<std::string> warnings;  // were given when the definition was registered
  Result<> supported = CheckSupported(definition, &warnings);
  if (!supported.ok()) return ClientError(supported.error().message());
  if (!launch.IsFargate() || IsFargate(definition)) return {};
  TaskDefinition strict = definition;
  strict.requires_compatibilities.emplace_back("FARGATE");
  Result<> valid = ValidateTaskDefinition(strict, &warnings);
  if (valid.ok()) return {};
  return InvalidParameter("Task definition does not support launch_type FARGATE. (" +
                          valid.error().message() + ")");
}

std::vector<Tag> MergeTags(const RunTaskRequest& request, const TaskDefinitionRecord& definition,
                           std::string_view cluster) {
  std::vector<Tag> tags = request.tags;
  auto add = [&tags](const Tag& tag) {
    bool is_taken = std::any_of(tags.begin(), tags.end(),
                                [&](const Tag& other) { return other.key == tag.key; });
    if (!is_taken) tags.push_back(tag);
  };
  if (request.propagate_tags) std::for_each(definition.tags.begin(), definition.tags.end(), add);
  if (request.managed_tags) add({"aws:ecs:clusterName", std::string(cluster)});
  return tags;
}

}  // namespace skiff::runtime::api
