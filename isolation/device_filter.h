// Which device nodes the processes of a cgroup may make, read and write: a list of rules, compiled
// to a small BPF program on the group's cgroup v2 directory. It works on hybrid hosts, too.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/sys/bpf.h"

namespace skiff::isolation {

inline constexpr unsigned kDeviceMake = 1;  // the kernel's BPF_DEVCG_ACC_*
inline constexpr unsigned kDeviceRead = 2;
inline constexpr unsigned kDeviceWrite = 4;
inline constexpr unsigned kDeviceAll = kDeviceMake | kDeviceRead | kDeviceWrite;

// The last rule that speaks about an access decides; where none does, it is allowed. An allowing
// rule speaks about accesses it covers entirely, a denying one about those it touches.
struct DeviceRule {
  bool is_allowed = false;
  char type = 'a';                               // 'a': both, 'b', 'c'
  std::optional<uint32_t> major = std::nullopt;  // nullopt: every one
  std::optional<uint32_t> minor = std::nullopt;
  unsigned access = kDeviceAll;
};

std::vector<sys::BpfInstruction> CompileDeviceRules(const std::vector<DeviceRule>& rules);

// `cgroup`: Cgroup::unified_fd(). Before anything runs in it. kInvalid: more rules than a program
// can hold, some thousands.
Result<> ApplyDeviceRules(const std::vector<DeviceRule>& rules, int cgroup);

}  // namespace skiff::isolation
