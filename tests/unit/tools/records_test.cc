// How tasks are told: exit codes, tables, JSON, log lines.
#include "tools/skiff/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/agent/host_facts.h"
#include "tools/skiff/doctor_checks.h"
#include "tools/skiff/doctor_report.h"
#include "tools/skiff/log_printer.h"
#include "tools/skiff/task_json.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

using runtime::Event;
using runtime::EventType;
using runtime::StopCode;
using testing::HasSubstr;
using testing::Not;

runtime::TaskPlan Plan() {
  std::string id(32, 'a');
  runtime::TaskPlan plan(runtime::TaskId::Parse(id).value());
  plan.family = "web";
  for (const char* name : {"helper", "web"}) {
    plan.containers.emplace_back().name = name;
    plan.containers.back().essential = plan.containers.back().name == "web";
  }
  return plan;
}

Event Exited(const std::string& container, int code) {
  Event event;
  event.type = EventType::kContainerExited;
  event.container = container;
  event.exit_code = code;
  return event;
}

Event Stopped(StopCode code) {
  Event event;
  event.type = EventType::kTaskStopped;
  event.stop_code = code;
  return event;
}

TEST(ExitCodeTest, ItIsTheFirstEssentialContainers) {
  EXPECT_EQ(ExitCodeOf(Plan(), {Exited("helper", 1), Exited("web", 3), Exited("web", 4),
                                Stopped(StopCode::kEssentialContainerExited)}),
            3);
  EXPECT_EQ(ExitCodeOf(Plan(), {Exited("helper", 1)}), std::nullopt);
}

TEST(ExitCodeTest, AFailedStartCountsBeforeTheContainersThatWereStoppedForIt) {
  Event failed;
  failed.type = EventType::kContainerStartFailed;
  failed.container = "helper";
  failed.exit_code = 127;
  EXPECT_EQ(ExitCodeOf(Plan(), {failed, Exited("web", 143), Stopped(StopCode::kTaskFailedToStart)}),
            127);
  EXPECT_EQ(ExitCodeOf(Plan(), {Stopped(StopCode::kTaskFailedToStart)}), std::nullopt);
}

TEST(TaskJsonTest, ATaskIsToldInTheWordsOfEcs) {
  TaskRecord record{Plan(), {}, TaskOfPlan(Plan())};
  record.plan.limits.memory_max = Bytes::MiB(512);
  uint64_t number = 0;
  for (Event event : {Exited("web", 3), Stopped(StopCode::kEssentialContainerExited)}) {
    event.number = ++number;
    event.wall_ns = 1'000'000'000;
    event.reason = "bad \xff byte";
    Apply(record.task, event);
  }
  std::string json = EncodeTask(record, {{{"memory", "cgroup v2"}}, {"/sys/fs/cgroup/x"}});
  for (const char* member :
       {R"("lastStatus": "STOPPED")", R"("stopCode": "EssentialContainerExited")",
        R"("exitCode": 3)", R"("stoppedAt": "1970-01-01T00:00:01.000000000Z")",
        R"("memoryMaxBytes": 536870912)", R"("memory": "cgroup v2")", R"("/sys/fs/cgroup/x")"}) {
    EXPECT_THAT(json, HasSubstr(member));
  }
  EXPECT_THAT(EncodeTasks({record}), Not(HasSubstr("enforcement")));
}

TEST(LogLineTest, APrefixComesBeforeTheTimeAndThat) {
  runtime::LogLine line;
  line.wall_nanoseconds = 0;
  line.text = "hello";
  LogPrinterOptions options;
  options.with_timestamps = true;
  EXPECT_EQ(FormatLogLine(line, options, "web | "), "web | 1970-01-01T00:00:00.000000000Z hello\n");
}

TEST(LogLineTest, BareOutputKeepsItsMissingNewline) {
  runtime::LogLine line;
  line.text = "prompt";
  line.is_partial = true;
  LogPrinterOptions options;
  EXPECT_EQ(FormatLogLine(line, options, "web | "), "web | prompt\n");
  options.with_names = false;
  EXPECT_EQ(FormatLogLine(line, options, "web | "), "prompt");
  line.text = "\"\xff";
  EXPECT_EQ(FormatLogJson(line, "web"),
            "{\"time\":\"1970-01-01T00:00:00.000000000Z\",\"container\":\"web\","
            "\"stream\":\"stdout\",\"message\":\"\\\"\xef\xbf\xbd\",\"isPartial\":true}\n");
}

TEST(TerminalTest, ATableIsAsWideAsItsCells) {
  EXPECT_EQ(FormatTable({{"A", "LONG", "C"}, {"abc", "x", ""}}), "A    LONG  C\nabc  x\n");
}

TEST(TerminalTest, AgesAndSizesAreForPeople) {
  constexpr int64_t kSecond = 1'000'000'000;
  EXPECT_EQ(FormatAge(-5), "0 seconds");
  EXPECT_EQ(FormatAge(kSecond), "1 second");
  EXPECT_EQ(FormatAge(7200 * kSecond), "2 hours");
  EXPECT_EQ(FormatSize(512), "512 B");
  EXPECT_EQ(FormatSize(1536), "1.5 KiB");
  EXPECT_EQ(FormatSize(uint64_t{20} << 30), "20 GiB");
  EXPECT_EQ(Printable("a\x1b[31m\n"), "a?[31m?");
}

TEST(DoctorTest, KernelsAreComparedByNumber) {
  EXPECT_TRUE(IsKernelAtLeast("6.1.0-28-amd64", 5, 14));
  EXPECT_TRUE(IsKernelAtLeast("5.14.0", 5, 14));
  EXPECT_FALSE(IsKernelAtLeast("5.9.1", 5, 14));
  EXPECT_FALSE(IsKernelAtLeast("4.19.0", 5, 14));
  EXPECT_FALSE(IsKernelAtLeast("unknown", 5, 14));
}

TEST(DoctorTest, OnlyWhatIsMissingMakesAHostUnusable) {
  EXPECT_TRUE(IsUsable({{"a", Verdict::kOk, ""}, {"b", Verdict::kWarning, ""}}));
  std::vector<Finding> findings = {{"a", Verdict::kOk, ""}, {"c", Verdict::kMissing, "do this"}};
  EXPECT_FALSE(IsUsable(findings));
  EXPECT_THAT(EncodeFindings(findings), HasSubstr(R"("verdict": "MISSING")"));
}

TEST(HostFactsTest, TheMemoryIsTheKernelsTotal) {
  EXPECT_EQ(runtime::ParseTotalMemory("MemTotal:       2048 kB\nMemFree: 1 kB\n").value(),
            Bytes::MiB(2));
  EXPECT_EQ(runtime::ParseTotalMemory("MemFree: 1 kB\n").error().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace skiff::tools
