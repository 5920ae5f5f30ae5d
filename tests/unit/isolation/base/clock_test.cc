#include "isolation/base/clock.h"

#include <gtest/gtest.h>

namespace skiff {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(ClockTest, TimesAreWrittenInUtcWithNanoseconds) {
  EXPECT_EQ(FormatRfc3339(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(FormatRfc3339(951'868'799 * kSecond + 7), "2000-02-29T23:59:59.000000007Z");
  EXPECT_EQ(FormatRfc3339(1'798'761'600 * kSecond - 1), "2026-12-31T23:59:59.999999999Z");
  EXPECT_EQ(FormatRfc3339(-1), "1969-12-31T23:59:59.999999999Z");
}

}  // namespace
}  // namespace skiff
