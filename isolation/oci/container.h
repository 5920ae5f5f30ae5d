// From config.json to the launch code's complete spec. Pure: no system calls; what must be opened
// (root, namespaces to join, cgroup) is named here and opened by run.cc.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/container_spec.h"
#include "isolation/oci/config.h"

namespace skiff::isolation::oci {

struct ContainerPlan {
  ContainerSpec spec;                              // without descriptors and seccomp program
  std::string rootfs;                              // absolute
  std::vector<std::pair<int, std::string>> joins;  // CLONE_NEW* and the path of a namespace
};

// A path as configured, relative to the hierarchies' roots. slice:prefix:name is an error: that is
// systemd's (systemd_unit.h).
Result<std::string> PlanCgroupPath(const std::string& cgroups_path, const std::string& id);

// `bundle` is absolute. Adds the devices and links that every runtime must supply, unless /dev is
// a bind of the host's.
// A relative linux.cgroupsPath is placed by the runtime, which removes the groups above when it is
// the last one in them.
bool HasOwnParentGroups(const Config& config);

Result<ContainerPlan> PlanContainer(const Config& config, const std::string& bundle,
                                    const std::string& id);

// The configured rules and, when there are any, those that the supplied devices need.
std::vector<DeviceRule> WithDefaultRules(std::vector<DeviceRule> rules);

// Who the process is and what it may: shared with exec.
void PlanProcess(const Process& process, ContainerSpec* spec);

// Letters, digits, "_", "+", "-", "." (not first); at most kMaxContainerId.
Result<> CheckContainerId(const std::string& id);

}  // namespace skiff::isolation::oci
