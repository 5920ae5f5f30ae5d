// Hearing of every system call of a thread, and of all it starts, before it is made
// (seccomp_unotify(2), Linux 5.5 for letting it pass).
#pragma once

#include <cstdint>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::sys {

struct HeardCall {
  uint64_t id = 0;  // for LetCallPass
  uint32_t thread = 0;
  int number = 0;
  uint32_t architecture = 0;  // AUDIT_ARCH_*
  uint64_t arguments[6] = {};
};

// From here on each call of this thread waits until another one hears it and lets it pass.
// Whatever it starts inherits that. Cannot be undone. Needs CAP_SYS_ADMIN.
Result<UniqueFd> ListenToOwnCalls();

// Neither allocates nor takes a lock: the caller that waits may hold any. False: nothing to hear,
// or the listener is over.
bool HearCall(int listener, HeardCall* call);
void LetCallPass(int listener, uint64_t id);

// Waits until the listener has something (true) or `stop` is readable, or nobody is left to be
// heard (false). Neither allocates nor takes a lock.
bool WaitForCall(int listener, int stop);

}  // namespace skiff::sys
