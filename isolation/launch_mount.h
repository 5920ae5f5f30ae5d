// The mount calls of the set-up between clone and exec, by descriptor. Private to launch_child.cc,
// and with its rules: only system calls, no allocation. -1 or false with errno set.
#pragma once

#include <cstdint>

#include "isolation/launch_child.h"
#include "isolation/launch_root.h"

namespace skiff::isolation {

class LaunchProtection;

inline constexpr uint64_t kUnbindable = 1 << 17;  // MS_UNBINDABLE and its neighbours
inline constexpr uint64_t kPrivate = 1 << 18;
inline constexpr uint64_t kSlave = 1 << 19;
inline constexpr uint64_t kShared = 1 << 20;
inline constexpr int kMntDetach = 2;  // MNT_DETACH

bool Attach(int mount_fd, int target_fd);
int CloneMountOf(int fd, bool is_recursive);
bool SetAttributes(int fd, uint64_t set, uint64_t clear, bool is_recursive);
bool SetPropagation(int fd, uint64_t propagation, bool is_recursive);
// The mount itself as wanted, and everything below it private. A clone of a shared mount is its
// peer: what is mounted on it would appear on the host, too.
bool MakePrivateBelow(int fd, uint64_t propagation);
// A new file system of the mount's type, attached nowhere.
int MakeFilesystem(const ChildMount& mount);

// Carries out a plan's mounts inside a root.
class Mounter {
 public:
  // Both outlive it.
  Mounter(const LaunchRoot& root, LaunchProtection* protection, bool is_in_user_namespace)
      : root_(root), protection_(protection), is_in_user_namespace_(is_in_user_namespace) {}
  // Leaves a descriptor in `made` when the mount is to become read-only later.
  bool Mount(ChildMount* plan) const;

 private:
  int MakeMount(const ChildMount& mount) const;
  bool AdjustBind(const ChildMount& mount, int made) const;
  bool ChangeAttributes(int fd, uint64_t set, uint64_t clear, bool is_recursive) const;
  int OpenTarget(const ChildMount& mount) const;

  const LaunchRoot& root_;
  LaunchProtection* protection_;
  bool is_in_user_namespace_;
};

}  // namespace skiff::isolation
