// A pid namespace that several containers share, held by its first process. Single-threaded
// callers.
#pragma once

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/process.h"

namespace skiff::sys {

struct PidNamespace {
  Process init;  // everything in the namespace ends with it, and it with the calling process
  UniqueFd fd;
};

// A copy of this process becomes the namespace's init: it closes all its descriptors, gives up its
// rights in `confine`, and then reaps orphans for good. Comes back when it is confined; an error of
// `confine` is returned here.
Result<PidNamespace> MakePidNamespace(Result<> (*confine)(void* argument), void* argument);

// The system calls that such an init makes once it is confined.
inline constexpr const char* kInitCalls[] = {"wait4", "rt_sigtimedwait", "close",
                                             "write", "restart_syscall", "exit_group",
                                             "exit",  "rt_sigreturn",    "munmap"};

}  // namespace skiff::sys
