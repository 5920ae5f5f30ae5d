#include "isolation/launch_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "isolation/launch_copy.h"
#include "isolation/launch_protect.h"
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

bool MakePrivateBelow(int fd, uint64_t propagation) {
  // A slave of what it was a peer of: made private first it would be nobody's.
  if (propagation != kSlave && propagation != kShared)
    return SetPropagation(fd, kPrivate, true) && SetPropagation(fd, propagation, false);
  return SetPropagation(fd, propagation, false);
}

namespace {

// Its end belongs to it: selinux(8).
bool LabelRoot(int mount, const char* label) {
  int fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool is_labelled = fd >= 0 && fsetxattr(fd, "security.selinux", label, strlen(label) + 1, 0) == 0;
  CloseQuietly(fd);
  return is_labelled;
}

}  // namespace

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
  if (fd >= 0 && mount.root_label != nullptr && !LabelRoot(fd, mount.root_label)) {
    CloseQuietly(fd);
    fd = -1;
  }
  return fd;
}

int Mounter::OpenTarget(const ChildMount& mount) const {
  if (mount.is_file) return root_.OpenFile(mount.target);
  if (mount.is_remount) return root_.Open(mount.target, O_PATH);
  // A link there is an image's try to have them elsewhere (CVE-2019-19921).
  return mount.wants_directory ? root_.OpenPlainDirectory(mount.target)
                               : root_.OpenDirectory(mount.target);
}

int OpenBind(const ChildMount& mount) {
  if (mount.source == nullptr) return mount.bind_mount;
  unsigned flags =
      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (mount.is_recursive ? unsigned{AT_RECURSIVE} : 0U);
  return static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, mount.source, flags));
}

// A younger clone of the mount at `target` in its place. Before Linux 6.15 nothing can be cloned
// that is not attached.
bool Renew(int target, int* made) {
  int clone = CloneMountOf(*made, true);
  bool is_renewed = clone >= 0 && fchdir(*made) == 0 &&
                    syscall(SYS_umount2, ".", kMntDetach) == 0 && chdir("/") == 0 &&
                    Attach(clone, target);
  if (is_renewed) {
    *made = clone;
  } else {
    CloseQuietly(clone);
  }
  return is_renewed;
}

// A new file system, or the host's where a user namespace may not make one.
int Mounter::MakeMount(const ChildMount& mount) const {
  int made = MakeFilesystem(mount);
  if (made < 0 && errno == EPERM && is_in_user_namespace_) {
    made = CloneHostFilesystem(mount.type);
    if (made >= 0 && !SetAttributes(made, mount.attributes, 0, true)) {
      CloseQuietly(made);
      made = -1;
    }
  }
  return made;
}

bool Mounter::AdjustBind(const ChildMount& mount, int made) const {
  uint64_t propagation = mount.propagation == 0 ? kPrivate : mount.propagation;
  bool is_recursive = mount.propagation == 0 || mount.is_propagation_recursive;
  // What else is below must not spread, even where only the topmost mount is to.
  if (!is_recursive && !MakePrivateBelow(made, propagation)) return false;
  if (is_recursive && !SetPropagation(made, propagation, true)) return false;
  bool has_recursive = (mount.recursive | mount.recursive_cleared) != 0;
  if (has_recursive && !ChangeAttributes(made, mount.recursive, mount.recursive_cleared, true))
    return false;
  return (mount.attributes | mount.cleared) == 0 ||
         ChangeAttributes(made, mount.attributes, mount.cleared, mount.is_attributes_recursive);
}

// Attributes that a user namespace finds locked stay: mount_namespaces(7).
bool Mounter::ChangeAttributes(int fd, uint64_t set, uint64_t clear, bool is_recursive) const {
  if (SetAttributes(fd, set, clear, is_recursive)) return true;
  bool is_locked = errno == EPERM && is_in_user_namespace_ && clear != 0;
  return is_locked && (set == 0 || SetAttributes(fd, set, 0, is_recursive));
}

bool Mounter::Mount(ChildMount* plan) const {
  const ChildMount& mount = *plan;
  bool is_bind = mount.type == nullptr;
  int target = OpenTarget(mount);
  if (target < 0) return false;
  if (mount.is_remount) {
    bool is_changed = ChangeAttributes(target, mount.attributes, mount.cleared, false);
    CloseQuietly(target);
    return is_changed;
  }
  int made = is_bind ? OpenBind(mount) : MakeMount(mount);
  bool is_fine = made >= 0 && (!mount.copies_up || CopyTree(target, made)) && Attach(made, target);
  if (is_fine && mount.is_renewed) is_fine = Renew(target, &made);
  if (is_fine && is_bind) is_fine = AdjustBind(mount, made);
  if (is_fine && !is_bind && mount.propagation != 0)
    is_fine = SetPropagation(made, mount.propagation, mount.is_propagation_recursive);
  is_fine = is_fine && protection_->NoteMount(mount.target, made);
  CloseQuietly(target);
  if (mount.is_readonly_late) {
    plan->made = made;
  } else if (made != mount.bind_mount) {
    CloseQuietly(made);
  }
  return is_fine;
}

}  // namespace skiff::isolation
