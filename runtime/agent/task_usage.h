// What an active task takes of the host right now, from its cgroups and its log files. Any thread.
#pragma once

#include <optional>

#include "isolation/cgroup.h"
#include "runtime/plan/paths.h"

namespace skiff::runtime {

struct TaskUsage {
  isolation::CgroupUsage cgroup;
  uint64_t log_bytes = 0;  // on disk
};

// nullopt: the task has no cgroup (yet, or any more).
std::optional<TaskUsage> ReadTaskUsage(const isolation::CgroupHost& cgroups, const Roots& roots,
                                       const TaskId& id);

}  // namespace skiff::runtime
