// A task as the store keeps it: what was asked for, which only the API changes, and what was
// observed, which only the agent changes. Both change it by compare-and-swap. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "runtime/model/overrides.h"
#include "runtime/model/task.h"
#include "runtime/model/task_definition.h"

namespace skiff::runtime {

struct TaskRecord {
  explicit TaskRecord(TaskId id) : observed(std::move(id)) {}

  // Asked for.
  std::string cluster;  // name
  std::string family;
  int64_t revision = 1;
  TaskOverrides overrides;
  DesiredStatus desired_status = DesiredStatus::kRunning;
  std::optional<StopCode> stop_code;  // whoever set desired_status to STOPPED: why
  std::string stop_reason;
  std::vector<Tag> tags;
  std::string started_by;
  std::string group;
  std::string launch_type;        // "FARGATE"; "" when a capacity provider was named
  std::string capacity_provider;  // "" when a launch type was
  std::string platform_version;   // "1.4.0"
  std::string cpu;                // units of the whole task, as the API shows them; may be ""
  std::string memory;             // MiB
  std::vector<std::string> subnets;
  std::vector<std::string> security_groups;
  bool assign_public_ip = false;
  bool enable_execute_command = false;
  std::string host_id;  // container instance
  int64_t created_at = 0;
  std::optional<int64_t> protected_until;

  // Observed. `observed.version` counts every change of what the API shows, of either half;
  // observed.desired_status and its stop cause are the supervisor's words.
  Task observed;
  bool operator==(const TaskRecord&) const = default;
};

std::string Encode(const TaskRecord& record);
Result<TaskRecord> DecodeTask(std::string_view value);

// What an active task takes of the host: the value of active/<id>.
struct TaskShare {
  int64_t cpu = 0;     // units
  int64_t memory = 0;  // MiB
  bool has_eni = false;
  bool operator==(const TaskShare&) const = default;
};
std::string Encode(const TaskShare& share);
Result<TaskShare> DecodeShare(std::string_view value);

// The value of task-index/...: what ListTasks filters by.
struct TaskIndexEntry {
  std::string family;
  std::string started_by;
  std::string group;
  std::string launch_type;
  std::string host_id;
  bool operator==(const TaskIndexEntry&) const = default;
};
std::string Encode(const TaskIndexEntry& entry);
Result<TaskIndexEntry> DecodeIndexEntry(std::string_view value);

}  // namespace skiff::runtime
