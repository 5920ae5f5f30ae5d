#include "runtime/agent/task_directory.h"

#include <fcntl.h>

#include <algorithm>

#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "runtime/plan/limits.h"
#include "runtime/supervisor/cleanup.h"
#include "runtime/supervisor/event_log.h"

namespace skiff::runtime {

Result<TaskPlan> LoadPlan(const Roots& roots, const TaskId& id) {
  std::string path = roots.TaskDirectory(id) + "/plan.json";
  std::string text = TRY(sys::ReadFile(AT_FDCWD, path, kMaxPlanBytes));
  TaskPlan plan = TRY(DecodePlan(text).Context(path));
  if (plan.id != id || plan.roots.data != roots.data) {
    return Error(Code::kInvalid, path + ": the plan of another task");
  }
  return plan;
}

namespace {

constexpr const char* kHostRestarted = "The host was restarted";

bool IsClosed(const std::vector<Event>& events) {
  return !events.empty() && events.back().type == EventType::kTaskStopped;
}

// The directory of a start that died before there was a plan holds nothing but files.
Result<> SweepTask(const Roots& roots, const TaskId& id) {
  std::string directory = roots.TaskDirectory(id);
  if (!sys::Exists(AT_FDCWD, directory + "/plan.json")) {
    return sys::RemoveTree(AT_FDCWD, directory);
  }
  TaskPlan plan = TRY(LoadPlan(roots, id));
  TRY(RecoverIfDead(plan));
  return {};
}

}  // namespace

Result<std::vector<TaskId>> ListTaskIds(const Roots& roots) {
  std::vector<TaskId> ids;
  Result<std::vector<std::string>> names = sys::ListDirectory(AT_FDCWD, roots.TasksDirectory());
  if (!names.ok() && names.error().code() == Code::kNotFound) return ids;
  if (!names.ok()) return std::move(names).error();
  for (const std::string& name : names.value()) {
    Result<TaskId> id = TaskId::Parse(name);
    if (id.ok()) ids.push_back(std::move(id).value());
  }
  return ids;
}

Task TaskOfPlan(const TaskPlan& plan) {
  Task task(plan.id);
  task.family = plan.family;
  task.created_at = plan.created_at;
  for (const ContainerPlan& container : plan.containers) {
    TaskContainer& made = task.containers.emplace_back();
    made.name = container.name;
    made.image = container.image;
    made.digest = container.image_digest;
    made.runtime_id = container.runtime_id;
  }
  return task;
}

Result<RecordedTask> LoadRecord(const Roots& roots, const TaskId& id) {
  TaskPlan plan = TRY(LoadPlan(roots, id).Context("task " + id.text()));
  Task task = TaskOfPlan(plan);
  std::vector<Event> events = TRY(ReadEvents(roots.TaskDirectory(id)));
  for (const Event& event : events) Apply(task, event);
  return RecordedTask{std::move(plan), std::move(events), std::move(task)};
}

Result<std::vector<RecordedTask>> ListRecords(const Roots& roots) {
  std::vector<TaskId> ids = TRY(ListTaskIds(roots));
  std::vector<RecordedTask> records;
  for (const TaskId& id : ids) {
    Result<RecordedTask> record = LoadRecord(roots, id);
    if (record.ok()) records.push_back(std::move(record).value());
  }
  std::sort(records.begin(), records.end(), [](const RecordedTask& a, const RecordedTask& b) {
    return a.plan.created_at < b.plan.created_at;
  });
  return records;
}

Result<UniqueFd> HoldOffSweeps(const Roots& roots) {
  TRY(sys::MakeDirectories(roots.TasksDirectory(), 0700));
  UniqueFd fd = TRY(sys::OpenDirectory(AT_FDCWD, roots.TasksDirectory()));
  TRY(sys::Lock(fd.get(), sys::LockMode::kShared));
  return fd;
}

Result<bool> RecoverIfDead(const TaskPlan& plan) {
  std::string directory = plan.roots.TaskDirectory(plan.id);
  UniqueFd lock = TRY(TryLockTask(directory));
  if (!lock.valid()) return false;
  std::vector<Event> events = TRY(ReadEvents(directory));
  if (IsClosed(events)) return true;
  bool is_after_restart =
      !events.empty() && !sys::Exists(AT_FDCWD, plan.roots.RunDirectory(plan.id));
  TRY(RecoverDeadTask(plan, is_after_restart ? kHostRestarted : kSupervisorLost));
  return true;
}

Result<UniqueFd> OpenSupervisor(const std::string& task_directory) {
  Result<UniqueFd> lock = sys::Open(AT_FDCWD, task_directory + "/lock", O_RDONLY);
  if (!lock.ok() && lock.error().code() == Code::kNotFound) return UniqueFd();
  if (!lock.ok()) return std::move(lock).error();
  for (;;) {
    std::optional<pid_t> holder = TRY(sys::ProcessLockHolder(lock.value().get()));
    if (!holder) return UniqueFd();
    Result<UniqueFd> process = sys::OpenPidfd(*holder);
    // Still the holder: then the pidfd is its, not a later process's of the same number.
    std::optional<pid_t> after = TRY(sys::ProcessLockHolder(lock.value().get()));
    if (after == holder) return process;
  }
}

std::vector<Error> SweepDeadTasks(const Roots& roots) {
  std::vector<Error> errors;
  Result<UniqueFd> tasks = sys::OpenDirectory(AT_FDCWD, roots.TasksDirectory());
  if (!tasks.ok()) return errors;
  Result<bool> is_locked = sys::TryLock(tasks.value().get(), sys::LockMode::kExclusive);
  Result<std::vector<TaskId>> ids = ListTaskIds(roots);
  if (!is_locked.ok() || !is_locked.value() || !ids.ok()) return errors;
  for (const TaskId& id : ids.value()) {
    Result<> swept = SweepTask(roots, id);
    if (swept.ok()) continue;
    errors.push_back(std::move(swept).error().Context("cleaning up task " + id.Short()));
  }
  return errors;
}

Result<> RemoveRecord(const RecordedTask& record) {
  if (!record.task.cleanup_failures.empty()) {
    std::vector<Error> errors = CleanUpTask(record.plan, nullptr);
    if (!errors.empty()) return std::move(errors.front()).Context("task " + record.plan.id.Short());
  }
  return sys::RemoveTree(AT_FDCWD, record.plan.roots.TaskDirectory(record.plan.id));
}

}  // namespace skiff::runtime
