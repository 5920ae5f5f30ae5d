// One single-threaded event loop: operations are queued, RunOnce submits them, waits for at least
// one completion and calls the Completion objects back.
//
// Two backends: io_uring, where reads and file writes happen without a thread of ours and a stalled
// disk does not stop the loop; and poll(2) for hosts that forbid io_uring, where file writes are
// ordinary blocking writes.
//
// The caller owns everything: a Completion, the memory to be read into or written from and the
// descriptor stay valid until the Completion was called with kMore unset. No operation fails at the
// call: errors arrive as the result, a negative errno, as in io_uring. At most one operation per
// Completion at a time, so that Cancel is unambiguous. Ending the loop cancels what is pending
// without calling back. One thread, the one that created it; create it after the last fork that
// should carry it on (a child cannot use it).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "isolation/base/result.h"

namespace skiff::sys {

inline constexpr unsigned kEventLoopEntries = 64;  // operations per submission, not in flight

class Completion {
 public:
  // In `flags`: a multishot operation stays armed, more calls follow. Unset: arm it again if
  // wanted.
  static constexpr unsigned kMore = 1;
  // `result` is what the system call would return, or a negative errno.
  virtual void OnComplete(int result, unsigned flags) = 0;

 protected:
  ~Completion() = default;
};

// A completion that calls a member function: MemberCompletion<LogWriter, &LogWriter::OnTimer>.
template <typename Owner, void (Owner::*kFunction)(int, unsigned)>
class MemberCompletion final : public Completion {
 public:
  explicit MemberCompletion(Owner* owner) : owner_(owner) {}
  void OnComplete(int result, unsigned flags) override { (owner_->*kFunction)(result, flags); }

 private:
  Owner* owner_;
};

struct WriteOperation {
  int fd = -1;
  const void* data = nullptr;
  size_t size = 0;
  uint64_t offset = 0;  // in the file
  Completion* completion = nullptr;
};

enum class Repeat { kOnce, kMultishot };

class EventLoop {
 public:
  // io_uring, or poll where the kernel forbids it (fallback_reason says why). In builds with
  // failpoints SKIFF_EVENT_LOOP=poll or =io_uring in the environment picks one.
  static Result<std::unique_ptr<EventLoop>> Create(unsigned entries = kEventLoopEntries);

  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  virtual ~EventLoop() = default;

  // Waits until `fd` (a pipe, socket, eventfd, signalfd; non-blocking, so that old kernels need no
  // worker thread) is readable and reads once. May give -EAGAIN when another reader was faster.
  virtual void Read(int fd, void* buffer, size_t size, Completion& completion) = 0;
  // pwrite(2), possibly short.
  virtual void Write(const WriteOperation& write) = 0;
  // `second` starts when `first` wrote everything; otherwise `second` gives -ECANCELED. Completions
  // may be called in either order.
  virtual void WriteInOrder(const WriteOperation& first, const WriteOperation& second) = 0;
  // Result: the poll(2) events. Multishot reports changes, and possibly a state already seen: read
  // until EAGAIN.
  virtual void Poll(int fd, short events, Repeat repeat, Completion& completion) = 0;
  // Result: a close-on-exec descriptor, the receiver's to own. Multishot where the kernel can.
  virtual void Accept(int fd, Repeat repeat, Completion& completion) = 0;
  // Result: -ETIME once `delay` passed on the monotonic clock.
  virtual void Timeout(std::chrono::nanoseconds delay, Completion& completion) = 0;
  // The pending operation of `completion` gives -ECANCELED, or its result if that came first.
  // Nothing pending: no effect.
  virtual void Cancel(Completion& completion) = 0;

  // Submits, waits for one completion or more, calls all that are there. An error when nothing is
  // pending, for it would wait forever. Not reentrant.
  virtual Result<> RunOnce() = 0;
  virtual bool has_pending() const = 0;

  virtual std::string name() const = 0;  // "io_uring" or "poll"
  // Why this is not io_uring; empty when it is, or when poll was asked for.
  const std::string& fallback_reason() const { return fallback_reason_; }

 protected:
  EventLoop() = default;

 private:
  std::string fallback_reason_;
};

// The backends by name, for Create and for tests. kUnavailable when the kernel forbids io_uring.
Result<std::unique_ptr<EventLoop>> MakeIoUringLoop(unsigned entries = kEventLoopEntries);
std::unique_ptr<EventLoop> MakePollLoop();

}  // namespace skiff::sys
