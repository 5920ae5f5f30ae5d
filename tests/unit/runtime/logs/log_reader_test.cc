#include "runtime/logs/log_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <thread>

#include "isolation/sys/claim.h"
#include "tests/unit/runtime/logs/log_test_support.h"

namespace skiff::runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Line {
  int64_t wall;
  LogStream stream;
  std::string text;
  bool is_partial;
  bool is_notice;
  uint64_t id;
};

std::vector<Line> ReadLines(LogReader& reader) {
  std::vector<Line> lines;
  auto read = reader.ReadAvailable([&](const LogLine& line) {
    lines.push_back({line.wall_nanoseconds, line.stream, std::string(line.text), line.is_partial,
                     line.is_notice, line.id});
  });
  EXPECT_TRUE(read.ok()) << read.error().message();
  return lines;
}

std::vector<std::string> Texts(const std::vector<Line>& lines) {
  std::vector<std::string> texts;
  for (const Line& line : lines) texts.push_back(line.text);
  return texts;
}

// Writes segments by hand, so that times, batch borders and damage are the test's to choose.
class LogReaderTest : public testing::Test {
 protected:
  void Append(int64_t wall, LogStream stream, std::string_view text, uint8_t flags = 0) {
    UniqueFd data = OpenFile(SegmentDataName(segment_));
    WriteOrDie(data, text);
    AppendRecord(wall, stream, static_cast<uint32_t>(text.size()), flags);
    if ((flags & IndexRecord::kLoss) == 0) offset_ += text.size();
  }
  void AppendRecord(int64_t wall, LogStream stream, uint32_t length, uint8_t flags) {
    std::string record;
    AppendIndexRecord({wall, offset_, length, stream, flags}, record);
    UniqueFd index = OpenFile(SegmentIndexName(segment_));
    WriteOrDie(index, record);
  }
  void NextSegment() {
    ++segment_;
    offset_ = 0;
    OpenFile(SegmentDataName(segment_));
    OpenFile(SegmentIndexName(segment_));
  }
  UniqueFd OpenFile(const std::string& name) {
    std::string path = directory_.path() + "/" + name;
    return std::move(sys::Open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600)).value();
  }
  // From now on a writer seems to be alive.
  void Claim() {
    claim_ = OpenFile(kWriterClaimName);
    ASSERT_TRUE(sys::TryClaim(claim_.get()).value());
  }
  LogReader Reader(const LogReaderOptions& options = {}) {
    return std::move(LogReader::Open(directory_.Open(), options)).value();
  }
  std::vector<std::string> ReadTexts(const LogReaderOptions& options = {}) {
    LogReader reader = Reader(options);
    return Texts(ReadLines(reader));
  }

  static constexpr LogStream kOut = LogStream::kStdout;
  static constexpr LogStream kErr = LogStream::kStderr;
  TemporaryDirectory directory_;
  uint32_t segment_ = 1;
  uint64_t offset_ = 0;
  UniqueFd claim_;
};

TEST_F(LogReaderTest, AnEmptyDirectoryIsAnEmptyLog) { EXPECT_THAT(ReadTexts(), IsEmpty()); }

TEST_F(LogReaderTest, LinesHaveTheTimeStreamAndIdOfTheirFirstByte) {
  Append(100, kOut, "first\nsec");
  Append(200, kErr, "problem\n");
  Append(300, kOut, "ond\n");
  LogReader reader = Reader();
  std::vector<Line> lines = ReadLines(reader);
  EXPECT_THAT(Texts(lines), ElementsAre("first", "problem", "second"));
  EXPECT_EQ(lines[2].wall, 100);
  EXPECT_EQ(lines[2].id, uint64_t{1} << 32 | 6);
  EXPECT_EQ(lines[1].stream, kErr);
  EXPECT_FALSE(lines[2].is_partial);
}

TEST_F(LogReaderTest, ALineJoinsAcrossSegments) {
  Append(1, kOut, "be");
  NextSegment();
  Append(2, kOut, "gin\n");
  EXPECT_THAT(ReadTexts(), ElementsAre("begin"));
}

