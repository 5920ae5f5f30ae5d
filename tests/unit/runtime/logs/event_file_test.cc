#include "runtime/logs/event_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "isolation/sys/file.h"
#include "runtime/logs/limits.h"
#include "tests/support/temp_dir.h"

namespace skiff::runtime {
namespace {

using testing::ElementsAre;

std::vector<LogEvent> Read(const std::string& directory) {
  std::vector<LogEvent> events;
  auto read = ReadEvents(directory, [&](const LogEvent& event) {
    events.push_back(event);
    return true;
  });
  EXPECT_TRUE(read.ok()) << read.error().message();
  return events;
}

std::vector<std::string> Messages(const std::string& directory) {
  std::vector<std::string> messages;
  for (const LogEvent& event : Read(directory)) messages.push_back(event.message);
  return messages;
}

TEST(EventFileTest, WhatWasPutIsReadWithItsTimesAndAnIdOfItsOwn) {
  test::TempDir temp;
  std::string directory = temp.path() + "/a/b";
  ASSERT_TRUE(
      AppendEvents(directory, {{1, 10, "one", 0}, {2, 10, std::string("t\0o", 3), 0}}).ok());
  ASSERT_TRUE(AppendEvents(directory, {{-3, 11, "", 0}}).ok());
  std::vector<LogEvent> events = Read(directory);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1].message, std::string("t\0o", 3));
  EXPECT_EQ(events[2].timestamp, -3);
  EXPECT_EQ(events[2].ingested, 11);
  std::set<uint64_t> ids;
  for (const LogEvent& event : events) ids.insert(event.id);
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_THAT(Messages(temp.path() + "/absent"), ElementsAre());
}

TEST(EventFileTest, ARecordThatACrashCutShortIsCutOff) {
  test::TempDir temp;
  ASSERT_TRUE(AppendEvents(temp.path(), {{1, 1, "whole", 0}, {2, 2, "torn", 0}}).ok());
  {
    std::string path = temp.path() + "/000001.events";
    UniqueFd file = sys::Open(AT_FDCWD, path, O_WRONLY).value();
    ASSERT_TRUE(sys::Truncate(file.get(), 20 + 5 + 20 + 2).ok());
  }
  EXPECT_THAT(Messages(temp.path()), ElementsAre("whole"));
  ASSERT_TRUE(AppendEvents(temp.path(), {{3, 3, "next", 0}}).ok());
  EXPECT_THAT(Messages(temp.path()), ElementsAre("whole", "next"));
}

TEST(EventFileTest, ADayLaterAnotherFileBeginsAndTheOldOneExpires) {
  test::TempDir temp;
  int64_t day = kEventFileMilliseconds;
  ASSERT_TRUE(AppendEvents(temp.path(), {{1, 1, "old", 0}}).ok());
  ASSERT_TRUE(AppendEvents(temp.path(), {{2 * day, 2 * day, "new", 0}}).ok());
  ASSERT_TRUE(ExpireEvents(temp.path(), 1).ok());
  EXPECT_THAT(Messages(temp.path()), ElementsAre("old", "new"));
  ASSERT_TRUE(ExpireEvents(temp.path(), day).ok());
  EXPECT_THAT(Messages(temp.path()), ElementsAre("new"));
  EXPECT_FALSE(sys::Exists(AT_FDCWD, temp.path() + "/000001.events"));
}

}  // namespace
}  // namespace skiff::runtime
