// What an inode carries besides its bytes: links, device nodes, owner, mode, times and extended
// attributes, and writes at an offset. Nothing here follows a symlink in the last
// component of a path. Any thread.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::sys {

// A hard link to the inode itself, be it a symlink.
Result<> Link(int from_dirfd, const std::string& from, int to_dirfd, const std::string& to);
// mknod(2): `mode` holds the type; `device` is 0 for a fifo.
Result<> MakeNode(int dirfd, const std::string& path, mode_t mode, dev_t device);
Result<std::string> ReadLink(int dirfd, const std::string& path);
// A file without a name in the directory `path`, for reading and writing (O_TMPFILE).
Result<UniqueFd> OpenUnnamed(int dirfd, const std::string& path);

Result<> ChownFd(int fd, uid_t uid, gid_t gid);
Result<> ChmodFd(int fd, mode_t mode);
// Access and modification time alike.
Result<> SetTimes(int dirfd, const std::string& path, const timespec& time);
Result<> SetTimesFd(int fd, const timespec& time);

// Extended attributes of the inode `path` (never of what a symlink points to).
Result<> SetXattr(int dirfd, const std::string& path, const std::string& name,
                  std::string_view value);
Result<std::string> GetXattr(int dirfd, const std::string& path, const std::string& name);
Result<std::vector<std::string>> ListXattrs(int dirfd, const std::string& path);

Result<> WriteAllAt(int fd, std::string_view data, uint64_t offset);
// All of the file `from` into the empty file `to`; what is a hole there is one here, where the file
// system can tell.
Result<> CopyData(int from, int to, std::string_view name);

}  // namespace skiff::sys
