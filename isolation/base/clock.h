// The two clocks skiff uses. Durations and timeouts are measured on the monotonic clock, which no
// administrator can set back; what people and the API read comes from the wall clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace skiff {

using Nanoseconds = std::chrono::nanoseconds;

// Nanoseconds since the epoch of 1970 (CLOCK_REALTIME).
int64_t WallNanoseconds();

// Nanoseconds of CLOCK_MONOTONIC; only differences mean something.
int64_t MonotonicNanoseconds();

// "2026-01-31T12:00:00.123456789Z"
std::string FormatRfc3339(int64_t wall_nanoseconds);

}  // namespace skiff
