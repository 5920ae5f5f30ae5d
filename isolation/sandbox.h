// A place for a host program to read what it does not trust: a root of its own with nothing in it
// but the directories it was given, the fewest capabilities, and the system calls it names. There
// is no way back; a program starts, enters, works and exits. One thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "isolation/base/bytes.h"
#include "isolation/base/result.h"
#include "isolation/capabilities.h"

namespace skiff::isolation {

struct SandboxSpec {
  std::string writable;               // directory of the host; becomes /writable
  std::vector<std::string> readable;  // become /readable/0, /readable/1, ...
  CapabilityMask capabilities = 0;
  Bytes memory;                          // RLIMIT_DATA
  std::span<const char* const> allowed;  // system calls by name; every other one answers ENOSYS
  bool threads = false;                  // may be started once inside; other processes never
};

inline constexpr const char* kSandboxWritable = "/writable";
inline constexpr const char* kSandboxReadable = "/readable/";  // and the number

// Needs CAP_SYS_ADMIN. The directories are mounted nosuid, nodev and noexec, the readable ones
// read-only; /proc shows this process and no other. Where the kernel has Landlock it denies the
// same a second time. After an error the process is partly confined and must end.
Result<> EnterSandbox(const SandboxSpec& spec);

}  // namespace skiff::isolation
