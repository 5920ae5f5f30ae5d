// RunTask's request as read from JSON, and what is decided from it without the store. Inside
// runtime/api only. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/json.h"
#include "isolation/base/result.h"
#include "runtime/control/records.h"
#include "runtime/model/overrides.h"

namespace skiff::runtime::api {

struct NetworkRequest {
  std::vector<std::string> subnets;
  std::vector<std::string> security_groups;
  bool assign_public_ip = false;
};

struct RunTaskRequest {
  std::string task_definition;
  int64_t count = 1;
  std::string launch_type;  // "" not given
  std::vector<CapacityProviderItem> strategy;
  std::string platform_version;  // "" not given
  std::optional<NetworkRequest> network;
  TaskOverrides overrides;
  std::vector<Tag> tags;
  bool propagate_tags = false;  // the task definition's
  bool managed_tags = false;
  std::string started_by;
  std::string group;  // "" not given
  std::string client_token;
  std::string fingerprint;  // the same for requests that ask for the same
};

// Types, words and limits; every parameter that this version cannot honour is refused.
Result<RunTaskRequest> ReadRunTask(const JsonCursor& input);

// A list of capacity providers as `member` of the input has it.
Result<std::vector<CapacityProviderItem>> ReadStrategy(const JsonCursor& input,
                                                       std::string_view member);
// Every provider belongs to the cluster, one item may have a base, and the weights say something.
Result<> CheckStrategy(const std::vector<CapacityProviderItem>& strategy,
                       const ClusterRecord& cluster);

// Where one task goes.
struct Launch {
  std::string launch_type;        // "FARGATE", "EC2"; "" when a capacity provider was named
  std::string capacity_provider;  // "" when a launch type was
  bool IsFargate() const { return launch_type != "EC2"; }
};
// One for each of `count` tasks: by the request's launch type or strategy, else the cluster's
// default strategy, else FARGATE if the definition requires it, else EC2.
Result<std::vector<Launch>> ChooseLaunches(const RunTaskRequest& request,
                                           const ClusterRecord& cluster,
                                           const TaskDefinition& definition);

// "1.4.0", or "" on EC2. PlatformUnknownException.
Result<std::string> ChoosePlatform(const std::string& requested, const Launch& launch);

// The rules about networkConfiguration, in ECS's words.
Result<> CheckNetwork(const std::optional<NetworkRequest>& network,
                      const TaskDefinition& definition, const Launch& launch);

// The definition may run there.
Result<> CheckCompatible(const TaskDefinition& definition, const Launch& launch);

// The request's tags, then the definition's and ECS's own for keys that are still free.
std::vector<Tag> MergeTags(const RunTaskRequest& request, const TaskDefinitionRecord& definition,
                           std::string_view cluster);

}  // namespace skiff::runtime::api
