#include "runtime/model/overrides.h"

#include <algorithm>
#include <utility>

#include "runtime/model/limits.h"
#include "runtime/model/validate.h"

namespace skiff::runtime {
namespace {

void SetVariable(std::vector<KeyValue>& environment, const KeyValue& variable) {
  auto found = std::find_if(environment.begin(), environment.end(),
                            [&](const KeyValue& v) { return v.name == variable.name; });
  if (found == environment.end()) {
    environment.push_back(variable);
  } else {
    found->value = variable.value;
  }
}

Result<std::optional<Bytes>> Mebibytes(const std::optional<int64_t>& mib, const char* member) {
  if (!mib) return std::optional<Bytes>();
  if (*mib < 0 || *mib > kMaxMemoryMib) {
    return Error(Code::kInvalid, "overrides.containerOverrides." + std::string(member) + ": " +
                                     std::to_string(*mib) + " is no amount of MiB");
  }
  return std::optional<Bytes>(Bytes::MiB(static_cast<uint64_t>(*mib)));
}

Result<> ApplyToContainer(ContainerDefinition& container, const ContainerOverride& change) {
  std::optional<Bytes> memory = TRY(Mebibytes(change.memory, "memory"));
  std::optional<Bytes> soft = TRY(Mebibytes(change.memory_reservation, "memoryReservation"));
  if (memory) container.memory = memory;
  if (soft) container.memory_reservation = soft;
  if (change.cpu) container.cpu = *change.cpu;
  if (change.command) container.command = *change.command;
  for (const KeyValue& variable : change.environment) SetVariable(container.environment, variable);
  return {};
}

Result<> ApplyToContainers(TaskDefinition& definition,
                           const std::vector<ContainerOverride>& changes) {
  for (const ContainerOverride& change : changes) {
    auto found = std::find_if(definition.containers.begin(), definition.containers.end(),
                              [&](const ContainerDefinition& c) { return c.name == change.name; });
    if (found == definition.containers.end()) {
      return Error(Code::kInvalid, "Override for container named " + change.name +
                                       " is not a container in the TaskDefinition.");
    }
    TRY(ApplyToContainer(*found, change));
  }
  return {};
}

Result<> ApplyToTask(TaskDefinition& definition, const TaskOverrides& overrides) {
  if (overrides.cpu) definition.cpu = TRY(ParseTaskCpu(*overrides.cpu));
  if (overrides.memory) definition.memory = TRY(ParseTaskMemory(*overrides.memory));
  if (overrides.task_role_arn) definition.task_role_arn = overrides.task_role_arn;
  if (overrides.execution_role_arn) definition.execution_role_arn = overrides.execution_role_arn;
  if (overrides.ephemeral_storage) definition.ephemeral_storage = overrides.ephemeral_storage;
  return {};
}

}  // namespace

Result<TaskDefinition> ApplyOverrides(TaskDefinition definition, const TaskOverrides& overrides) {
  if (overrides == TaskOverrides()) return definition;
  TRY(ApplyToTask(definition, overrides));
  TRY(ApplyToContainers(definition, overrides.containers));
  std::vector<std::string> warnings;  // were given when the definition was registered
  TRY(ValidateTaskDefinition(definition, &warnings));
  return definition;
}

}  // namespace skiff::runtime
