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

// Logs older than their group keeps them are looked for so often.
inline constexpr std::chrono::milliseconds kRetentionInterval = std::chrono::hours(1);

}  // namespace skiff::tools
