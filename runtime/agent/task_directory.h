// The tasks of an installation as their directories tell them: reading, sweeping and removing. A
// record is what a task leaves in <data root>/tasks/<id>: its plan, events and logs.
//
// Starting a task holds a shared lock on the tasks directory until its supervisor has taken over,
// sweeping takes it exclusively: so a sweep never mistakes a task that is being started for a dead
// one. One thread a process, for the task's own lock is the process's (cleanup.h).
#pragma once

#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "runtime/model/event.h"
#include "runtime/model/task.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {

struct RecordedTask {
  TaskPlan plan;
  std::vector<Event> events;
  Task task;

  bool is_stopped() const { return task.last_status == TaskStatus::kStopped; }
};

// The task as planned, before any event.
Task TaskOfPlan(const TaskPlan& plan);

// kNotFound when the task has none (yet).
Result<TaskPlan> LoadPlan(const Roots& roots, const TaskId& id);

// Those with a directory.
Result<std::vector<TaskId>> ListTaskIds(const Roots& roots);

// Oldest first; directories without a readable plan are left out.
Result<std::vector<RecordedTask>> ListRecords(const Roots& roots);
Result<RecordedTask> LoadRecord(const Roots& roots, const TaskId& id);

// The lock that keeps sweeps away while a task is being started. Makes the tasks directory.
Result<UniqueFd> HoldOffSweeps(const Roots& roots);

// Cleans up after tasks whose supervisor died, and removes directories that never got a plan. What
// could not be done comes back. Does nothing while a task is being started.
std::vector<Error> SweepDeadTasks(const Roots& roots);

// Cleans up after the task when its supervisor is gone without a word. False when it lives.
// A task whose run directory is gone as well was ended by a restart of the host.
Result<bool> RecoverIfDead(const TaskPlan& plan);

// The task's live supervisor as a pidfd; invalid when it has none.
Result<UniqueFd> OpenSupervisor(const std::string& task_directory);

// Removes a stopped task's record, after what its cleanup may have left. Logs that the plan puts
// elsewhere stay.
Result<> RemoveRecord(const RecordedTask& record);

}  // namespace skiff::runtime
