// The default seccomp profile as data: groups of system calls, each with the reason it is there.
// Names that an architecture does not have are skipped when compiling, so one table serves them
// all.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace skiff::isolation {

struct SeccompGroup {
  std::string_view reason;
  std::span<const char* const> calls;
};

// A value of an argument that decides, by its name in the kernel's headers.
struct SeccompValue {
  uint64_t value;
  std::string_view name;
  std::string_view reason;
};

// Allowed without condition.
std::span<const SeccompGroup> AllowedSeccompGroups();
// Known, and answered with EPERM instead of ENOSYS: programs probe for these and expect "not
// permitted".
std::span<const SeccompGroup> DeniedSeccompGroups();
// Allowed with DefaultSeccompOptions::allow_ptrace, otherwise denied.
std::span<const SeccompGroup> DebuggingSeccompGroups();

// Calls that depend on an argument.
std::span<const SeccompValue> AllowedSocketFamilies();    // socket: others EAFNOSUPPORT
std::span<const SeccompValue> AllowedNetlinkProtocols();  // of AF_NETLINK: others EPROTONOSUPPORT
std::span<const SeccompValue> DeniedCloneFlags();         // clone: EPERM with any of them
std::span<const SeccompValue> AllowedPersonalities();     // personality: others ENOSYS

// Changes when the tables or the conditions in seccomp.cc change; part of the cache's file name.
inline constexpr int kSeccompProfileVersion = 3;

}  // namespace skiff::isolation
