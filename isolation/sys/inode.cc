#include "isolation/sys/inode.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "isolation/sys/call.h"

namespace skiff::sys {
namespace {

// The attribute calls take no directory descriptor before Linux 6.13; the magic link of procfs
// stands in for one.
std::string ProcPath(int dirfd, const std::string& path) {
  if (dirfd == AT_FDCWD || (!path.empty() && path[0] == '/')) return path;
  return "/proc/self/fd/" + std::to_string(dirfd) + "/" + path;
}

}  // namespace

Result<> Link(int from_dirfd, const std::string& from, int to_dirfd, const std::string& to) {
  return CallVoid("link", from,
                  [&] { return linkat(from_dirfd, from.c_str(), to_dirfd, to.c_str(), 0); });
}

Result<> MakeNode(int dirfd, const std::string& path, mode_t mode, dev_t device) {
  return CallVoid("mknod", path, [&] { return mknodat(dirfd, path.c_str(), mode, device); });
}

Result<std::string> ReadLink(int dirfd, const std::string& path) {
  char buffer[PATH_MAX];
  ssize_t size = TRY(Call("readlink", path,
                          [&] { return readlinkat(dirfd, path.c_str(), buffer, sizeof(buffer)); }));
  return std::string(buffer, static_cast<size_t>(size));
}

Result<UniqueFd> OpenUnnamed(int dirfd, const std::string& path) {
  int fd = TRY(Call("open", path, [&] {
    return openat(dirfd, path.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  }));
  return UniqueFd(fd);
}

Result<> ChownFd(int fd, uid_t uid, gid_t gid) {
  return CallVoid("fchown", "", [&] { return fchown(fd, uid, gid); });
}

Result<> ChmodFd(int fd, mode_t mode) {
  return CallVoid("fchmod", "", [&] { return fchmod(fd, mode); });
}

Result<> SetTimes(int dirfd, const std::string& path, const timespec& time) {
  const timespec times[2] = {time, time};
  return CallVoid("utimensat", path,
                  [&] { return utimensat(dirfd, path.c_str(), times, AT_SYMLINK_NOFOLLOW); });
}

Result<> SetTimesFd(int fd, const timespec& time) {
  const timespec times[2] = {time, time};
  return CallVoid("futimens", "", [&] { return futimens(fd, times); });
}

Result<> SetXattr(int dirfd, const std::string& path, const std::string& name,
                  std::string_view value) {
  std::string full = ProcPath(dirfd, path);
  return CallVoid("setxattr", name, [&] {
    return lsetxattr(full.c_str(), name.c_str(), value.data(), value.size(), 0);
  });
}

Result<std::string> GetXattr(int dirfd, const std::string& path, const std::string& name) {
  std::string full = ProcPath(dirfd, path);
  std::string value(XATTR_SIZE_MAX, '\0');
  ssize_t size = TRY(Call("getxattr", name, [&] {
    return lgetxattr(full.c_str(), name.c_str(), value.data(), value.size());
  }));
  value.resize(static_cast<size_t>(size));
  return value;
}

Result<std::vector<std::string>> ListXattrs(int dirfd, const std::string& path) {
  std::string full = ProcPath(dirfd, path);
  std::string list(XATTR_LIST_MAX, '\0');
  ssize_t size = TRY(
      Call("listxattr", path, [&] { return llistxattr(full.c_str(), list.data(), list.size()); }));
  list.resize(static_cast<size_t>(size));
  std::vector<std::string> names;
  for (size_t at = 0; at < list.size();) {
    names.emplace_back(list.c_str() + at);
    at += names.back().size() + 1;
  }
  return names;
}

Result<> WriteAllAt(int fd, std::string_view data, uint64_t offset) {
  while (!data.empty()) {
    ssize_t count = TRY(Call("write", "", [&] {
      return pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    }));
    data.remove_prefix(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

namespace {

// The bytes from `begin` to `end`; `from` may have become shorter.
Result<> CopyRange(int from, int to, off_t begin, off_t end, std::string_view name) {
  TRY(Call("lseek", name, [&] { return lseek(to, begin, SEEK_SET); }));
  while (begin < end) {
    auto wanted = static_cast<size_t>(end - begin);
    ssize_t count = TRY(Call("sendfile", name, [&] { return sendfile(to, from, &begin, wanted); }));
    if (count == 0) return {};
  }
  return {};
}

}  // namespace

Result<> CopyData(int from, int to, std::string_view name) {
  struct stat info {};
  TRY(CallVoid("fstat", name, [&] { return fstat(from, &info); }));
  for (off_t at = 0; at < info.st_size;) {
    off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // nothing but a hole up to the end
    if (data < 0) data = at;
    off_t hole = lseek(from, data, SEEK_HOLE);
    off_t end = hole < 0 ? info.st_size : hole;
    TRY(CopyRange(from, to, data, end, name));
    at = end;
  }
  return CallVoid("ftruncate", name, [&] { return ftruncate(to, info.st_size); });
}

}  // namespace skiff::sys
