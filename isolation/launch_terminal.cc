#include "isolation/launch_terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

namespace skiff::isolation {

bool SendTerminal(int socket, int master) {
  char name[] = "/dev/ptmx";
  iovec data{.iov_base = name, .iov_len = sizeof(name) - 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &master, sizeof(int));
  return sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
}

// What an image has put at the terminals' place instead is refused. The other side is asked of the
// master, never found by name.
int OpenTerminal(const LaunchRoot& root, const ChildPlan& plan, int* master) {
  *master = root.Open("/dev/pts/ptmx", O_RDWR | O_NOCTTY);
  if (*master < 0) return -1;
  struct statfs filesystem {};
  struct stat info {};
  constexpr int64_t kDevptsMagic = 0x1cd1;
  bool is_devpts = fstatfs(*master, &filesystem) == 0 && filesystem.f_type == kDevptsMagic &&
                   fstat(*master, &info) == 0 && info.st_rdev == makedev(5, 2);
  if (!is_devpts) {
    errno = ENXIO;
    return -1;
  }
  int unlocked = 0;
  if (ioctl(*master, TIOCSPTLCK, &unlocked) != 0) return -1;
  int terminal = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) return -1;
  winsize size{};
  size.ws_row = plan.console_rows;
  size.ws_col = plan.console_columns;
  if (size.ws_row != 0 && ioctl(terminal, TIOCSWINSZ, &size) != 0) return -1;
  bool is_given = fchown(terminal, plan.uid, static_cast<gid_t>(-1)) == 0 || errno == EINVAL;
  return is_given ? terminal : -1;
}

}  // namespace skiff::isolation
