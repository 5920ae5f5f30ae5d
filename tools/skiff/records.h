// The tasks of an installation as their directories tell them: finding, reading, sweeping and
// removing. A record is what a task leaves in <data root>/tasks/<id>: its plan, events and logs.
//
// Starting a task holds a shared lock on the tasks directory until its supervisor has taken over,
// sweeping takes it exclusively: so a sweep never mistakes a task that is being started for a dead
// one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "runtime/model/event.h"
#include "runtime/model/task.h"
#include "runtime/plan/task_plan.h"

namespace skiff::tools {

struct TaskRecord {
  runtime::TaskPlan plan;
  std::vector<runtime::Event> events;
  runtime::Task task;

  bool is_stopped() const { return task.last_status == runtime::TaskStatus::kStopped; }
};

// The task as planned, before any event.
runtime::Task TaskOfPlan(const runtime::TaskPlan& plan);

// The code that `skiff run` exits with for a stopped task: the failed start's when the task failed
// to start, otherwise that of the essential container that ended first. nullopt: none has one.
std::optional<int> ExitCodeOf(const runtime::TaskPlan& plan,
                              const std::vector<runtime::Event>& events);

// Oldest first; directories without a readable plan are left out.
Result<std::vector<TaskRecord>> ListRecords(const runtime::Roots& roots);
Result<TaskRecord> LoadRecord(const runtime::Roots& roots, const runtime::TaskId& id);
// `text`: an id, or at least kMinIdPrefix digits of one. kNotFound, or kInvalid when several match.
Result<TaskRecord> FindRecord(const runtime::Roots& roots, std::string_view text);

// The lock that keeps sweeps away while a task is being started. Makes the tasks directory.
Result<UniqueFd> HoldOffSweeps(const runtime::Roots& roots);

// Cleans up after tasks whose supervisor died, and removes directories that never got a plan. What
// cannot be done is warned about. Does nothing while a task is being started.
void SweepDeadTasks(const runtime::Roots& roots);

// Cleans up after the task when its supervisor is gone without a word. False when it lives.
Result<bool> RecoverIfDead(const runtime::TaskPlan& plan);

// Removes a stopped task's record, after what its cleanup may have left.
Result<> RemoveRecord(const TaskRecord& record);

}  // namespace skiff::tools
