#include "runtime/model/event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/model/event_names.h"
#include "runtime/model/limits.h"

namespace skiff::runtime {
namespace {

using testing::HasSubstr;
using testing::Not;

Event FullEvent(EventType type) {
  return Event{.number = 7,
               .wall_ns = 1769860800123456789,
               .type = type,
               .container = "web",
               .image = "nginx:1.25",
               .digest = "sha256:00",
               .runtime_id = "t-1",
               .pid = 4711,
               .exit_code = 0,
               .signal = 9,
               .oom_killed = true,
               .stop_code = StopCode::kUserInitiated,
               .reason = "because",
               .text = "note",
               .step = "rootfs",
               .duration_ns = 1500,
               .address = "10.77.0.5",
               .mac = "02:00:0a:4d:00:05",
               .eni = "eni-0123456789abcdef0"};
}

TEST(EventTest, EveryTypeComesBackFromItsLine) {
  for (const auto& [type, name] : kEventTypeNames) {
    Event event = FullEvent(type);
    std::string line = EncodeEvent(event);
    EXPECT_THAT(line, Not(HasSubstr("\n")));
    EXPECT_EQ(DecodeEvent(line).value(), event) << name;
  }
}

TEST(EventTest, StopCodesHaveTheNamesOfTheApi) {
  for (const auto& [code, name] : kStopCodeNames) EXPECT_EQ(ParseStopCode(name), code);
  EXPECT_EQ(ParseStopCode("Bored"), std::nullopt);
}

TEST(EventTest, LineHoldsOnlyWhatIsSet) {
  EXPECT_EQ(EncodeEvent({.number = 1, .wall_ns = 5, .type = EventType::kTaskRunning}),
            R"({"at":5,"n":1,"type":"TaskRunning"})");
  Event exited = {
      .number = 2, .type = EventType::kContainerExited, .container = "a", .exit_code = 0};
  EXPECT_EQ(EncodeEvent(exited),
            R"({"at":0,"container":"a","exitCode":0,"n":2,"type":"ContainerExited"})");
}

TEST(EventTest, BytesThatAreNoTextAndLongTextsStillMakeALineThatReads) {
  Event event = FullEvent(EventType::kWarning);
  std::string ugly = "\xff\x01\n";
  for (int i = 0; i < 10; ++i) ugly += ugly;
  for (std::string* text :
       {&event.container, &event.image, &event.digest, &event.runtime_id, &event.reason,
        &event.text, &event.step, &event.address, &event.mac, &event.eni}) {
    *text = ugly;
  }
  std::string line = EncodeEvent(event);
  EXPECT_LE(line.size(), kMaxEventLineBytes);
  EXPECT_THAT(line, Not(HasSubstr("\n")));
  EXPECT_EQ(DecodeEvent(line).value().number, 7u);
}

TEST(EventTest, DamagedLinesAreRefused) {
  struct {
    std::string_view line;
    std::string_view error;
  } cases[] = {
      {"", "event: not valid JSON: it ends too early"},
      {R"({"at":5,"n":1,"type":"TaskRun)", "event: not valid JSON: it ends too early"},
      {R"({"at":5,"n":1})", "event: type: missing"},
      {R"({"at":5,"n":1,"type":"Nap"})", "event: type: unknown event type \"Nap\""},
      {R"({"at":5,"n":0,"type":"TaskRunning"})",
       "event: n: 0 is not between 1 and 9223372036854775807"},
      {R"({"n":1,"type":"TaskRunning"})", "event: at: missing"},
      {R"({"at":5,"n":1,"type":"TaskStopped","stopCode":"x"})",
       "event: stopCode: unknown code \"x\""},
      {R"({"at":5,"n":1,"type":"Warning","text":3})", "event: text: expected string, got integer"},
  };
  for (const auto& [line, error] : cases) {
    Result<Event> event = DecodeEvent(line);
    ASSERT_FALSE(event.ok()) << line;
    EXPECT_EQ(event.error().message(), error);
  }
}

}  // namespace
}  // namespace skiff::runtime
