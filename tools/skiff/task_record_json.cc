#include <algorithm>
#include <nlohmann/json.hpp>

#include "isolation/base/clock.h"
#include "isolation/base/json.h"
#include "isolation/sys/user_namespace.h"
#include "runtime/model/task_definition.h"
#include "runtime/supervisor/task_user_namespace.h"
#include "tools/skiff/task_json.h"

namespace skiff::tools {
namespace {

using Json = nlohmann::ordered_json;

void SetTime(Json& out, const char* name, const runtime::WallTime& time) {
  if (time) out[name] = FormatRfc3339(*time);
}

void SetText(Json& out, const char* name, const std::string& text) {
  if (!text.empty()) out[name] = text;
}

template <typename T>
void SetIfGiven(Json& out, const char* name, const std::optional<T>& value) {
  if (value) out[name] = *value;
}

Json LimitsOf(const runtime::LimitsPlan& limits) {
  Json out = Json::object();
  if (limits.memory_max) out["memoryMaxBytes"] = limits.memory_max->count();
  if (limits.memory_low) out["memoryLowBytes"] = limits.memory_low->count();
  SetIfGiven(out, "cpuQuotaMicrosecondsPer100ms", limits.cpu_quota_us);
  SetIfGiven(out, "cpuShares", limits.cpu_shares);
  SetIfGiven(out, "pidsMax", limits.pids_max);
  return out;
}

Json AttachmentOf(const runtime::Attachment& attachment) {
  return {{"id", attachment.id},
          {"type", "ElasticNetworkInterface"},
          {"status", attachment.status},
          {"details",
           {{"networkInterfaceId", attachment.id},
            {"macAddress", attachment.mac},
            {"privateIPv4Address", attachment.address}}}};
}

// What the image has as volumes: at what path, and where on the host.
Json VolumesOf(const runtime::TaskPlan& plan, const runtime::ContainerPlan& container) {
  Json out = Json::array();
  for (size_t i = 0; i < container.volumes.size(); ++i) {
    out.push_back({{"containerPath", container.volumes[i]},
                   {"hostPath", plan.roots.VolumeDirectory(plan.id, container.name, i)}});
  }
  return out;
}

Json ContainerOf(const runtime::TaskContainer& container) {
  Json out = {{"name", container.name},
              {"image", container.image},
              {"imageDigest", container.digest},
              {"runtimeId", container.runtime_id},
              {"lastStatus", StatusName(container.last_status)}};
  SetIfGiven(out, "exitCode", container.exit_code);
  SetIfGiven(out, "signal", container.signal);
  SetText(out, "reason", container.reason);
  if (container.oom_killed) out["oomKilled"] = true;
  if (container.pid != 0) out["pid"] = container.pid;
  SetTime(out, "startedAt", container.started_at);
  SetTime(out, "stopSignalledAt", container.stop_signalled_at);
  SetTime(out, "killSentAt", container.kill_sent_at);
  SetTime(out, "finishedAt", container.finished_at);
  return out;
}

void SetTimes(Json& out, const runtime::Task& task) {
  SetTime(out, "createdAt", task.created_at);
  SetTime(out, "connectivityAt", task.connectivity_at);
  SetTime(out, "startedAt", task.started_at);
  SetTime(out, "stoppingAt", task.stopping_at);
  SetTime(out, "executionStoppedAt", task.execution_stopped_at);
  SetTime(out, "stoppedAt", task.stopped_at);
}

Json TaskOf(const TaskRecord& record) {
  const runtime::Task& task = record.task;
  Json out = {{"taskId", task.id.text()},
              {"family", task.family},
              {"lastStatus", StatusName(task.last_status)},
              {"desiredStatus", StatusName(task.desired_status)},
              {"networkMode", NetworkModeName(record.plan.network_mode)}};
  if (task.stop_code) out["stopCode"] = StopCodeName(*task.stop_code);
  SetText(out, "stoppedReason", task.stopped_reason);
  SetTimes(out, task);
  out["attachments"] = Json::array();
  for (const auto& attachment : task.attachments) {
    out["attachments"].push_back(AttachmentOf(attachment));
  }
  out["containers"] = Json::array();
  for (const auto& container : task.containers) {
    Json& shown = out["containers"].emplace_back(ContainerOf(container));
    const runtime::ContainerPlan* plan = record.plan.Find(container.name);
    if (plan == nullptr) continue;
    if (!plan->volumes.empty()) shown["volumes"] = VolumesOf(record.plan, *plan);
    if (!plan->exposed_ports.empty()) shown["exposedPorts"] = plan->exposed_ports;
  }
  out["version"] = task.version;
  return out;
}

Json AllLimitsOf(const runtime::TaskPlan& plan) {
  Json out = {{"task", LimitsOf(plan.limits)}, {"containers", Json::object()}};
  for (const runtime::ContainerPlan& container : plan.containers) {
    out["containers"][container.name] = LimitsOf(container.limits);
  }
  return out;
}

Json StorageOf(const runtime::TaskPlan& plan, const runtime::StorageFacts& facts) {
  return {{"limitBytes", plan.storage.limit.count()},
          {"usedBytes", facts.used},
          {"enforcedBy", std::string(runtime::StorageKeeperName(facts.keeper))}};
}

Json LatencyOf(const runtime::Task& task) {
  Json out = Json::array();
  for (const runtime::LatencyStep& step : task.latency) {
    Json entry = {{"step", step.name}};
    SetText(entry, "container", step.container);
    entry["microseconds"] = static_cast<double>(step.duration_ns) / 1000;
    out.push_back(std::move(entry));
  }
  return out;
}

// A host that cannot leaves the block unused, with a warning.
bool HasUserNamespace(const runtime::Task& task) {
  return std::any_of(task.latency.begin(), task.latency.end(),
                     [](const auto& step) { return step.name == runtime::kUserNamespaceStep; });
}

std::string Encode(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string EncodeTasks(const std::vector<TaskRecord>& records) {
  Json out = Json::array();
  for (const TaskRecord& record : records) out.push_back(TaskOf(record));
  return Encode(out);
}

std::string EncodeTask(const TaskRecord& record, const TaskKernelFacts& facts) {
  Json out = TaskOf(record);
  if (HasUserNamespace(record.task)) {
    out["userIds"] = {{"first", record.plan.user_namespace.first_id}, {"count", sys::kIdBlockSize}};
  }
  out["limits"] = AllLimitsOf(record.plan);
  out["enforcement"] = Json::object();
  for (const auto& [limit, by] : facts.enforcement) out["enforcement"][limit] = by;
  out["cgroups"] = facts.cgroups;
  if (facts.storage) out["ephemeralStorage"] = StorageOf(record.plan, *facts.storage);
  out["warnings"] = record.task.warnings;
  out["cleanupFailures"] = record.task.cleanup_failures;
  out["latency"] = LatencyOf(record.task);
  return Encode(out);
}

}  // namespace skiff::tools
