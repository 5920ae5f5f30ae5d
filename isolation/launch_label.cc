#include "isolation/launch_label.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "isolation/launch_root.h"

namespace skiff::isolation {
namespace {

// In that very mount: a bind over the file itself would lead elsewhere, too.
int OpenAttribute(int procfs, const char* name) {
  return OpenResolved(procfs, name, O_WRONLY,
                      RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
}

// In one write: the kernel takes each for all of it.
bool SetAttribute(int fd, const char* value) {
  if (fd < 0) return false;
  size_t size = strlen(value);
  bool is_set = write(fd, value, size) == static_cast<ssize_t>(size);
  int reason = errno;
  close(fd);
  errno = reason;
  return is_set;
}

}  // namespace

int OpenCallersProcfs() {
  constexpr ino_t kRoot = 1;  // the kernel's PROC_ROOT_INO
  int procfs = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (procfs < 0) return -1;
  struct statfs kind {};
  struct stat info {};
  bool is_root = fstatfs(procfs, &kind) == 0 && kind.f_type == PROC_SUPER_MAGIC &&
                 fstat(procfs, &info) == 0 && info.st_ino == kRoot;
  if (is_root) return procfs;
  close(procfs);
  errno = EXDEV;
  return -1;
}

bool SetAppArmorProfile(int procfs, const char* command) {
  // Since Linux 5.8 each module has files of its own; before, the first one has these.
  int fd = OpenAttribute(procfs, "thread-self/attr/apparmor/exec");
  if (fd < 0 && errno == ENOENT) fd = OpenAttribute(procfs, "thread-self/attr/exec");
  return SetAttribute(fd, command);
}

bool SetSelinuxLabel(int procfs, const char* label) {
  return SetAttribute(OpenAttribute(procfs, "thread-self/attr/exec"), label);
}

}  // namespace skiff::isolation
