// What the store holds, decoded: clusters, task definitions, the host, log groups and streams.
// TaskRecord has a header of its own (task_record.h). Encode gives the store's value, Decode
// refuses what this version cannot read (the caller quarantines it). Every record carries a schema
// number. Times are wall nanoseconds. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "runtime/model/task_definition.h"

namespace skiff::runtime {

struct CapacityProviderItem {
  std::string name;  // "FARGATE"
  int64_t weight = 0;
  int64_t base = 0;
  bool operator==(const CapacityProviderItem&) const = default;
};

struct ClusterRecord {
  std::string name;
  bool is_active = true;           // false: deleted, INACTIVE
  std::vector<KeyValue> settings;  // containerInsights and kin
  std::string configuration;       // JSON object as given, "" without
  std::string service_connect;     // the default namespace, "" without
  std::vector<std::string> capacity_providers;
  std::vector<CapacityProviderItem> default_strategy;
  std::vector<Tag> tags;
  int64_t created_at = 0;
  bool operator==(const ClusterRecord&) const = default;
};
std::string Encode(const ClusterRecord& record);
Result<ClusterRecord> DecodeCluster(std::string_view value);

struct TaskDefinitionRecord {
  enum class Status { kActive, kInactive, kDeleteInProgress };
  TaskDefinition definition;
  int64_t revision = 1;
  Status status = Status::kActive;
  std::vector<Tag> tags;
  std::string registered_by;  // ARN
  int64_t registered_at = 0;
  std::optional<int64_t> deregistered_at;
  std::optional<int64_t> delete_requested_at;
  bool operator==(const TaskDefinitionRecord&) const = default;
};
std::string Encode(const TaskDefinitionRecord& record);
Result<TaskDefinitionRecord> DecodeTaskDefinition(std::string_view value);

// This machine, as the agent found it.
struct HostRecord {
  std::string id;  // 32 hex digits: the container instance's
  std::string hostname;
  int64_t cpu = 0;           // units, 1024 a CPU
  int64_t memory = 0;        // MiB that tasks may have together
  int64_t enis = 0;          // tasks with a network of their own at a time
  std::string architecture;  // "X86_64"
  std::string kernel;
  std::string version;  // of skiff
  int64_t registered_at = 0;
  bool operator==(const HostRecord&) const = default;
};
std::string Encode(const HostRecord& record);
Result<HostRecord> DecodeHost(std::string_view value);

struct LogGroupRecord {
  std::string name;
  std::optional<int64_t> retention_days;
  std::vector<Tag> tags;
  int64_t created_at = 0;
  bool is_protected = false;  // from DeleteLogGroup
  bool operator==(const LogGroupRecord&) const = default;
};
std::string Encode(const LogGroupRecord& record);
Result<LogGroupRecord> DecodeLogGroup(std::string_view value);

// A stream's bytes lie in `directory`: log segments (runtime/logs) when a container writes them,
// event files when PutLogEvents does.
struct LogStreamRecord {
  enum class Source { kContainer, kPut };
  std::string group;
  std::string name;
  Source source = Source::kContainer;
  std::string directory;
  int64_t created_at = 0;
  bool operator==(const LogStreamRecord&) const = default;
};
std::string Encode(const LogStreamRecord& record);
Result<LogStreamRecord> DecodeLogStream(std::string_view value);

}  // namespace skiff::runtime
