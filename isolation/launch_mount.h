// The mount calls of the set-up between clone and exec, by descriptor. Private to launch_child.cc,
// and with its rules: only system calls, no allocation. -1 or false with errno set.
#pragma once

#include <cstdint>

#include "isolation/launch_child.h"

namespace skiff::isolation {

inline constexpr uint64_t kUnbindable = 1 << 17;  // MS_UNBINDABLE and its neighbours
inline constexpr uint64_t kPrivate = 1 << 18;
inline constexpr uint64_t kSlave = 1 << 19;
inline constexpr uint64_t kShared = 1 << 20;

bool Attach(int mount_fd, int target_fd);
int CloneMountOf(int fd, bool is_recursive);
bool SetAttributes(int fd, uint64_t set, uint64_t clear, bool is_recursive);
bool SetPropagation(int fd, uint64_t propagation, bool is_recursive);
// A clone of a shared mount is its peer: what is mounted on it would appear on the host, too.
bool MakePrivate(int fd);
// A new file system of the mount's type, attached nowhere.
int MakeFilesystem(const ChildMount& mount);

}  // namespace skiff::isolation
