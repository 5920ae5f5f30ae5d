#include "runtime/control/task_change.h"

#include <algorithm>

#include "runtime/control/keys.h"

namespace skiff::runtime {
namespace {

RecordWrite IndexWrite(const TaskRecord& record) {
  // A task of a FARGATE capacity provider is a Fargate task too.
  TaskIndexEntry entry{record.family, record.started_by, record.group,
                       record.launch_type.empty() ? "FARGATE" : record.launch_type, record.host_id};
  return {keys::TaskIndex(record.cluster, record.desired_status, record.observed.id), Encode(entry),
          std::nullopt};
}

RecordWrite IndexRemoval(const TaskRecord& record, DesiredStatus desired) {
  return {keys::TaskIndex(record.cluster, desired, record.observed.id), std::nullopt, std::nullopt};
}

bool IsStopped(const TaskRecord& record) {
  return record.observed.last_status == TaskStatus::kStopped;
}

// Without what only `skiff inspect` shows, and without the count of changes itself.
TaskRecord WhatTheApiShows(TaskRecord record) {
  Task& task = record.observed;
  task.latency.clear();
  task.warnings.clear();
  task.cleanup_failures.clear();
  task.dropped_notes = 0;
  task.last_event = 0;
  task.version = 0;
  for (TaskContainer& container : task.containers) {
    container.pid = 0;
    container.started_at = container.finished_at = std::nullopt;
    container.stop_signalled_at = container.kill_sent_at = std::nullopt;
  }
  return record;
}

void Settle(const TaskRecord& before, TaskRecord& after) {
  const Task& observed = after.observed;
  bool has_ended_itself = observed.desired_status == DesiredStatus::kStopped ||
                          observed.last_status == TaskStatus::kStopped;
  if (has_ended_itself && after.desired_status == DesiredStatus::kRunning) {
    after.desired_status = DesiredStatus::kStopped;
    after.stop_code = observed.stop_code;
    after.stop_reason = observed.stopped_reason;
  }
  if (WhatTheApiShows(before) == WhatTheApiShows(after)) return;
  after.observed.version = std::max(after.observed.version, before.observed.version + 1);
}

}  // namespace

TaskShare ShareOf(const TaskDefinition& definition) {
  int64_t cpu = 0;
  uint64_t mib = 0;
  for (const ContainerDefinition& container : definition.containers) {
    cpu += container.cpu;
    mib += container.memory.value_or(container.memory_reservation.value_or(Bytes())).mib();
  }
  if (definition.cpu) cpu = definition.cpu->count();
  if (definition.memory) mib = definition.memory->mib();
  return {cpu, static_cast<int64_t>(mib), EffectiveNetworkMode(definition) == NetworkMode::kAwsvpc};
}

std::vector<RecordWrite> CreateTask(const TaskRecord& record, const TaskShare& share) {
  return {{keys::Task(record.observed.id), Encode(record), 0},
          IndexWrite(record),
          {keys::Active(record.observed.id), Encode(share), 0}};
}

std::vector<RecordWrite> ChangeTask(const TaskRecord& before, uint64_t store_version,
                                    TaskRecord& after) {
  Settle(before, after);
  std::vector<RecordWrite> writes = {{keys::Task(after.observed.id), Encode(after), store_version}};
  if (after.desired_status != before.desired_status) {
    writes.push_back(IndexRemoval(before, before.desired_status));
    writes.push_back(IndexWrite(after));
  }
  if (IsStopped(after) && !IsStopped(before)) {
    writes.push_back({keys::Active(after.observed.id), std::nullopt, std::nullopt});
  }
  return writes;
}

std::vector<RecordWrite> RemoveTask(const TaskRecord& record, uint64_t store_version) {
  return {{keys::Task(record.observed.id), std::nullopt, store_version},
          IndexRemoval(record, DesiredStatus::kRunning),
          IndexRemoval(record, DesiredStatus::kStopped),
          {keys::Active(record.observed.id), std::nullopt, std::nullopt}};
}

}  // namespace skiff::runtime
