// The limits of the daemon's program.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "isolation/base/bytes.h"

namespace skiff::tools {

inline constexpr uint16_t kDefaultApiPort = 8770;
inline constexpr Bytes kMaxConfigFile = Bytes::KiB(64);
inline constexpr Bytes kMaxKeysFile = Bytes::MiB(1);
inline constexpr size_t kMaxListeners = 16;  // of each kind: given, inherited
inline constexpr unsigned kApiSocketMode = 0600;
inline constexpr int kFirstInheritedDescriptor = 3;  // as systemd passes them

inline constexpr int kEventBacklog = 16;
inline constexpr size_t kMaxEventSubscribers = 64;
inline constexpr size_t kMaxQueuedEvents = 10'000;         // committed and not told yet
inline constexpr size_t kMaxEventBacklogBytes = 16 << 20;  // of one subscriber that reads slowly
inline constexpr size_t kMaxToldTasks = 100'000;

// Logs older than their group keeps them are looked for so often.
inline constexpr std::chrono::milliseconds kRetentionInterval = std::chrono::hours(1);

}  // namespace skiff::tools
