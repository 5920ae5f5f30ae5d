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

// The images that the store lacks are on their way when this returns.
Result<> Agent::AwaitImages(const TaskId& id, Active& task, const TaskDefinition& definition) {
  bool is_waiting = false;
  for (const ContainerDefinition& container : definition.containers) {
    Result<images::Image> image = images_.Resolve(container.image);
    if (image.ok()) continue;
    if (image.error().code() != Code::kNotFound) return std::move(image).error();
    TRY(pulls_->Await(container.image, id));
    is_waiting = true;
  }
  // One was removed between two looks.
  if (!is_waiting) AskForRetry();
  return Change(id, task, Durability::kStatus, [&](TaskRecord& record) {
    if (!record.observed.pull_started_at) record.observed.pull_started_at = WallNanoseconds();
  });
}

// Its errors are the task's stoppedReason. nullopt: its images are being pulled.
Result<std::optional<PreparedTask>> Agent::Prepare(const TaskId& id, Active& task) {
  TaskDefinition definition =
      TRY(DefinitionOf(*task.record).Context("ResourceInitializationError"));
  int64_t begin = task.record->observed.pull_started_at.value_or(WallNanoseconds());
  Result<ResolvedImages> resolved = ResolveImages(definition, images_, false);
  if (!resolved.ok() && resolved.error().code() == Code::kNotFound) {
    TRY(AwaitImages(id, task, definition).Context("CannotPullContainerError"));
    return std::optional<PreparedTask>();
  }
  ResolvedImages images = TRY(std::move(resolved).Context("CannotPullContainerError"));
  pulls_->Forget(id);
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
  return std::optional<PreparedTask>(std::move(prepared));
}

Result<> Agent::Start(const TaskId& id, Active& task) {
  std::optional<PreparedTask> prepared = TRY(Prepare(id, task));
  if (!prepared) return {};
  return Spawn(id, task, std::move(*prepared));
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
