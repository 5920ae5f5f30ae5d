// Linux capabilities as sets of bits (capabilities(7)). Names are the kernel's without "CAP_", any
// case accepted with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::isolation {

// One bit per capability number.
using CapabilityMask = uint64_t;

struct CapabilitySets {
  CapabilityMask bounding = 0;
  CapabilityMask permitted = 0;
  CapabilityMask effective = 0;
  CapabilityMask inheritable = 0;
  CapabilityMask ambient = 0;
};

// "SYS_PTRACE" or "cap_sys_ptrace".
std::optional<int> CapabilityByName(std::string_view name);
std::vector<std::string> CapabilityNames(CapabilityMask mask);  // upper case, without the prefix

// What a container gets unless its definition says otherwise: Docker's fourteen without NET_RAW
// (spoofing), MKNOD and AUDIT_WRITE, as podman does. ping works without NET_RAW through
// net.ipv4.ping_group_range.
CapabilityMask DefaultCapabilities();

// Every one that this kernel knows.
CapabilityMask AllCapabilities();

// The sets of a process started with `mask`: a root user holds them all, another user only the
// bound, and what an execve could inherit is always empty (CVE-2022-29162).
CapabilitySets SetsForUser(CapabilityMask mask, bool is_root);

// What this process itself holds in its effective set (/proc/self/status).
Result<CapabilityMask> OwnEffectiveCapabilities();

}  // namespace skiff::isolation
