// libseccomp's filter as an owned object, and a compiled program to and from bytes. For the code
// that builds filters (isolation/seccomp.cc, isolation/oci); everyone else sees SeccompProgram.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "isolation/seccomp.h"

namespace skiff::isolation {

struct ReleaseSeccompFilter {
  void operator()(void* filter) const;
};
using SeccompFilter = std::unique_ptr<void, ReleaseSeccompFilter>;  // a scmp_filter_ctx

// libseccomp's answer (0, or a negative errno) as a Result: "seccomp <what>: ...".
Result<> CheckSeccomp(int result, std::string_view what);

// The kernel's program of a finished filter.
Result<SeccompProgram> ExportSeccomp(void* filter);

// A filter that lets these calls through and answers ENOSYS to every other one. A name that this
// architecture has not is passed over; foreign architectures are killed. `threads`: and clone(2)
// for threads. clone3(2), whose flags no filter sees, is not, and the C library does without.
Result<SeccompProgram> CompileAllowList(std::span<const char* const> calls, bool threads = false);

// Refuses what cannot be a program by its size; the kernel verifies the rest.
Result<SeccompProgram> SeccompProgramFromBytes(std::string_view bytes);
std::string_view BytesOfSeccompProgram(const SeccompProgram& program);

}  // namespace skiff::isolation
