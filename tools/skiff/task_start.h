// From a definition to a supervisor at work: resolves the images, makes the plan and the task's
// directory, starts the supervisor's process. When any of it fails, nothing of the task is left.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/process.h"
#include "runtime/plan/task_plan.h"
#include "tools/skiff/run_definition.h"

namespace skiff::tools {

struct PreparedTask {
  runtime::TaskPlan plan;
  std::string directory;
  std::vector<UniqueFd> held_layers;  // until the supervisor holds them itself
  UniqueFd sweep_hold;                // until the supervisor holds the task's lock
};

// Writes definition.json and plan.json.
Result<PreparedTask> PrepareTask(const RunDefinition& run,
                                 const std::vector<runtime::PublishedPortPlan>& ports,
                                 const runtime::Roots& roots);

struct StartedSupervisor {
  sys::Process process;
  UniqueFd pulse;  // readable when there may be something new (runtime/supervisor/pulse.h)
};

// Its output goes to supervisor.log. It is a session of its own: a terminal's signals do not reach
// it, and it outlives its starter.
Result<StartedSupervisor> StartSupervisor(const PreparedTask& task);

// What a supervisor that ended without events said last; "" when it said nothing.
std::string LastWordsOf(const std::string& task_directory);

}  // namespace skiff::tools
