// The texts of a task definition's enumerations, as the ECS API has them.
#pragma once

#include "runtime/model/names.h"
#include "runtime/model/task_definition.h"

namespace skiff::runtime {

inline constexpr NameTable<NetworkMode, 4> kNetworkModeNames{{
    {NetworkMode::kAwsvpc, "awsvpc"},
    {NetworkMode::kHost, "host"},
    {NetworkMode::kNone, "none"},
    {NetworkMode::kBridge, "bridge"},
}};

inline constexpr NameTable<Protocol, 2> kProtocolNames{{
    {Protocol::kTcp, "tcp"},
    {Protocol::kUdp, "udp"},
}};

inline constexpr NameTable<DependencyCondition, 4> kConditionNames{{
    {DependencyCondition::kStart, "START"},
    {DependencyCondition::kComplete, "COMPLETE"},
    {DependencyCondition::kSuccess, "SUCCESS"},
    {DependencyCondition::kHealthy, "HEALTHY"},
}};

constexpr const auto& NamesOf(NetworkMode) { return kNetworkModeNames; }
constexpr const auto& NamesOf(Protocol) { return kProtocolNames; }
constexpr const auto& NamesOf(DependencyCondition) { return kConditionNames; }

}  // namespace skiff::runtime
