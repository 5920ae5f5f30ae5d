// Takes down what a task has in the kernel and on disk, from its plan alone: every name derives
// from the task id, so it needs no memory and may be repeated, by the supervisor at the end or by
// anybody after the supervisor died.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "networking/network.h"
#include "runtime/plan/task_plan.h"
#include "runtime/supervisor/event_log.h"

namespace skiff::runtime {

// Kills, then removes: cgroups, network, writable layers, run directory, claim on ids. Every step
// runs whatever the others did; what failed comes back. The task's record (plan, events, logs)
// stays. `network` is the supervisor's own, or null: then one is opened.
std::vector<Error> CleanUpTask(const TaskPlan& plan, networking::Network* network);

// For a task whose supervisor is gone without a word: cleans up and closes its event log. Requires
// the task's lock. `reason` becomes the task's unless a stop had been asked for.
inline constexpr const char* kSupervisorLost = "The task's supervisor was lost";
Result<> RecoverDeadTask(const TaskPlan& plan, const std::string& reason = kSupervisorLost);

// Takes the lock that a live supervisor holds; invalid (no error) when it lives. A record lock: one
// holder a process, and it is lost with any descriptor of the file.
Result<UniqueFd> TryLockTask(const std::string& task_directory);

}  // namespace skiff::runtime
