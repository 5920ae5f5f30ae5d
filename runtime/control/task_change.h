// The writes of one commit that makes, changes or removes a task: its record, its place in the
// index that ListTasks reads, and its share of the host. Both sides that change tasks, the API and
// the agent, go through here, so that the three never disagree. Pure; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/control/task_record.h"
#include "runtime/model/task_definition.h"
#include "runtime/store/store.h"

namespace skiff::runtime {

// What a task of `definition`, overrides applied, takes of the host: the task's own sizes, or the
// sums of its containers'.
TaskShare ShareOf(const TaskDefinition& definition);

// A task that does not exist yet.
std::vector<RecordWrite> CreateTask(const TaskRecord& record, const TaskShare& share);

// The commit fails with kConflict unless the stored record is still the one of `store_version`,
// which decoded to `before`. Settles `after` first:
//   - a task that its supervisor reports as stopping is desired STOPPED, with the supervisor's
//     cause;
//   - observed.version is greater than before if the API shows any difference.
std::vector<RecordWrite> ChangeTask(const TaskRecord& before, uint64_t store_version,
                                    TaskRecord& after);

// Everything that the store has of the task.
std::vector<RecordWrite> RemoveTask(const TaskRecord& record, uint64_t store_version);

}  // namespace skiff::runtime
