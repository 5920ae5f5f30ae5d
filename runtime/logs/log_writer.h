// Carries what a container writes from its pipes to its log directory (segment.h), through the
// event loop. Nothing is parsed on the way.
//
// Blocking mode: a stalled disk stalls the container's writes, nothing is lost. Non-blocking mode:
// the container never waits for the disk; up to `max_backlog` bytes queue, beyond that bytes are
// dropped. A disk that refuses (full, broken) never stops the container in either mode: the bytes
// are dropped. What is dropped is counted, and recorded as a loss in the log with the next batch of
// that stream that can be written, at the latest at the stream's end.
//
// The supervisor owns one LogWriter per container, on the loop's thread. End it only when it is
// drained (is_drained), or after the loop: operations of the kernel point into it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "isolation/base/bytes.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/event_loop.h"
#include "runtime/logs/limits.h"
#include "runtime/logs/segment.h"
#include "runtime/logs/segment_files.h"

namespace skiff::runtime {

enum class LogMode { kBlocking, kNonBlocking };

struct LogWriterOptions {
  LogMode mode = LogMode::kBlocking;
  Bytes max_bytes = kDefaultLogSize;       // on disk; at least kMinLogSize
  Bytes max_backlog = kDefaultLogBacklog;  // of non-blocking mode
};

struct LogWriterStats {
  uint64_t stored_bytes = 0;
  uint64_t lost_bytes = 0;     // dropped: the backlog or the disk was full
  uint64_t removed_bytes = 0;  // oldest segments, removed to keep within max_bytes
};

class LogWriter {
 public:
  // `directory` exists. kConflict while another writer of this directory is alive. `on_drained`
  // (borrowed, may be null) is called each time the last stream has ended and all that was read is
  // on disk or counted as lost; it may destroy the LogWriter.
  static Result<std::unique_ptr<LogWriter>> Open(sys::EventLoop& loop, UniqueFd directory,
                                                 const LogWriterOptions& options,
                                                 sys::Completion* on_drained);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  ~LogWriter();

  // Starts reading. At most kMaxLogStreams are open at a time; a restarted container's streams may
  // be added once the earlier ones have ended.
  Result<> AddStream(UniqueFd pipe_read_end, LogStream stream);

  // After the container's exit. Its pipes normally end then, but a process it left behind may hold
  // them open: after `timeout` what the pipes hold at that moment is still read, then they are
  // closed. Calling it again has no effect.
  void Drain(std::chrono::nanoseconds timeout);

  bool is_drained() const;
  LogWriterStats stats() const;

 private:
  using Buffer = std::unique_ptr<char[]>;

  struct Input final : sys::Completion {
    Input(LogWriter* owner, UniqueFd pipe, LogStream name)
        : writer(owner), fd(std::move(pipe)), stream(name) {}
    void OnComplete(int result, unsigned) override { writer->OnRead(*this, result); }

    LogWriter* writer;
    UniqueFd fd;  // invalid once ended
    LogStream stream;
    Buffer reading;            // where the pending read goes
    std::vector<Buffer> free;  // this input's buffers that nobody uses
    size_t buffers = 0;        // how many were made
    size_t small_batches = 0;  // in a row, to give large buffers back
    bool is_pending = false;   // a read or a pause is with the loop
    bool is_pausing = false;   // it is a pause
    int64_t last_read = 0;     // monotonic nanoseconds
    // After the drain's time is up: first what is on its way arrives (kSettle), then the bytes that
    // the pipe still held (kLast, `left` of them), then it is closed.
    enum class Phase { kOpen, kSettle, kLast };
    Phase phase = Phase::kOpen;
    size_t left = 0;
    uint64_t lost = 0;  // dropped since the last batch
  };

  struct Batch {
    Input* input;
    int64_t wall_nanoseconds;
    Buffer data;
    size_t size;
    bool is_pooled;        // `data` goes back to its input
    bool is_end;           // the stream ended
    uint64_t lost_before;  // bytes of the stream that were dropped before this batch
  };

  LogWriter(sys::EventLoop& loop, SegmentFiles files, const LogWriterOptions& options,
            sys::Completion* on_drained);

  void OnRead(Input& input, int result);
  void OnDataWritten(int result, unsigned flags);
  void OnIndexWritten(int result, unsigned flags);
  void OnDrainTime(int result, unsigned flags);

  bool TakeBuffer(Input& input);
  void Read(Input& input);
  void ReadOrPause(Input& input, size_t size);
  void Settle(Input& input);
  void End(Input& input);
  void Enqueue(Input& input, size_t size);
  void Drop(Input& input, size_t size);
  void EncodeIndex(const Batch& batch);
  void StartWrite();
  void SubmitWrite();
  void FinishWrite();
  void LoseFront(std::string_view why);
  void PopFront();
  void Recycle(Batch batch);
  void AnnounceIfDrained();

  sys::EventLoop& loop_;
  SegmentFiles files_;
  LogWriterOptions options_;
  sys::Completion* on_drained_;
  sys::MemberCompletion<LogWriter, &LogWriter::OnDataWritten> data_written_{this};
  sys::MemberCompletion<LogWriter, &LogWriter::OnIndexWritten> index_written_{this};
  sys::MemberCompletion<LogWriter, &LogWriter::OnDrainTime> drain_time_{this};

  std::vector<std::unique_ptr<Input>> inputs_;
  std::deque<Batch> queue_;  // the front is being written while is_writing()
  size_t backlog_ = 0;       // bytes of the copied batches in the queue
  std::string index_text_;   // index records of the batch being written
  int writes_pending_ = 0;
  int data_result_ = 0;
  int index_result_ = 0;
  std::array<uint64_t, kMaxLogStreams> unwritable_{};  // lost at the disk, not yet recorded
  bool is_failing_ = false;   // the last write was refused; said once, not for every batch
  bool is_timing_ = false;    // the drain timer is with the loop
  bool is_announced_ = true;  // on_drained was called since the last stream was added
  LogWriterStats stats_;
};

}  // namespace skiff::runtime
