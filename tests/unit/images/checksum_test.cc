#include "images/checksum.h"

#include <gtest/gtest.h>

#include <string>

namespace skiff::images {
namespace {

// "123456789": what every catalogue of these checks gives as their value.
TEST(ChecksumTest, KnownValues) {
  EXPECT_EQ(~Crc32c("123456789", ~uint32_t{0}), 0xE3069283u);
  EXPECT_EQ(Crc64("123456789", 0), 0x995DC9BBDF1939FAu);
}

TEST(ChecksumTest, TablesAgreeWithIsaLWhateverThePieces) {
  std::string bytes;
  for (unsigned i = 0; i < 5000; ++i) bytes += static_cast<char>(i * i + i / 7);
  for (size_t cut : {size_t{0}, size_t{1}, size_t{63}, size_t{4097}, bytes.size()}) {
    std::string_view head = std::string_view(bytes).substr(0, cut);
    std::string_view tail = std::string_view(bytes).substr(cut);
    EXPECT_EQ(Crc32cByTable(tail, Crc32cByTable(head, 7)), Crc32c(bytes, 7));
    EXPECT_EQ(Crc64ByTable(tail, Crc64ByTable(head, 0)), Crc64(bytes, 0));
    EXPECT_EQ(Crc64(tail, Crc64(head, 0)), Crc64(bytes, 0));
  }
}

}  // namespace
}  // namespace skiff::images
