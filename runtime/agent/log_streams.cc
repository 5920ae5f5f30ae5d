#include "runtime/agent/log_streams.h"

#include <vector>

#include "isolation/base/clock.h"
#include "runtime/control/keys.h"
#include "runtime/control/records.h"

namespace skiff::runtime {
namespace {

std::string OptionOf(const LogConfiguration& logs, const std::string& name) {
  auto found = logs.options.find(name);
  return found == logs.options.end() ? "" : found->second;
}

Result<> EnsureGroup(Store& store, const LogConfiguration& logs) {
  LogGroupRecord group;
  group.name = OptionOf(logs, "awslogs-group");
  std::string key = keys::LogGroup(group.name);
  std::optional<StoredRecord> stored = TRY(store.Get(key));
  if (stored) return {};
  if (OptionOf(logs, "awslogs-create-group") != "true") {
    return Error(Code::kNotFound, "log group " + group.name +
                                      ": ResourceNotFoundException: The specified log group does "
                                      "not exist.");
  }
  group.created_at = WallNanoseconds();
  Result<uint64_t> made = store.Commit({{key, Encode(group), 0}}, Durability::kAccepted);
  bool is_there = made.ok() || made.error().code() == Code::kConflict;  // another was faster
  if (!is_there) return std::move(made).error();
  return {};
}

Result<> EnsureStream(Store& store, const LogStreamRecord& stream) {
  std::string key = keys::LogStream(stream.group, stream.name);
  Result<uint64_t> made = store.Commit({{key, Encode(stream), 0}}, Durability::kStatus);
  if (made.ok() || made.error().code() == Code::kConflict) return {};
  return std::move(made).error();
}

}  // namespace

std::string LogStreamName(const TaskId& id, const ContainerDefinition& container) {
  std::string prefix = OptionOf(*container.log_configuration, "awslogs-stream-prefix");
  if (prefix.empty()) return ContainerRuntimeId(id, container.name);
  return prefix + "/" + container.name + "/" + id.text();
}

Result<std::map<std::string, std::string>> MakeLogStreams(Store& store, const Roots& roots,
                                                          const TaskId& id,
                                                          const TaskDefinition& definition) {
  std::map<std::string, std::string> directories;
  for (const ContainerDefinition& container : definition.containers) {
    bool is_awslogs =
        container.log_configuration && container.log_configuration->log_driver == "awslogs";
    if (!is_awslogs) continue;
    TRY(EnsureGroup(store, *container.log_configuration));
    LogStreamRecord stream;
    stream.group = OptionOf(*container.log_configuration, "awslogs-group");
    stream.name = LogStreamName(id, container);
    stream.directory = roots.KeptLogDirectory(id, container.name);
    stream.created_at = WallNanoseconds();
    TRY(EnsureStream(store, stream));
    directories.emplace(container.name, stream.directory);
  }
  return directories;
}

}  // namespace skiff::runtime
