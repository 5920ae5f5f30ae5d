#include "isolation/launch_protect.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "isolation/launch_mount.h"

namespace skiff::isolation {
namespace {

const char* SkipSlashes(const char* path) {
  while (*path == '/') ++path;
  return path;
}

// What of `path` is below /`name`: "." for that directory itself, null for another place.
const char* Below(const char* path, const char* name) {
  path = SkipSlashes(path);
  size_t size = strlen(name);
  if (strncmp(path, name, size) != 0 || (path[size] != '/' && path[size] != '\0')) return nullptr;
  const char* rest = SkipSlashes(path + size);
  return *rest == '\0' ? "." : rest;
}

bool IsPlace(const char* path, const char* name) {
  const char* rest = Below(path, name);
  return rest != nullptr && strcmp(rest, ".") == 0;
}

bool IsOfKind(int fd, long magic) {
  struct statfs info {};
  return fstatfs(fd, &info) == 0 && info.f_type == magic;
}

}  // namespace

bool LaunchProtection::NoteMount(const char* target, int mount) {
  bool is_proc = IsPlace(target, "proc");
  if (!is_proc && !IsPlace(target, "sys")) return true;
  int& kept = is_proc ? proc_ : sys_;
  CloseQuietly(kept);
  kept = -1;
  if (!IsOfKind(mount, is_proc ? PROC_SUPER_MAGIC : SYSFS_MAGIC)) return true;
  kept = fcntl(mount, F_DUPFD_CLOEXEC, 0);
  return kept >= 0;
}

int LaunchProtection::OpenProtected(const char* path) const {
  constexpr uint64_t kBeneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const char* below_proc = Below(path, "proc");
  if (below_proc != nullptr && proc_ >= 0) return OpenResolved(proc_, below_proc, O_PATH, kBeneath);
  const char* below_sys = Below(path, "sys");
  if (below_sys != nullptr && sys_ >= 0) return OpenResolved(sys_, below_sys, O_PATH, kBeneath);
  return root_.Open(path, O_PATH);
}

// In a user namespace a new one may be refused; the host's is still in sight then. Both answer with
// the settings of this process's namespaces.
int LaunchProtection::OpenProcfs() {
  if (settings_ >= 0) return settings_;
  ChildMount procfs{};
  procfs.type = "proc";
  settings_ = MakeFilesystem(procfs);
  if (settings_ < 0) settings_ = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (settings_ >= 0 && !IsOfKind(settings_, PROC_SUPER_MAGIC)) {
    CloseQuietly(settings_);
    settings_ = -1;
    errno = EXDEV;
  }
  return settings_;
}

// CVE-2025-52881: /proc/sys of the container could be made to lead to any file of a procfs, and
// what was written there was not the setting.
bool LaunchProtection::SetSysctl(const ChildSetting& setting) {
  constexpr uint64_t kPlain = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  const char* name = Below(setting.path, "proc");
  int procfs = OpenProcfs();
  if (name == nullptr || procfs < 0) return false;
  int fd = OpenResolved(procfs, name, O_WRONLY, kPlain);
  if (fd < 0) return false;
  size_t size = strlen(setting.value);
  bool is_written = write(fd, setting.value, size) == static_cast<ssize_t>(size);
  CloseQuietly(fd);
  return is_written;
}

bool LaunchProtection::MakeReadonly(const char* path) {
  int fd = OpenProtected(path);
  if (fd < 0) return errno == ENOENT;
  int clone = CloneMountOf(fd, true);
  bool is_fine =
      clone >= 0 && SetAttributes(clone, MOUNT_ATTR_RDONLY, 0, true) && Attach(clone, fd);
  is_fine = is_fine && NoteMount(path, clone);  // what comes next goes on top of it
  CloseQuietly(clone);
  CloseQuietly(fd);
  return is_fine;
}

int LaunchProtection::MakeCover(bool is_directory) {
  if (is_directory) {
    constexpr ChildOption kEmpty[] = {{"size", "0"}, {"nr_inodes", "1"}, {"mode", "555"}};
    ChildMount empty{};
    empty.type = "tmpfs";
    empty.options = kEmpty;
    empty.option_count = 3;
    empty.attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    // One file system for all: only an attached mount can be cloned, so the first is kept open.
    return empty_directory_ >= 0 ? CloneMountOf(empty_directory_, false) : MakeFilesystem(empty);
  }
  int null = root_.Open("/dev/null", O_PATH | O_NOFOLLOW);
  if (null < 0) return -1;
  struct stat info {};
  bool is_null = fstat(null, &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
  // Never cover with what an image may have put there instead (CVE-2025-31133).
  if (!is_null) errno = ENXIO;
  int cover = is_null ? CloneMountOf(null, false) : -1;
  CloseQuietly(null);
  return cover;
}

bool LaunchProtection::Mask(const char* path) {
  int target = OpenProtected(path);
  if (target < 0) return errno == ENOENT || errno == ENOTDIR;
  struct stat info {};
  int cover = fstat(target, &info) == 0 ? MakeCover(S_ISDIR(info.st_mode)) : -1;
  bool is_fine = cover >= 0 && Attach(cover, target) && NoteMount(path, cover);
  CloseQuietly(target);
  if (is_fine && S_ISDIR(info.st_mode) && empty_directory_ < 0) {
    empty_directory_ = cover;
  } else {
    CloseQuietly(cover);
  }
  return is_fine;
}

}  // namespace skiff::isolation
