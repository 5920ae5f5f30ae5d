// Files and directories: one typed function per system call, close-on-exec always, interrupted
// calls repeated. Paths are relative to `dirfd` (AT_FDCWD for the working directory) unless
// absolute. Any thread.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/bytes.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::sys {

inline constexpr Bytes kMaxSmallFile =
    Bytes::MiB(16);  // what ReadFile takes at most unless told otherwise

// open(2); flags get O_CLOEXEC.
Result<UniqueFd> Open(int dirfd, const std::string& path, int flags, mode_t mode = 0);
Result<UniqueFd> OpenDirectory(int dirfd, const std::string& path);  // O_RDONLY|O_DIRECTORY

// openat2(2) with RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS: `path` is resolved as a process chrooted
// to `root` would.
Result<UniqueFd> OpenInRoot(int root, const std::string& path, int flags, mode_t mode = 0);
// RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS|NO_MAGICLINKS: no component may be a symlink or lead out.
Result<UniqueFd> OpenBeneath(int root, const std::string& path, int flags, mode_t mode = 0);

// The whole file, or an error when it is longer than `limit`.
Result<std::string> ReadFile(int dirfd, const std::string& path, Bytes limit = kMaxSmallFile);
Result<std::string> ReadAll(int fd, std::string_view name, Bytes limit = kMaxSmallFile);
Result<size_t> Read(int fd, void* buffer, size_t size);
Result<size_t> ReadAt(int fd, void* buffer, size_t size, uint64_t offset);  // pread(2)
Result<> WriteAll(int fd, std::string_view data, std::string_view name);
Result<> WriteAt(int fd, std::string_view data, int64_t offset, std::string_view name);  // pwrite
// Into an existing kernel file (cgroup, sysctl, /proc): one write(2), no O_CREAT.
Result<> WriteControl(int dirfd, const std::string& path, std::string_view value);
// A new file `path` holding `data`, replaced atomically (temporary name, fsync, rename, fsync of
// the directory).
Result<> StoreFile(int dirfd, const std::string& path, std::string_view data, mode_t mode = 0600);
// Creates or truncates, without any durability: for what a reboot may take.
Result<> WriteFile(int dirfd, const std::string& path, std::string_view data, mode_t mode = 0600);

Result<> MakeDirectory(int dirfd, const std::string& path,
                       mode_t mode);                             // an existing one is an error
Result<> MakeDirectories(const std::string& path, mode_t mode);  // mkdir -p; existing is fine
Result<> RemoveDirectory(int dirfd, const std::string& path);
Result<> Unlink(int dirfd, const std::string& path);  // absent is an error (kNotFound)
Result<> Rename(int from_dirfd, const std::string& from, int to_dirfd, const std::string& to);
Result<> Symlink(const std::string& target, int dirfd, const std::string& path);
Result<> ChownFd(int fd, uid_t uid, gid_t gid, std::string_view name);
Result<> Chown(int dirfd, const std::string& path, uid_t uid,
               gid_t gid);  // does not follow a symlink
Result<> Chmod(int dirfd, const std::string& path, mode_t mode);
Result<struct stat> Stat(int dirfd, const std::string& path);  // does not follow a symlink
Result<struct stat> StatFd(int fd);
struct FilesystemSpace {
  uint64_t size = 0;       // bytes
  uint64_t available = 0;  // bytes, to who is not root
};
Result<FilesystemSpace> SpaceOfFilesystem(int fd);
Result<int64_t> FilesystemType(int fd);  // f_type of fstatfs(2)
// Of the space that is there for others than root, rounded up, as df shows it.
Result<uint64_t> FilesystemUsedPercent(int fd);
Result<> Sync(int fd);            // fsync
Result<> SyncFilesystem(int fd);  // syncfs
Result<> Truncate(int fd, int64_t size);
// A file in memory that holds `text`, to be read from its beginning (memfd_create(2)).
Result<UniqueFd> MakeMemoryFile(std::string_view text);
// A copy of the file in memory, to be executed, which nobody can write any more.
Result<UniqueFd> CopySealed(const std::string& path);
bool Exists(int dirfd, const std::string& path);

// Names in a directory without "." and "..", sorted.
Result<std::vector<std::string>> ListDirectory(int dirfd, const std::string& path);
// The same of directories alone, without a look at each: on file systems that tell types when they
// are listed, as the kernel's own do.
Result<std::vector<std::string>> ListSubdirectories(int dirfd, const std::string& path);
// rm -r beneath dirfd, never following a symlink, never crossing into another mount; absent is
// fine.
Result<> RemoveTree(int dirfd, const std::string& path);
Result<> EmptyTree(int directory);  // the same to all that is in it

enum class LockMode { kShared, kExclusive };
// flock(2). TryLock answers false when another holds it; the lock goes with the descriptor.
Result<bool> TryLock(int fd, LockMode mode);
Result<> Lock(int fd, LockMode mode);

// An exclusive record lock on the whole file (fcntl(2), F_SETLK): owned by the process, so a child
// between clone and exec does not keep it alive. Goes when the process ends or closes any
// descriptor of the file. False when held.
Result<bool> TryProcessLock(int fd);
// The other process that holds such a lock; nullopt: none. `fd` may be open for reading only.
Result<std::optional<pid_t>> ProcessLockHolder(int fd);

}  // namespace skiff::sys
