// The limits of the isolation layer.
#pragma once

#include <chrono>
#include <cstddef>

#include "isolation/base/bytes.h"

namespace skiff::isolation {

inline constexpr size_t kMaxGroups = 256;  // supplementary groups of a container process
inline constexpr Bytes kMaxAccountFile = Bytes::MiB(4);  // /etc/passwd and /etc/group of an image
inline constexpr size_t kMaxOverlayLayers = 84;  // by three digits each in fsconfig(2)'s 256 bytes
inline constexpr size_t kMaxContainerPath = 4095;  // PATH_MAX without the NUL
inline constexpr int kMaxInRootLinks = 40;         // on one path, as the kernel's own limit
inline constexpr size_t kMaxMemoryNodes = 1024;    // of NUMA: the most that Linux can be built for
inline constexpr int kMaxCopyDepth = 256;          // of directories: what a layer may have

// How long a container's set-up between clone and exec may take before the start is given up.
inline constexpr std::chrono::milliseconds kLaunchTimeout{30'000};
// How long killed processes may take to disappear before a cgroup counts as stuck.
inline constexpr std::chrono::milliseconds kCgroupEmptyTimeout{10'000};

}  // namespace skiff::isolation
