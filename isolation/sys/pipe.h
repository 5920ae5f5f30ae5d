// What a reader of pipes asks the kernel for. Any thread.
#pragma once

#include <cstddef>

#include "isolation/base/bytes.h"
#include "isolation/base/result.h"

namespace skiff::sys {

// O_NONBLOCK on this end; the other end of a pipe keeps its own flag.
Result<> SetNonBlocking(int fd);
// F_SETPIPE_SZ. kDenied above /proc/sys/fs/pipe-max-size or the user's share without privilege.
Result<> SetPipeCapacity(int fd, Bytes capacity);
// How much a read would give now (FIONREAD).
Result<size_t> BytesReadable(int fd);

}  // namespace skiff::sys
