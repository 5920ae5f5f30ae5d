// The start of a task, from its record to a supervisor at work.
#include <fcntl.h>

#include "isolation/base/clock.h"
#include "isolation/base/log.h"
#include "isolation/base/scope_exit.h"
#include "isolation/sys/file.h"
#include "runtime/agent/agent.h"
#include "runtime/agent/log_streams.h"
#include "runtime/agent/task_directory.h"
#include "runtime/control/keys.h"
#include "runtime/control/records.h"
#include "runtime/model/overrides.h"

namespace skiff::runtime {
namespace {

// Two literals, for these are AWS's words and not ours.
constexpr const char* kLoggerFailure =
    "ResourceInitializationError: failed"
    " to validate logger args: ";

// What the supervisor will say as its first events, so that nothing is shown before it is true.
void SetContainers(const TaskPlan& plan, Task& task) {
  for (const ContainerPlan& planned : plan.containers) {
    TaskContainer* container = task.Find(planned.name);
    if (container == nullptr) {
      container = &task.containers.emplace_back();
      container->name = planned.name;
    }
    container->image = planned.image;
    container->digest = planned.image_digest;
    container->runtime_id = planned.runtime_id;
  }
}

}  // namespace

std::unique_ptr<FollowedTask> Agent::Follow(const TaskId& id, TaskPlan plan) {
  return std::make_unique<FollowedTask>(*loop_, std::move(plan), [this, id] { dirty_.insert(id); });
}

// A task without a directory.
Result<> Agent::Begin(const TaskId& id, Active& task) {
  const TaskRecord& record = *task.record;
  if (record.desired_status == DesiredStatus::kStopped) {
    return Finish(id, task, record.stop_code.value_or(StopCode::kUserInitiated),
                  record.stop_reason);
  }
  if (record.observed.last_event > 0) {
    return Finish(id, task, StopCode::kInfrastructureHealth,
                  "The task's directory was removed from the host");
  }
  Result<> started = Start(id, task);
  if (started.ok()) return {};
  return Finish(id, task, StopCode::kTaskFailedToStart, started.error().message());
}

Result<TaskDefinition> Agent::DefinitionOf(const TaskRecord& record) {
  std::string key = keys::TaskDefinition(record.family, record.revision);
  std::optional<StoredRecord> stored = TRY(store_.Get(key));
  if (!stored) return Error(Code::kNotFound, key + ": no such task definition");
  TaskDefinitionRecord definition = TRY(DecodeTaskDefinition(stored->value));
  return ApplyOverrides(std::move(definition.definition), record.overrides);
}

// Its errors are the task's stoppedReason.
Result<PreparedTask> Agent::Prepare(const TaskId& id, Active& task) {
  TaskDefinition definition =
      TRY(DefinitionOf(*task.record).Context("ResourceInitializationError"));
  int64_t begin = WallNanoseconds();
  ResolvedImages images =
      TRY(ResolveImages(definition, images_, false).Context("CannotPullContainerError"));
  int64_t end = WallNanoseconds();
  Result<std::map<std::string, std::string>> logs =
      MakeLogStreams(store_, settings_.roots, id, definition);
  if (!logs.ok()) {
    return Error(logs.error().code(), kLoggerFailure + logs.error().message());
  }
  PlanRequest request{.id = id};
  request.created_at = task.record->created_at;
  request.roots = settings_.roots;
  request.host = facts_;
  request.log_directories = std::move(logs).value();
  PreparedTask prepared = TRY(PrepareTask(definition, EncodeTaskDefinition(definition),
                                          std::move(request), std::move(images))
                                  .Context("ResourceInitializationError"));
  TRY(Change(id, task, Durability::kStatus, [&](TaskRecord& record) {
    record.observed.pull_started_at = begin;
    record.observed.pull_stopped_at = end;
    SetContainers(prepared.plan, record.observed);
  }));
  return prepared;
}

Result<> Agent::Start(const TaskId& id, Active& task) {
  PreparedTask prepared = TRY(Prepare(id, task));
  return Spawn(id, task, std::move(prepared));
}

Result<> Agent::Spawn(const TaskId& id, Active& task, PreparedTask prepared) {
  ScopeExit remove(
      [directory = prepared.directory] { sys::RemoveTree(AT_FDCWD, directory).Ignore(); });
  StartedSupervisor supervisor =
      TRY(StartSupervisor(prepared).Context("ResourceInitializationError"));
  remove.Cancel();
  task.followed = Follow(id, prepared.plan);
  task.followed->Attend(std::move(prepared), std::move(supervisor));
  task.followed->Rearm();
  return {};
}

}  // namespace skiff::runtime
