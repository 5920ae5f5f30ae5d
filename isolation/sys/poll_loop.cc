#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>
#include <vector>

#include "isolation/base/clock.h"
#include "isolation/sys/event_loop.h"

namespace skiff::sys {
namespace {

// Waits with poll(2), then does the call. A task has tens of descriptors, so an array that is built
// anew for every wait is fast enough, and nothing is registered anywhere that could go stale.
class PollLoop final : public EventLoop {
 public:
  void Read(int fd, void* buffer, size_t size, Completion& completion) override;
  void Write(const WriteOperation& write) override;
  void WriteInOrder(const WriteOperation& first, const WriteOperation& second) override;
  void Poll(int fd, short events, Repeat repeat, Completion& completion) override;
  void Accept(int fd, Repeat repeat, Completion& completion) override;
  void Timeout(std::chrono::nanoseconds delay, Completion& completion) override;
  void Cancel(Completion& completion) override;
  Result<> RunOnce() override;
  bool has_pending() const override { return !waiting_.empty() || !done_.empty(); }
  std::string name() const override { return "poll"; }

 private:
  enum class Kind { kRead, kPoll, kAccept, kTimeout };
  struct Waiting {
    Kind kind;
    Completion* completion;
    int fd = -1;
    short events = POLLIN;
    Repeat repeat = Repeat::kOnce;
    void* buffer = nullptr;
    size_t size = 0;
    int64_t deadline = 0;  // monotonic nanoseconds, of a timeout
  };
  struct Done {
    Completion* completion;
    int result;
    unsigned flags;
  };

  int PollTimeout() const;
  void Finish(Waiting& waiting, short events);
  void Dispatch();

  std::vector<Waiting> waiting_;
  std::vector<Done> done_;
  std::vector<Done> dispatching_;
};

template <typename Function>
int NoteErrno(Function function) {
  for (;;) {
    auto value = function();
    if (value >= 0) return static_cast<int>(value);
    if (errno != EINTR) return -errno;
  }
}

int WriteNow(const WriteOperation& write) {
  return NoteErrno(
      [&] { return pwrite(write.fd, write.data, write.size, static_cast<off_t>(write.offset)); });
}

void PollLoop::Read(int fd, void* buffer, size_t size, Completion& completion) {
  waiting_.push_back(
      {.kind = Kind::kRead, .completion = &completion, .fd = fd, .buffer = buffer, .size = size});
}

void PollLoop::Write(const WriteOperation& write) {
  done_.push_back(Done{write.completion, WriteNow(write), 0});
}

void PollLoop::WriteInOrder(const WriteOperation& first, const WriteOperation& second) {
  int result = WriteNow(first);
  done_.push_back(Done{first.completion, result, 0});
  bool is_whole = result >= 0 && static_cast<size_t>(result) == first.size;
  done_.push_back(Done{second.completion, is_whole ? WriteNow(second) : -ECANCELED, 0});
}

void PollLoop::Poll(int fd, short events, Repeat repeat, Completion& completion) {
  waiting_.push_back({.kind = Kind::kPoll,
                      .completion = &completion,
                      .fd = fd,
                      .events = events,
                      .repeat = repeat});
}

void PollLoop::Accept(int fd, Repeat repeat, Completion& completion) {
  waiting_.push_back(
      {.kind = Kind::kAccept, .completion = &completion, .fd = fd, .repeat = repeat});
}

void PollLoop::Timeout(std::chrono::nanoseconds delay, Completion& completion) {
  int64_t count = std::max<int64_t>(delay.count(), 0);
  int64_t now = MonotonicNanoseconds();
  int64_t deadline = count > INT64_MAX - now ? INT64_MAX : now + count;
  waiting_.push_back({.kind = Kind::kTimeout, .completion = &completion, .deadline = deadline});
}

void PollLoop::Cancel(Completion& completion) {
  auto is_it = [&](const Waiting& waiting) { return waiting.completion == &completion; };
  if (std::erase_if(waiting_, is_it) > 0) done_.push_back(Done{&completion, -ECANCELED, 0});
}

// In milliseconds, rounded up so that a timer never fires early; -1 without timers.
int PollLoop::PollTimeout() const {
  if (!done_.empty()) return 0;
  int64_t earliest = INT64_MAX;
  for (const Waiting& waiting : waiting_) {
    if (waiting.kind == Kind::kTimeout) earliest = std::min(earliest, waiting.deadline);
  }
  if (earliest == INT64_MAX) return -1;
  constexpr int64_t kMillisecond = 1'000'000;
  int64_t left = std::max<int64_t>(earliest - MonotonicNanoseconds(), 0);
  return static_cast<int>(std::min<int64_t>((left + kMillisecond - 1) / kMillisecond, INT_MAX));
}

// The descriptor of `waiting` is ready, or its time has come; says in `waiting.completion` whether
// it goes on (null: it ended).
void PollLoop::Finish(Waiting& waiting, short events) {
  int result = events;
  if (waiting.kind == Kind::kTimeout) result = -ETIME;
  if ((events & POLLNVAL) != 0) {
    result = -EBADF;
  } else if (waiting.kind == Kind::kRead) {
    result = NoteErrno([&] { return read(waiting.fd, waiting.buffer, waiting.size); });
  } else if (waiting.kind == Kind::kAccept) {
    result = NoteErrno([&] { return accept4(waiting.fd, nullptr, nullptr, SOCK_CLOEXEC); });
  }
  bool has_more = waiting.repeat == Repeat::kMultishot && result >= 0;
  done_.push_back(Done{waiting.completion, result, has_more ? Completion::kMore : 0});
  if (!has_more) waiting.completion = nullptr;
}

Result<> PollLoop::RunOnce() {
  if (!has_pending()) return Error(Code::kInternal, "event loop: nothing is pending");
  std::vector<pollfd> fds;
  for (const Waiting& waiting : waiting_) fds.push_back({waiting.fd, waiting.events, 0});
  if (poll(fds.data(), fds.size(), PollTimeout()) < 0 && errno != EINTR) {
    return Error::FromErrno(errno, "poll");
  }
  int64_t now = MonotonicNanoseconds();
  for (size_t i = 0; i < fds.size(); ++i) {
    bool is_timer = waiting_[i].kind == Kind::kTimeout;
    if (is_timer ? waiting_[i].deadline <= now : fds[i].revents != 0) {
      Finish(waiting_[i], fds[i].revents);
    }
  }
  std::erase_if(waiting_, [](const Waiting& waiting) { return waiting.completion == nullptr; });
  Dispatch();
  return {};
}

void PollLoop::Dispatch() {
  dispatching_.swap(done_);
  for (const Done& done : dispatching_) done.completion->OnComplete(done.result, done.flags);
  dispatching_.clear();
}

}  // namespace

std::unique_ptr<EventLoop> MakePollLoop() { return std::make_unique<PollLoop>(); }

}  // namespace skiff::sys
