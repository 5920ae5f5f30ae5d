#include "runtime/supervisor/pulse.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace skiff::runtime {

Pulse Pulse::OfStandardInput() {
  signal(SIGPIPE, SIG_IGN);
  struct stat info {};
  bool is_pipe = fstat(STDIN_FILENO, &info) == 0 && S_ISFIFO(info.st_mode);
  int flags = fcntl(STDIN_FILENO, F_GETFL);
  bool is_writable = flags >= 0 && (flags & O_ACCMODE) == O_WRONLY && (flags & O_NONBLOCK) != 0;
  return Pulse(is_pipe && is_writable);
}

void Pulse::Beat() {
  if (!is_heard_) return;
  // A full pipe says it already.
  if (write(STDIN_FILENO, "", 1) < 0 && errno == EPIPE) is_heard_ = false;
}

}  // namespace skiff::runtime
