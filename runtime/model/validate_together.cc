// Rules between the containers of a task: who waits for whom, and who listens where.
#include <algorithm>
#include <map>
#include <set>

#include "isolation/base/text.h"
#include "runtime/model/limits.h"
#include "runtime/model/validate_rules.h"

namespace skiff::runtime {
namespace {

using Containers = std::vector<ContainerDefinition>;

const ContainerDefinition* Find(const Containers& containers, std::string_view name) {
  auto found = std::find_if(containers.begin(), containers.end(),
                            [&](const ContainerDefinition& c) { return c.name == name; });
  return found == containers.end() ? nullptr : &*found;
}

Result<> ValidateDependency(const Containers& containers, const DependsOn& dependency,
                            const std::string& path) {
  const ContainerDefinition* on = Find(containers, dependency.container_name);
  if (on == nullptr) {
    return Broken(path + ".containerName",
                  "\"" + dependency.container_name + "\" is no container of the task");
  }
  bool waits_for_end = dependency.condition == DependencyCondition::kComplete ||
                       dependency.condition == DependencyCondition::kSuccess;
  if (waits_for_end && on->essential) {
    return Broken(path + ".condition", "the essential container \"" + on->name +
                                           "\" cannot reach " +
                                           std::string(ConditionName(dependency.condition)) +
                                           ": its end is the task's end");
  }
  if (dependency.condition == DependencyCondition::kHealthy && !on->health_check) {
    return Broken(path + ".condition",
                  "HEALTHY needs a healthCheck in container \"" + on->name + "\"");
  }
  return {};
}

// Walks along the dependencies from `name`. `trail` is the way here; a name found on it again
// closes a cycle, which is returned from that name to itself: "a -> b -> a".
std::string FindCycle(const Containers& containers, const std::string& name,
                      std::vector<std::string>& trail, std::set<std::string>& cleared) {
  auto seen = std::find(trail.begin(), trail.end(), name);
  if (seen != trail.end()) {
    return Join({seen, trail.end()}, " -> ") + " -> " + name;
  }
  if (cleared.contains(name)) return "";
  trail.push_back(name);
  for (const DependsOn& dependency : Find(containers, name)->depends_on) {
    std::string cycle = FindCycle(containers, dependency.container_name, trail, cleared);
    if (!cycle.empty()) return cycle;
  }
  trail.pop_back();
  cleared.insert(name);
  return "";
}

struct PortRange {
  uint16_t first;
  uint16_t last;
};

Result<PortRange> RangeOf(const PortMapping& mapping, const std::string& path) {
  if (!mapping.container_port_range) {
    uint16_t port = mapping.container_port.value_or(0);
    if (port == 0) return Broken(path + ".containerPort", "is not between 1 and 65535");
    return PortRange{port, port};
  }
  if (mapping.container_port || mapping.host_port) {
    return Broken(path + ".containerPortRange", "excludes containerPort and hostPort");
  }
  std::vector<std::string_view> ends = Split(*mapping.container_port_range, '-');
  std::optional<uint64_t> first = ParseUint(ends.front(), UINT16_MAX);
  std::optional<uint64_t> last = ParseUint(ends.back(), UINT16_MAX);
  if (ends.size() != 2 || !first || !last || *first == 0 || *first > *last) {
    return Broken(path + ".containerPortRange",
                  "\"" + *mapping.container_port_range + "\" is no range such as 8000-8010");
  }
  return PortRange{static_cast<uint16_t>(*first), static_cast<uint16_t>(*last)};
}

struct Listener {
  const ContainerDefinition* container;
  Protocol protocol;
  PortRange ports;
};

Result<> RefuseClash(const std::vector<Listener>& listeners, const Listener& next,
                     const std::string& path) {
  for (const Listener& other : listeners) {
    uint16_t first = std::max(other.ports.first, next.ports.first);
    if (other.protocol != next.protocol || first > std::min(other.ports.last, next.ports.last)) {
      continue;
    }
    std::string port =
        "port " + std::to_string(first) + "/" + std::string(ProtocolName(next.protocol));
    if (other.container == next.container) {
      return Broken(path, port + " is mapped twice by container \"" + next.container->name + "\"");
    }
    return Broken(path, port + " is used by containers \"" + other.container->name + "\" and \"" +
                            next.container->name + "\", which share the task's network");
  }
  return {};
}

}  // namespace

Result<> ValidateDependencies(const Containers& containers) {
  for (size_t i = 0; i < containers.size(); ++i) {
    std::string list = ElementPath("containerDefinitions", i) + ".dependsOn";
    for (size_t j = 0; j < containers[i].depends_on.size(); ++j) {
      TRY(ValidateDependency(containers, containers[i].depends_on[j], ElementPath(list, j)));
    }
  }
  std::set<std::string> cleared;
  for (size_t i = 0; i < containers.size(); ++i) {
    std::vector<std::string> trail;
    std::string cycle = FindCycle(containers, containers[i].name, trail, cleared);
    if (!cycle.empty()) {
      return Broken(ElementPath("containerDefinitions", i) + ".dependsOn",
                    "containers wait for each other: " + cycle);
    }
  }
  return {};
}

Result<> ValidatePorts(const Containers& containers, NetworkMode mode) {
  bool shares_network = mode == NetworkMode::kAwsvpc || mode == NetworkMode::kHost;
  std::vector<Listener> listeners;
  for (size_t i = 0; i < containers.size(); ++i) {
    const std::vector<PortMapping>& mappings = containers[i].port_mappings;
    for (size_t j = 0; j < mappings.size(); ++j) {
      std::string path = ElementPath(ElementPath("containerDefinitions", i) + ".portMappings", j);
      PortRange ports = TRY(RangeOf(mappings[j], path));
      if (!shares_network) continue;
      uint16_t host_port = mappings[j].host_port.value_or(0);
      if (host_port != 0 && host_port != ports.first) {
        return Broken(path + ".hostPort",
                      "When networkMode=" + std::string(NetworkModeName(mode)) +
                          ", the host ports and container ports in port mappings must match.");
      }
      Listener next{&containers[i], mappings[j].protocol.value_or(Protocol::kTcp), ports};
      TRY(RefuseClash(listeners, next, path));
      listeners.push_back(next);
    }
  }
  return {};
}

}  // namespace skiff::runtime
