// The limits of a container's log.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "isolation/base/bytes.h"

namespace skiff::runtime {

inline constexpr Bytes kLogSegmentSize = Bytes::MiB(16);  // then the next one opens
inline constexpr Bytes kDefaultLogSize = Bytes::GiB(1);   // of one container, index included
inline constexpr Bytes kMinLogSize = Bytes::MiB(1);       // of one container
inline constexpr uint64_t kMinSegmentsKept = 4;           // a small log has smaller segments
inline constexpr uint32_t kMaxSegmentNumber = 999'999;    // six digits in the file name
// One batch at most. As large as the pipe: 64 KiB cost a third more CPU per GB. Only pages that are
// used take memory, and a stream that has calmed down gives them back.
inline constexpr size_t kLogReadBuffer = 256 << 10;
inline constexpr size_t kSmallLogBatch = 16 << 10;
inline constexpr size_t kCalmLogBatches = 64;      // so many small batches in a row
inline constexpr size_t kLogBuffersPerStream = 2;  // one is read into, one is written
// A stream whose small batches come faster than this is left alone for so long: waking for every
// line cost writer and log together a third of their CPU. A pipe holds several times as much.
inline constexpr std::chrono::nanoseconds kLogPause = std::chrono::milliseconds(1);
inline constexpr Bytes kLogPipeCapacity = Bytes::KiB(256);  // asked for; the default is 64
inline constexpr size_t kMaxLogStreams = 2;                 // at a time, of one container
inline constexpr Bytes kDefaultLogBacklog = Bytes::MiB(1);  // non-blocking mode
inline constexpr Bytes kMaxLogBacklog = Bytes::MiB(64);
inline constexpr size_t kMaxLogLine = 256 << 10;              // longer lines are split
inline constexpr std::chrono::seconds kLogFollowInterval{1};  // a follower looks at least so often
inline constexpr size_t kMaxIndexChunk = 1024;                // records the reader takes at a time

// Filter patterns.
inline constexpr size_t kMaxFilterPattern = 1024;  // bytes
inline constexpr int kMaxFilterDepth = 32;         // of parentheses
inline constexpr size_t kMaxFilterFields = 1024;
inline constexpr double kMaxFilterIndex = 1'000'000;  // of an array
inline constexpr size_t kMaxRegexRepeat = 1000;
inline constexpr size_t kMaxRegexAtoms = 2000;

// Events that were put from outside (event_file.h).
inline constexpr uint64_t kEventFileSize = 4 << 20;            // then the next one begins
inline constexpr int64_t kEventFileMilliseconds = 86'400'000;  // or after so long, for retention
inline constexpr size_t kMaxEventMessage = 1 << 20;

}  // namespace skiff::runtime
