#include "isolation/sys/event_loop.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include "isolation/base/clock.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "isolation/sys/socket.h"

namespace skiff::sys {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

struct Recorder final : Completion {
  void OnComplete(int result, unsigned flags) override {
    results.push_back(result);
    last_flags = flags;
  }
  std::vector<int> results;
  unsigned last_flags = 0;
};

class EventLoopTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "poll") {
      loop_ = MakePollLoop();
      return;
    }
    auto loop = MakeIoUringLoop(8);
    if (!loop.ok()) GTEST_SKIP() << "missing capability: io_uring: " << loop.error().message();
    loop_ = std::move(loop).value();
  }

  void RunUntil(const Recorder& recorder, size_t count = 1) {
    while (recorder.results.size() < count) {
      auto ran = loop_->RunOnce();
      ASSERT_TRUE(ran.ok()) << ran.error().message();
    }
  }

  static UniqueFd TemporaryFile() {
    auto fd = Open(AT_FDCWD, testing::TempDir(), O_TMPFILE | O_RDWR, 0600);
    EXPECT_TRUE(fd.ok());
    return std::move(fd).value();
  }

  static std::string Content(int fd) {
    char buffer[256];
    ssize_t count = pread(fd, buffer, sizeof(buffer), 0);
    return std::string(buffer, count < 0 ? 0 : static_cast<size_t>(count));
  }

  std::unique_ptr<EventLoop> loop_;
};

TEST_P(EventLoopTest, ReadCompletesWhenBytesArriveAndWhenTheWriterLeaves) {
  Pipe pipe = std::move(MakePipe(O_NONBLOCK)).value();
  char buffer[16];
  Recorder read;
  Recorder timer;
  loop_->Read(pipe.read_end.get(), buffer, sizeof(buffer), read);
  loop_->Timeout(milliseconds(1), timer);
  RunUntil(timer);
  EXPECT_THAT(read.results, ElementsAre());  // nothing to read yet

  ASSERT_EQ(write(pipe.write_end.get(), "hello", 5), 5);
  RunUntil(read);
  EXPECT_THAT(read.results, ElementsAre(5));
  EXPECT_EQ(std::string(buffer, 5), "hello");

  pipe.write_end.Reset();
  loop_->Read(pipe.read_end.get(), buffer, sizeof(buffer), read);
  RunUntil(read, 2);
  EXPECT_THAT(read.results, ElementsAre(5, 0));
  EXPECT_FALSE(loop_->has_pending());
}

TEST_P(EventLoopTest, WriteGoesToItsOffset) {
  UniqueFd file = TemporaryFile();
  Recorder write;
  loop_->Write({file.get(), "world", 5, 6, &write});
  RunUntil(write);
  Recorder again;
  loop_->Write({file.get(), "hello ", 6, 0, &again});
  RunUntil(again);
  EXPECT_EQ(Content(file.get()), "hello world");
}

TEST_P(EventLoopTest, SecondWriteOfAnOrderedPairFollowsTheFirst) {
  UniqueFd data = TemporaryFile();
  UniqueFd index = TemporaryFile();
  Recorder first;
  Recorder second;
  loop_->WriteInOrder({data.get(), "abc", 3, 0, &first}, {index.get(), "1", 1, 0, &second});
  RunUntil(first);
  RunUntil(second);
  EXPECT_THAT(first.results, ElementsAre(3));
  EXPECT_THAT(second.results, ElementsAre(1));
  EXPECT_EQ(Content(data.get()), "abc");
  EXPECT_EQ(Content(index.get()), "1");
}

TEST_P(EventLoopTest, SecondWriteIsCanceledWhenTheFirstFails) {
  UniqueFd index = TemporaryFile();
  UniqueFd full = std::move(Open(AT_FDCWD, "/dev/full", O_WRONLY)).value();
  Recorder first;
  Recorder second;
  loop_->WriteInOrder({full.get(), "abc", 3, 0, &first}, {index.get(), "1", 1, 0, &second});
  RunUntil(first);
  RunUntil(second);
  EXPECT_THAT(first.results, ElementsAre(-ENOSPC));
  EXPECT_THAT(second.results, ElementsAre(-ECANCELED));
  EXPECT_EQ(Content(index.get()), "");
}

