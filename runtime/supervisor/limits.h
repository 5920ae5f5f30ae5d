// The limits of a task's supervisor.
#pragma once

#include <chrono>
#include <cstddef>

#include "isolation/base/bytes.h"

namespace skiff::runtime {

inline constexpr size_t kMaxControlConnections = 16;
inline constexpr size_t kMaxControlRequest = 4096;  // bytes, one JSON line
inline constexpr int kControlBacklog = 16;
// After a container's end, how long its pipes may stay open in other hands before they are closed
// on them.
inline constexpr std::chrono::milliseconds kDrainTimeout{500};
inline constexpr int kSupervisorOomScore = -999;

// What the init of a shared pid namespace may have of its own: it allocates nothing.
inline constexpr Bytes kInitMemory = Bytes::MiB(64);

}  // namespace skiff::runtime
