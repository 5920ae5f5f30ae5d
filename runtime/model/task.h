// The task as observed: what `skiff ps`, `skiff inspect` and the ECS API show. It is made by
// folding the supervisor's events in order; nobody edits it otherwise. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/model/event.h"
#include "runtime/model/ids.h"

namespace skiff::runtime {

// In the order a task passes them; none is entered twice.
enum class TaskStatus {
  kProvisioning,
  kPending,
  kActivating,
  kRunning,
  kDeactivating,
  kStopping,
  kDeprovisioning,
  kStopped,
};

enum class ContainerStatus { kPending, kRunning, kStopped };
enum class DesiredStatus { kRunning, kStopped };

// "RUNNING".
std::string_view StatusName(TaskStatus status);
std::string_view StatusName(ContainerStatus status);
std::string_view StatusName(DesiredStatus status);

// Times are wall-clock nanoseconds since 1970; nullopt: not yet.
using WallTime = std::optional<int64_t>;

struct TaskContainer {
  std::string name;
  std::string image;
  std::string digest;
  std::string runtime_id;
  ContainerStatus last_status = ContainerStatus::kPending;
  std::optional<int> exit_code;
  std::optional<int> signal;  // that ended it
  std::string reason;
  bool oom_killed = false;
  int64_t pid = 0;  // while running; 0 otherwise
  WallTime started_at;
  WallTime stop_signalled_at;
  WallTime kill_sent_at;
  WallTime finished_at;
  bool operator==(const TaskContainer&) const = default;
};

struct Attachment {
  std::string id;      // the eni's
  std::string status;  // "ATTACHED", "DELETED"
  std::string address;
  std::string mac;
  bool operator==(const Attachment&) const = default;
};

struct LatencyStep {
  std::string name;
  std::string container;  // empty: a step of the task
  int64_t duration_ns = 0;
  bool operator==(const LatencyStep&) const = default;
};

struct Task {
  explicit Task(TaskId task_id) : id(std::move(task_id)) {}

  TaskId id;
  std::string family;                     // from the plan
  std::vector<TaskContainer> containers;  // from the plan, in the definition's order; an event that
                                          // names another adds it
  TaskStatus last_status = TaskStatus::kProvisioning;
  DesiredStatus desired_status = DesiredStatus::kRunning;
  std::optional<StopCode> stop_code;
  std::string stopped_reason;
  std::vector<Attachment> attachments;
  WallTime created_at;
  WallTime connectivity_at;
  WallTime pull_started_at;  // these two are set by whoever pulls
  WallTime pull_stopped_at;
  WallTime started_at;
  WallTime stopping_at;
  WallTime execution_stopped_at;
  WallTime stopped_at;
  uint64_t version = 0;  // counts the changes that the ECS API shows

  std::vector<LatencyStep> latency;
  std::vector<std::string> warnings;          // "web: ulimit nofile ..."
  std::vector<std::string> cleanup_failures;  // not empty: something of the task may remain
  uint64_t dropped_notes = 0;                 // beyond the limits of the three lists
  uint64_t last_event = 0;                    // number of the last event applied
  bool operator==(const Task&) const = default;

  TaskContainer* Find(std::string_view container_name);
  const TaskContainer* Find(std::string_view container_name) const;
};

// Folds one event in. An event numbered last_event or below was applied before and changes nothing,
// so replaying a whole file onto a task is safe. The first cause of a stop is kept.
void Apply(Task& task, const Event& event);

}  // namespace skiff::runtime
