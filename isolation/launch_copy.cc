#include "isolation/launch_copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

#include "isolation/launch_root.h"

namespace skiff::isolation {
namespace {

constexpr int kMaxDepth = 64;  // of directories; each takes a buffer of the stack
constexpr size_t kEntriesSize = 8192;
constexpr size_t kPathSize = 4096;

bool CopyDirectory(int from, int to, int depth);

bool KeepLook(int to, const char* name, const struct stat& info) {
  if (fchownat(to, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (!S_ISLNK(info.st_mode) && fchmodat(to, name, info.st_mode & 07777, 0) != 0) return false;
  const timespec times[2] = {info.st_atim, info.st_mtim};
  return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) == 0;
}

bool CopyContents(int source, int target, off_t size) {
  while (size > 0) {
    ssize_t count = syscall(SYS_sendfile, target, source, nullptr, static_cast<size_t>(size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    if (count == 0) return true;  // it has become shorter
    size -= count;
  }
  return true;
}

bool CopyFile(int from, int to, const char* name, off_t size) {
  int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  int target = source < 0
                   ? -1
                   : openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  bool is_fine = target >= 0 && CopyContents(source, target, size);
  CloseQuietly(target);
  CloseQuietly(source);
  return is_fine;
}

bool CopyLink(int from, int to, const char* name) {
  char target[kPathSize];
  ssize_t size = readlinkat(from, name, target, sizeof(target) - 1);
  if (size < 0) return false;
  target[size] = '\0';
  return symlinkat(target, to, name) == 0;
}

bool CopyBelow(int from, int to, const char* name, int depth) {
  if (mkdirat(to, name, 0700) != 0) return false;
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int source = openat(from, name, kFlags);
  int target = source < 0 ? -1 : openat(to, name, kFlags);
  bool is_fine = target >= 0 && CopyDirectory(source, target, depth + 1);
  CloseQuietly(target);
  CloseQuietly(source);
  return is_fine;
}

bool CopyEntry(int from, int to, const char* name, int depth) {
  struct stat info {};
  if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return false;
  bool is_fine = false;
  if (S_ISDIR(info.st_mode)) {
    is_fine = CopyBelow(from, to, name, depth);
  } else if (S_ISREG(info.st_mode)) {
    is_fine = CopyFile(from, to, name, info.st_size);
  } else if (S_ISLNK(info.st_mode)) {
    is_fine = CopyLink(from, to, name);
  } else {
    is_fine = mknodat(to, name, info.st_mode, info.st_rdev) == 0;
  }
  return is_fine && KeepLook(to, name, info);
}

bool CopyEntries(int from, int to, const char* entries, long size, int depth) {
  for (long at = 0; at < size;) {
    const auto* entry = reinterpret_cast<const dirent64*>(entries + at);
    at += entry->d_reclen;
    bool is_self = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (!is_self && !CopyEntry(from, to, entry->d_name, depth)) return false;
  }
  return true;
}

bool CopyDirectory(int from, int to, int depth) {
  if (depth > kMaxDepth) {
    errno = ELOOP;
    return false;
  }
  alignas(dirent64) char entries[kEntriesSize];
  for (;;) {
    long size = syscall(SYS_getdents64, from, entries, sizeof(entries));
    if (size < 0) return false;
    if (size == 0) return true;
    if (!CopyEntries(from, to, entries, size, depth)) return false;
  }
}

}  // namespace

bool CopyTree(int from, int to) {
  int source = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (source < 0) return false;
  bool is_fine = CopyDirectory(source, to, 0);
  CloseQuietly(source);
  return is_fine;
}

}  // namespace skiff::isolation
