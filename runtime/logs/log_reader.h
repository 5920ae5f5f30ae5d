// Reads a container's log directory (segment.h) as lines, while its writer appends or after it
// died.
//
// Lines come in the order in which they were completed, each with the time its first bytes arrived
// and an id that stays the same for every reader. ReadAvailable gives what is new since the last
// call; Follow gives a descriptor to wait on in between. Segments may rotate and be removed
// meanwhile. Owns its descriptors, changes nothing on disk; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/directory_watch.h"
#include "runtime/logs/limits.h"
#include "runtime/logs/line_joiner.h"
#include "runtime/logs/segment.h"

namespace skiff::runtime {

struct LogLine {
  int64_t wall_nanoseconds = 0;
  LogStream stream = LogStream::kStdout;
  std::string_view text;    // any bytes, without the newline; valid during the call
  bool is_partial = false;  // no newline: cut at kMaxLogLine, or the stream ended within the line
  bool is_notice = false;   // skiff's own words about bytes that are not there
  uint64_t id = 0;  // segment << 32 | offset of the first byte; a notice: of what follows it
};

struct LogReaderOptions {
  std::optional<LogStream> stream;  // only this one
  std::optional<int64_t> since;     // wall nanoseconds; lines that began then or later
  std::optional<uint64_t> tail;     // at first, only that many of the last lines
};

class LogReader {
 public:
  using Visitor = std::function<void(const LogLine&)>;

  // A directory without segments is an empty log.
  static Result<LogReader> Open(UniqueFd directory, const LogReaderOptions& options);

  // Calls `visit` for each line completed since the last call. When no writer is alive this
  // includes bytes without an index record and a last line without newline.
  Result<> ReadAvailable(const Visitor& visit);

  // From within `visit`: reads no further than the piece at hand, whose lines still arrive. The
  // reader is of no use afterwards.
  void Stop() { is_stopped_ = true; }

  // A descriptor (the reader's) that is readable when ReadAvailable may give more. From now on; to
  // miss nothing call it before ReadAvailable. Calling it again gives the same. Wait with a timeout
  // of kLogFollowInterval: a writer that is killed may wake the follower just before it counts as
  // gone.
  Result<int> Follow();

  // Whether a writer is alive. False also before the first one.
  Result<bool> HasWriter() const;

 private:
  // Where the reader stands; copied to look ahead.
  struct Position {
    uint32_t segment = 0;       // 0: before the first
    uint64_t index = 0;         // in the .idx
    uint64_t data = 0;          // in the .log: what lies before has been read
    bool is_after_gap = false;  // older segments were removed; not said yet
    IndexRecord last;           // the last record of this segment
    std::array<LineJoiner, kMaxLogStreams> joiners;
  };
  struct TailCount;

  LogReader(UniqueFd directory, const LogReaderOptions& options);

  Result<> Begin();
  Result<> SeekSince(const std::vector<uint32_t>& segments);
  Result<> SeekTail(const std::vector<uint32_t>& segments);
  Result<bool> SeekTailIn(uint32_t segment, TailCount& count);
  bool IsSeen(const TailCount& count, LogStream stream) const;
  Result<> ReadTail(bool is_final, const Visitor& visit);
  Result<> Advance(bool is_final, const Visitor& visit);
  Result<bool> OpenSegment(uint32_t segment);
  Result<bool> ReadRecords(const Visitor& visit);
  Result<std::optional<uint32_t>> NextSegment() const;
  Result<> ReadRecord(IndexRecord record, const Visitor& visit);
  Result<> ReadOrphan(const Visitor& visit);
  void Visit(const JoinedLine& line, LogStream stream, const Visitor& visit) const;
  void Notice(const IndexRecord& at, const std::string& text, const Visitor& visit) const;
  void FlushStream(LogStream stream, const Visitor& visit);
  bool IsWanted(LogStream stream) const { return !options_.stream || *options_.stream == stream; }

  UniqueFd directory_;
  LogReaderOptions options_;
  bool has_begun_ = false;
  bool is_stopped_ = false;
  Position position_;
  uint32_t open_segment_ = 0;  // which segment data_ and index_ belong to
  UniqueFd data_;
  UniqueFd index_;
  std::unique_ptr<char[]> buffer_;
  std::optional<sys::DirectoryWatch> watch_;
};

}  // namespace skiff::runtime
