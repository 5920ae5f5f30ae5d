// The limits of a task's supervisor.
#pragma once

#include <chrono>
#include <cstddef>

namespace skiff::runtime {

inline constexpr size_t kMaxControlConnections = 16;
inline constexpr size_t kMaxControlRequest = 4096;  // bytes, one JSON line
inline constexpr int kControlBacklog = 16;
// After a container's end, how long its pipes may stay open in other hands before they are closed
// on them.
inline constexpr std::chrono::milliseconds kDrainTimeout{500};
inline constexpr int kSupervisorOomScore = -999;

}  // namespace skiff::runtime
