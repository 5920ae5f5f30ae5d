#include "runtime/logs/log_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <random>
#include <thread>

#include "isolation/sys/pipe.h"
#include "tests/unit/runtime/logs/log_test_support.h"

namespace skiff::runtime {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

class LogWriterTest : public LogTest {};

std::string RandomBytes(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

void WriteInChunks(const UniqueFd& fd, std::string_view data, size_t max_chunk, uint32_t seed) {
  std::mt19937 random(seed);
  while (!data.empty()) {
    size_t size = std::min(data.size(), 1 + random() % max_chunk);
    WriteOrDie(fd, data.substr(0, size));
    data.remove_prefix(size);
  }
}

TEST_P(LogWriterTest, BytesOutAreBytesInForAnyChunks) {
  OpenWriter();
  std::string expected;
  for (size_t max_chunk : {1, 7, 100, 4096, 65536, 300000}) {
    std::string data = RandomBytes(max_chunk < 100 ? 20'000 : 3'000'000, 1);
    UniqueFd out = AddStream(LogStream::kStdout);
    std::thread writer([&] {
      WriteInChunks(out, data, max_chunk, 2);
      out.Reset();
    });
    RunUntilDrained();
    writer.join();
    expected += data;
  }
  EXPECT_EQ(writer_->stats().stored_bytes, expected.size());
  EXPECT_EQ(writer_->stats().lost_bytes, 0u);
  EXPECT_EQ(drained_.count, 6);
  StoredLog log = LoadLog(directory_.path());
  EXPECT_TRUE(log.all == expected);
  EXPECT_TRUE(log.bytes[LogStream::kStdout] == expected);
  EXPECT_EQ(log.ends[LogStream::kStdout], 6);
}

TEST_P(LogWriterTest, TwoStreamsKeepTheirBytesApart) {
  OpenWriter();
  std::string out_data = RandomBytes(2'000'000, 3);
  std::string err_data = RandomBytes(2'000'000, 4);
  UniqueFd out = AddStream(LogStream::kStdout);
  UniqueFd err = AddStream(LogStream::kStderr);
  std::thread out_writer([&] { WriteInChunks(out, out_data, 9000, 5), out.Reset(); });
  std::thread err_writer([&] { WriteInChunks(err, err_data, 9000, 6), err.Reset(); });
  RunUntilDrained();
  out_writer.join();
  err_writer.join();
  StoredLog log = LoadLog(directory_.path());
  EXPECT_TRUE(log.bytes[LogStream::kStdout] == out_data);
  EXPECT_TRUE(log.bytes[LogStream::kStderr] == err_data);
  EXPECT_EQ(drained_.count, 1);
}

TEST_P(LogWriterTest, StreamsAreStoredInOrderOfArrival) {
  OpenWriter();
  UniqueFd out = AddStream(LogStream::kStdout);
  UniqueFd err = AddStream(LogStream::kStderr);
  WriteOrDie(out, "one ");
  RunUntilStored(4);
  WriteOrDie(err, "two ");
  RunUntilStored(8);
  WriteOrDie(out, "three");
  RunUntilStored(13);
  EXPECT_EQ(LoadLog(directory_.path()).all, "one two three");
}

TEST_P(LogWriterTest, FullSegmentsAreFollowedByTheNext) {
  OpenWriter({.max_bytes = Bytes::MiB(64)});
  UniqueFd out = AddStream(LogStream::kStdout);
  std::string data = RandomBytes(40 << 20, 7);
  std::thread writer([&] { WriteOrDie(out, data), out.Reset(); });
  RunUntilDrained();
  writer.join();
  StoredLog log = LoadLog(directory_.path());
  EXPECT_EQ(log.segments, 3u);
  EXPECT_TRUE(log.all == data);
  struct stat info {};
  ASSERT_EQ(stat((directory_.path() + "/000001.log").c_str(), &info), 0);
  EXPECT_LE(static_cast<uint64_t>(info.st_size), kLogSegmentSize.count());
}

TEST_P(LogWriterTest, TheOldestSegmentsGoWhenTheLogIsFullAndAreCounted) {
  OpenWriter({.max_bytes = kMinLogSize});
  UniqueFd out = AddStream(LogStream::kStdout);
  std::string data = RandomBytes(5 << 20, 8);
  std::thread writer([&] { WriteOrDie(out, data), out.Reset(); });
  RunUntilDrained();
  writer.join();
  StoredLog log = LoadLog(directory_.path());
  EXPECT_TRUE(data.ends_with(log.all));
  size_t on_disk = log.all.size() + log.records * IndexRecord::kSize;
  EXPECT_LE(on_disk, kMinLogSize.count());
  EXPECT_GE(log.all.size(), kMinLogSize.count() / 2);
  EXPECT_GE(writer_->stats().removed_bytes + log.all.size(), data.size());
  EXPECT_EQ(writer_->stats().lost_bytes, 0u);
}

TEST_P(LogWriterTest, DrainReadsWhatIsThereWhenAnotherProcessHoldsThePipe) {
  OpenWriter();
  UniqueFd out = AddStream(LogStream::kStdout);
  UniqueFd held(fcntl(out.get(), F_DUPFD_CLOEXEC, 0));
  std::string data = RandomBytes(200'000, 9);  // more than one read, all of it in the pipe
  WriteOrDie(out, data);
  out.Reset();
  writer_->Drain(milliseconds(0));
  RunUntilDrained();
  EXPECT_TRUE(LoadLog(directory_.path()).all == data);
  EXPECT_EQ(drained_.count, 1);
  // Closed: the process that was left behind cannot fill a pipe nobody reads.
  signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(write(held.get(), "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
}

TEST_P(LogWriterTest, DrainEndsAtOnceWhenThePipesEnd) {
  OpenWriter();
  UniqueFd out = AddStream(LogStream::kStdout);
  WriteOrDie(out, "last words");
  out.Reset();
  writer_->Drain(std::chrono::hours(1));
  RunUntilDrained();
  EXPECT_EQ(LoadLog(directory_.path()).all, "last words");
  EXPECT_FALSE(loop_->has_pending());
}

TEST_P(LogWriterTest, DrainCutsAPauseShort) {
  OpenWriter();
  UniqueFd out = AddStream(LogStream::kStdout);
  // Small batches in a hurry: at some point the next read waits for a pause.
  for (uint64_t i = 1; i <= 20; ++i) {
    WriteOrDie(out, "x");
    RunOnce();
  }
  WriteOrDie(out, "end");
  out.Reset();
  writer_->Drain(std::chrono::hours(1));
  RunUntilDrained();
  EXPECT_EQ(LoadLog(directory_.path()).all, std::string(20, 'x') + "end");
}

TEST_P(LogWriterTest, DrainEndsAgainstAnEndlessWriter) {
  OpenWriter();
  UniqueFd out = AddStream(LogStream::kStdout);
  signal(SIGPIPE, SIG_IGN);
  std::thread endless([&] {
    std::string line(4000, 'x');
    while (sys::WriteAll(out.get(), line, "pipe").ok()) {
    }
  });
  RunUntilStored(1 << 20);
  writer_->Drain(milliseconds(1));
  RunUntilDrained();
  endless.join();
  EXPECT_GE(LoadLog(directory_.path()).all.size(), size_t{1} << 20);
}

TEST_P(LogWriterTest, ASecondWriterIsRefusedUntilTheFirstIsGone) {
  OpenWriter();
  auto second = LogWriter::Open(*loop_, directory_.Open(), {}, nullptr);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), Code::kConflict);
  writer_.reset();
  EXPECT_TRUE(LogWriter::Open(*loop_, directory_.Open(), {}, nullptr).ok());
}

TEST_P(LogWriterTest, ALaterWriterGoesOnWhereAnEarlierStopped) {
  for (const char* text : {"first ", "second"}) {
    OpenWriter();
    UniqueFd out = AddStream(LogStream::kStdout);
    WriteOrDie(out, text);
    out.Reset();
    RunUntilDrained();
    writer_.reset();
  }
  StoredLog log = LoadLog(directory_.path());
  EXPECT_EQ(log.all, "first second");
  EXPECT_EQ(log.segments, 1u);
}

TEST_P(LogWriterTest, BytesWithoutAnIndexRecordGetOneFromTheNextWriter) {
  OpenWriter();
  UniqueFd out = AddStream(LogStream::kStderr);
  WriteOrDie(out, "indexed ");
  RunUntilStored(8);
  out.Reset();
  RunUntilDrained();
  writer_.reset();
  UniqueFd data(open((directory_.path() + "/000001.log").c_str(), O_WRONLY | O_APPEND));
  WriteOrDie(data, "orphan");
  UniqueFd index(open((directory_.path() + "/000001.idx").c_str(), O_WRONLY | O_APPEND));
  WriteOrDie(index, "torn record");

  OpenWriter();
  StoredLog log = LoadLog(directory_.path());
  EXPECT_EQ(log.bytes[LogStream::kStderr], "indexed orphan");
}

TEST_P(LogWriterTest, AKilledWriterLeavesAReadableLog) {
  sys::Pipe pipe = std::move(sys::MakePipe()).value();
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto loop =
        GetParam() == "poll" ? sys::MakePollLoop() : std::move(sys::MakeIoUringLoop()).value();
    auto writer = LogWriter::Open(*loop, directory_.Open(), {}, nullptr);
    if (!writer.ok()) _exit(1);
    writer_ = std::move(writer).value();
    pipe.write_end.Reset();
    if (!writer_->AddStream(std::move(pipe.read_end), LogStream::kStdout).ok()) _exit(1);
    while (loop->RunOnce().ok()) {
    }
    _exit(1);
  }
  pipe.read_end.Reset();
  signal(SIGPIPE, SIG_IGN);
  std::string data = RandomBytes(6 << 20, 11);
  WriteOrDie(pipe.write_end, std::string_view(data).substr(0, 5 << 20));
  kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));

  OpenWriter();  // indexes what the dead one left
  StoredLog log = LoadLog(directory_.path());
  EXPECT_TRUE(data.starts_with(log.all));
  EXPECT_GE(log.all.size(),
            (size_t{5} << 20) - kLogPipeCapacity.count() - kLogBuffersPerStream * kLogReadBuffer);
}

TEST_P(LogWriterTest, OptionsOutsideTheLimitsAreRefused) {
  auto small = LogWriter::Open(*loop_, directory_.Open(), {.max_bytes = Bytes(5)}, nullptr);
  ASSERT_FALSE(small.ok());
  EXPECT_THAT(small.error().message(), HasSubstr("max_bytes"));
  auto large = LogWriter::Open(*loop_, directory_.Open(), {.max_backlog = Bytes::GiB(1)}, nullptr);
  ASSERT_FALSE(large.ok());
  EXPECT_THAT(large.error().message(), HasSubstr("max_backlog"));
  EXPECT_TRUE(ListSegments(directory_.Open().get()).value().empty());
}

// A disk that stalls: writes are held back until it is let go.
class StallingLoop final : public sys::EventLoop {
 public:
  void Release() {
    is_stalled_ = false;
    for (const auto& [first, second] : held_) Start(first, second);
    held_.clear();
  }
  void Read(int fd, void* buffer, size_t size, sys::Completion& completion) override {
    loop_->Read(fd, buffer, size, completion);
  }
  void Write(const sys::WriteOperation& write) override { Hold(write, {}); }
  void WriteInOrder(const sys::WriteOperation& first, const sys::WriteOperation& second) override {
    Hold(first, second);
  }
  void Poll(int fd, short events, sys::Repeat repeat, sys::Completion& completion) override {
    loop_->Poll(fd, events, repeat, completion);
  }
  void Accept(int fd, sys::Repeat repeat, sys::Completion& completion) override {
    loop_->Accept(fd, repeat, completion);
  }
  void Timeout(std::chrono::nanoseconds delay, sys::Completion& completion) override {
    loop_->Timeout(delay, completion);
  }
  void Cancel(sys::Completion& completion) override { loop_->Cancel(completion); }
  Result<> RunOnce() override { return loop_->RunOnce(); }
  bool has_pending() const override { return loop_->has_pending(); }
  std::string name() const override { return "stalling"; }

