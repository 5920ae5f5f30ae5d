#include "runtime/logs/log_reader.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "isolation/sys/claim.h"
#include "isolation/sys/file.h"

namespace skiff::runtime {
namespace {

size_t SlotOf(LogStream stream) { return stream == LogStream::kStdout ? 0 : 1; }

uint64_t IdOf(uint32_t segment, uint64_t offset) { return uint64_t{segment} << 32 | offset; }

// An absent segment was removed by the writer: nullopt, not an error.
Result<std::optional<std::vector<IndexRecord>>> LoadIndex(int directory, uint32_t segment) {
  auto text = sys::ReadFile(directory, SegmentIndexName(segment));
  if (!text.ok() && text.error().code() == Code::kNotFound) {
    return std::optional<std::vector<IndexRecord>>();
  }
  std::string bytes = TRY(std::move(text));
  std::vector<IndexRecord> records;
  for (size_t at = 0; at + IndexRecord::kSize <= bytes.size(); at += IndexRecord::kSize) {
    auto record = DecodeIndexRecord(bytes.data() + at);
    if (!record) break;
    records.push_back(*record);
  }
  return std::optional(std::move(records));
}

}  // namespace

LogReader::LogReader(UniqueFd directory, const LogReaderOptions& options)
    : directory_(std::move(directory)),
      options_(options),
      buffer_(std::make_unique_for_overwrite<char[]>(kLogReadBuffer)) {}

Result<LogReader> LogReader::Open(UniqueFd directory, const LogReaderOptions& options) {
  LogReader reader(std::move(directory), options);
  TRY(ListSegments(reader.directory_.get()));  // a directory that cannot be read is said now
  return reader;
}

Result<int> LogReader::Follow() {
  if (!watch_) watch_ = TRY(sys::DirectoryWatch::Open(directory_.get()));
  return watch_->fd();
}

Result<bool> LogReader::HasWriter() const {
  auto claim = sys::Open(directory_.get(), kWriterClaimName, O_RDONLY);
  if (!claim.ok() && claim.error().code() == Code::kNotFound) return false;
  UniqueFd fd = TRY(std::move(claim));
  return sys::IsClaimed(fd.get());
}

Result<> LogReader::ReadAvailable(const Visitor& visit) {
  if (watch_) TRY(watch_->Clear());
  // Asked before reading: what a writer wrote before it ended must not count as missing.
  bool has_writer = TRY(HasWriter());
  if (has_begun_) return Advance(!has_writer, visit);
  TRY(Begin());
  has_begun_ = true;
  return options_.tail ? ReadTail(!has_writer, visit) : Advance(!has_writer, visit);
}

// Looks ahead to count, then reads again and leaves out all but the last lines. `since` chooses
// among those: the first lines after a seek may be ends of lines, with a time that is too late.
Result<> LogReader::ReadTail(bool is_final, const Visitor& visit) {
  std::optional<int64_t> since = std::exchange(options_.since, std::nullopt);
  Position begin = position_;
  uint64_t count = 0;
  TRY(Advance(is_final, [&](const LogLine&) { ++count; }));
  position_ = std::move(begin);
  uint64_t skip = count - std::min(count, *options_.tail);
  auto result = Advance(is_final, [&](const LogLine& line) {
    if (skip > 0) {
      --skip;
    } else if (!since || line.wall_nanoseconds >= *since) {
      visit(line);
    }
  });
  options_.since = since;
  return result;
}

Result<> LogReader::Begin() {
  std::vector<uint32_t> segments = TRY(ListSegments(directory_.get()));
  if (segments.empty()) return {};
  position_.segment = segments.front();
  position_.is_after_gap = segments.front() != 1 && !options_.since && !options_.tail;
  if (options_.since) TRY(SeekSince(segments));
  if (options_.tail) TRY(SeekTail(segments));
  return {};
}

// The first segment that reaches `since`, and one before it: its last line may go on in the next.
Result<> LogReader::SeekSince(const std::vector<uint32_t>& segments) {
  for (uint32_t segment : segments) {
    auto records = TRY(LoadIndex(directory_.get(), segment));
    if (!records || records->empty() || records->back().wall_nanoseconds < *options_.since) {
      position_.segment = segment;
      continue;
    }
    return {};
  }
  return {};
}

// Going back from the end: how many lines were completed, and for each stream how many of them
// after its earliest known beginning of a line. `begin` is a place after which the last `wanted`
// lines and all unfinished ones begin, as far as the streams seen so far are concerned.
struct LogReader::TailCount {
  struct PerStream {
    bool is_seen = false;
    bool has_beginning = false;
    uint64_t lines_after = 0;
  };
  struct Place {
    uint32_t segment;
    uint64_t index;
    uint64_t data;
  };
  uint64_t wanted = 0;
  uint64_t lines = 0;
  std::array<PerStream, kMaxLogStreams> streams;
  std::optional<Place> begin;

