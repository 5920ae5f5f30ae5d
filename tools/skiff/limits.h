// The limits of the command line.
#pragma once

#include <chrono>
#include <cstddef>

#include "isolation/base/bytes.h"

namespace skiff::tools {

inline constexpr size_t kShownIdLength = 12;  // digits of a task id
inline constexpr size_t kEventReadSize = 64 << 10;

inline constexpr size_t kMinIdPrefix = 4;  // digits that name a task
inline constexpr size_t kShortIdDigits = 8;
inline constexpr Bytes kMaxSeccompProfile = Bytes::MiB(1);
inline constexpr Bytes kMaxTracedCalls = Bytes::KiB(64);
// How often who waits for a task asks whether its supervisor still lives.
inline constexpr std::chrono::milliseconds kLivenessInterval{1000};

}  // namespace skiff::tools
