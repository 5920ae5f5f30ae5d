// linux.seccomp of config.json: a profile as data, compiled to the kernel's program through
// libseccomp, and kept in a cache, since compiling costs more than all the rest of a start.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/seccomp.h"

namespace skiff::isolation::oci {

// What happens to a call, as libseccomp's SCMP_ACT_* number (errno or trace value included).
using SeccompAction = uint32_t;

struct SeccompArgument {
  unsigned index = 0;  // 0..5
  int comparison = 0;  // libseccomp's SCMP_CMP_*
  uint64_t value = 0;
  uint64_t value_two = 0;
};

struct SeccompRule {
  std::vector<std::string> names;
  SeccompAction action = 0;
  std::vector<SeccompArgument> arguments;
};

struct SeccompProfile {
  SeccompAction default_action = 0;
  std::vector<uint32_t> architectures;  // SCMP_ARCH_*; the machine's own is always among them
  uint32_t flags = 0;                   // SECCOMP_FILTER_FLAG_* for seccomp(2)
  std::vector<SeccompRule> rules;
  std::string listener_path;  // "": none; else a socket that gets the listener
  std::string listener_metadata;
};

// A profile by itself, as linux.seccomp of config.json or a file for Docker has it; members that
// neither knows are ignored, what cannot be had is refused by name.
Result<SeccompProfile> ParseSeccompProfile(std::string_view text);

// Everything the program depends on, as text: the same text, the same program.
std::string DescribeSeccomp(const SeccompProfile& profile);

// Calls this machine does not have are skipped; a rule that says what the default says, too. Where
// the default is an errno, calls newer than every one the profile names answer ENOSYS, so that libc
// falls back.
Result<SeccompProgram> CompileSeccomp(const SeccompProfile& profile);

// Through a cache: `cache_directory` is made when absent and must be root's alone. A cached file
// holds the description it was made from and counts only when that is the same.
Result<SeccompProgram> LoadSeccomp(const SeccompProfile& profile,
                                   const std::string& cache_directory);

// Gives a listener to whoever serves the profile's listener_path, with `state` (EncodeProcessState)
// beside it.
Result<> SendListener(const SeccompProfile& profile, const std::string& state, int listener);

}  // namespace skiff::isolation::oci
