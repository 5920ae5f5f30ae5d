#include "isolation/launch_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isolation/launch_root.h"

namespace skiff::isolation {

bool Attach(int mount_fd, int target_fd) {
  return syscall(SYS_move_mount, mount_fd, "", target_fd, "",
                 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

int CloneMountOf(int fd, bool is_recursive) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | unsigned{AT_EMPTY_PATH} |
                   (is_recursive ? unsigned{AT_RECURSIVE} : 0U);
  return static_cast<int>(syscall(SYS_open_tree, fd, "", flags));
}

bool SetAttributes(int fd, uint64_t set, uint64_t clear, bool is_recursive) {
  struct mount_attr attributes {};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  // The kernel wants the old access time mode cleared when another is set: mount_setattr(2).
  if ((set & MOUNT_ATTR__ATIME) != 0) attributes.attr_clr |= MOUNT_ATTR__ATIME;
  unsigned flags = unsigned{AT_EMPTY_PATH} | (is_recursive ? unsigned{AT_RECURSIVE} : 0U);
  return syscall(SYS_mount_setattr, fd, "", flags, &attributes, sizeof(attributes)) == 0;
}

bool SetPropagation(int fd, uint64_t propagation, bool is_recursive) {
  struct mount_attr attributes {};
  attributes.propagation = propagation;
  unsigned flags = unsigned{AT_EMPTY_PATH} | (is_recursive ? unsigned{AT_RECURSIVE} : 0U);
  return syscall(SYS_mount_setattr, fd, "", flags, &attributes, sizeof(attributes)) == 0;
}

bool MakePrivate(int fd) { return SetPropagation(fd, kPrivate, true); }

int MakeFilesystem(const ChildMount& mount) {
  int context = static_cast<int>(syscall(SYS_fsopen, mount.type, FSOPEN_CLOEXEC));
  if (context < 0) return -1;
  bool is_fine = true;
  for (size_t i = 0; is_fine && i < mount.option_count; ++i) {
    const ChildOption& option = mount.options[i];
    int command = option.value == nullptr ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    is_fine = syscall(SYS_fsconfig, context, command, option.key, option.value, 0) == 0;
  }
  is_fine =
      is_fine && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
  int fd = -1;
  if (is_fine) {
    fd = static_cast<int>(
        syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, static_cast<unsigned>(mount.attributes)));
  }
  CloseQuietly(context);
  return fd;
}

}  // namespace skiff::isolation