TEST_P(EventLoopTest, OneShotPollReportsOnce) {
  UniqueFd event = std::move(MakeEventFd()).value();
  Recorder poll;
  loop_->Poll(event.get(), POLLIN, Repeat::kOnce, poll);
  ASSERT_TRUE(WriteAll(event.get(), std::string("\1\0\0\0\0\0\0\0", 8), "eventfd").ok());
  RunUntil(poll);
  EXPECT_THAT(poll.results, ElementsAre(POLLIN));
  EXPECT_EQ(poll.last_flags, 0u);
  EXPECT_FALSE(loop_->has_pending());
}

TEST_P(EventLoopTest, MultishotPollStaysArmedUntilCanceled) {
  Pipe pipe = std::move(MakePipe(O_NONBLOCK)).value();
  Recorder poll;
  loop_->Poll(pipe.read_end.get(), POLLIN, Repeat::kMultishot, poll);
  for (size_t round = 1; round <= 3; ++round) {
    ASSERT_EQ(write(pipe.write_end.get(), "x", 1), 1);
    RunUntil(poll, round);
    if ((poll.last_flags & Completion::kMore) == 0)
      GTEST_SKIP() << "missing capability: multishot poll (Linux 5.13)";
    char byte;
    ASSERT_EQ(read(pipe.read_end.get(), &byte, 1), 1);
  }
  loop_->Cancel(poll);
  RunUntil(poll, 4);
  EXPECT_THAT(poll.results, ElementsAre(POLLIN, POLLIN, POLLIN, -ECANCELED));
  EXPECT_FALSE(loop_->has_pending());
}

struct Acceptor final : Completion {
  void OnComplete(int result, unsigned flags) override {
    if (result >= 0) {
      connections.emplace_back(result);
    } else {
      error = result;
    }
    is_armed = (flags & kMore) != 0;
  }
  std::vector<UniqueFd> connections;
  int error = 0;
  bool is_armed = true;
};

