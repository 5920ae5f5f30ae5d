// Tasks as JSON, in the words of ECS's DescribeTasks, for `skiff ps --json` and `skiff inspect`.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/supervisor/task_storage.h"
#include "tools/skiff/records.h"

namespace skiff::tools {

// What of the host holds a task's limits: gathered by the caller.
struct TaskKernelFacts {
  std::vector<std::pair<std::string, std::string>> enforcement;  // "memory", "cgroup v2"
  std::vector<std::string> cgroups;                              // the task's directories
  std::optional<runtime::StorageFacts> storage;                  // of a task that runs
};

// The members of DescribeTasks that skiff has, as an array.
std::string EncodeTasks(const std::vector<TaskRecord>& records);

// The same for one task, with limits, enforcement, cgroups, warnings and the steps of its start.
std::string EncodeTask(const TaskRecord& record, const TaskKernelFacts& facts);

}  // namespace skiff::tools
