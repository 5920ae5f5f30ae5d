#include "runtime/model/task.h"

#include <algorithm>
#include <utility>

#include "runtime/model/limits.h"
#include "runtime/model/task_names.h"

namespace skiff::runtime {
namespace {

template <typename T>
void AppendBounded(Task& task, std::vector<T>& list, size_t limit, T value) {
  if (list.size() < limit) {
    list.push_back(std::move(value));
  } else {
    ++task.dropped_notes;
  }
}

// Status only moves forward, whatever order late events arrive in.
void Advance(Task& task, TaskStatus status) {
  task.last_status = std::max(task.last_status, status);
}

void SetOnce(WallTime& time, int64_t wall_ns) {
  if (!time) time = wall_ns;
}

TaskContainer& ContainerOf(Task& task, const Event& event) {
  TaskContainer* found = task.Find(event.container);
  if (found != nullptr) return *found;
  task.containers.emplace_back().name = event.container;
  return task.containers.back();
}

void SetIfGiven(std::string& target, const std::string& text) {
  if (!text.empty()) target = text;
}

void Create(Task& task, const Event& event) {
  TaskContainer& container = ContainerOf(task, event);
  SetIfGiven(container.image, event.image);
  SetIfGiven(container.digest, event.digest);
  SetIfGiven(container.runtime_id, event.runtime_id);
  Advance(task, TaskStatus::kPending);
}

void AttachNetwork(Task& task, const Event& event) {
  task.attachments.push_back({event.eni, "ATTACHED", event.address, event.mac});
  SetOnce(task.connectivity_at, event.wall_ns);
  Advance(task, TaskStatus::kPending);
}

void Start(Task& task, const Event& event) {
  TaskContainer& container = ContainerOf(task, event);
  container.last_status = ContainerStatus::kRunning;
  container.pid = event.pid;
  SetOnce(container.started_at, event.wall_ns);
}

// When a stopping task's last container ends, what is left is to take its network away.
void NoteEndOfExecution(Task& task, int64_t wall_ns) {
  bool any_alive = std::any_of(
      task.containers.begin(), task.containers.end(),
      [](const TaskContainer& c) { return c.last_status == ContainerStatus::kRunning; });
  if (any_alive || task.desired_status != DesiredStatus::kStopped) return;
  SetOnce(task.execution_stopped_at, wall_ns);
  Advance(task, TaskStatus::kDeprovisioning);
}

void End(Task& task, const Event& event) {
  TaskContainer& container = ContainerOf(task, event);
  container.last_status = ContainerStatus::kStopped;
  container.pid = 0;
  container.exit_code = event.exit_code;
  container.signal = event.signal;
  container.oom_killed = event.oom_killed;
  container.reason = event.reason;
  if (event.oom_killed && event.reason.empty()) container.reason = kOutOfMemoryReason;
  SetOnce(container.finished_at, event.wall_ns);
  NoteEndOfExecution(task, event.wall_ns);
}

void BeginStop(Task& task, const Event& event) {
  task.desired_status = DesiredStatus::kStopped;
  SetOnce(task.stopping_at, event.wall_ns);
  if (!task.stop_code && event.stop_code) {
    task.stop_code = event.stop_code;
    task.stopped_reason = event.reason.substr(0, kMaxReasonLength);
  }
  Advance(task, TaskStatus::kStopping);
}

void FinishStop(Task& task, const Event& event) {
  BeginStop(task, event);
  for (TaskContainer& container : task.containers) {
    container.last_status = ContainerStatus::kStopped;
    container.pid = 0;
  }
  for (Attachment& attachment : task.attachments) attachment.status = "DELETED";
  SetOnce(task.execution_stopped_at, event.wall_ns);
  SetOnce(task.stopped_at, event.wall_ns);
  Advance(task, TaskStatus::kStopped);
}

std::string NoteText(const Event& event) {
  return event.container.empty() ? event.text : event.container + ": " + event.text;
}

// Returns whether the ECS API shows the change.
bool Fold(Task& task, const Event& event) {
  switch (event.type) {
    case EventType::kTaskCreated:
      SetOnce(task.created_at, event.wall_ns);
      return true;
    case EventType::kStepFinished:
      AppendBounded(task, task.latency, kMaxLatencySteps,
                    LatencyStep{event.step, event.container, event.duration_ns});
      return false;
    case EventType::kNetworkAttached:
      AttachNetwork(task, event);
      return true;
    case EventType::kContainerCreated:
      Create(task, event);
      return true;
    case EventType::kContainerStarted:
      Start(task, event);
      return true;
    case EventType::kContainerExited:
    case EventType::kContainerStartFailed:
      End(task, event);
      return true;
    case EventType::kTaskRunning:
      SetOnce(task.started_at, event.wall_ns);
      Advance(task, TaskStatus::kRunning);
      return true;
    case EventType::kStopRequested:
      BeginStop(task, event);
      NoteEndOfExecution(task, event.wall_ns);
      return true;
    case EventType::kStopSignalled:
      SetOnce(ContainerOf(task, event).stop_signalled_at, event.wall_ns);
      return false;
    case EventType::kKillSent:
    case EventType::kLogClosed:
      SetOnce(ContainerOf(task, event).kill_sent_at, event.wall_ns);
      return false;
    case EventType::kWarning:
      AppendBounded(task, task.warnings, kMaxTaskWarnings, NoteText(event));
      return false;
    case EventType::kCleanupFailed:
      AppendBounded(task, task.cleanup_failures, kMaxTaskWarnings, NoteText(event));
      return false;
    case EventType::kTaskStopped:
      FinishStop(task, event);
      return true;
  }
  return false;
}

}  // namespace

std::string_view StatusName(TaskStatus status) { return NameIn(kTaskStatusNames, status); }
std::string_view StatusName(ContainerStatus status) {
  return NameIn(kContainerStatusNames, status);
}
std::string_view StatusName(DesiredStatus status) { return NameIn(kDesiredStatusNames, status); }

TaskContainer* Task::Find(std::string_view container_name) {
  return const_cast<TaskContainer*>(std::as_const(*this).Find(container_name));
}

const TaskContainer* Task::Find(std::string_view container_name) const {
  auto found = std::find_if(containers.begin(), containers.end(),
                            [&](const TaskContainer& c) { return c.name == container_name; });
  return found == containers.end() ? nullptr : &*found;
}

void Apply(Task& task, const Event& event) {
  if (event.number <= task.last_event) return;
  task.last_event = event.number;
  if (Fold(task, event)) ++task.version;
}

}  // namespace skiff::runtime
