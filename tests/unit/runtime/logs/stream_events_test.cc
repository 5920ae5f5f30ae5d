#include "runtime/logs/stream_events.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "isolation/sys/claim.h"
#include "isolation/sys/file.h"
#include "runtime/logs/segment.h"
#include "tests/support/temp_dir.h"

namespace skiff::runtime {
namespace {

using testing::ElementsAre;

class StreamEventsTest : public testing::Test {
 protected:
  // A whole segment of one batch.
  void Segment(uint32_t number, int64_t milliseconds, const std::string& text) {
    std::string index;
    AppendIndexRecord(
        {milliseconds * 1'000'000, 0, static_cast<uint32_t>(text.size()), LogStream::kStdout, 0},
        index);
    std::string base = temp_.path() + "/";
    ASSERT_TRUE(sys::WriteFile(AT_FDCWD, base + SegmentDataName(number), text).ok());
    ASSERT_TRUE(sys::WriteFile(AT_FDCWD, base + SegmentIndexName(number), index).ok());
  }
  UniqueFd Claim() {
    std::string path = temp_.path() + "/" + kWriterClaimName;
    UniqueFd claim = sys::Open(AT_FDCWD, path, O_WRONLY | O_CREAT, 0600).value();
    EXPECT_TRUE(sys::TryClaim(claim.get()).value());
    return claim;
  }
  std::vector<std::string> Read(size_t limit = 100) {
    std::vector<std::string> messages;
    auto read = ReadStream({EventSource::kContainer, temp_.path(), {}, {}}, [&](const auto& event) {
      messages.push_back(event.message);
      return messages.size() < limit;
    });
    EXPECT_TRUE(read.ok()) << read.error().message();
    return messages;
  }
  test::TempDir temp_;
};

TEST_F(StreamEventsTest, ReadingEndsWhenTheVisitorHasEnough) {
  Segment(1, 1, "a\nb\nc\n");
  Segment(2, 2, "d\n");
  EXPECT_THAT(Read(2), ElementsAre("a", "b"));
  EXPECT_THAT(Read(), ElementsAre("a", "b", "c", "d"));
}

TEST_F(StreamEventsTest, RetentionRemovesWholeOldSegments) {
  Segment(1, 1000, "old\n");
  Segment(2, 5000, "new\n");
  ASSERT_TRUE(ExpireStream(EventSource::kContainer, temp_.path(), 3000).ok());
  EXPECT_FALSE(sys::Exists(AT_FDCWD, temp_.path() + "/" + SegmentDataName(1)));
  EXPECT_TRUE(sys::Exists(AT_FDCWD, temp_.path() + "/" + SegmentDataName(2)));
}

TEST_F(StreamEventsTest, WhatALivingContainerWritesToStays) {
  Segment(1, 1000, "old\n");
  {
    UniqueFd claim = Claim();
    ASSERT_TRUE(ExpireStream(EventSource::kContainer, temp_.path(), 3000).ok());
    EXPECT_FALSE(RemoveStream(EventSource::kContainer, temp_.path()).value());
    EXPECT_TRUE(sys::Exists(AT_FDCWD, temp_.path() + "/" + SegmentDataName(1)));
  }
  EXPECT_TRUE(RemoveStream(EventSource::kContainer, temp_.path()).value());
  EXPECT_FALSE(sys::Exists(AT_FDCWD, temp_.path()));
}

}  // namespace
}  // namespace skiff::runtime