TEST_F(LogReaderTest, EmptyLinesNulsAndBrokenUtf8ComeAsTheyAre) {
  std::string bytes("\n\0\xff\xfe\n\n", 6);
  Append(1, kOut, bytes);
  EXPECT_THAT(ReadTexts(), ElementsAre("", std::string("\0\xff\xfe", 3), ""));
}

TEST_F(LogReaderTest, ALongLineIsSplitAtTheLimit) {
  std::string line(1 << 20, 'x');
  for (size_t at = 0; at < line.size(); at += 50'000) Append(1, kOut, line.substr(at, 50'000));
  Append(2, kOut, "end\n");
  LogReader reader = Reader();
  std::vector<Line> lines = ReadLines(reader);
  ASSERT_EQ(lines.size(), 5u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(lines[i].text.size(), kMaxLogLine);
    EXPECT_TRUE(lines[i].is_partial);
    EXPECT_EQ(lines[i].id, uint64_t{1} << 32 | i * kMaxLogLine);
  }
  EXPECT_EQ(lines[4].text, "end");
  EXPECT_FALSE(lines[4].is_partial);
}

TEST_F(LogReaderTest, ALineOfExactlyTheLimitIsWhole) {
  Append(1, kOut, std::string(kMaxLogLine, 'x'));
  Append(2, kOut, "\nnext\n");
  LogReader reader = Reader();
  std::vector<Line> lines = ReadLines(reader);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_FALSE(lines[0].is_partial);
}

TEST_F(LogReaderTest, TheEndOfAStreamEndsItsLine) {
  Append(1, kOut, "no newline");
  AppendRecord(2, kOut, 0, IndexRecord::kEnd);
  Append(3, kOut, "restarted\n");
  LogReader reader = Reader();
  std::vector<Line> lines = ReadLines(reader);
  EXPECT_THAT(Texts(lines), ElementsAre("no newline", "restarted"));
  EXPECT_TRUE(lines[0].is_partial);
}

TEST_F(LogReaderTest, AnUnfinishedLineWaitsWhileTheWriterLives) {
  Append(1, kOut, "one\ntw");
  Claim();
  LogReader reader = Reader();
  EXPECT_THAT(Texts(ReadLines(reader)), ElementsAre("one"));
  Append(2, kOut, "o\nthr");
  EXPECT_THAT(Texts(ReadLines(reader)), ElementsAre("two"));
  EXPECT_THAT(Texts(ReadLines(reader)), IsEmpty());
  claim_.Reset();
  EXPECT_THAT(Texts(ReadLines(reader)), ElementsAre("thr"));
  EXPECT_THAT(Texts(ReadLines(reader)), IsEmpty());
}

TEST_F(LogReaderTest, ASegmentThatIsJustBeingMadeIsNoSignOfADeadWriter) {
  Claim();
  Append(1, kOut, "one\ntw");
  LogReader reader = Reader();
  NextSegment();  // empty so far
  EXPECT_THAT(Texts(ReadLines(reader)), ElementsAre("one"));
  Append(2, kOut, "o\n");
  EXPECT_THAT(Texts(ReadLines(reader)), ElementsAre("two"));
}

TEST_F(LogReaderTest, BytesWithoutARecordAreReadOnceTheWriterIsGone) {
  Append(7, kErr, "indexed\n");
  WriteOrDie(OpenFile(SegmentDataName(1)), "orphan\n");
  WriteOrDie(OpenFile(SegmentIndexName(1)), "torn");
  Claim();
  LogReader reader = Reader();
  EXPECT_THAT(Texts(ReadLines(reader)), ElementsAre("indexed"));
  claim_.Reset();
  std::vector<Line> lines = ReadLines(reader);
  EXPECT_THAT(Texts(lines), ElementsAre("orphan"));
  EXPECT_EQ(lines[0].wall, 7);
  EXPECT_EQ(lines[0].stream, kErr);
}

TEST_F(LogReaderTest, AnOrphanThatGetsItsRecordLaterIsNotReadTwice) {
  Append(7, kOut, "indexed\n");
  WriteOrDie(OpenFile(SegmentDataName(1)), "orphan\n");
  LogReader reader = Reader();
  EXPECT_THAT(Texts(ReadLines(reader)), ElementsAre("indexed", "orphan"));
  AppendRecord(7, kOut, 7, 0);
  offset_ += 7;
  Append(8, kOut, "later\n");
  EXPECT_THAT(Texts(ReadLines(reader)), ElementsAre("later"));
}

