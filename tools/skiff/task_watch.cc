#include "tools/skiff/task_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include "isolation/sys/file.h"
#include "runtime/supervisor/event_log.h"
#include "tools/skiff/limits.h"
#include "tools/skiff/wait.h"

namespace skiff::tools {

Result<TaskWatch> TaskWatch::Open(const runtime::TaskPlan& plan) {
  UniqueFd directory = TRY(sys::OpenDirectory(AT_FDCWD, plan.roots.TaskDirectory(plan.id)));
  TaskWatch made(TaskRecord{plan, {}, TaskOfPlan(plan)});
  made.watch_ = TRY(sys::DirectoryWatch::Open(directory.get()));
  TRY(made.Refresh());
  return made;
}

TaskWatch TaskWatch::Attend(const runtime::TaskPlan& plan, UniqueFd pulse) {
  TaskWatch made(TaskRecord{plan, {}, TaskOfPlan(plan)});
  made.pulse_ = std::move(pulse);
  return made;
}

Result<> TaskWatch::Clear() {
  if (watch_) return watch_->Clear();
  char beats[4096];
  while (read(pulse_.get(), beats, sizeof(beats)) > 0) continue;
  return {};
}

Result<> TaskWatch::Refresh() {
  TRY(Clear());  // before looking
  std::string directory = record_.plan.roots.TaskDirectory(record_.plan.id);
  uint64_t last = record_.task.last_event;
  record_.events = TRY(runtime::ReadEvents(directory));
  new_events_.clear();
  for (const runtime::Event& event : record_.events) {
    if (event.number > last) new_events_.push_back(event);
    Apply(record_.task, event);
  }
  return {};
}

Result<std::vector<bool>> TaskWatch::Wait(const std::vector<int>& others,
                                          std::optional<std::chrono::milliseconds> timeout) {
  std::vector<int> fds = others;
  fds.push_back(watch_ ? watch_->fd() : pulse_.get());
  std::vector<bool> ready = TRY(WaitReadable(fds, timeout));
  ready.pop_back();
  return ready;
}

Result<> WaitUntilStopped(TaskWatch* watch) {
  for (;;) {
    TRY(watch->Refresh());
    if (watch->record().is_stopped()) return {};
    bool is_dead = TRY(RecoverIfDead(watch->record().plan));
    if (!is_dead) TRY(watch->Wait({}, kLivenessInterval));
  }
}

}  // namespace skiff::tools
