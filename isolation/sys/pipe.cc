#include "isolation/sys/pipe.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include "isolation/sys/call.h"

namespace skiff::sys {

Result<> SetNonBlocking(int fd) {
  int flags = TRY(Call("fcntl", "F_GETFL", [&] { return fcntl(fd, F_GETFL); }));
  return CallVoid("fcntl", "F_SETFL", [&] { return fcntl(fd, F_SETFL, flags | O_NONBLOCK); });
}

Result<> SetPipeCapacity(int fd, Bytes capacity) {
  return CallVoid("fcntl", "F_SETPIPE_SZ",
                  [&] { return fcntl(fd, F_SETPIPE_SZ, static_cast<int>(capacity.count())); });
}

Result<size_t> BytesReadable(int fd) {
  int count = 0;
  TRY(CallVoid("ioctl", "FIONREAD", [&] { return ioctl(fd, FIONREAD, &count); }));
  return static_cast<size_t>(count);
}

}  // namespace skiff::sys
