// A log directory, an event loop and a LogWriter over pipes: what the tests of runtime/logs share.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "isolation/sys/event_loop.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "runtime/logs/log_writer.h"
#include "runtime/logs/segment.h"

namespace skiff::runtime {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    path_ = testing::TempDir() + "/skiff-logs-XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) abort();
  }
  ~TemporaryDirectory() { sys::RemoveTree(AT_FDCWD, path_).Ignore(); }
  const std::string& path() const { return path_; }
  UniqueFd Open() const { return std::move(sys::OpenDirectory(AT_FDCWD, path_)).value(); }

 private:
  std::string path_;
};

struct Drained final : sys::Completion {
  void OnComplete(int, unsigned) override { ++count; }
  int count = 0;
};

// What lies on disk, read by index alone.
struct StoredLog {
  std::map<LogStream, std::string> bytes;
  std::map<LogStream, uint64_t> lost;
  std::map<LogStream, int> ends;
  std::string all;  // the .log files one after another
  size_t segments = 0;
  size_t records = 0;
};

inline std::string LoadFile(int directory, const std::string& name) {
  auto text = sys::ReadFile(directory, name, Bytes::MiB(64));
  EXPECT_TRUE(text.ok()) << text.error().message();
  return std::move(text).ValueOr("");
}

inline StoredLog LoadLog(const std::string& path) {
  UniqueFd directory = std::move(sys::OpenDirectory(AT_FDCWD, path)).value();
  StoredLog log;
  std::vector<uint32_t> numbers = std::move(ListSegments(directory.get())).value();
  for (uint32_t number : numbers) {
    ++log.segments;
    std::string data = LoadFile(directory.get(), SegmentDataName(number));
    std::string index = LoadFile(directory.get(), SegmentIndexName(number));
    EXPECT_EQ(index.size() % IndexRecord::kSize, 0u);
    uint64_t end = 0;
    for (size_t at = 0; at + IndexRecord::kSize <= index.size(); at += IndexRecord::kSize) {
      auto record = DecodeIndexRecord(index.data() + at);
      EXPECT_TRUE(record.has_value());
      EXPECT_EQ(record->offset, end);
      ++log.records;
      if ((record->flags & IndexRecord::kLoss) != 0) log.lost[record->stream] += record->length;
      if ((record->flags & IndexRecord::kEnd) != 0) ++log.ends[record->stream];
      log.bytes[record->stream] += data.substr(record->offset, record->stored());
      end = record->offset + record->stored();
    }
    EXPECT_EQ(end, data.size());
    log.all += data;
  }
  return log;
}

// Runs once with each backend; the parameter is its name.
class LogTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "poll") {
      loop_ = sys::MakePollLoop();
      return;
    }
    auto loop = sys::MakeIoUringLoop();
    if (!loop.ok()) GTEST_SKIP() << "missing capability: io_uring: " << loop.error().message();
    loop_ = std::move(loop).value();
  }
  // A writer that a failed assertion left undrained must outlive the loop.
  void TearDown() override { loop_.reset(); }

  void OpenWriter(const LogWriterOptions& options = {}) {
    auto writer = LogWriter::Open(*loop_, directory_.Open(), options, &drained_);
    ASSERT_TRUE(writer.ok()) << writer.error().message();
    writer_ = std::move(writer).value();
  }
  // The end the container would write to.
  UniqueFd AddStream(LogStream stream) {
    sys::Pipe pipe = std::move(sys::MakePipe()).value();
    auto added = writer_->AddStream(std::move(pipe.read_end), stream);
    EXPECT_TRUE(added.ok()) << added.error().message();
    return std::move(pipe.write_end);
  }
  void RunOnce() {
    auto ran = loop_->RunOnce();
    ASSERT_TRUE(ran.ok()) << ran.error().message();
  }
  void RunUntilDrained() {
    while (!writer_->is_drained()) {
      RunOnce();
      if (HasFatalFailure()) return;
    }
  }
  void RunUntilStored(uint64_t bytes) {
    while (writer_->stats().stored_bytes < bytes) {
      RunOnce();
      if (HasFatalFailure()) return;
    }
  }

  TemporaryDirectory directory_;
  Drained drained_;
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<sys::EventLoop> loop_;
};

inline void WriteOrDie(const UniqueFd& fd, std::string_view data) {
  if (!sys::WriteAll(fd.get(), data, "pipe").ok()) abort();
}

}  // namespace skiff::runtime
