#include "tools/skiff/records.h"

#include <fcntl.h>

#include <algorithm>

#include "isolation/sys/file.h"
#include "runtime/plan/limits.h"
#include "runtime/supervisor/cleanup.h"
#include "runtime/supervisor/event_log.h"
#include "tools/skiff/limits.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

Result<runtime::TaskPlan> LoadPlan(const runtime::Roots& roots, const runtime::TaskId& id) {
  std::string path = roots.TaskDirectory(id) + "/plan.json";
  std::string text = TRY(sys::ReadFile(AT_FDCWD, path, runtime::kMaxPlanBytes));
  runtime::TaskPlan plan = TRY(runtime::DecodePlan(text).Context(path));
  if (plan.id != id || plan.roots.data != roots.data) {
    return Error(Code::kInvalid, path + ": the plan of another task");
  }
  return plan;
}

Result<std::vector<runtime::TaskId>> ListIds(const runtime::Roots& roots) {
  std::vector<runtime::TaskId> ids;
  Result<std::vector<std::string>> names = sys::ListDirectory(AT_FDCWD, roots.TasksDirectory());
  if (!names.ok() && names.error().code() == Code::kNotFound) return ids;
  if (!names.ok()) return std::move(names).error();
  for (const std::string& name : names.value()) {
    Result<runtime::TaskId> id = runtime::TaskId::Parse(name);
    if (id.ok()) ids.push_back(std::move(id).value());
  }
  return ids;
}

bool IsClosed(const std::vector<runtime::Event>& events) {
  return !events.empty() && events.back().type == runtime::EventType::kTaskStopped;
}

// The directory of a start that died before there was a plan holds nothing but files.
Result<> SweepTask(const runtime::Roots& roots, const runtime::TaskId& id) {
  std::string directory = roots.TaskDirectory(id);
  if (!sys::Exists(AT_FDCWD, directory + "/plan.json")) {
    return sys::RemoveTree(AT_FDCWD, directory);
  }
  runtime::TaskPlan plan = TRY(LoadPlan(roots, id));
  TRY(RecoverIfDead(plan));
  return {};
}

std::optional<runtime::StopCode> FirstStopCode(const std::vector<runtime::Event>& events) {
  for (const runtime::Event& event : events) {
    if (event.stop_code) return event.stop_code;
  }
  return std::nullopt;
}

}  // namespace

runtime::Task TaskOfPlan(const runtime::TaskPlan& plan) {
  runtime::Task task(plan.id);
  task.family = plan.family;
  task.created_at = plan.created_at;
  for (const runtime::ContainerPlan& container : plan.containers) {
    runtime::TaskContainer& made = task.containers.emplace_back();
    made.name = container.name;
    made.image = container.image;
    made.digest = container.image_digest;
    made.runtime_id = container.runtime_id;
  }
  return task;
}

std::optional<int> ExitCodeOf(const runtime::TaskPlan& plan,
                              const std::vector<runtime::Event>& events) {
  using runtime::EventType;
  bool has_failed_to_start = FirstStopCode(events) == runtime::StopCode::kTaskFailedToStart;
  for (const runtime::Event& event : events) {
    if (has_failed_to_start) {
      if (event.type == EventType::kContainerStartFailed) return event.exit_code;
      continue;
    }
    const runtime::ContainerPlan* container = plan.Find(event.container);
    bool is_essential = container != nullptr && container->essential;
    if (event.type == EventType::kContainerExited && is_essential) return event.exit_code;
  }
  return std::nullopt;
}

Result<TaskRecord> LoadRecord(const runtime::Roots& roots, const runtime::TaskId& id) {
  runtime::TaskPlan plan = TRY(LoadPlan(roots, id).Context("task " + id.text()));
  runtime::Task task = TaskOfPlan(plan);
  std::vector<runtime::Event> events = TRY(runtime::ReadEvents(roots.TaskDirectory(id)));
  for (const runtime::Event& event : events) Apply(task, event);
  return TaskRecord{std::move(plan), std::move(events), std::move(task)};
}

Result<std::vector<TaskRecord>> ListRecords(const runtime::Roots& roots) {
  std::vector<runtime::TaskId> ids = TRY(ListIds(roots));
  std::vector<TaskRecord> records;
  for (const runtime::TaskId& id : ids) {
    Result<TaskRecord> record = LoadRecord(roots, id);
    if (record.ok()) records.push_back(std::move(record).value());
  }
  std::sort(records.begin(), records.end(), [](const TaskRecord& a, const TaskRecord& b) {
    return a.plan.created_at < b.plan.created_at;
  });
  return records;
}

Result<TaskRecord> FindRecord(const runtime::Roots& roots, std::string_view text) {
  std::string name(text);
  if (text.size() < kMinIdPrefix ||
      text.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    return Error(Code::kInvalid, "task '" + name + "': expected at least " +
                                     std::to_string(kMinIdPrefix) + " digits of an id");
  }
  std::vector<runtime::TaskId> ids = TRY(ListIds(roots));
  std::erase_if(ids, [&](const runtime::TaskId& id) { return !id.text().starts_with(text); });
  if (ids.empty()) return Error(Code::kNotFound, "task " + name + ": no such task");
  if (ids.size() > 1) {
    return Error(Code::kInvalid,
                 "task " + name + ": " + std::to_string(ids.size()) + " tasks begin so");
  }
  return LoadRecord(roots, ids.front());
}

Result<UniqueFd> HoldOffSweeps(const runtime::Roots& roots) {
  TRY(sys::MakeDirectories(roots.TasksDirectory(), 0700));
  UniqueFd fd = TRY(sys::OpenDirectory(AT_FDCWD, roots.TasksDirectory()));
  TRY(sys::Lock(fd.get(), sys::LockMode::kShared));
  return fd;
}

Result<bool> RecoverIfDead(const runtime::TaskPlan& plan) {
  std::string directory = plan.roots.TaskDirectory(plan.id);
  UniqueFd lock = TRY(runtime::TryLockTask(directory));
  if (!lock.valid()) return false;
  std::vector<runtime::Event> events = TRY(runtime::ReadEvents(directory));
  if (!IsClosed(events)) TRY(runtime::RecoverDeadTask(plan));
  return true;
}

void SweepDeadTasks(const runtime::Roots& roots) {
  Result<UniqueFd> tasks = sys::OpenDirectory(AT_FDCWD, roots.TasksDirectory());
  if (!tasks.ok()) return;
  Result<bool> is_locked = sys::TryLock(tasks.value().get(), sys::LockMode::kExclusive);
  Result<std::vector<runtime::TaskId>> ids = ListIds(roots);
  if (!is_locked.ok() || !is_locked.value() || !ids.ok()) return;
  for (const runtime::TaskId& id : ids.value()) {
    Result<> swept = SweepTask(roots, id);
    if (!swept.ok())
      PrintWarning("cleaning up task " + id.Short() + ": " + swept.error().message());
  }
}

Result<> RemoveRecord(const TaskRecord& record) {
  if (!record.task.cleanup_failures.empty()) {
    std::vector<Error> errors = runtime::CleanUpTask(record.plan, nullptr);
    if (!errors.empty()) return std::move(errors.front()).Context("task " + record.plan.id.Short());
  }
  return sys::RemoveTree(AT_FDCWD, record.plan.roots.TaskDirectory(record.plan.id));
}

}  // namespace skiff::tools
