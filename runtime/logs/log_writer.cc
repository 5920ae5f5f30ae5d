#include "runtime/logs/log_writer.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "isolation/base/clock.h"
#include "isolation/base/log.h"
#include "isolation/sys/failpoint.h"
#include "isolation/sys/pipe.h"

namespace skiff::runtime {
namespace {

// What a queued batch costs beside its bytes, so that one-byte writes cannot outgrow the backlog.
constexpr size_t kBatchOverhead = 128;

size_t SlotOf(LogStream stream) { return stream == LogStream::kStdout ? 0 : 1; }

bool IsTransient(int result) { return result == -EINTR || result == -EAGAIN; }

}  // namespace

Result<std::unique_ptr<LogWriter>> LogWriter::Open(sys::EventLoop& loop, UniqueFd directory,
                                                   const LogWriterOptions& options,
                                                   sys::Completion* on_drained) {
  if (options.max_bytes < kMinLogSize) {
    return Error(Code::kInvalid, "log: max_bytes: below " + std::to_string(kMinLogSize.count()));
  }
  if (options.max_backlog > kMaxLogBacklog) {
    return Error(Code::kInvalid,
                 "log: max_backlog: above " + std::to_string(kMaxLogBacklog.count()));
  }
  SegmentFiles files = TRY(SegmentFiles::Open(std::move(directory), options.max_bytes));
  return std::unique_ptr<LogWriter>(new LogWriter(loop, std::move(files), options, on_drained));
}

LogWriter::LogWriter(sys::EventLoop& loop, SegmentFiles files, const LogWriterOptions& options,
                     sys::Completion* on_drained)
    : loop_(loop), files_(std::move(files)), options_(options), on_drained_(on_drained) {}

LogWriter::~LogWriter() = default;

Result<> LogWriter::AddStream(UniqueFd pipe_read_end, LogStream stream) {
  if (is_drained()) inputs_.clear();
  if (inputs_.size() == kMaxLogStreams) {
    return Error(Code::kExhausted, "log: more than " + std::to_string(kMaxLogStreams) + " streams");
  }
  TRY(sys::SetNonBlocking(pipe_read_end.get()));
  // Only a matter of speed; not a pipe, or above what the user may have: as it is.
  sys::SetPipeCapacity(pipe_read_end.get(), kLogPipeCapacity).Ignore();
  inputs_.push_back(std::make_unique<Input>(this, std::move(pipe_read_end), stream));
  is_announced_ = false;
  Read(*inputs_.back());
  return {};
}

void LogWriter::Drain(std::chrono::nanoseconds timeout) {
  if (is_timing_ || is_announced_) return;
  is_timing_ = true;
  loop_.Timeout(timeout, drain_time_);
  for (auto& input : inputs_) {
    if (input->is_pausing) loop_.Cancel(*input);  // a container's end is not kept waiting
  }
}

void LogWriter::OnDrainTime(int, unsigned) {
  is_timing_ = false;
  for (auto& input : inputs_) {
    if (!input->fd.valid()) continue;
    input->phase = Input::Phase::kSettle;
    if (input->is_pending) {
      loop_.Cancel(*input);
    } else {
      Settle(*input);
    }
  }
  StartWrite();
  AnnounceIfDrained();
}

// False when all of the input's buffers wait for the disk.
bool LogWriter::TakeBuffer(Input& input) {
  if (input.reading != nullptr) return true;
  if (!input.free.empty()) {
    input.reading = std::move(input.free.back());
    input.free.pop_back();
    return true;
  }
  if (input.buffers == kLogBuffersPerStream) return false;
  ++input.buffers;
  // Not cleared: pages that are never used stay unallocated.
  input.reading = std::make_unique_for_overwrite<char[]>(kLogReadBuffer);
  return true;
}

void LogWriter::Read(Input& input) {
  if (!TakeBuffer(input)) return;
  input.is_pending = true;
  loop_.Read(input.fd.get(), input.reading.get(), kLogReadBuffer, input);
}

void LogWriter::OnRead(Input& input, int result) {
  input.is_pending = false;
  if (std::exchange(input.is_pausing, false)) result = -EINTR;  // over, or cut short
  size_t size = result > 0 ? static_cast<size_t>(result) : 0;
  if (size > 0) Enqueue(input, size);
  bool is_ended = size == 0 && !IsTransient(result) && result != -ECANCELED;
  if (input.phase == Input::Phase::kLast) {
    input.left -= std::min(input.left, size);
    is_ended |= input.left == 0 || result == -EAGAIN;  // EAGAIN: somebody else took the rest
  }
  if (is_ended) {
    End(input);
  } else if (input.phase == Input::Phase::kSettle) {
    Settle(input);
  } else {
    ReadOrPause(input, size);
  }
  StartWrite();
  AnnounceIfDrained();
}

void LogWriter::ReadOrPause(Input& input, size_t size) {
  int64_t now = MonotonicNanoseconds();
  bool is_hurried = size > 0 && size <= kSmallLogBatch && !is_timing_ &&
                    now - input.last_read < kLogPause.count();
  if (size > 0) input.last_read = now;
  if (!is_hurried) return Read(input);
  input.is_pending = true;
  input.is_pausing = true;
  loop_.Timeout(kLogPause, input);
}

// No read is on its way, so what the pipe holds now is what is left.
void LogWriter::Settle(Input& input) {
  input.phase = Input::Phase::kLast;
  input.left = sys::BytesReadable(input.fd.get()).ValueOr(0);
  if (input.left == 0) {
    End(input);
  } else {
    Read(input);
  }
}

void LogWriter::End(Input& input) {
  input.fd.Reset();
  queue_.push_back(
      Batch{&input, WallNanoseconds(), nullptr, 0, false, true, std::exchange(input.lost, 0)});
}

// What was read becomes a batch: the buffer itself while the input has another one, else (only
// non-blocking mode goes on reading then) a copy, as far as the backlog has room.
void LogWriter::Enqueue(Input& input, size_t size) {
  bool has_another = !input.free.empty() || input.buffers < kLogBuffersPerStream;
  bool is_pooled = options_.mode == LogMode::kBlocking || has_another;
  if (!is_pooled && backlog_ + size + kBatchOverhead > options_.max_backlog.count()) {
    return Drop(input, size);
  }
  Batch batch{&input, WallNanoseconds(), std::move(input.reading), size, is_pooled, false, 0};
  if (!is_pooled) {
    Buffer copy = std::make_unique_for_overwrite<char[]>(size);
    memcpy(copy.get(), batch.data.get(), size);
    input.reading = std::exchange(batch.data, std::move(copy));
    backlog_ += size + kBatchOverhead;
  }
  batch.lost_before = std::exchange(input.lost, 0);
  queue_.push_back(std::move(batch));
}

void LogWriter::Drop(Input& input, size_t size) {
  input.lost += size;
  stats_.lost_bytes += size;
}

// The losses before the batch, the batch, the end of the stream: as far as they apply.
void LogWriter::EncodeIndex(const Batch& batch) {
  index_text_.clear();
  IndexRecord record{.wall_nanoseconds = batch.wall_nanoseconds,
                     .offset = files_.data_end(),
                     .stream = batch.input->stream};
  uint64_t lost = batch.lost_before + unwritable_[SlotOf(record.stream)];
  while (lost > 0) {
    record.flags = IndexRecord::kLoss;
    record.length = static_cast<uint32_t>(std::min<uint64_t>(lost, UINT32_MAX));
    lost -= record.length;
    AppendIndexRecord(record, index_text_);
  }
  record.length = static_cast<uint32_t>(batch.size);
  record.flags = batch.is_end ? IndexRecord::kEnd : 0;
  AppendIndexRecord(record, index_text_);
}

void LogWriter::StartWrite() {
  while (writes_pending_ == 0 && !queue_.empty()) {
    EncodeIndex(queue_.front());
    auto room = files_.MakeRoom(queue_.front().size, index_text_.size());
    if (!room.ok()) {
      LoseFront(room.error().message());
      continue;
    }
    EncodeIndex(queue_.front());  // the offset may have changed with the segment
    SubmitWrite();
  }
}

void LogWriter::SubmitWrite() {
  const Batch& batch = queue_.front();
  sys::WriteOperation index{.fd = files_.index_fd(),
                            .data = index_text_.data(),
                            .size = index_text_.size(),
                            .offset = files_.index_end(),
                            .completion = &index_written_};
  if (batch.size == 0) {
    data_result_ = 0;
    writes_pending_ = 1;
    return loop_.Write(index);
  }
  writes_pending_ = 2;
  loop_.WriteInOrder({.fd = files_.data_fd(),
                      .data = batch.data.get(),
                      .size = batch.size,
                      .offset = files_.data_end(),
                      .completion = &data_written_},
                     index);
}

void LogWriter::OnDataWritten(int result, unsigned) {
  int error_number = failpoint::Hit("log_write");
  data_result_ = error_number != 0 ? -error_number : result;
  FinishWrite();
}

void LogWriter::OnIndexWritten(int result, unsigned) {
  index_result_ = result;
  FinishWrite();
}

void LogWriter::FinishWrite() {
  if (--writes_pending_ > 0) return;
  size_t size = queue_.front().size;
  bool is_data_whole = data_result_ >= 0 && static_cast<size_t>(data_result_) == size;
  bool is_index_whole =
      index_result_ >= 0 && static_cast<size_t>(index_result_) == index_text_.size();
  if (IsTransient(data_result_) || (is_data_whole && IsTransient(index_result_))) {
    return SubmitWrite();
  }
  if (is_data_whole && is_index_whole) {
    files_.Commit(size, index_text_.size());
    stats_.stored_bytes += size;
    unwritable_[SlotOf(queue_.front().input->stream)] = 0;
    is_failing_ = false;
    PopFront();
  } else {
    files_.RollBack();
    int result = is_data_whole ? index_result_ : data_result_;
    // A short write is how a disk says that it has just become full.
    LoseFront(strerror(result < 0 ? -result : ENOSPC));
  }
  StartWrite();
  AnnounceIfDrained();
}

void LogWriter::LoseFront(std::string_view why) {
  const Batch& batch = queue_.front();
  if (!is_failing_) {
    Log(LogLevel::kWarning, "log: write: " + std::string(why) + ": what follows is dropped");
  }
  is_failing_ = true;
  stats_.lost_bytes += batch.size;
  unwritable_[SlotOf(batch.input->stream)] += batch.size + batch.lost_before;
  PopFront();
}

void LogWriter::PopFront() {
  Batch batch = std::move(queue_.front());
  queue_.pop_front();
  if (batch.is_pooled) return Recycle(std::move(batch));
  if (!batch.is_end) backlog_ -= batch.size + kBatchOverhead;
}

// The buffer returns to its input, which goes on reading if that is what it waited for. Where
// batches have become small, both buffers are replaced by new ones, of which only the first pages
// will be touched.
void LogWriter::Recycle(Batch batch) {
  Input& input = *batch.input;
  input.small_batches = batch.size <= kSmallLogBatch ? input.small_batches + 1 : 0;
  bool is_calm = input.small_batches >= kCalmLogBatches &&
                 input.small_batches < kCalmLogBatches + kLogBuffersPerStream;
  if (is_calm) {
    --input.buffers;
  } else {
    input.free.push_back(std::move(batch.data));
  }
  if (input.fd.valid() && !input.is_pending) Read(input);
}

bool LogWriter::is_drained() const {
  bool has_open = std::any_of(inputs_.begin(), inputs_.end(), [](const auto& input) {
    return input->fd.valid() || input->is_pending;
  });
  return !has_open && queue_.empty() && writes_pending_ == 0 && !is_timing_;
}

void LogWriter::AnnounceIfDrained() {
  bool has_open = std::any_of(inputs_.begin(), inputs_.end(),
                              [](const auto& input) { return input->fd.valid(); });
  if (is_timing_ && !has_open && queue_.empty()) loop_.Cancel(drain_time_);
  if (is_announced_ || !is_drained()) return;
  is_announced_ = true;
  if (on_drained_ != nullptr) on_drained_->OnComplete(0, 0);
}

LogWriterStats LogWriter::stats() const {
  LogWriterStats stats = stats_;
  stats.removed_bytes = files_.removed_bytes();
  return stats;
}

}  // namespace skiff::runtime
