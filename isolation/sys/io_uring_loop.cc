#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "isolation/sys/event_loop.h"
#include "isolation/sys/failpoint.h"

namespace skiff::sys {
namespace {

// user_data is the address of the Completion; this bit marks a step of which the caller hears
// nothing (the wait before a read). Zero: nobody listens at all.
constexpr uint64_t kSilent = 1;
constexpr unsigned kBatch = 32;  // completions taken from the ring at a time

uint64_t TagOf(Completion& completion) { return reinterpret_cast<uint64_t>(&completion); }

Error Unavailable(int error_number) {
  Error error = Error::FromErrno(error_number, "io_uring_setup");
  std::string hint = error.message();
  if (error_number == EPERM) {
    hint +=
        " (set the sysctl kernel.io_uring_disabled to 0, or allow io_uring_setup in the "
        "seccomp profile this process runs under)";
  } else if (error_number == ENOSYS) {
    hint += " (the kernel is built without io_uring, or a seccomp profile hides it)";
  } else if (error_number == ENOMEM) {
    hint += " (raise the memlock limit: kernels before 5.12 count the ring against it)";
  }
  return Error(Code::kUnavailable, hint);
}

class IoUringLoop final : public EventLoop {
 public:
  IoUringLoop() = default;
  ~IoUringLoop() override;
  Result<> Init(unsigned entries);

  void Read(int fd, void* buffer, size_t size, Completion& completion) override;
  void Write(const WriteOperation& write) override;
  void WriteInOrder(const WriteOperation& first, const WriteOperation& second) override;
  void Poll(int fd, short events, Repeat repeat, Completion& completion) override;
  void Accept(int fd, Repeat repeat, Completion& completion) override;
  void Timeout(std::chrono::nanoseconds delay, Completion& completion) override;
  void Cancel(Completion& completion) override;
  Result<> RunOnce() override;
  bool has_pending() const override { return pending_ > 0; }
  std::string name() const override { return "io_uring"; }

 private:
  struct Event {
    uint64_t tag;
    int result;
    uint32_t flags;
  };

  void Reserve(unsigned count);
  io_uring_sqe* Next(uint64_t tag);
  void PrepareWrite(const WriteOperation& write, unsigned sqe_flags);
  void Collect();
  Result<> Wait();
  void Dispatch();

  io_uring ring_{};
  bool is_open_ = false;
  bool can_poll_multishot_ = false;
  bool can_accept_multishot_ = false;
  uint64_t pending_ = 0;  // operations whose last completion has not been dispatched
  std::vector<__kernel_timespec>
      timespecs_;              // by submission slot: read by the kernel at submission
  std::vector<Event> events_;  // taken from the ring, not yet dispatched
  std::vector<Event> dispatching_;
};

int Setup(unsigned entries, io_uring* ring) {
  if (int error_number = failpoint::Hit("io_uring_setup")) return -error_number;
  // 6.1: completions run only when we ask, without interrupting. 5.19: without an interrupt.
  // 5.4: as it comes.
  static constexpr unsigned kFlags[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                                        IORING_SETUP_COOP_TASKRUN, 0};
  int result = -EINVAL;
  for (unsigned flags : kFlags) {
    io_uring_params params{};
    params.flags = flags | IORING_SETUP_CLAMP;
    result = io_uring_queue_init_params(entries, ring, &params);
    if (result != -EINVAL) return result;
  }
  return result;
}

Result<> IoUringLoop::Init(unsigned entries) {
  int result = Setup(entries, &ring_);
  if (result < 0) return Unavailable(-result);
  is_open_ = true;
  // A child between clone and exec must not see the ring.
  if (io_uring_ring_dontfork(&ring_) < 0) return Unavailable(ENOMEM);
  // Completions that overflow the ring must be kept (5.5), and a pollable read must not need a
  // thread (5.7).
  constexpr unsigned kNeeded = IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL;
  if ((ring_.features & kNeeded) != kNeeded) {
    return Error(Code::kUnavailable, "io_uring: needs Linux 5.7 or later");
  }
  timespecs_.resize(*ring_.sq.kring_entries);
  can_poll_multishot_ = (ring_.features & IORING_FEAT_RSRC_TAGS) != 0;  // both came with 5.13
  io_uring_probe* probe = io_uring_get_probe_ring(&ring_);
  if (probe == nullptr) return Unavailable(ENOMEM);
  // Both came with 5.19; a flag cannot be probed, an opcode can.
  can_accept_multishot_ = io_uring_opcode_supported(probe, IORING_OP_SOCKET) != 0;
  io_uring_free_probe(probe);
  return {};
}

IoUringLoop::~IoUringLoop() {
  if (!is_open_) return;
  // The kernel may still write into the callers' buffers: cancel everything and wait for the end.
  // Before 5.19 the flags are unknown; closing the ring then cancels, only later.
  if (pending_ > 0) {
    constexpr unsigned kAll = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY;
    Reserve(1);
    io_uring_prep_cancel64(Next(0), 0, kAll);
    bool is_refused = false;
    while (pending_ > 0 && !is_refused) {
      if (!Wait().ok()) break;
      for (const Event& event : events_) {
        if ((event.tag & kSilent) == 0 && event.tag != 0 &&
            (event.flags & IORING_CQE_F_MORE) == 0) {
          --pending_;
        }
        is_refused |= event.tag == 0 && event.result == -EINVAL;
      }
      events_.clear();
    }
  }
  io_uring_queue_exit(&ring_);
}

// Makes room for `count` entries that must be submitted together (a chain is cut at a submission).
void IoUringLoop::Reserve(unsigned count) {
  while (io_uring_sq_space_left(&ring_) < count) {
    int result = io_uring_submit(&ring_);
    // EBUSY, EAGAIN: completions must leave the ring first.
    if (result < 0) Collect();
  }
}

io_uring_sqe* IoUringLoop::Next(uint64_t tag) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) abort();  // Reserve made room: anything else would write through null
  memset(sqe, 0, sizeof(*sqe));
  sqe->user_data = tag;  // liburing 2.3 leaves user_data alone when it prepares
  if (tag != 0 && (tag & kSilent) == 0) ++pending_;
  return sqe;
}

