#include "runtime/agent/followed_task.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

namespace skiff::runtime {

FollowedTask::FollowedTask(sys::EventLoop& loop, TaskPlan plan, std::function<void()> wake)
    : loop_(loop),
      plan_(std::move(plan)),
      wake_(std::move(wake)),
      reader_(plan_.roots.TaskDirectory(plan_.id)) {
  beat_.owner = this;
  end_.owner = this;
}

void FollowedTask::Attend(PreparedTask prepared, StartedSupervisor supervisor) {
  prepared_ = std::move(prepared);
  supervisor_ = std::move(supervisor.process);
  pulse_ = std::move(supervisor.pulse);
}

void FollowedTask::Adopt(UniqueFd supervisor) {
  is_adopted_ = true;
  supervisor_.pidfd = std::move(supervisor);
}

void FollowedTask::Source::OnComplete(int result, unsigned /*flags*/) {
  is_armed = false;
  if (result != -ECANCELED) owner->wake_();
}

void FollowedTask::Arm(Source& source, int fd) {
  if (source.is_armed || fd < 0) return;
  source.is_armed = true;
  loop_.Poll(fd, POLLIN, sys::Repeat::kOnce, source);
}

void FollowedTask::Rearm() {
  if (pulse_.valid() && !beat_.is_armed) {
    char beats[4096];
    ssize_t count = 0;
    do {
      count = read(pulse_.get(), beats, sizeof(beats));
    } while (count > 0);
    if (count == 0) pulse_.Reset();  // its writer has gone: the end says the rest
  }
  Arm(beat_, pulse_.valid() ? pulse_.get() : -1);
  if (!has_ended_) Arm(end_, supervisor_.pidfd.valid() ? supervisor_.pidfd.get() : -1);
}

Result<> FollowedTask::ReadEvents() {
  std::vector<Event> fresh = TRY(reader_.ReadNew());
  has_news_ |= !fresh.empty();
  for (Event& event : fresh) events_.push_back(std::move(event));
  return {};
}

void FollowedTask::MarkNoted(bool is_started) {
  has_news_ = false;
  std::erase_if(events_, [is_started](const Event& event) {
    bool is_of_start = event.type == EventType::kStepFinished;
    bool is_of_end =
        event.type == EventType::kContainerExited || event.type == EventType::kLogClosed;
    return is_of_start ? is_started : !is_of_end;
  });
}

void FollowedTask::LetGo() { prepared_.reset(); }

bool FollowedTask::HasEnded() {
  if (has_ended_ || !supervisor_.pidfd.valid()) return true;
  Result<bool> is_over = sys::PollReadable(supervisor_.pidfd.get(), std::chrono::milliseconds(0));
  has_ended_ = is_over.ok() && is_over.value();
  // An adopted supervisor is somebody else's child.
  if (has_ended_ && !is_adopted_) {
    Result<std::optional<sys::ExitStatus>> status = sys::WaitPidfd(supervisor_.pidfd.get(), false);
    static_cast<void>(status.ok());
  }
  return has_ended_;
}

Result<> FollowedTask::Kill() {
  if (HasEnded()) return {};
  Result<> killed = sys::SignalPidfd(supervisor_.pidfd.get(), SIGKILL);
  // An adopted one may end, and be reaped by its parent, between the look and the signal.
  bool is_gone = !killed.ok() && killed.error().sys_errno() == ESRCH;
  return is_gone ? Result<>() : std::move(killed);
}

void FollowedTask::Retire() {
  prepared_.reset();
  if (beat_.is_armed) loop_.Cancel(beat_);
  bool is_over = is_adopted_ || HasEnded();
  if (is_over && end_.is_armed) loop_.Cancel(end_);
  if (!is_over) Arm(end_, supervisor_.pidfd.get());
}

bool FollowedTask::IsIdle() {
  return !beat_.is_armed && !end_.is_armed && (is_adopted_ || HasEnded());
}

}  // namespace skiff::runtime
