// The JSON members of the observed task and of overrides, written down once (json_text.h). The
// overrides' names are the API's.
#pragma once

#include "runtime/model/overrides.h"
#include "runtime/model/task.h"
#include "runtime/model/task_definition_members.h"
#include "runtime/model/task_names.h"

namespace skiff::runtime {

template <typename Io>
void Members(Io& io, TaskContainer& v) {
  io.Required("name", v.name);
  io("image", v.image);
  io("digest", v.digest);
  io("runtimeId", v.runtime_id);
  io.Required("lastStatus", v.last_status);
  io("exitCode", v.exit_code);
  io("signal", v.signal);
  io("reason", v.reason);
  io("oomKilled", v.oom_killed);
  io("pid", v.pid);
  io("startedAt", v.started_at);
  io("stopSignalledAt", v.stop_signalled_at);
  io("killSentAt", v.kill_sent_at);
  io("finishedAt", v.finished_at);
}

template <typename Io>
void Members(Io& io, Attachment& v) {
  io("id", v.id);
  io("status", v.status);
  io("address", v.address);
  io("mac", v.mac);
}

template <typename Io>
void Members(Io& io, LatencyStep& v) {
  io("name", v.name);
  io("container", v.container);
  io("durationNs", v.duration_ns);
}

// Without the id, which must be there before a Task can be.
template <typename Io>
void Members(Io& io, Task& v) {
  io("family", v.family);
  io("containers", v.containers);
  io.Required("lastStatus", v.last_status);
  io.Required("desiredStatus", v.desired_status);
  io("stopCode", v.stop_code);
  io("stoppedReason", v.stopped_reason);
  io("attachments", v.attachments);
  io("createdAt", v.created_at);
  io("connectivityAt", v.connectivity_at);
  io("pullStartedAt", v.pull_started_at);
  io("pullStoppedAt", v.pull_stopped_at);
  io("startedAt", v.started_at);
  io("stoppingAt", v.stopping_at);
  io("executionStoppedAt", v.execution_stopped_at);
  io("stoppedAt", v.stopped_at);
  io("version", v.version);
  io("latency", v.latency);
  io("warnings", v.warnings);
  io("cleanupFailures", v.cleanup_failures);
  io("droppedNotes", v.dropped_notes);
  io("lastEvent", v.last_event);
}

template <typename Io>
void Members(Io& io, ContainerOverride& v) {
  io("name", v.name);
  io("command", v.command);
  io("environment", v.environment);
  io("cpu", v.cpu);
  io("memory", v.memory);
  io("memoryReservation", v.memory_reservation);
}

template <typename Io>
void Members(Io& io, TaskOverrides& v) {
  io("containerOverrides", v.containers);
  io("cpu", v.cpu);
  io("memory", v.memory);
  io("taskRoleArn", v.task_role_arn);
  io("executionRoleArn", v.execution_role_arn);
  io("ephemeralStorage", v.ephemeral_storage);
}

}  // namespace skiff::runtime
