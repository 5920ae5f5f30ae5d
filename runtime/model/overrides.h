// What RunTask changes of a task definition for one task. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "isolation/base/json.h"
#include "isolation/base/result.h"
#include "runtime/model/task_definition.h"

namespace skiff::runtime {

struct ContainerOverride {
  std::string name;
  std::optional<std::vector<std::string>> command;
  std::vector<KeyValue> environment;
  std::optional<int64_t> cpu;                 // units
  std::optional<int64_t> memory;              // MiB
  std::optional<int64_t> memory_reservation;  // MiB
  bool operator==(const ContainerOverride&) const = default;
};

struct TaskOverrides {
  std::vector<ContainerOverride> containers;
  std::optional<std::string> cpu;  // units or "1 vCPU", as in a task definition
  std::optional<std::string> memory;
  std::optional<std::string> task_role_arn;
  std::optional<std::string> execution_role_arn;
  std::optional<EphemeralStorage> ephemeral_storage;
  bool operator==(const TaskOverrides&) const = default;
};

// RunTask's member `overrides`. What this version cannot carry out, and members it does not know,
// are refused by name.
Result<TaskOverrides> ParseOverrides(const JsonCursor& object);
// As ParseOverrides reads it; containerOverrides is always there, as DescribeTasks has it.
std::string EncodeOverrides(const TaskOverrides& overrides);

// The definition that runs. kInvalid, in ECS's words, for a container the definition does not have
// and for sizes that the definition's rules refuse.
Result<TaskDefinition> ApplyOverrides(TaskDefinition definition, const TaskOverrides& overrides);

}  // namespace skiff::runtime
