// The tasks of an installation as the command line names and shows them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "runtime/agent/task_directory.h"

namespace skiff::tools {

using TaskRecord = runtime::RecordedTask;

// The code that `skiff run` exits with for a stopped task: the failed start's when the task failed
// to start, otherwise that of the essential container that ended first. nullopt: none has one.
std::optional<int> ExitCodeOf(const runtime::TaskPlan& plan,
                              const std::vector<runtime::Event>& events);

// `text`: an id, or at least kMinIdPrefix digits of one. kNotFound, or kInvalid when several match.
Result<TaskRecord> FindRecord(const runtime::Roots& roots, std::string_view text);

// SweepDeadTasks; what could not be done is warned about.
void SweepAndWarn(const runtime::Roots& roots);

}  // namespace skiff::tools