  bool IsEnough() const {
    return lines >= wanted && std::all_of(streams.begin(), streams.end(), [&](const auto& stream) {
             return !stream.is_seen || (stream.has_beginning && stream.lines_after >= wanted);
           });
  }

  // One record, with the number of newlines in it and whether it leaves no line unfinished.
  void Add(const IndexRecord& record, uint64_t newlines, bool is_clean, Place place) {
    PerStream& stream = streams[SlotOf(record.stream)];
    bool is_new = !std::exchange(stream.is_seen, true);
    bool ends_lines = (record.flags & (IndexRecord::kEnd | IndexRecord::kLoss)) != 0;
    if (newlines > 0 || ends_lines) {
      // The first newline here completes a line that began further back.
      stream.lines_after = lines + (newlines > 0 ? newlines - 1 : 0);
      stream.has_beginning = true;
    }
    lines += newlines;
    // A stream that was silent since `begin` matters only if its last line is unfinished.
    if (begin && is_new && !is_clean) begin.reset();
    if (!begin && IsEnough()) begin = place;
  }
};

Result<> LogReader::SeekTail(const std::vector<uint32_t>& segments) {
  TailCount count{.wanted = *options_.tail};
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    if (*segment < position_.segment) break;
    bool is_done = TRY(SeekTailIn(*segment, count));
    if (is_done) break;
  }
  if (!count.begin) return {};  // from the first segment on
  position_.segment = count.begin->segment;
  position_.index = count.begin->index;
  position_.data = count.begin->data;
  return {};
}

// True when nothing further back can matter.
Result<bool> LogReader::SeekTailIn(uint32_t segment, TailCount& count) {
  auto records = TRY(LoadIndex(directory_.get(), segment));
  bool is_there = TRY(OpenSegment(segment));
  if (!records || !is_there) return false;
  for (size_t i = records->size(); i-- > 0;) {
    const IndexRecord& record = (*records)[i];
    // Once there is a place to begin, only a stream that was not seen since can change it.
    if (!IsWanted(record.stream)) continue;
    // The end alone says nothing of lines: a stream that never wrote has it, too.
    if (record.stored() == 0 && (record.flags & IndexRecord::kEnd) != 0) continue;
    if (count.begin && count.streams[SlotOf(record.stream)].is_seen) continue;
    uint64_t newlines = 0;
    bool is_clean = (record.flags & (IndexRecord::kEnd | IndexRecord::kLoss)) != 0;
    for (uint64_t at = 0; at < record.stored();) {
      size_t size = std::min<uint64_t>(record.stored() - at, kLogReadBuffer);
      size_t got = TRY(sys::ReadAt(data_.get(), buffer_.get(), size, record.offset + at));
      if (got == 0) break;
      newlines += static_cast<uint64_t>(std::count(buffer_.get(), buffer_.get() + got, '\n'));
      is_clean = buffer_[got - 1] == '\n';
      at += got;
    }
    count.Add(record, newlines, is_clean, {segment, i * IndexRecord::kSize, record.offset});
    bool has_all = IsSeen(count, LogStream::kStdout) && IsSeen(count, LogStream::kStderr);
    if (count.begin && has_all) return true;
  }
  return false;
}

bool LogReader::IsSeen(const TailCount& count, LogStream stream) const {
  return !IsWanted(stream) || count.streams[SlotOf(stream)].is_seen;
}

// False when the segment is gone.
Result<bool> LogReader::OpenSegment(uint32_t segment) {
  if (open_segment_ == segment) return true;
  for (auto [file, name] : {std::pair(&index_, SegmentIndexName(segment)),
                            std::pair(&data_, SegmentDataName(segment))}) {
    auto fd = sys::Open(directory_.get(), name, O_RDONLY);
    if (!fd.ok() && fd.error().code() == Code::kNotFound) {
      open_segment_ = 0;
      return false;
    }
    *file = TRY(std::move(fd));
  }
  open_segment_ = segment;
  return true;
}

Result<std::optional<uint32_t>> LogReader::NextSegment() const {
  std::vector<uint32_t> segments = TRY(ListSegments(directory_.get()));
  auto next = std::upper_bound(segments.begin(), segments.end(), position_.segment);
  if (next == segments.end()) return std::optional<uint32_t>();
  return std::optional(*next);
}

