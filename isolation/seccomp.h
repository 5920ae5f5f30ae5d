// seccomp filters: a profile in words, compiled to the kernel's BPF once and cached, loaded by the
// launch code.
//
// Compiling costs milliseconds (libseccomp), loading the compiled program a fraction of one; so a
// program is kept in a cache directory under a name made of everything it depends on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::isolation {

// One BPF instruction, laid out as the kernel's struct sock_filter.
struct SeccompInstruction {
  uint16_t code = 0;
  uint8_t jump_true = 0;
  uint8_t jump_false = 0;
  uint32_t k = 0;
  bool operator==(const SeccompInstruction&) const = default;
};
using SeccompProgram = std::vector<SeccompInstruction>;

struct DefaultSeccompOptions {
  bool allow_ptrace = false;  // with CAP_SYS_PTRACE
  uint32_t architecture = 0;  // AUDIT_ARCH_*; 0: this machine's
};

// The default profile for this machine's architecture: what ordinary programs call is allowed, what
// reaches for the kernel's management side answers EPERM, whatever is unknown answers ENOSYS so
// that libc falls back.
Result<SeccompProgram> CompileDefaultSeccomp(const DefaultSeccompOptions& options);

// The same through a cache: `cache_directory` is made when absent. A cached file that is not sound
// is compiled anew.
Result<SeccompProgram> LoadDefaultSeccomp(const DefaultSeccompOptions& options,
                                          const std::string& cache_directory);

// How many system calls the default profile allows on this architecture (unconditionally or with a
// condition).
size_t DefaultSeccompAllowedCount(const DefaultSeccompOptions& options);

}  // namespace skiff::isolation
