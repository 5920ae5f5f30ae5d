#include "isolation/base/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skiff {
namespace {

using testing::ElementsAre;

TEST(TextTest, ParseUintTakesDigitsOnly) {
  EXPECT_EQ(ParseUint("0"), 0U);
  EXPECT_EQ(ParseUint("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", "-1", "+0", " 0", "0 ", "0x0", "1e3", "18446744073709551616"}) {
    EXPECT_EQ(ParseUint(bad), std::nullopt) << bad;
  }
}

TEST(TextTest, ParseUintRefusesWhatIsAboveTheMaximum) {
  EXPECT_EQ(ParseUint("255", 255), 255U);
  EXPECT_EQ(ParseUint("256", 255), std::nullopt);
}

TEST(TextTest, SplitKeepsEmptyPieces) {
  EXPECT_THAT(Split("a,,b", ','), ElementsAre("a", "", "b"));
  EXPECT_THAT(Split("", ','), ElementsAre(""));
}

TEST(TextTest, TrimSpaceTakesBothEnds) {
  EXPECT_EQ(TrimSpace(" \t a b\r\n"), "a b");
  EXPECT_EQ(TrimSpace(" \n"), "");
}

TEST(TextTest, RandomHexIsAsLongAsAskedAndDiffers) {
  EXPECT_EQ(RandomHex(16).size(), 32U);
  EXPECT_EQ(RandomHex(100).size(), 200U);
  EXPECT_NE(RandomHex(16), RandomHex(16));
}

}  // namespace
}  // namespace skiff