Result<> LogReader::Advance(bool is_final, const Visitor& visit) {
  for (;;) {
    // Asked first: a segment that has a successor gets no more records, so one more look at it sees
    // them all.
    std::optional<uint32_t> next = TRY(NextSegment());
    bool is_there = position_.segment != 0;
    if (is_there) is_there = TRY(OpenSegment(position_.segment));
    if (is_there) {
      bool has_more = true;
      while (has_more) has_more = TRY(ReadRecords(visit));
      if (is_stopped_) return {};
      if (next || is_final) TRY(ReadOrphan(visit));
    }
    if (!next) break;
    position_.is_after_gap =
        position_.segment != 0 && (!is_there || *next != position_.segment + 1);
    position_.segment = *next;
    position_.index = 0;
    position_.data = 0;
    position_.last = IndexRecord{};
  }
  if (!is_final) return {};
  FlushStream(LogStream::kStdout, visit);
  FlushStream(LogStream::kStderr, visit);
  return {};
}

// Up to kMaxIndexChunk records; false when there were none.
Result<bool> LogReader::ReadRecords(const Visitor& visit) {
  std::string chunk(kMaxIndexChunk * IndexRecord::kSize, '\0');
  size_t got = TRY(sys::ReadAt(index_.get(), chunk.data(), chunk.size(), position_.index));
  if (got < IndexRecord::kSize) return false;
  for (size_t at = 0; at + IndexRecord::kSize <= got; at += IndexRecord::kSize) {
    auto record = DecodeIndexRecord(chunk.data() + at);
    if (!record) return false;  // not ours, or zeros after a power loss: no further here
    TRY(ReadRecord(*record, visit));
    if (is_stopped_) return false;
    position_.index += IndexRecord::kSize;
    position_.last = *record;
  }
  return true;
}

Result<> LogReader::ReadRecord(IndexRecord record, const Visitor& visit) {
  if (std::exchange(position_.is_after_gap, false)) {
    FlushStream(LogStream::kStdout, visit);
    FlushStream(LogStream::kStderr, visit);
    Notice(record, "older output was removed", visit);
  }
  uint64_t end = record.offset + record.stored();
  if (!IsWanted(record.stream)) {
    position_.data = std::max(position_.data, end);
    return {};
  }
  if ((record.flags & IndexRecord::kLoss) != 0) {
    FlushStream(record.stream, visit);
    Notice(record, std::to_string(record.length) + " bytes of output were not stored", visit);
    return {};
  }
  // What was read as an orphan is not read again when a later writer gives it a record.
  uint64_t at = std::max(record.offset, position_.data);
  LineJoiner& joiner = position_.joiners[SlotOf(record.stream)];
  while (at < end) {
    size_t size = std::min<uint64_t>(end - at, kLogReadBuffer);
    size_t got = TRY(sys::ReadAt(data_.get(), buffer_.get(), size, at));
    if (got == 0) break;
    joiner.Add({buffer_.get(), got}, record.wall_nanoseconds, IdOf(position_.segment, at),
               [&](const JoinedLine& line) { Visit(line, record.stream, visit); });
    at += got;
  }
  if (at < end) {
    FlushStream(record.stream, visit);
    Notice(record, std::to_string(end - at) + " bytes of output are missing", visit);
  }
  position_.data = std::max(position_.data, end);
  if ((record.flags & IndexRecord::kEnd) != 0) FlushStream(record.stream, visit);
  return {};
}

// Bytes beyond the last record, of a writer that died: one more batch like the last.
Result<> LogReader::ReadOrphan(const Visitor& visit) {
  struct stat info = TRY(sys::StatFd(data_.get()));
  auto size = static_cast<uint64_t>(info.st_size);
  if (size <= position_.data) return {};
  IndexRecord orphan = position_.last;
  if (position_.index == 0) {
    orphan.wall_nanoseconds = static_cast<int64_t>(info.st_mtim.tv_sec) * 1'000'000'000;
  }
  orphan.offset = position_.data;
  orphan.length = static_cast<uint32_t>(std::min<uint64_t>(size - orphan.offset, UINT32_MAX));
  orphan.flags = 0;
  return ReadRecord(orphan, visit);
}

void LogReader::Visit(const JoinedLine& line, LogStream stream, const Visitor& visit) const {
  if (options_.since && line.wall_nanoseconds < *options_.since) return;
  visit(LogLine{.wall_nanoseconds = line.wall_nanoseconds,
                .stream = stream,
                .text = line.text,
                .is_partial = line.is_partial,
                .id = line.id});
}

void LogReader::Notice(const IndexRecord& at, const std::string& text, const Visitor& visit) const {
  std::string words = "[skiff: " + text + "]";
  if (options_.since && at.wall_nanoseconds < *options_.since) return;
  visit(LogLine{.wall_nanoseconds = at.wall_nanoseconds,
                .stream = at.stream,
                .text = words,
                .is_notice = true,
                .id = IdOf(position_.segment, at.offset)});
}

void LogReader::FlushStream(LogStream stream, const Visitor& visit) {
  position_.joiners[SlotOf(stream)].Flush(
      [&](const JoinedLine& line) { Visit(line, stream, visit); });
}

}  // namespace skiff::runtime
