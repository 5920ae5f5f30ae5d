#include "runtime/logs/segment_files.h"

#include <fcntl.h>

#include <algorithm>
#include <string>

#include "isolation/base/clock.h"
#include "isolation/sys/claim.h"
#include "isolation/sys/failpoint.h"
#include "isolation/sys/file.h"
#include "runtime/logs/limits.h"

namespace skiff::runtime {
namespace {

constexpr mode_t kMode = 0600;

uint64_t SizeOf(int directory, const std::string& name) {
  auto info = sys::Stat(directory, name);
  return info.ok() ? static_cast<uint64_t>(info.value().st_size) : 0;
}

Result<> UnlinkIfThere(int directory, const std::string& name) {
  auto result = sys::Unlink(directory, name);
  if (!result.ok() && result.error().code() == Code::kNotFound) return {};
  return result;
}

}  // namespace

SegmentFiles::SegmentFiles(UniqueFd directory, Bytes max_bytes)
    : directory_(std::move(directory)),
      max_bytes_(max_bytes.count()),
      segment_bytes_(std::min(kLogSegmentSize.count(), max_bytes.count() / kMinSegmentsKept)) {}

Result<SegmentFiles> SegmentFiles::Open(UniqueFd directory, Bytes max_bytes) {
  SegmentFiles files(std::move(directory), max_bytes);
  // Not on a segment: io_uring holds on to the files it works with for a moment after its process
  // was killed, and between making the next segment and claiming it there seemed to be no writer.
  files.claim_ = TRY(sys::Open(files.directory_.get(), kWriterClaimName, O_RDWR | O_CREAT, kMode));
  bool is_ours = TRY(sys::TryClaim(files.claim_.get()));
  if (!is_ours) return Error(Code::kConflict, "log: another process writes to it");
  std::vector<uint32_t> numbers = TRY(ListSegments(files.directory_.get()));
  for (uint32_t number : numbers) {
    int dir = files.directory_.get();
    uint64_t bytes = SizeOf(dir, SegmentDataName(number)) + SizeOf(dir, SegmentIndexName(number));
    files.closed_.push_back(Closed{number, bytes});
  }
  if (numbers.empty()) {
    TRY(files.OpenNext());
    return files;
  }
  files.closed_.pop_back();
  TRY(files.OpenSegment(numbers.back()));
  TRY(files.Recover());
  return files;
}

// Replaces the open segment only when both files are there.
Result<> SegmentFiles::OpenSegment(uint32_t number) {
  TRY(failpoint::Check("log_open_segment"));
  int dir = directory_.get();
  // The index last: a segment without an index does not exist for a reader.
  UniqueFd data = TRY(sys::Open(dir, SegmentDataName(number), O_RDWR | O_CREAT, kMode));
  UniqueFd index = TRY(sys::Open(dir, SegmentIndexName(number), O_RDWR | O_CREAT, kMode));
  data_ = std::move(data);
  index_ = std::move(index);
  number_ = number;
  data_end_ = 0;
  index_end_ = 0;
  return {};
}

Result<> SegmentFiles::OpenNext() {
  uint32_t next = number_ + 1;
  if (next > kMaxSegmentNumber) return Error(Code::kExhausted, "log: no segment number is left");
  uint32_t closed = number_;
  uint64_t bytes = data_end_ + index_end_;
  TRY(OpenSegment(next));
  if (closed != 0) closed_.push_back(Closed{closed, bytes});
  return {};
}

// Gives bytes without a record one, and ends both streams: what the next writer's containers say
// begins a new line.
Result<> SegmentFiles::Recover() {
  struct stat data = TRY(sys::StatFd(data_.get()));
  struct stat index = TRY(sys::StatFd(index_.get()));
  data_end_ = static_cast<uint64_t>(data.st_size);
  index_end_ = static_cast<uint64_t>(index.st_size) / IndexRecord::kSize * IndexRecord::kSize;
  TRY(sys::Truncate(index_.get(), static_cast<int64_t>(index_end_)));
  IndexRecord record{.wall_nanoseconds = static_cast<int64_t>(data.st_mtim.tv_sec) * 1'000'000'000};
  if (index_end_ > 0) {
    std::string text = TRY(sys::ReadAll(index_.get(), SegmentIndexName(number_)));
    auto last = DecodeIndexRecord(text.data() + index_end_ - IndexRecord::kSize);
    // Not a record, or its bytes are missing: leave the segment as it is.
    if (!last || last->offset + last->stored() > data_end_) return OpenNext();
    record = *last;
    record.offset += last->stored();
    record.flags = 0;
  }
  std::string encoded;
  record.length = static_cast<uint32_t>(std::min<uint64_t>(data_end_ - record.offset, UINT32_MAX));
  if (record.length > 0) AppendIndexRecord(record, encoded);
  for (LogStream stream : {LogStream::kStdout, LogStream::kStderr}) {
    AppendIndexRecord({.wall_nanoseconds = record.wall_nanoseconds,
                       .offset = data_end_,
                       .stream = stream,
                       .flags = IndexRecord::kEnd},
                      encoded);
  }
  TRY(sys::WriteAll(index_.get(), encoded, SegmentIndexName(number_)));  // behind what was read
  index_end_ += encoded.size();
  return {};
}

Result<> SegmentFiles::MakeRoom(size_t data, size_t index) {
  uint64_t used = data_end_ + index_end_;
  if (used > 0 && used + data + index > segment_bytes_) TRY(OpenNext());
  while (!closed_.empty() && ClosedBytes() + segment_bytes_ > max_bytes_) TRY(RemoveOldest());
  return {};
}

Result<> SegmentFiles::RemoveOldest() {
  const Closed& oldest = closed_.front();
  // The data first: an index without data reads as a loss, data without an index would stay
  // forever.
  TRY(UnlinkIfThere(directory_.get(), SegmentDataName(oldest.number)));
  TRY(UnlinkIfThere(directory_.get(), SegmentIndexName(oldest.number)));
  removed_bytes_ += oldest.bytes;
  closed_.pop_front();
  return {};
}

uint64_t SegmentFiles::ClosedBytes() const {
  uint64_t bytes = 0;
  for (const Closed& closed : closed_) bytes += closed.bytes;
  return bytes;
}

void SegmentFiles::Commit(size_t data, size_t index) {
  data_end_ += data;
  index_end_ += index;
}

void SegmentFiles::RollBack() {
  // If even this fails, the next batch overwrites the same place.
  sys::Truncate(data_.get(), static_cast<int64_t>(data_end_)).Ignore();
  sys::Truncate(index_.get(), static_cast<int64_t>(index_end_)).Ignore();
}

}  // namespace skiff::runtime
