#include "isolation/sys/mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isolation/base/text.h"
#include "isolation/sys/call.h"

// glibc 2.36's <sys/mount.h> and <linux/mount.h> declare the same names in conflicting ways only
// for enums that glibc guards; the calls themselves are made by number so that one header suffices.
namespace skiff::sys {
namespace {
int Number(long value) { return static_cast<int>(value); }
}  // namespace

Result<FilesystemContext> FilesystemContext::Open(const std::string& type) {
  int fd = TRY(Call("fsopen", type,
                    [&] { return Number(syscall(SYS_fsopen, type.c_str(), FSOPEN_CLOEXEC)); }));
  return FilesystemContext(UniqueFd(fd), type);
}

// The kernel leaves lines such as "e overlay: No changes allowed" to be read from the context.
Error FilesystemContext::Describe(Error error) const {
  char line[256];
  std::string words;
  for (ssize_t size; (size = read(fd_.get(), line, sizeof(line))) > 0;) {
    std::string_view text(line, static_cast<size_t>(size));
    if (text.size() > 2 && text[1] == ' ') text.remove_prefix(2);
    words.append(words.empty() ? "" : "; ").append(TrimSpace(text));
  }
  if (words.empty()) return error;
  return std::move(error).Context("(" + words + ")");
}

Result<> FilesystemContext::SetFlag(const std::string& key) {
  Result<> set = CallVoid("fsconfig", type_ + " " + key, [&] {
    return Number(syscall(SYS_fsconfig, fd_.get(), FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0));
  });
  if (!set.ok()) return Describe(std::move(set).error());
  return set;
}

Result<> FilesystemContext::SetString(const std::string& key, const std::string& value) {
  Result<> set = CallVoid("fsconfig", type_ + " " + key, [&] {
    return Number(
        syscall(SYS_fsconfig, fd_.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0));
  });
  if (!set.ok()) return Describe(std::move(set).error());
  return set;
}

Result<> FilesystemContext::Create() {
  Result<> created = CallVoid("fsconfig", type_ + " create", [&] {
    return Number(syscall(SYS_fsconfig, fd_.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0));
  });
  if (!created.ok()) return Describe(std::move(created).error());
  return created;
}

Result<UniqueFd> FilesystemContext::Mount(unsigned attributes) {
  auto fd = Call("fsmount", type_, [&] {
    return Number(syscall(SYS_fsmount, fd_.get(), FSMOUNT_CLOEXEC, attributes));
  });
  if (!fd.ok()) return Describe(std::move(fd).error());
  return UniqueFd(fd.value());
}

Result<UniqueFd> CloneMount(int dirfd, const std::string& path, bool is_recursive) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
                   (is_recursive ? unsigned{AT_RECURSIVE} : 0U) |
                   (path.empty() ? unsigned{AT_EMPTY_PATH} : 0U);
  int fd = TRY(Call("open_tree", path,
                    [&] { return Number(syscall(SYS_open_tree, dirfd, path.c_str(), flags)); }));
  return UniqueFd(fd);
}

Result<UniqueFd> OpenProgramReadOnly(const std::string& path) {
  UniqueFd mount = TRY(CloneMount(AT_FDCWD, path, false));
  TRY(SetMountAttributes(mount.get(), MOUNT_ATTR_RDONLY, 0, false));
  return mount;
}

Result<> SetMountAttributes(int mount_fd, uint64_t attr_set, uint64_t attr_clear,
                            bool is_recursive) {
  struct mount_attr attributes {};
  attributes.attr_set = attr_set;
  attributes.attr_clr = attr_clear;
  unsigned flags = unsigned{AT_EMPTY_PATH} | (is_recursive ? unsigned{AT_RECURSIVE} : 0U);
  return CallVoid("mount_setattr", "", [&] {
    return Number(syscall(SYS_mount_setattr, mount_fd, "", flags, &attributes, sizeof(attributes)));
  });
}

Result<> AllowDevices(int mount_fd) {
  return SetMountAttributes(mount_fd, 0, MOUNT_ATTR_NODEV, false);
}

Result<> AttachMount(int mount_fd, int dirfd, const std::string& path) {
  unsigned flags =
      MOVE_MOUNT_F_EMPTY_PATH | (path.empty() ? unsigned{MOVE_MOUNT_T_EMPTY_PATH} : 0U);
  return CallVoid("move_mount", path, [&] {
    return Number(syscall(SYS_move_mount, mount_fd, "", dirfd, path.c_str(), flags));
  });
}

Result<uint64_t> MountNumber(int dirfd, const std::string& path) {
  struct statx info {};
  TRY(CallVoid("statx", path, [&] {
    return statx(dirfd, path.c_str(), AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &info);
  }));
  return info.stx_mnt_id;
}

Result<> DetachMount(const std::string& path) {
  return CallVoid("umount", path,
                  [&] { return umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW); });
}

}  // namespace skiff::sys