TEST_F(LogReaderTest, RecordsWhoseBytesAreMissingBecomeANotice) {
  Append(1, kOut, "whole\n");
  AppendRecord(2, kOut, 1000, 0);
  LogReader reader = Reader();
  std::vector<Line> lines = ReadLines(reader);
  EXPECT_THAT(Texts(lines), ElementsAre("whole", "[skiff: 1000 bytes of output are missing]"));
  EXPECT_TRUE(lines[1].is_notice);
}

TEST_F(LogReaderTest, ALossIsSaidWhereItHappenedAndCutsTheLine) {
  Append(1, kOut, "before ");
  AppendRecord(2, kOut, 4711, IndexRecord::kLoss);
  Append(3, kOut, "after\n");
  LogReader reader = Reader();
  std::vector<Line> lines = ReadLines(reader);
  EXPECT_THAT(Texts(lines),
              ElementsAre("before ", "[skiff: 4711 bytes of output were not stored]", "after"));
  EXPECT_TRUE(lines[0].is_partial);
  EXPECT_TRUE(lines[1].is_notice);
}

TEST_F(LogReaderTest, RemovedSegmentsAreSaid) {
  segment_ = 3;
  Append(5, kOut, "left\n");
  EXPECT_THAT(ReadTexts(), ElementsAre("[skiff: older output was removed]", "left"));
}

TEST_F(LogReaderTest, ASegmentRemovedUnderAFollowerIsAGap) {
  Append(1, kOut, "one\nhal");
  Claim();
  LogReader reader = Reader();
  EXPECT_THAT(Texts(ReadLines(reader)), ElementsAre("one"));
  for (uint32_t number = 1; number <= 2; ++number) {
    unlink((directory_.path() + "/" + SegmentDataName(number)).c_str());
    unlink((directory_.path() + "/" + SegmentIndexName(number)).c_str());
  }
  segment_ = 3;
  offset_ = 0;
  Append(9, kOut, "three\n");
  EXPECT_THAT(Texts(ReadLines(reader)),
              ElementsAre("hal", "[skiff: older output was removed]", "three"));
}

TEST_F(LogReaderTest, OnlyTheWantedStream) {
  Append(1, kOut, "out\npar");
  Append(2, kErr, "err\n");
  Append(3, kOut, "tial\n");
  EXPECT_THAT(ReadTexts({.stream = kOut}), ElementsAre("out", "partial"));
  EXPECT_THAT(ReadTexts({.stream = kErr}), ElementsAre("err"));
  EXPECT_THAT(ReadTexts({.stream = kErr, .tail = 5}), ElementsAre("err"));
}

TEST_F(LogReaderTest, SinceLeavesOutLinesThatBeganBefore) {
  for (int64_t time = 1; time <= 6; ++time) {
    Append(time, kOut, "line" + std::to_string(time) + "\nbegun" + std::to_string(time));
    Append(time, kOut, "\n");
    if (time % 2 == 0) NextSegment();
  }
  EXPECT_THAT(ReadTexts({.since = 5}), ElementsAre("line5", "begun5", "line6", "begun6"));
  EXPECT_THAT(ReadTexts({.since = 7}), IsEmpty());
  EXPECT_EQ(ReadTexts({.since = 0}).size(), 12u);
  EXPECT_THAT(ReadTexts({.since = 6, .tail = 9}), ElementsAre("line6", "begun6"));
}

TEST_F(LogReaderTest, TailIsTheEndOfTheWholeForAnyCount) {
  // Lines of both streams, cut at all kinds of borders, over several segments.
  for (int i = 0; i < 60; ++i) {
    Append(i, kOut, "out " + std::to_string(i) + (i % 3 == 0 ? "" : "\n"));
    if (i % 7 == 0) Append(i, kErr, i % 2 == 0 ? "error, begun " : "and ended\nerror\n");
    if (i == 20) AppendRecord(i, kOut, 5, IndexRecord::kLoss);
    if (i == 45) AppendRecord(i, kErr, 0, IndexRecord::kEnd);
    if (i % 25 == 24) NextSegment();
  }
  std::vector<std::string> all = ReadTexts();
  ASSERT_GT(all.size(), 45u);
  for (size_t count = 0; count <= all.size() + 2; ++count) {
    size_t kept = std::min(count, all.size());
    std::vector<std::string> expected(all.end() - static_cast<ptrdiff_t>(kept), all.end());
    EXPECT_EQ(ReadTexts({.tail = count}), expected) << "tail " << count;
  }
}

