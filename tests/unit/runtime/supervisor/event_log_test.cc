#include "runtime/supervisor/event_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "isolation/sys/file.h"
#include "tests/support/temp_dir.h"

namespace skiff::runtime {
namespace {

Event Named(EventType type) {
  Event event;
  event.type = type;
  return event;
}

std::vector<uint64_t> NumbersIn(const std::vector<Event>& events) {
  std::vector<uint64_t> numbers;
  for (const Event& event : events) numbers.push_back(event.number);
  return numbers;
}

void AppendText(const std::string& directory, const std::string& text) {
  UniqueFd fd = sys::Open(AT_FDCWD, EventsPath(directory), O_WRONLY | O_APPEND).value();
  ASSERT_TRUE(sys::WriteAll(fd.get(), text, "events").ok());
}

TEST(EventReaderTest, ReadsEachEventOnceAndAHalfLineWhenItIsWhole) {
  test::TempDir directory;
  EventReader reader(directory.path());
  EXPECT_TRUE(reader.ReadNew().value().empty()) << "before there is a file";

  EventLog log = EventLog::Open(directory.path()).value();
  log.Append(Named(EventType::kTaskCreated));
  log.Append(Named(EventType::kTaskRunning));
  EXPECT_EQ(NumbersIn(reader.ReadNew().value()), (std::vector<uint64_t>{1, 2}));
  EXPECT_TRUE(reader.ReadNew().value().empty());

  log.Append(Named(EventType::kTaskStopped));
  std::string text = sys::ReadFile(AT_FDCWD, EventsPath(directory.path())).value();
  std::string line = text.substr(text.rfind('\n', text.size() - 2) + 1);
  AppendText(directory.path(), line.substr(0, line.size() / 2));
  EXPECT_EQ(NumbersIn(reader.ReadNew().value()), (std::vector<uint64_t>{3}));
  AppendText(directory.path(), line.substr(line.size() / 2));
  EXPECT_EQ(NumbersIn(reader.ReadNew().value()), (std::vector<uint64_t>{3})) << "its copy";
}

TEST(EventReaderTest, GoesOnWhereASupervisorThatDiedInALineIsFollowedByAnother) {
  test::TempDir directory;
  EventReader reader(directory.path());
  {
    EventLog log = EventLog::Open(directory.path()).value();
    log.Append(Named(EventType::kTaskCreated));
  }
  AppendText(directory.path(), "{\"number\":2,");
  EXPECT_EQ(NumbersIn(reader.ReadNew().value()), (std::vector<uint64_t>{1}));
  EventLog log = EventLog::Open(directory.path()).value();
  log.Append(Named(EventType::kTaskStopped));
  EXPECT_EQ(NumbersIn(reader.ReadNew().value()), (std::vector<uint64_t>{2}));
}

}  // namespace
}  // namespace skiff::runtime
