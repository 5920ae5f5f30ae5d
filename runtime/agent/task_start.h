// From a definition to a supervisor at work: resolves the images, makes the plan and the task's
// directory, starts the supervisor's process. When any of it fails, nothing of the task is left.
// Single-threaded callers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "images/store.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/process.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {

struct ResolvedImages {
  std::map<std::string, PlannedImage> images;  // by the definition's image text
  std::vector<UniqueFd> held_layers;           // outlive a concurrent removal of the image
};

// The error says how to bring a missing image in and, `with_members`, names the definition's
// member.
Result<ResolvedImages> ResolveImages(const TaskDefinition& definition,
                                     const images::ImageStore& store, bool with_members);

struct PreparedTask {
  TaskPlan plan;
  std::string directory;
  std::vector<UniqueFd> held_layers;  // until the supervisor holds them itself
  UniqueFd sweep_hold;                // until the supervisor holds the task's lock
};

// Writes definition.json, which is `text`, and plan.json. `request` lacks only the images.
Result<PreparedTask> PrepareTask(const TaskDefinition& definition, const std::string& text,
                                 PlanRequest request, ResolvedImages images);

struct StartedSupervisor {
  sys::Process process;
  UniqueFd pulse;  // readable when there may be something new (runtime/supervisor/pulse.h)
};

// Its output goes to supervisor.log. It is a session of its own: a terminal's signals do not reach
// it, and it outlives its starter.
Result<StartedSupervisor> StartSupervisor(const PreparedTask& task);

// What a supervisor that ended without events said last; "" when it said nothing.
std::string LastWordsOf(const std::string& task_directory);

}  // namespace skiff::runtime
