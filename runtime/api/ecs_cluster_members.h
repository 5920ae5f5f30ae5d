// What a cluster may be given by CreateCluster, UpdateCluster, UpdateClusterSettings and
// PutClusterCapacityProviders: read from the input, checked, applied. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "isolation/base/json.h"
#include "isolation/base/result.h"
#include "runtime/control/records.h"

namespace skiff::runtime::api {

struct ClusterMembers {
  std::vector<KeyValue> settings;
  std::optional<std::string> configuration;  // JSON object as given
  std::optional<std::string> service_connect;
  std::optional<std::vector<std::string>> capacity_providers;
  std::optional<std::vector<CapacityProviderItem>> default_strategy;
};

// InvalidParameterException names the member.
Result<ClusterMembers> ReadClusterMembers(const JsonCursor& input);

// Those that were given replace the record's; settings one by one. The default strategy may only
// name providers that the cluster has then.
Result<> ApplyMembers(const ClusterMembers& members, ClusterRecord* record);

// The capacity providers that every account has.
inline constexpr const char* kFargateProviders[] = {"FARGATE", "FARGATE_SPOT"};
bool IsCapacityProvider(std::string_view name);

}  // namespace skiff::runtime::api
