// What `skiff run` gives to the starting of a task (runtime/agent/task_start.h).
#pragma once

#include <vector>

#include "isolation/base/result.h"
#include "runtime/agent/task_start.h"
#include "runtime/plan/task_plan.h"
#include "tools/skiff/run_definition.h"

namespace skiff::tools {

// A task of a new id, ready for its supervisor.
Result<runtime::PreparedTask> PrepareRun(const RunDefinition& run, const Run& options,
                                         const runtime::Roots& roots);

// The plan alone: nothing is written.
Result<runtime::TaskPlan> PlanRun(const RunDefinition& run, const Run& options,
                                  const runtime::Roots& roots);

}  // namespace skiff::tools
