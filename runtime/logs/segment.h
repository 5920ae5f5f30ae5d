// How a container's log lies on disk. The log directory:
//
//   <log dir>/
//     000001.log     the bytes as the container wrote them, stdout and stderr in order of arrival
//     000001.idx     one IndexRecord per batch that was read: when, which stream, which bytes
//     000002.log     the next segment, opened when the first was full
//     000002.idx
//     writer         empty; claimed while a writer is alive
//
// An index record is written after its bytes, so who trusts only the index never sees half a batch.
// After a crash there may be bytes beyond the last record: they count as one more batch with that
// record's time and stream. There may be part of a record (ignored) and, after a power loss, a
// record whose bytes are missing (the missing part is a loss). The oldest whole segment is removed
// when the log outgrows its limit. Lines, their times and their ids are made when reading.
//
// Whoever writes holds the claim (isolation/sys/claim.h) on `writer`, from before it touches a
// segment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::runtime {

enum class LogStream : uint8_t { kStdout = 1, kStderr = 2 };

// 24 bytes, little-endian: int64 wall_nanoseconds, uint64 offset, uint32 length, uint8 stream,
// uint8 flags, two bytes of zero.
struct IndexRecord {
  static constexpr size_t kSize = 24;
  static constexpr uint8_t kLoss = 1;  // `length` bytes of this stream were not stored
  static constexpr uint8_t kEnd = 2;   // the stream ended; what follows begins a new line

  int64_t wall_nanoseconds = 0;
  uint64_t offset = 0;  // in the .log; of a loss: where the bytes would stand
  uint32_t length = 0;
  LogStream stream = LogStream::kStdout;
  uint8_t flags = 0;

  // How many bytes of the .log this record covers.
  uint64_t stored() const { return (flags & kLoss) != 0 ? 0 : length; }
  bool operator==(const IndexRecord&) const = default;
};

void AppendIndexRecord(const IndexRecord& record, std::string& out);
// `bytes` holds kSize bytes. nullopt when the stream is unknown: not a record.
std::optional<IndexRecord> DecodeIndexRecord(const char* bytes);

inline constexpr char kWriterClaimName[] = "writer";
std::string SegmentDataName(uint32_t number);   // "000001.log"
std::string SegmentIndexName(uint32_t number);  // "000001.idx"
// The numbers of the segments that have an index, ascending.
Result<std::vector<uint32_t>> ListSegments(int directory);

}  // namespace skiff::runtime
