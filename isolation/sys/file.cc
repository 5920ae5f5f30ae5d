#include "isolation/sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "isolation/base/text.h"
#include "isolation/sys/call.h"

namespace skiff::sys {
namespace {

Result<UniqueFd> OpenResolved(const char* name, int root, const std::string& path, int flags,
                              mode_t mode, uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
  how.resolve = resolve;
  // EAGAIN: a rename raced with the resolution, and the kernel could not prove it stayed inside
  // (openat2(2)).
  constexpr int kMaxAttempts = 32;
  for (int attempt = 1;; ++attempt) {
    auto fd = Call(name, path,
                   [&] { return syscall(SYS_openat2, root, path.c_str(), &how, sizeof(how)); });
    if (fd.ok()) return UniqueFd(static_cast<int>(fd.value()));
    if (fd.error().sys_errno() != EAGAIN || attempt == kMaxAttempts) return std::move(fd).error();
  }
}

std::string ParentOf(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

}  // namespace

Result<UniqueFd> Open(int dirfd, const std::string& path, int flags, mode_t mode) {
  int fd =
      TRY(Call("open", path, [&] { return openat(dirfd, path.c_str(), flags | O_CLOEXEC, mode); }));
  return UniqueFd(fd);
}

Result<UniqueFd> OpenDirectory(int dirfd, const std::string& path) {
  return Open(dirfd, path, O_RDONLY | O_DIRECTORY);
}

Result<UniqueFd> OpenInRoot(int root, const std::string& path, int flags, mode_t mode) {
  return OpenResolved("openat2", root, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

Result<UniqueFd> OpenBeneath(int root, const std::string& path, int flags, mode_t mode) {
  return OpenResolved("openat2", root, path, flags, mode,
                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

Result<size_t> Read(int fd, void* buffer, size_t size) {
  ssize_t count = TRY(Call("read", "", [&] { return read(fd, buffer, size); }));
  return static_cast<size_t>(count);
}

Result<size_t> ReadAt(int fd, void* buffer, size_t size, uint64_t offset) {
  ssize_t count =
      TRY(Call("pread", "", [&] { return pread(fd, buffer, size, static_cast<off_t>(offset)); }));
  return static_cast<size_t>(count);
}

Result<std::string> ReadAll(int fd, std::string_view name, Bytes limit) {
  std::string data;
  char buffer[16384];
  for (;;) {
    size_t count = TRY(Read(fd, buffer, sizeof(buffer)).Context(name));
    if (count == 0) return data;
    data.append(buffer, count);
    if (data.size() > limit.count()) {
      return Error(Code::kInvalid,
                   std::string(name) + ": longer than " + std::to_string(limit.count()) + " bytes");
    }
  }
}

Result<std::string> ReadFile(int dirfd, const std::string& path, Bytes limit) {
  UniqueFd fd = TRY(Open(dirfd, path, O_RDONLY));
  return ReadAll(fd.get(), path, limit);
}

Result<> WriteAll(int fd, std::string_view data, std::string_view name) {
  while (!data.empty()) {
    ssize_t count = TRY(Call("write", name, [&] { return write(fd, data.data(), data.size()); }));
    data.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Result<> WriteAt(int fd, std::string_view data, int64_t offset, std::string_view name) {
  while (!data.empty()) {
    ssize_t count =
        TRY(Call("pwrite", name, [&] { return pwrite(fd, data.data(), data.size(), offset); }));
    data.remove_prefix(static_cast<size_t>(count));
    offset += count;
  }
  return {};
}

Result<> WriteControl(int dirfd, const std::string& path, std::string_view value) {
  UniqueFd fd = TRY(Open(dirfd, path, O_WRONLY));
  std::string object = path + " (" + std::string(value) + ")";
  return CallVoid("write", object, [&] { return write(fd.get(), value.data(), value.size()); });
}

Result<> WriteFile(int dirfd, const std::string& path, std::string_view data, mode_t mode) {
  UniqueFd fd = TRY(Open(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC, mode));
  return WriteAll(fd.get(), data, path);
}

Result<> StoreFile(int dirfd, const std::string& path, std::string_view data, mode_t mode) {
  std::string staging = path + ".new-" + RandomHex(6);
  auto write_staging = [&]() -> Result<> {
    UniqueFd fd = TRY(Open(dirfd, staging, O_WRONLY | O_CREAT | O_EXCL, mode));
    TRY(WriteAll(fd.get(), data, staging));
    TRY(Sync(fd.get()));
    return Rename(dirfd, staging, dirfd, path);
  };
  Result<> stored = write_staging();
  if (!stored.ok()) {
    Unlink(dirfd, staging).Ignore();
    return stored;
  }
  UniqueFd parent = TRY(OpenDirectory(dirfd, ParentOf(path)));
  return Sync(parent.get());
}

Result<> MakeDirectory(int dirfd, const std::string& path, mode_t mode) {
  return CallVoid("mkdir", path, [&] { return mkdirat(dirfd, path.c_str(), mode); });
}

Result<> MakeDirectories(const std::string& path, mode_t mode) {
  Result<> made = MakeDirectory(AT_FDCWD, path, mode);
  if (made.ok()) return made;
  if (made.error().sys_errno() == EEXIST) {
    struct stat info {};
    if (stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    return Error::FromErrno(ENOTDIR, "mkdir " + path);
  }
  if (made.error().sys_errno() != ENOENT || path.empty() || path == "/") return made;
  TRY(MakeDirectories(ParentOf(path), mode));
  made = MakeDirectory(AT_FDCWD, path, mode);
  // Another process may have made it in between.
  if (!made.ok() && made.error().sys_errno() == EEXIST) return {};
  return made;
}

Result<> RemoveDirectory(int dirfd, const std::string& path) {
  return CallVoid("rmdir", path, [&] { return unlinkat(dirfd, path.c_str(), AT_REMOVEDIR); });
}

Result<> Unlink(int dirfd, const std::string& path) {
  return CallVoid("unlink", path, [&] { return unlinkat(dirfd, path.c_str(), 0); });
}

Result<> Rename(int from_dirfd, const std::string& from, int to_dirfd, const std::string& to) {
  return CallVoid("rename", from,
                  [&] { return renameat(from_dirfd, from.c_str(), to_dirfd, to.c_str()); });
}

Result<> Symlink(const std::string& target, int dirfd, const std::string& path) {
  return CallVoid("symlink", path, [&] { return symlinkat(target.c_str(), dirfd, path.c_str()); });
}

Result<> ChownFd(int fd, uid_t uid, gid_t gid, std::string_view name) {
  return CallVoid("fchown", name, [&] { return fchown(fd, uid, gid); });
}

Result<> Chown(int dirfd, const std::string& path, uid_t uid, gid_t gid) {
  return CallVoid("chown", path,
                  [&] { return fchownat(dirfd, path.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW); });
}

Result<> Chmod(int dirfd, const std::string& path, mode_t mode) {
  return CallVoid("chmod", path, [&] { return fchmodat(dirfd, path.c_str(), mode, 0); });
}

Result<struct stat> Stat(int dirfd, const std::string& path) {
  struct stat info {};
  TRY(CallVoid("stat", path,
               [&] { return fstatat(dirfd, path.c_str(), &info, AT_SYMLINK_NOFOLLOW); }));
  return info;
}

Result<struct stat> StatFd(int fd) {
  struct stat info {};
  TRY(CallVoid("fstat", "", [&] { return fstat(fd, &info); }));
  return info;
}

Result<int64_t> FilesystemType(int fd) {
  struct statfs info {};
  TRY(CallVoid("fstatfs", "", [&] { return fstatfs(fd, &info); }));
  return static_cast<int64_t>(info.f_type);
}

Result<FilesystemSpace> SpaceOfFilesystem(int fd) {
  struct statfs info {};
  TRY(CallVoid("fstatfs", "", [&] { return fstatfs(fd, &info); }));
  uint64_t unit = static_cast<uint64_t>(info.f_frsize);
  return FilesystemSpace{info.f_blocks * unit, info.f_bavail * unit};
}

Result<uint64_t> FilesystemUsedPercent(int fd) {
  struct statfs info {};
  TRY(CallVoid("fstatfs", "", [&] { return fstatfs(fd, &info); }));
  uint64_t used = info.f_blocks - info.f_bfree;
  uint64_t all = used + info.f_bavail;
  return all == 0 ? 0 : (used * 100 + all - 1) / all;
}

Result<> Sync(int fd) {
  return CallVoid("fsync", "", [&] { return fsync(fd); });
}

Result<> SyncFilesystem(int fd) {
  return CallVoid("syncfs", "", [&] { return syncfs(fd); });
}

Result<> Truncate(int fd, int64_t size) {
  return CallVoid("ftruncate", "", [&] { return ftruncate(fd, size); });
}

Result<UniqueFd> MakeMemoryFile(std::string_view text) {
  int raw = TRY(Call("memfd_create", "", [] { return memfd_create("skiff", MFD_CLOEXEC); }));
  UniqueFd fd(raw);
  TRY(WriteAt(fd.get(), text, 0, "memory file"));
  return fd;
}

Result<UniqueFd> CopySealed(const std::string& path) {
  constexpr unsigned kExecutable = 0x10;  // MFD_EXEC, Linux 6.3: those before know no other kind
  UniqueFd from = TRY(Open(AT_FDCWD, path, O_RDONLY));
  struct stat info = TRY(StatFd(from.get()));
  int64_t left = info.st_size;
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int raw = memfd_create("skiff-program", flags | kExecutable);
  if (raw < 0 && errno == EINVAL) raw = memfd_create("skiff-program", flags);
  if (raw < 0) return Error::FromErrno(errno, "memfd_create");
  UniqueFd copy(raw);
  while (left > 0) {
    ssize_t sent = sendfile(copy.get(), from.get(), nullptr, static_cast<size_t>(left));
    if (sent <= 0) return Error::FromErrno(sent < 0 ? errno : EIO, "copy " + path);
    left -= sent;
  }
  TRY(CallVoid("seal", path, [&] {
    return fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  }));
  return copy;
}

bool Exists(int dirfd, const std::string& path) {
  return faccessat(dirfd, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

namespace {

template <typename Keep>
Result<std::vector<std::string>> ListEntries(int dirfd, const std::string& path, Keep keep) {
  UniqueFd fd = TRY(OpenDirectory(dirfd, path));
  std::unique_ptr<DIR, CloseDirectory> directory(fdopendir(fd.get()));
  if (!directory) return Error::FromErrno(errno, "list " + path);
  [[maybe_unused]] int owned_by_directory = fd.Release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(directory.get())) {
    std::string_view name = entry->d_name;
    if (name != "." && name != ".." && keep(*entry)) names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return Error::FromErrno(errno, "list " + path);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Result<std::vector<std::string>> ListDirectory(int dirfd, const std::string& path) {
  return ListEntries(dirfd, path, [](const dirent&) { return true; });
}

Result<std::vector<std::string>> ListSubdirectories(int dirfd, const std::string& path) {
  return ListEntries(dirfd, path, [](const dirent& entry) { return entry.d_type == DT_DIR; });
}

namespace {

// Trees come from strangers and may be deeper than we have descriptors or stack: what lies this
// deep is moved up to the top of the tree and removed from there.
constexpr int kMaxRemoveDepth = 64;

struct TreeRemoval {
  int top;  // the directory to be removed, borrowed
  dev_t device;
  std::vector<std::string> moved;  // names in `top`
};

Result<> RemoveEntry(int dirfd, const std::string& path, int depth, TreeRemoval* removal) {
  Result<> unlinked = Unlink(dirfd, path);
  if (unlinked.ok() || unlinked.error().sys_errno() == ENOENT) return {};
  // EISDIR for a directory as Linux answers; EPERM is what POSIX says.
  if (unlinked.error().sys_errno() != EISDIR && unlinked.error().sys_errno() != EPERM)
    return unlinked;
  UniqueFd fd = TRY(Open(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  struct stat info = TRY(StatFd(fd.get()));
  if (info.st_dev != removal->device)
    return Error(Code::kConflict, "remove " + path + ": another file system is mounted there");
  if (depth == kMaxRemoveDepth) {
    removal->moved.push_back(".removing-" + RandomHex(8));
    return Rename(dirfd, path, removal->top, removal->moved.back());
  }
  std::vector<std::string> names = TRY(ListDirectory(fd.get(), "."));
  for (const std::string& name : names) TRY(RemoveEntry(fd.get(), name, depth + 1, removal));
  return RemoveDirectory(dirfd, path);
}

Result<> EmptyDirectory(int top, dev_t device) {
  TreeRemoval removal{top, device, {}};
  std::vector<std::string> names = TRY(ListDirectory(top, "."));
  for (const std::string& name : names) TRY(RemoveEntry(top, name, 1, &removal));
  while (!removal.moved.empty()) {
    std::string name = std::move(removal.moved.back());
    removal.moved.pop_back();
    TRY(RemoveEntry(top, name, 1, &removal));
  }
  return {};
}

}  // namespace

Result<> RemoveTree(int dirfd, const std::string& path) {
  Result<struct stat> info = Stat(dirfd, path);
  if (!info.ok() && info.error().sys_errno() == ENOENT) return {};
  if (!info.ok()) return std::move(info).error();
  if (!S_ISDIR(info.value().st_mode)) return Unlink(dirfd, path);
  UniqueFd top = TRY(Open(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  struct stat opened = TRY(StatFd(top.get()));
  if (opened.st_dev != info.value().st_dev)
    return Error(Code::kConflict, "remove " + path + ": another file system is mounted there");
  TRY(EmptyDirectory(top.get(), opened.st_dev));
  return RemoveDirectory(dirfd, path);
}

Result<> EmptyTree(int directory) {
  struct stat info = TRY(StatFd(directory));
  return EmptyDirectory(directory, info.st_dev);
}

Result<bool> TryLock(int fd, LockMode mode) {
  int operation = (mode == LockMode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  Result<> locked = CallVoid("flock", "", [&] { return flock(fd, operation); });
  if (locked.ok()) return true;
  if (locked.error().sys_errno() == EWOULDBLOCK) return false;
  return std::move(locked).error();
}

Result<bool> TryProcessLock(int fd) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  Result<> locked = CallVoid("fcntl", "lock", [&] { return fcntl(fd, F_SETLK, &whole); });
  if (locked.ok()) return true;
  if (locked.error().sys_errno() == EAGAIN || locked.error().sys_errno() == EACCES) return false;
  return std::move(locked).error();
}

Result<std::optional<pid_t>> ProcessLockHolder(int fd) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  TRY(CallVoid("fcntl", "lock holder", [&] { return fcntl(fd, F_GETLK, &whole); }));
  if (whole.l_type == F_UNLCK) return std::optional<pid_t>();
  return std::optional<pid_t>(whole.l_pid);
}

Result<> Lock(int fd, LockMode mode) {
  return CallVoid("flock", "",
                  [&] { return flock(fd, mode == LockMode::kShared ? LOCK_SH : LOCK_EX); });
}

}  // namespace skiff::sys
