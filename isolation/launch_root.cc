#include "isolation/launch_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace skiff::isolation {
namespace {

constexpr mode_t kDirectoryMode = 0755;
constexpr size_t kPathSize = 4096;
constexpr int kMaxLinks = 16;  // that lead to one another

}  // namespace

bool CloseAllBut(unsigned first, int one, int other) {
  const int in_order[] = {one < other ? one : other, one < other ? other : one};
  for (int number : in_order) {
    auto kept = static_cast<unsigned>(number);
    if (kept < first) continue;
    if (kept > first && close_range(first, kept - 1, 0) != 0) return false;
    first = kept + 1;
  }
  return close_range(first, ~0U, 0) == 0;
}

void CloseQuietly(int fd) {
  int saved = errno;
  if (fd >= 0) close(fd);
  errno = saved;
}

int OpenResolved(int directory, const char* path, int flags, uint64_t resolve, mode_t mode) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = resolve;
  long fd;
  do {
    fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  return static_cast<int>(fd);
}

int LaunchRoot::Open(const char* path, int flags, mode_t mode) const {
  return OpenResolved(fd_, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, mode);
}

bool LaunchRoot::Own(int parent, const char* name) const {
  return owner_ == 0 || fchownat(parent, name, owner_, owner_, AT_SYMLINK_NOFOLLOW) == 0;
}

// mkdir -p inside the root: every parent is resolved there anew, and a name is made only in the
// directory so found. The last one.
int LaunchRoot::MakeDirectories(const char* path) const {
  char prefix[kPathSize];
  size_t size = strlen(path);
  if (size >= sizeof(prefix)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int parent = Open("/", O_PATH | O_DIRECTORY);
  for (size_t end = 0; parent >= 0 && end < size;) {
    size_t begin = end;
    while (begin < size && path[begin] == '/') ++begin;
    end = begin;
    while (end < size && path[end] != '/') ++end;
    if (end == begin) break;
    memcpy(prefix, path, end);
    prefix[end] = '\0';
    int next = Open(prefix, O_PATH | O_DIRECTORY);
    if (next < 0 && errno == ENOENT) {
      const char* name = prefix + begin;
      bool is_made = mkdirat(parent, name, kDirectoryMode) == 0 && Own(parent, name);
      if (is_made) next = Open(prefix, O_PATH | O_DIRECTORY);
    }
    CloseQuietly(parent);
    parent = next;
  }
  return parent;
}

int LaunchRoot::OpenDirectory(const char* path) const {
  int fd = Open(path, O_PATH | O_DIRECTORY);
  return fd >= 0 || errno != ENOENT ? fd : MakeDirectories(path);
}

int LaunchRoot::OpenPlainDirectory(const char* path) const {
  constexpr uint64_t kPlain = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
  int fd = OpenResolved(fd_, path, O_PATH | O_DIRECTORY, kPlain);
  if (fd >= 0 || errno != ENOENT) return fd;
  CloseQuietly(MakeDirectories(path));
  return OpenResolved(fd_, path, O_PATH | O_DIRECTORY, kPlain);
}

int LaunchRoot::OpenParent(const char* path, const char** name) const {
  char parent[kPathSize];
  const char* slash = strrchr(path, '/');
  size_t size = slash == nullptr ? 0 : static_cast<size_t>(slash - path);
  *name = slash == nullptr ? path : slash + 1;
  if (size >= sizeof(parent)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(parent, path, size);
  parent[size] = '\0';
  return OpenDirectory(size == 0 ? "/" : parent);
}

// Where the link `name` in the directory of `path` leads, as a path from the root.
bool LaunchRoot::ReadLink(int parent, const char* path, const char* name, char* target) const {
  size_t size = name[0] == '\0' ? 0 : static_cast<size_t>(name - path);
  if (size >= kPathSize) return false;
  memcpy(target, path, size);
  ssize_t count = readlinkat(parent, name, target + size, kPathSize - size - 1);
  if (count <= 0 || static_cast<size_t>(count) >= kPathSize - size - 1) return false;
  target[size + static_cast<size_t>(count)] = '\0';
  if (target[size] == '/') memmove(target, target + size, static_cast<size_t>(count) + 1);
  return true;
}

int LaunchRoot::OpenFile(const char* path, int links) const {
  int fd = Open(path, O_PATH);
  if (fd >= 0 || errno != ENOENT) return fd;
  const char* name = nullptr;
  int parent = OpenParent(path, &name);
  if (parent < 0) return -1;
  char target[kPathSize];
  if (links < kMaxLinks && ReadLink(parent, path, name, target)) {
    CloseQuietly(parent);
    return OpenFile(target, links + 1);
  }
  fd = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
  if (fd >= 0 && !Own(parent, name)) {
    CloseQuietly(fd);
    fd = -1;
  }
  CloseQuietly(parent);
  return fd;
}

// A root that is a plain directory keeps its nodes from one run to the next: the same node is
// fine, another is not.
bool MakeNode(int parent, const char* name, mode_t mode, dev_t number) {
  if (mknodat(parent, name, mode, number) == 0) return true;
  struct stat info {};
  if (errno != EEXIST || fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if ((info.st_mode & S_IFMT) == (mode & S_IFMT) && info.st_rdev == number) return true;
  errno = EEXIST;
  return false;
}

bool MakeLink(int parent, const char* name, const char* target) {
  if (symlinkat(target, parent, name) == 0) return true;
  if (errno != EEXIST) return false;
  char old[kPathSize];
  ssize_t size = readlinkat(parent, name, old, sizeof(old));
  if (size == static_cast<ssize_t>(strlen(target)) &&
      memcmp(old, target, static_cast<size_t>(size)) == 0)
    return true;
  errno = EEXIST;
  return false;
}

// In a user namespace some file systems need a network or pid namespace of its own: the host's is
// bound then, as crun and podman do.
int CloneHostFilesystem(const char* type) {
  constexpr const char* kPlaces[][2] = {
      {"sysfs", "/sys"}, {"proc", "/proc"}, {"mqueue", "/dev/mqueue"}};
  for (const auto& place : kPlaces) {
    if (strcmp(place[0], type) == 0) {
      return static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, place[1],
                                      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    }
  }
  errno = EPERM;
  return -1;
}

}  // namespace skiff::isolation
