// The keys of the store: the one place that says what lies where.
//
//   clusters/<name>                                  ClusterRecord
//   families/<family>                                last revision given out
//   task-definitions/<family>/<revision, 10 digits>  TaskDefinitionRecord
//   tasks/<task id>                                  TaskRecord (task_record.h)
//   task-index/<cluster>/<RUNNING|STOPPED>/<task id> what ListTasks filters by; the middle part is
//                                                    the desired status
//   active/<task id>                                 tasks whose lastStatus is not STOPPED, with
//                                                    what they take of the host
//   client-tokens/<cluster>/<token>                  RunTask's idempotency
//   account-settings/<principal>/<name>
//   attributes/<cluster>/<target id>/<name>
//   host                                             HostRecord: this machine, written by the agent
//   log-groups/<group>                               LogGroupRecord
//   log-streams/<group>:<stream>                     LogStreamRecord (neither name may hold ':')
#pragma once

#include <string>
#include <string_view>

#include "runtime/model/ids.h"
#include "runtime/model/task.h"

namespace skiff::runtime::keys {

inline constexpr const char* kHost = "host";
inline constexpr const char* kTasks = "tasks/";
inline constexpr const char* kActive = "active/";
inline constexpr const char* kClusters = "clusters/";
inline constexpr const char* kFamilies = "families/";
inline constexpr const char* kLogGroups = "log-groups/";

std::string Cluster(std::string_view name);
std::string Family(std::string_view family);
std::string TaskDefinition(std::string_view family, int64_t revision);
std::string TaskDefinitions(std::string_view family);  // prefix of a family's revisions
std::string Task(const TaskId& id);
std::string TaskIndex(std::string_view cluster, DesiredStatus desired);  // prefix
std::string TaskIndex(std::string_view cluster, DesiredStatus desired, const TaskId& id);
std::string Active(const TaskId& id);
std::string ClientToken(std::string_view cluster, std::string_view token);
std::string AccountSetting(std::string_view principal, std::string_view name);
std::string Attributes(std::string_view cluster);  // prefix
std::string Attribute(std::string_view cluster, std::string_view target, std::string_view name);
std::string LogGroup(std::string_view group);
std::string LogStreams(std::string_view group);  // prefix
std::string LogStream(std::string_view group, std::string_view stream);

}  // namespace skiff::runtime::keys
