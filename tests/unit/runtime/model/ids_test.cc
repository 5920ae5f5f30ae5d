#include "runtime/model/ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skiff::runtime {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

constexpr std::string_view kHex = "0123456789abcdef0123456789abcdef";

TEST(TaskIdTest, OnlyThirtyTwoLowerCaseHexDigitsAreATaskId) {
  EXPECT_EQ(TaskId::Parse(kHex).value().text(), kHex);
  for (std::string_view bad :
       {"", "0123", "0123456789ABCDEF0123456789ABCDEF", "../../../../../../../../../etc/x",
        "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef0"}) {
    Result<TaskId> id = TaskId::Parse(bad);
    ASSERT_FALSE(id.ok()) << bad;
    EXPECT_EQ(id.error().code(), Code::kInvalid);
    EXPECT_THAT(id.error().message(), HasSubstr("is not 32 lower-case hex digits"));
  }
}

TEST(TaskIdTest, GeneratedIdsParseAndDiffer) {
  TaskId one = TaskId::Generate();
  EXPECT_EQ(TaskId::Parse(one.text()).value(), one);
  EXPECT_NE(one, TaskId::Generate());
}

TEST(ContainerRuntimeIdTest, IsTheTaskIdAndTenDigitsThatNeverChange) {
  TaskId id = TaskId::Parse(kHex).value();
  EXPECT_THAT(ContainerRuntimeId(id, "web"), MatchesRegex("[0-9a-f]{32}-[0-9]{10}"));
  EXPECT_NE(ContainerRuntimeId(id, "web"), ContainerRuntimeId(id, "sidecar"));
  // Written into state that outlives a program: a new value here would orphan it.
  EXPECT_EQ(ContainerRuntimeId(id, "web"), "0123456789abcdef0123456789abcdef-1989663647");
}

}  // namespace
}  // namespace skiff::runtime
