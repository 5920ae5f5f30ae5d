#include "runtime/control/keys.h"

#include <cstdio>

namespace skiff::runtime::keys {
namespace {

std::string Join(std::string_view folder, std::string_view name) {
  return std::string(folder) + std::string(name);
}

}  // namespace

std::string Cluster(std::string_view name) { return Join(kClusters, name); }

std::string Family(std::string_view family) { return Join(kFamilies, family); }

std::string TaskDefinitions(std::string_view family) {
  return "task-definitions/" + std::string(family) + "/";
}

std::string TaskDefinition(std::string_view family, int64_t revision) {
  char digits[24];
  // Padded, so that the order of keys is the order of revisions.
  snprintf(digits, sizeof digits, "%010lld", static_cast<long long>(revision));
  return TaskDefinitions(family) + digits;
}

std::string Task(const TaskId& id) { return Join(kTasks, id.text()); }

std::string TaskIndex(std::string_view cluster, DesiredStatus desired) {
  return "task-index/" + std::string(cluster) + "/" + std::string(StatusName(desired)) + "/";
}

std::string TaskIndex(std::string_view cluster, DesiredStatus desired, const TaskId& id) {
  return TaskIndex(cluster, desired) + id.text();
}

std::string Active(const TaskId& id) { return Join(kActive, id.text()); }

std::string ClientToken(std::string_view cluster, std::string_view token) {
  return "client-tokens/" + std::string(cluster) + "/" + std::string(token);
}

std::string AccountSetting(std::string_view principal, std::string_view name) {
  return "account-settings/" + std::string(principal) + "/" + std::string(name);
}

std::string Attributes(std::string_view cluster) {
  return "attributes/" + std::string(cluster) + "/";
}

std::string Attribute(std::string_view cluster, std::string_view target, std::string_view name) {
  return Attributes(cluster) + std::string(target) + "/" + std::string(name);
}

std::string LogGroup(std::string_view group) { return Join(kLogGroups, group); }

std::string LogStreams(std::string_view group) { return "log-streams/" + std::string(group) + ":"; }

std::string LogStream(std::string_view group, std::string_view stream) {
  return LogStreams(group) + std::string(stream);
}

}  // namespace skiff::runtime::keys
