#include "images/unpack_program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace skiff::images {
namespace {

TEST(UnpackAnswerTest, ALayerComesBackAsItWas) {
  PlainLayer layer;
  layer.diff_id = Sha256::Of("tar");
  layer.plain_size = 10240;
  layer.compression = Compression::kZstd;
  layer.unpacked = {.entries = 3, .size = 700, .refused_xattrs = 1, .relies_on_lower = true};
  PlainLayer back = DecodeAnswer(EncodeAnswer(layer)).value();
  EXPECT_EQ(back.diff_id, layer.diff_id);
  EXPECT_EQ(back.plain_size, layer.plain_size);
  EXPECT_EQ(back.compression, layer.compression);
  EXPECT_EQ(back.unpacked.entries, 3U);
  EXPECT_EQ(back.unpacked.size, 700U);
  EXPECT_EQ(back.unpacked.refused_xattrs, 1U);
  EXPECT_TRUE(back.unpacked.relies_on_lower);
}

TEST(UnpackAnswerTest, AnErrorKeepsItsCodeAndOneLine) {
  Result<PlainLayer> error = Error(Code::kInvalid, "entry 'a\nb': no\nlayer sha256:");
  std::string line = EncodeAnswer(error);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  Result<PlainLayer> back = DecodeAnswer(line);
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().code(), Code::kInvalid);
  EXPECT_EQ(back.error().message(), "entry 'a?b': no?layer sha256:");
}

// The process on the other side may have been taken over by what it read.
TEST(UnpackAnswerTest, NonsenseIsAnError) {
  std::string good = EncodeAnswer(PlainLayer{});
  ASSERT_TRUE(DecodeAnswer(good).ok());
  for (const std::string& line : std::vector<std::string>{
           "", "\n", "layer\n", good.substr(0, good.size() - 1), "error 99 x\n", "error 0\n",
           good.substr(0, good.size() - 2) + "2\n", good.substr(0, good.size() - 1) + " 1\n",
           "layer md5:00 1 1 1 1 1 1\n", good.substr(0, good.size() - 4) + " -1 0\n"}) {
    EXPECT_FALSE(DecodeAnswer(line).ok()) << line;
  }
}

}  // namespace
}  // namespace skiff::images
