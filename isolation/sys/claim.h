// A claim on a file: a mark that its owner is alive, which others can see without taking anything
// themselves (an open file description lock, fcntl(2) F_OFD_SETLK). It goes with the descriptor,
// whatever way the process ends. Any thread.
#pragma once

#include "isolation/base/result.h"

namespace skiff::sys {

// `fd` is open for writing. False when another descriptor holds a claim.
Result<bool> TryClaim(int fd);
// Whether a descriptor that was opened separately holds a claim.
Result<bool> IsClaimed(int fd);

}  // namespace skiff::sys