 private:
  void Hold(const sys::WriteOperation& first, const sys::WriteOperation& second) {
    if (is_stalled_) {
      held_.emplace_back(first, second);
    } else {
      Start(first, second);
    }
  }
  void Start(const sys::WriteOperation& first, const sys::WriteOperation& second) {
    if (second.completion == nullptr) return loop_->Write(first);
    loop_->WriteInOrder(first, second);
  }

  std::unique_ptr<sys::EventLoop> loop_ = sys::MakePollLoop();
  std::vector<std::pair<sys::WriteOperation, sys::WriteOperation>> held_;
  bool is_stalled_ = true;
};

class StalledLogTest : public LogTest {
 protected:
  void SetUp() override {
    auto loop = std::make_unique<StallingLoop>();
    stall_ = loop.get();
    loop_ = std::move(loop);
  }

  // Writes as far as the pipe takes it, letting the writer read whenever it is full, until all is
  // written or the writer no longer reads. Returns how much was taken.
  size_t WriteUntilStuck(const UniqueFd& fd, std::string_view data) {
    EXPECT_TRUE(sys::SetNonBlocking(fd.get()).ok());
    size_t taken = 0;
    while (taken < data.size()) {
      ssize_t count = write(fd.get(), data.data() + taken, data.size() - taken);
      if (count > 0) {
        taken += static_cast<size_t>(count);
      } else if (loop_->has_pending()) {
        RunOnce();
      } else {
        break;
      }
    }
    return taken;
  }

