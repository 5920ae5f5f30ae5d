// The kernel's own files in a container, between clone and exec: settings written, paths hidden or
// made read-only. Never by way of what the image, a volume or a neighbour may have put in their
// place: settings are written through a procfs that nobody else sees, and paths below /proc and
// /sys are looked up in the mounts that were made there, wherever a renamed directory may have
// taken them since. Private to launch_child.cc, and with its rules: only system calls, no
// allocation.
#pragma once

#include "isolation/launch_child.h"
#include "isolation/launch_root.h"

namespace skiff::isolation {

// Each returns true, or false with errno set. Its descriptors close at exec.
class LaunchProtection {
 public:
  // `root` outlives it.
  explicit LaunchProtection(const LaunchRoot& root) : root_(root) {}

  // To be told of each mount that was attached; borrowed.
  bool NoteMount(const char* target, int mount);
  bool SetSysctl(const ChildSetting& setting);
  // A path that is not there is fine.
  bool MakeReadonly(const char* path);
  // A directory disappears under an empty read-only one, a file under the container's own
  // /dev/null.
  bool Mask(const char* path);

 private:
  int OpenProtected(const char* path) const;
  int OpenProcfs();
  int MakeCover(bool is_directory);

  const LaunchRoot& root_;
  int proc_ = -1;             // the mount on /proc, when it is a procfs
  int sys_ = -1;              // the mount on /sys, when it is a sysfs
  int settings_ = -1;         // a procfs that is attached nowhere, or the host's
  int empty_directory_ = -1;  // an attached read-only tmpfs, cloned over masked directories
};

}  // namespace skiff::isolation
