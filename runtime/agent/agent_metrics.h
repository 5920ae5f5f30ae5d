// What the agent has seen since the daemon began, for /metrics: how long starts took, step by step,
// how tasks ended, what their logs held and lost. Written by the agent's thread, read by any.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/control/metrics.h"
#include "runtime/control/task_record.h"
#include "runtime/model/event.h"

namespace skiff::runtime {

class AgentMetrics {
 public:
  // A task's record went from `before` to `after`; `events` are all of the task's.
  void Note(const Task& before, const Task& after, int64_t created_wall_ns,
            const std::vector<Event>& events);
  void Write(MetricsText& text) const;

 private:
  void NoteStart(const Task& task, int64_t created_wall_ns, const std::vector<Event>& events);
  void NoteEnd(const Task& task, const std::vector<Event>& events);

  mutable std::mutex mutex_;
  Histogram starts_;
  std::map<std::string, Histogram> steps_;  // by step; there are some thirty
  std::map<std::string, uint64_t> ends_;    // by stop code
  uint64_t oom_kills_ = 0;
  uint64_t log_bytes_ = 0;
  uint64_t lost_log_bytes_ = 0;
};

}  // namespace skiff::runtime