TEST_F(LogReaderTest, TailReadsNoFurtherBackThanItMust) {
  Append(1, kOut, "old\n");
  NextSegment();
  Append(2, kOut, "a\nb\n");
  AppendRecord(3, kErr, 0, IndexRecord::kEnd);  // it never wrote
  AppendRecord(3, kOut, 0, IndexRecord::kEnd);
  // Reading it would be an error.
  std::string old = directory_.path() + "/" + SegmentDataName(1);
  ASSERT_TRUE(sys::Unlink(AT_FDCWD, old).ok());
  ASSERT_TRUE(sys::MakeDirectories(old, 0700).ok());
  EXPECT_EQ(ReadTexts({.tail = 1}), std::vector<std::string>{"b"});
}

TEST_F(LogReaderTest, TailIsFollowedByWhatComesLater) {
  Append(1, kOut, "a\nb\nc\n");
  Claim();
  LogReader reader = Reader({.tail = 1});
  EXPECT_THAT(Texts(ReadLines(reader)), ElementsAre("c"));
  Append(2, kOut, "d\ne\n");
  EXPECT_THAT(Texts(ReadLines(reader)), ElementsAre("d", "e"));
}

TEST_F(LogReaderTest, ADirectoryThatIsNotThereIsAnError) {
  UniqueFd file = OpenFile("000001.idx");
  auto reader = LogReader::Open(std::move(file), {});
  EXPECT_FALSE(reader.ok());
}

// Against a real writer.
class LogFollowTest : public LogTest {};

TEST_P(LogFollowTest, NewLinesWakeTheFollowerAndRotationLosesNone) {
  OpenWriter({.max_bytes = Bytes::MiB(128)});
  LogReader reader = std::move(LogReader::Open(directory_.Open(), {})).value();
  int watch = std::move(reader.Follow()).value();
  UniqueFd out = AddStream(LogStream::kStdout);
  constexpr int kLines = 400'000;  // 40 MB: three segments
  std::thread container([&] {
    std::string block;
    for (int i = 0; i < kLines; ++i) {
      std::string line = std::to_string(i);
      block += line + std::string(99 - line.size(), '.') + "\n";
      if (block.size() < 30'000 && i + 1 < kLines) continue;
      WriteOrDie(out, block);
      block.clear();
    }
    out.Reset();
  });
  int seen = 0;
  std::string wrong;
  std::thread follower([&] {
    while (seen < kLines) {
      pollfd wait{watch, POLLIN, 0};
      if (poll(&wait, 1, 60'000) != 1) break;
      auto read = reader.ReadAvailable([&](const LogLine& line) {
        std::string expected = std::to_string(seen) + ".";
        bool is_right = line.text.size() == 99 && line.text.starts_with(expected);
        if (!is_right && wrong.empty()) wrong = expected + " became " + std::string(line.text);
        ++seen;
      });
      if (!read.ok()) break;
    }
  });
  RunUntilDrained();
  container.join();
  follower.join();
  EXPECT_EQ(seen, kLines);
  EXPECT_EQ(wrong, "");
  EXPECT_EQ(LoadLog(directory_.path()).segments, 3u);
}

TEST_P(LogFollowTest, TheEndOfTheWriterWakesTheFollower) {
  OpenWriter();
  LogReader reader = std::move(LogReader::Open(directory_.Open(), {})).value();
  int watch = std::move(reader.Follow()).value();
  EXPECT_THAT(Texts(ReadLines(reader)), IsEmpty());
  EXPECT_TRUE(reader.HasWriter().value());
  loop_.reset();
  writer_.reset();
  pollfd wait{watch, POLLIN, 0};
  EXPECT_EQ(poll(&wait, 1, 60'000), 1);
  EXPECT_FALSE(reader.HasWriter().value());
}

INSTANTIATE_TEST_SUITE_P(Backends, LogFollowTest, testing::Values("io_uring", "poll"),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace skiff::runtime
