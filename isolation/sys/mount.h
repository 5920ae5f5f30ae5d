// The mount system calls of Linux 5.2 and later (fsopen, fsmount, open_tree, move_mount;
// mount_setattr of 5.12), by descriptor. glibc 2.36 declares them; where a path is needed it is
// relative to a descriptor. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::sys {

// A file system context (fsopen(2)). Errors carry the kernel's own words where it wrote any.
class FilesystemContext {
 public:
  static Result<FilesystemContext> Open(const std::string& type);
  Result<> SetFlag(const std::string& key);
  Result<> SetString(const std::string& key, const std::string& value);
  Result<> Create();
  // A mount that is attached nowhere. attributes: MOUNT_ATTR_*.
  Result<UniqueFd> Mount(unsigned attributes);

 private:
  FilesystemContext(UniqueFd fd, std::string type) : fd_(std::move(fd)), type_(std::move(type)) {}
  Error Describe(Error error) const;
  UniqueFd fd_;
  std::string type_;
};

// A detached copy of the mount at `path` (recursive: with what is mounted beneath it).
Result<UniqueFd> CloneMount(int dirfd, const std::string& path, bool is_recursive);
// A program through a read-only mount of its own: whoever reaches it through /proc/PID/exe of what
// was executed from it cannot write it, root included (CVE-2019-5736). Needs CAP_SYS_ADMIN.
Result<UniqueFd> OpenProgramReadOnly(const std::string& path);
// attr_set / attr_clear: MOUNT_ATTR_*.
Result<> SetMountAttributes(int mount_fd, uint64_t attr_set, uint64_t attr_clear,
                            bool is_recursive);
// Device nodes on this mount work, whatever holds where it was cloned from.
Result<> AllowDevices(int mount_fd);
// Attaches a detached mount at `path`.
Result<> AttachMount(int mount_fd, int dirfd, const std::string& path);
// The number of the mount that `path` is on, or with an empty path `dirfd` itself.
Result<uint64_t> MountNumber(int dirfd, const std::string& path);
Result<> DetachMount(const std::string& path);  // umount2(MNT_DETACH|UMOUNT_NOFOLLOW)

}  // namespace skiff::sys
