#include "tools/skiff/flag_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skiff::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

TEST(FlagValuesTest, AVariableIsSplitAtItsFirstEqualsSign) {
  runtime::KeyValue variable = ParseVariable("A=b=c").value();
  EXPECT_EQ(variable.name, "A");
  EXPECT_EQ(variable.value, "b=c");
  EXPECT_EQ(ParseVariable("EMPTY=").value().value, "");
  for (const char* wrong : {"A", "=b", ""}) {
    EXPECT_THAT(ParseVariable(wrong).error().message(), HasSubstr("expected NAME=value")) << wrong;
  }
}

TEST(FlagValuesTest, MemoryIsInMebibytesUnlessItSaysOtherwise) {
  EXPECT_EQ(ParseMemory("512").value(), Bytes::MiB(512));
  EXPECT_EQ(ParseMemory("512m").value(), Bytes::MiB(512));
  EXPECT_EQ(ParseMemory("1g").value(), Bytes::GiB(1));
  EXPECT_EQ(ParseMemory("1.5g").value(), Bytes::MiB(1536));
  for (const char* wrong : {"", "0", "-1", "12k", "m", "1..5g", "0.5", "99999999999999999999"}) {
    EXPECT_THAT(ParseMemory(wrong).error().message(), HasSubstr("expected memory")) << wrong;
  }
}

TEST(FlagValuesTest, AUlimitHasOneOrTwoNumbers) {
  runtime::Ulimit both = ParseUlimit("nofile=1024:4096").value();
  EXPECT_EQ(both.name, "nofile");
  EXPECT_EQ(both.soft_limit, 1024);
  EXPECT_EQ(both.hard_limit, 4096);
  EXPECT_EQ(ParseUlimit("core=unlimited").value().hard_limit, -1);
  EXPECT_EQ(ParseUlimit("nproc=7").value().hard_limit, 7);
  EXPECT_THAT(ParseUlimit("files=1").error().message(), HasSubstr("no such limit 'files'"));
  EXPECT_THAT(ParseUlimit("nofile=1:x").error().message(), HasSubstr("got 'nofile=1:x'"));
  EXPECT_THAT(ParseUlimit("nofile").error().message(), HasSubstr("expected a limit"));
}

TEST(FlagValuesTest, APublishedPortLeadsFromTheHostToTheContainer) {
  runtime::PublishedPortPlan tcp = ParsePublish("8080:80").value();
  EXPECT_EQ(tcp.host_port, 8080);
  EXPECT_EQ(tcp.container_port, 80);
  EXPECT_EQ(tcp.protocol, runtime::Protocol::kTcp);
  EXPECT_EQ(ParsePublish("53:5353/udp").value().protocol, runtime::Protocol::kUdp);
  for (const char* wrong : {"80", "0:80", "80:0", "80:65536", "80:80/sctp", ":80", "1:2:3"}) {
    EXPECT_FALSE(ParsePublish(wrong).ok()) << wrong;
  }
}

TEST(FlagValuesTest, ADurationIsASumOfUnits) {
  EXPECT_EQ(ParseDuration("90s").value(), seconds(90));
  EXPECT_EQ(ParseDuration("2h30m").value(), minutes(150));
  EXPECT_EQ(ParseDuration("500ms").value(), milliseconds(500));
  EXPECT_EQ(ParseDuration("15").value(), seconds(15));
  for (const char* wrong : {"", "h", "1h30", "5x", "-5m", "1 m", "9999999999d"}) {
    EXPECT_FALSE(ParseDuration(wrong).ok()) << wrong;
  }
}

TEST(FlagValuesTest, SinceIsADurationAgoOrATime) {
  constexpr int64_t kSecond = 1'000'000'000;
  EXPECT_EQ(ParseSince("5m", 1000 * kSecond).value(), 700 * kSecond);
  EXPECT_EQ(ParseSince("1970-01-02T00:00:00Z", 0).value(), 86'400 * kSecond);
  EXPECT_EQ(ParseSince("1970-01-02T00:00:00.25Z", 0).value(), 86'400 * kSecond + kSecond / 4);
  EXPECT_EQ(ParseSince("1970-01-02T02:00:00+02:00", 0).value(), 86'400 * kSecond);
  for (const char* wrong : {"yesterday", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00",
                            "2026-01-01T00:00:00+2", "9999-01-01T00:00:00Z"}) {
    EXPECT_THAT(ParseSince(wrong, 0).error().message(), HasSubstr("expected a duration")) << wrong;
  }
}

}  // namespace
}  // namespace skiff::tools
