#include "images/registry/headers.h"

#include <gtest/gtest.h>

namespace skiff::images::registry {
namespace {

using std::chrono::seconds;

TEST(HeadersTest, RetryAfterIsSecondsOrADate) {
  EXPECT_EQ(ParseRetryAfter("0", 0), seconds(0));
  EXPECT_EQ(ParseRetryAfter(" 120 ", 0), seconds(120));
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:37 GMT", 784111770), seconds(7));
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:37 GMT", 784111790), seconds(0));
  EXPECT_EQ(ParseRetryAfter("18446744073709551615", 0), seconds(1'000'000));
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 9994 08:49:37 GMT", 0), seconds(1'000'000));
  for (const char* text : {"", "soon", "-1", "1.5", "+3", "18446744073709551616",
                           "Sun, 06 Nov 1994 08:49:37 GMT, or later", "Sun, 06 Nov 1994"}) {
    EXPECT_EQ(ParseRetryAfter(text, 0), std::nullopt) << text;
  }
}

TEST(HeadersTest, ContentRangeSaysWhatCame) {
  EXPECT_EQ(ParseContentRange("bytes 5-9/10"), (ContentRange{5, 9, 10}));
  EXPECT_EQ(ParseContentRange("bytes 0-0/*"), (ContentRange{0, 0, std::nullopt}));
  for (const char* text : {"", "bytes", "bytes 5-9", "bytes */10", "bytes 9-5/10", "bytes 5-10/10",
                           "items 5-9/10", "bytes 5-9/ten", "bytes -9/10", "bytes 5-/10",
                           "bytes 5-9/10/11", "bytes 5/9-10", "bytes 99999999999999999999-9/10"}) {
    EXPECT_EQ(ParseContentRange(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace skiff::images::registry
