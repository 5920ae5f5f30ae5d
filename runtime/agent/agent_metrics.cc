#include "runtime/agent/agent_metrics.h"

#include <algorithm>

#include "runtime/agent/limits.h"

namespace skiff::runtime {
namespace {

double Seconds(int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

}  // namespace

void AgentMetrics::NoteStart(const Task& task, int64_t created_wall_ns,
                             const std::vector<Event>& events) {
  starts_.Observe(Seconds(*task.started_at - created_wall_ns));
  for (const Event& event : events) {
    if (event.type != EventType::kStepFinished) continue;
    // Names come from this program; should they not, they are not kept without end.
    if (steps_.size() >= kMaxMeasuredSteps && !steps_.contains(event.step)) continue;
    steps_[event.step].Observe(Seconds(event.duration_ns));
  }
}

void AgentMetrics::NoteEnd(const Task& task, const std::vector<Event>& events) {
  ++ends_[std::string(task.stop_code ? StopCodeName(*task.stop_code) : "")];
  for (const Event& event : events) {
    if (event.type == EventType::kContainerExited && event.oom_killed) ++oom_kills_;
    if (event.type != EventType::kLogClosed) continue;
    log_bytes_ += static_cast<uint64_t>(std::max<int64_t>(event.stored_bytes, 0));
    lost_log_bytes_ += static_cast<uint64_t>(std::max<int64_t>(event.lost_bytes, 0));
  }
}

void AgentMetrics::Note(const Task& before, const Task& after, int64_t created_wall_ns,
                        const std::vector<Event>& events) {
  std::lock_guard lock(mutex_);
  if (!before.started_at && after.started_at) NoteStart(after, created_wall_ns, events);
  bool was_over = before.last_status == TaskStatus::kStopped;
  if (!was_over && after.last_status == TaskStatus::kStopped) NoteEnd(after, events);
}

void AgentMetrics::Write(MetricsText& text) const {
  std::lock_guard lock(mutex_);
  text.Family("skiff_task_start_seconds", "histogram", "From a task's creation to RUNNING.");
  text.Add({}, starts_);
  text.Family("skiff_task_start_step_seconds", "histogram", "The steps of tasks' starts.");
  for (const auto& [step, histogram] : steps_) text.Add({{"step", step}}, histogram);
  text.Family("skiff_tasks_stopped_total", "counter", "Tasks that came to their end.");
  for (const auto& [code, count] : ends_) text.Sample({{"stop_code", code}}, count);
  text.Family("skiff_oom_kills_total", "counter", "Containers the kernel killed for their memory.");
  text.Sample({}, oom_kills_);
  text.Family("skiff_log_bytes_total", "counter", "Bytes kept of the logs of ended containers.");
  text.Sample({}, log_bytes_);
  text.Family("skiff_log_lost_bytes_total", "counter",
              "Bytes of those logs that were dropped: the disk or a buffer was full.");
  text.Sample({}, lost_log_bytes_);
}

}  // namespace skiff::runtime
