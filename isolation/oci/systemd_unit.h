// What a container's configuration becomes as a scope of systemd. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/cgroup.h"
#include "isolation/device_filter.h"
#include "isolation/systemd/unit.h"

namespace skiff::isolation::oci {

struct ScopeName {
  std::string unit;   // "skiff-oci-ID.scope"
  std::string slice;  // "system.slice"
};

// `cgroups_path`: "slice:prefix:name". Empty parts and an empty path have defaults: system.slice,
// or user.slice of the user's own manager; skiff-oci; the container's id. Without a prefix the unit
// is NAME.scope.
Result<ScopeName> PlanScope(const std::string& cgroups_path, const std::string& id, bool is_user);

// What systemd is told of the limits, so that it does not undo them; all of them are written to the
// group's files besides. `group_cpu_max`: the file cpu.max as it is, "" for a new group; a quota
// and its period are one property.
Result<std::vector<UnitProperty>> LimitProperties(const CgroupLimits& limits,
                                                  const std::string& group_cpu_max);

// The rules as systemd has them, or none of its own where it cannot say the same: both filters hold
// at once.
std::vector<UnitProperty> DeviceProperties(const std::vector<DeviceRule>& rules);

// org.systemd.property.NAME with a value in GVariant's text format: 'text', true, 5, uint64 5,
// ['a', 'b']. A NAME that ends in Sec is in seconds and becomes NAME...USec.
Result<std::vector<UnitProperty>> AnnotatedProperties(
    const std::map<std::string, std::string>& annotations);

// All of a new scope; annotations come last and win.
Result<std::vector<UnitProperty>> ScopeProperties(
    const ScopeName& name, const std::string& id, const CgroupLimits& limits,
    const std::vector<DeviceRule>& rules, const std::map<std::string, std::string>& annotations);

}  // namespace skiff::isolation::oci
