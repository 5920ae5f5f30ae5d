// The default seccomp profile as data: groups of system calls, each with the reason it is there.
// Names that an architecture does not have are skipped when compiling, so one table serves them
// all.
#pragma once

#include <span>
#include <string_view>

namespace skiff::isolation {

struct SeccompGroup {
  std::string_view reason;
  std::span<const char* const> calls;
};

// Allowed without condition.
std::span<const SeccompGroup> AllowedSeccompGroups();
// Known, and answered with EPERM instead of ENOSYS: programs probe for these and expect "not
// permitted".
std::span<const SeccompGroup> DeniedSeccompGroups();

// Changes when the tables or the conditions in seccomp.cc change; part of the cache's file name.
inline constexpr int kSeccompProfileVersion = 1;

}  // namespace skiff::isolation