  StallingLoop* stall_ = nullptr;
};

TEST_F(StalledLogTest, BlockingModeStopsReadingAndLosesNothing) {
  OpenWriter();
  UniqueFd out = AddStream(LogStream::kStdout);
  std::string data = RandomBytes(8 << 20, 12);
  size_t taken = WriteUntilStuck(out, data);
  EXPECT_LE(taken, kLogPipeCapacity.count() + kLogBuffersPerStream * kLogReadBuffer);
  stall_->Release();
  EXPECT_EQ(taken + WriteUntilStuck(out, std::string_view(data).substr(taken)), data.size());
  out.Reset();
  RunUntilDrained();
  EXPECT_TRUE(LoadLog(directory_.path()).all == data);
}

TEST_F(StalledLogTest, NonBlockingModeNeverStopsTheContainerAndCountsWhatItDrops) {
  constexpr Bytes kBacklog = Bytes::KiB(512);
  OpenWriter({.mode = LogMode::kNonBlocking, .max_backlog = kBacklog});
  UniqueFd out = AddStream(LogStream::kStdout);
  std::string data = RandomBytes(8 << 20, 13);
  EXPECT_EQ(WriteUntilStuck(out, data), data.size());
  uint64_t lost = writer_->stats().lost_bytes;
  EXPECT_GE(lost, data.size() - kBacklog.count() - kLogPipeCapacity.count() -
                      kLogBuffersPerStream * kLogReadBuffer);
  stall_->Release();
  while (writer_->stats().stored_bytes + writer_->stats().lost_bytes < data.size()) RunOnce();
  WriteOrDie(out, "after the loss");
  out.Reset();
  RunUntilDrained();
  StoredLog log = LoadLog(directory_.path());
  LogWriterStats stats = writer_->stats();
  EXPECT_EQ(stats.stored_bytes + stats.lost_bytes, data.size() + strlen("after the loss"));
  EXPECT_EQ(log.all.size(), stats.stored_bytes);
  EXPECT_EQ(log.lost[LogStream::kStdout], stats.lost_bytes);
  EXPECT_GT(stats.stored_bytes, kBacklog.count() / 2);
  EXPECT_TRUE(log.all.ends_with("after the loss"));
}

TEST_F(StalledLogTest, ManyTinyWritesCannotOutgrowTheBacklog) {
  OpenWriter({.mode = LogMode::kNonBlocking, .max_backlog = Bytes::KiB(64)});
  UniqueFd out = AddStream(LogStream::kStdout);
  constexpr uint64_t kWrites = 6000;
  for (uint64_t i = 0; i < kWrites; ++i) {
    WriteOrDie(out, "x");
    RunOnce();  // a batch holds one byte, or the few that came during a pause
  }
  EXPECT_GT(writer_->stats().lost_bytes, kWrites / 2);
  stall_->Release();
  out.Reset();
  RunUntilDrained();
  EXPECT_EQ(writer_->stats().stored_bytes + writer_->stats().lost_bytes, kWrites);
}

class FullDiskTest : public LogTest {
 protected:
  // Runs in a process of its own, in a mount namespace of its own.
  void MountSmallDisk() {
    if (!GetIsIsolated()) _exit(kNotAllowed);
    if (mount("none", directory_.path().c_str(), "tmpfs", 0, "size=1m") != 0) _exit(kNotAllowed);
  }
  static bool GetIsIsolated() {
    return unshare(CLONE_NEWNS) == 0 &&
           mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }
  // Forks, so that neither the mount nor a failed assertion touches other tests.
  void InChild(const std::function<void()>& body) {
    loop_.reset();  // a child cannot use the parent's ring
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      LogTest::SetUp();
      body();
      _exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == kNotAllowed) {
      GTEST_SKIP()
          << "missing capability: CAP_SYS_ADMIN, to mount a small tmpfs in a namespace of its own";
    }
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
  static constexpr int kNotAllowed = 77;
};

TEST_P(FullDiskTest, AFullDiskLosesBytesCountsThemAndGoesOnWhenThereIsRoom) {
  InChild([&] {
    MountSmallDisk();
    std::string filler = directory_.path() + "/filler";
    ASSERT_TRUE(sys::WriteFile(AT_FDCWD, filler, std::string(500'000, 'f')).ok());
    OpenWriter();
    UniqueFd out = AddStream(LogStream::kStdout);
    std::string data = RandomBytes(3 << 20, 14);
    std::thread writer([&] { WriteOrDie(out, data); });  // ends: the container is never stopped
    while (writer_->stats().stored_bytes + writer_->stats().lost_bytes < data.size()) RunOnce();
    writer.join();
    uint64_t lost = writer_->stats().lost_bytes;
    EXPECT_GT(lost, uint64_t{2} << 20);
    ASSERT_TRUE(sys::Unlink(AT_FDCWD, filler).ok());
    WriteOrDie(out, "room again");
    out.Reset();
    RunUntilDrained();
    StoredLog log = LoadLog(directory_.path());
    EXPECT_EQ(writer_->stats().lost_bytes, lost);
    EXPECT_EQ(log.lost[LogStream::kStdout], lost);
    EXPECT_TRUE(data.starts_with(log.all.substr(0, log.all.size() - strlen("room again"))));
    EXPECT_TRUE(log.all.ends_with("room again"));
  });
}

INSTANTIATE_TEST_SUITE_P(Backends, FullDiskTest, testing::Values("io_uring", "poll"),
                         [](const auto& param) { return param.param; });

INSTANTIATE_TEST_SUITE_P(Backends, LogWriterTest, testing::Values("io_uring", "poll"),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace skiff::runtime
