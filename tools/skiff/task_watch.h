// Follows a task from outside its supervisor: its events as they come, its signals and its end.
// One thread.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/directory_watch.h"
#include "runtime/model/event.h"
#include "runtime/model/task.h"
#include "runtime/plan/task_plan.h"
#include "tools/skiff/records.h"

namespace skiff::tools {

class TaskWatch {
 public:
  static Result<TaskWatch> Open(const runtime::TaskPlan& plan);
  // Woken by the pulse of its supervisor (task_start.h), for log bytes as well.
  static TaskWatch Attend(const runtime::TaskPlan& plan, UniqueFd pulse);

  // Reads the events that are there. Those that are new are also in new_events().
  Result<> Refresh();
  const TaskRecord& record() const { return record_; }
  const std::vector<runtime::Event>& new_events() const { return new_events_; }

  // Waits until there may be new events, or one of `others` is readable: answers for each of these.
  Result<std::vector<bool>> Wait(const std::vector<int>& others,
                                 std::optional<std::chrono::milliseconds> timeout);

 private:
  explicit TaskWatch(TaskRecord record) : record_(std::move(record)) {}
  Result<> Clear();
  std::optional<sys::DirectoryWatch> watch_;  // or
  UniqueFd pulse_;
  TaskRecord record_;
  std::vector<runtime::Event> new_events_;
};

// Until the task has stopped; when its supervisor dies meanwhile, what it leaves is cleaned up.
Result<> WaitUntilStopped(TaskWatch* watch);

}  // namespace skiff::tools
