// A task whose supervisor the agent listens to: woken by its pulse when the agent started it, and
// by its end. One thread, the loop's; must outlive what is pending on the loop (IsIdle).
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/event_loop.h"
#include "runtime/agent/task_start.h"
#include "runtime/plan/task_plan.h"
#include "runtime/supervisor/event_log.h"

namespace skiff::runtime {

class FollowedTask {
 public:
  // `wake` is called on the loop when there may be something new.
  FollowedTask(sys::EventLoop& loop, TaskPlan plan, std::function<void()> wake);

  void Attend(PreparedTask prepared, StartedSupervisor supervisor);
  // A supervisor that an earlier daemon started: its end only, for its events are seen elsewhere.
  void Adopt(UniqueFd supervisor);

  // Before looking at the events; waits for the next wake.
  void Rearm();
  // The supervisor holds the task's lock and layers itself now.
  void LetGo();
  // The supervisor's process has ended (or there never was one); reaps it.
  bool HasEnded();
  // Ends the supervisor, and with it the containers; what it leaves is for RecoverIfDead.
  Result<> Kill();
  // Nothing is waited for any more but the end of an own child.
  void Retire();
  // After Retire: may be destroyed.
  bool IsIdle();

  // The supervisor's events: all that are not noted yet, after those of earlier ones that are asked
  // for when the task has started or ended (agent_metrics.h).
  Result<> ReadEvents();
  bool has_news() const { return has_news_; }
  const std::vector<Event>& events() const { return events_; }
  void MarkNoted(bool is_started);  // after the task's record is written with them

  const TaskPlan& plan() const { return plan_; }
  bool is_adopted() const { return is_adopted_; }
  bool is_stop_sent = false;  // the agent's note

 private:
  struct Source final : sys::Completion {
    void OnComplete(int result, unsigned flags) override;
    FollowedTask* owner = nullptr;
    bool is_armed = false;
  };
  void Arm(Source& source, int fd);

  sys::EventLoop& loop_;
  TaskPlan plan_;
  std::function<void()> wake_;
  std::optional<PreparedTask> prepared_;
  sys::Process supervisor_;
  EventReader reader_;
  std::vector<Event> events_;
  bool has_news_ = false;
  bool is_adopted_ = false;
  bool has_ended_ = false;
  UniqueFd pulse_;
  Source beat_;
  Source end_;
};

}  // namespace skiff::runtime