void IoUringLoop::Read(int fd, void* buffer, size_t size, Completion& completion) {
  Reserve(2);
  // Wait, then read: a plain read would give EAGAIN on a non-blocking pipe, and on a blocking one
  // before 6.4 it would occupy a worker thread. The wait's own completion is not suppressed
  // (IOSQE_CQE_SKIP_SUCCESS): cancelling it would then also suppress the read's.
  io_uring_sqe* wait = Next(TagOf(completion) | kSilent);
  io_uring_prep_poll_add(wait, fd, POLLIN);
  wait->flags |= IOSQE_IO_LINK;
  io_uring_prep_read(Next(TagOf(completion)), fd, buffer, static_cast<unsigned>(size),
                     static_cast<uint64_t>(-1));
}

void IoUringLoop::PrepareWrite(const WriteOperation& write, unsigned sqe_flags) {
  io_uring_sqe* sqe = Next(TagOf(*write.completion));
  io_uring_prep_write(sqe, write.fd, write.data, static_cast<unsigned>(write.size), write.offset);
  sqe->flags = static_cast<uint8_t>(sqe->flags | sqe_flags);
}

void IoUringLoop::Write(const WriteOperation& write) {
  Reserve(1);
  PrepareWrite(write, 0);
}

void IoUringLoop::WriteInOrder(const WriteOperation& first, const WriteOperation& second) {
  Reserve(2);
  PrepareWrite(first, IOSQE_IO_LINK);
  PrepareWrite(second, 0);
}

void IoUringLoop::Poll(int fd, short events, Repeat repeat, Completion& completion) {
  Reserve(1);
  io_uring_sqe* sqe = Next(TagOf(completion));
  unsigned mask = static_cast<unsigned short>(events);
  if (repeat == Repeat::kMultishot && can_poll_multishot_) {
    io_uring_prep_poll_multishot(sqe, fd, mask);
  } else {
    io_uring_prep_poll_add(sqe, fd, mask);
  }
}

void IoUringLoop::Accept(int fd, Repeat repeat, Completion& completion) {
  Reserve(1);
  io_uring_sqe* sqe = Next(TagOf(completion));
  if (repeat == Repeat::kMultishot && can_accept_multishot_) {
    io_uring_prep_multishot_accept(sqe, fd, nullptr, nullptr, SOCK_CLOEXEC);
  } else {
    io_uring_prep_accept(sqe, fd, nullptr, nullptr, SOCK_CLOEXEC);
  }
}

void IoUringLoop::Timeout(std::chrono::nanoseconds delay, Completion& completion) {
  Reserve(1);
  io_uring_sqe* sqe = Next(TagOf(completion));
  __kernel_timespec& time = timespecs_[static_cast<size_t>(sqe - ring_.sq.sqes)];
  constexpr int64_t kSecond = 1'000'000'000;
  int64_t count = delay.count() < 0 ? 0 : delay.count();
  time.tv_sec = count / kSecond;
  time.tv_nsec = count % kSecond;
  io_uring_prep_timeout(sqe, &time, 0, 0);
}

void IoUringLoop::Cancel(Completion& completion) {
  Reserve(2);
  // A read that still waits is found by the tag of its wait, whose end takes the read with it.
  io_uring_prep_cancel64(Next(0), TagOf(completion) | kSilent, 0);
  io_uring_prep_cancel64(Next(0), TagOf(completion), 0);
}

// Takes what is in the completion ring; liburing also fetches what overflowed.
void IoUringLoop::Collect() {
  io_uring_cqe* cqes[kBatch];
  for (;;) {
    unsigned count = io_uring_peek_batch_cqe(&ring_, cqes, kBatch);
    if (count == 0) return;
    for (unsigned i = 0; i < count; ++i) {
      events_.push_back(Event{cqes[i]->user_data, cqes[i]->res, cqes[i]->flags});
    }
    io_uring_cq_advance(&ring_, count);
  }
}

Result<> IoUringLoop::Wait() {
  int result = io_uring_submit_and_wait(&ring_, events_.empty() ? 1 : 0);
  Collect();
  bool is_transient = result == -EINTR || result == -EAGAIN || result == -EBUSY;
  if (result >= 0 || is_transient) return {};
  return Error::FromErrno(-result, "io_uring_enter");
}

Result<> IoUringLoop::RunOnce() {
  if (pending_ == 0) return Error(Code::kInternal, "event loop: nothing is pending");
  TRY(Wait());
  Dispatch();
  return {};
}

void IoUringLoop::Dispatch() {
  dispatching_.swap(events_);
  for (const Event& event : dispatching_) {
    if (event.tag == 0 || (event.tag & kSilent) != 0) continue;
    bool has_more = (event.flags & IORING_CQE_F_MORE) != 0;
    if (!has_more) --pending_;
    reinterpret_cast<Completion*>(event.tag)->OnComplete(event.result,
                                                         has_more ? Completion::kMore : 0);
  }
  dispatching_.clear();
}

}  // namespace

Result<std::unique_ptr<EventLoop>> MakeIoUringLoop(unsigned entries) {
  auto loop = std::make_unique<IoUringLoop>();
  TRY(loop->Init(entries));
  return std::unique_ptr<EventLoop>(std::move(loop));
}

}  // namespace skiff::sys