TEST_P(EventLoopTest, AcceptTakesOneConnectionAfterAnother) {
  std::string path = testing::TempDir() + "/event_loop_" + std::to_string(getpid()) + ".sock";
  UniqueFd listener = std::move(ListenUnix(path, 8)).value();
  Acceptor acceptor;
  loop_->Accept(listener.get(), Repeat::kMultishot, acceptor);
  for (size_t round = 1; round <= 3; ++round) {
    UniqueFd client = std::move(ConnectUnix(path)).value();
    while (acceptor.connections.size() < round) {
      if (!acceptor.is_armed) loop_->Accept(listener.get(), Repeat::kMultishot, acceptor);
      ASSERT_TRUE(loop_->RunOnce().ok());
    }
  }
  EXPECT_NE(fcntl(acceptor.connections[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  loop_->Cancel(acceptor);
  while (acceptor.is_armed) ASSERT_TRUE(loop_->RunOnce().ok());
  EXPECT_EQ(acceptor.error, -ECANCELED);
  unlink(path.c_str());
}

TEST_P(EventLoopTest, TimersFireInTheirOrderAndNeverEarly) {
  Recorder late;
  Recorder early;
  int64_t begin = MonotonicNanoseconds();
  loop_->Timeout(milliseconds(30), late);
  loop_->Timeout(milliseconds(5), early);
  RunUntil(early);
  EXPECT_TRUE(late.results.empty());
  RunUntil(late);
  EXPECT_GE(MonotonicNanoseconds() - begin, 30'000'000);
  EXPECT_THAT(late.results, ElementsAre(-ETIME));
}

TEST_P(EventLoopTest, CancelEndsWhatIsPending) {
  Pipe pipe = std::move(MakePipe(O_NONBLOCK)).value();
  char buffer[4];
  Recorder read;
  Recorder timer;
  Recorder tick;
  loop_->Read(pipe.read_end.get(), buffer, sizeof(buffer), read);
  loop_->Timeout(std::chrono::hours(1), timer);
  loop_->Timeout(milliseconds(1), tick);
  RunUntil(tick);  // both are with the kernel now
  loop_->Cancel(read);
  loop_->Cancel(timer);
  RunUntil(read);
  RunUntil(timer);
  EXPECT_THAT(read.results, ElementsAre(-ECANCELED));
  EXPECT_THAT(timer.results, ElementsAre(-ECANCELED));
  EXPECT_FALSE(loop_->has_pending());
}

TEST_P(EventLoopTest, CancelWithNothingPendingDoesNothing) {
  Recorder idle;
  Recorder timer;
  loop_->Cancel(idle);
  loop_->Timeout(milliseconds(1), timer);
  RunUntil(timer);
  EXPECT_TRUE(idle.results.empty());
}

TEST_P(EventLoopTest, MoreOperationsThanEntriesAllComplete) {
  constexpr int kCount = 1000;  // the ring has 8 entries, its completion side 16
  std::deque<Recorder> recorders(kCount);
  for (Recorder& recorder : recorders) loop_->Timeout(milliseconds(1), recorder);
  for (Recorder& recorder : recorders) RunUntil(recorder);
  for (Recorder& recorder : recorders) EXPECT_THAT(recorder.results, ElementsAre(-ETIME));
  EXPECT_FALSE(loop_->has_pending());
}

TEST_P(EventLoopTest, WaitingForNothingIsAnError) {
  auto ran = loop_->RunOnce();
  ASSERT_FALSE(ran.ok());
  EXPECT_EQ(ran.error().message(), "event loop: nothing is pending");
}

TEST_P(EventLoopTest, EndingTheLoopLeavesPendingOperationsUncalled) {
  Pipe pipe = std::move(MakePipe(O_NONBLOCK)).value();
  char buffer[4] = {'k', 'e', 'p', 't'};
  Recorder read;
  Recorder tick;
  loop_->Read(pipe.read_end.get(), buffer, sizeof(buffer), read);
  loop_->Timeout(milliseconds(1), tick);
  RunUntil(tick);
  loop_.reset();
  ASSERT_EQ(write(pipe.write_end.get(), "gone", 4), 4);
  EXPECT_TRUE(read.results.empty());
  EXPECT_EQ(std::string(buffer, 4), "kept");
}

INSTANTIATE_TEST_SUITE_P(Backends, EventLoopTest, testing::Values("io_uring", "poll"),
                         [](const auto& param) { return param.param; });

#ifdef SKIFF_FAILPOINTS
TEST(EventLoopCreateTest, TheEnvironmentPicksTheBackend) {
  setenv("SKIFF_EVENT_LOOP", "poll", 1);
  EXPECT_EQ(EventLoop::Create().value()->name(), "poll");
  setenv("SKIFF_EVENT_LOOP", "epoll", 1);
  auto loop = EventLoop::Create();
  unsetenv("SKIFF_EVENT_LOOP");
  ASSERT_FALSE(loop.ok());
  EXPECT_EQ(loop.error().message(), "SKIFF_EVENT_LOOP: expected io_uring or poll, got epoll");
}

// Its own process: a failpoint is armed once, at the first point that is reached.
TEST(EventLoopCreateDeathTest, AForbiddenRingBecomesPollAndSaysWhatToDo) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        setenv("SKIFF_FAILPOINT", "io_uring_setup:1:1", 1);
        auto loop = EventLoop::Create();
        bool is_right =
            loop.ok() && loop.value()->name() == "poll" &&
            loop.value()->fallback_reason().find("kernel.io_uring_disabled") != std::string::npos;
        _exit(is_right ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}
#endif

}  // namespace
}  // namespace skiff::sys
