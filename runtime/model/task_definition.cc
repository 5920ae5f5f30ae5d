#include "runtime/model/task_definition.h"

#include <algorithm>

#include "runtime/model/task_definition_names.h"

namespace skiff::runtime {

bool IsFargate(const TaskDefinition& definition) {
  const std::vector<std::string>& wanted = definition.requires_compatibilities;
  return std::find(wanted.begin(), wanted.end(), "FARGATE") != wanted.end();
}

NetworkMode EffectiveNetworkMode(const TaskDefinition& definition) {
  return definition.network_mode.value_or(NetworkMode::kAwsvpc);
}

std::string_view NetworkModeName(NetworkMode mode) { return NameIn(kNetworkModeNames, mode); }
std::string_view ProtocolName(Protocol protocol) { return NameIn(kProtocolNames, protocol); }
std::string_view ConditionName(DependencyCondition condition) {
  return NameIn(kConditionNames, condition);
}

}  // namespace skiff::runtime
