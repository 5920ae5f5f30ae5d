#include "images/background_hash.h"

#include <gtest/gtest.h>

#include <string>

#include "images/limits.h"
#include "tests/support/memory_source.h"

namespace skiff::images {
namespace {

TEST(BackgroundHashTest, TheDigestIsThatOfAllPieces) {
  for (size_t size :
       {size_t{0}, size_t{1}, size_t{kHashedInline}, size_t{kHashedInline} + 1, size_t{5 << 20}}) {
    std::string content(size, 'x');
    for (size_t i = 0; i < size; i += 1000) content[i] = static_cast<char>(i / 1000);
    test::MemorySource input(content, 100'000);
    BackgroundHashingSource source(&input, Bytes::MiB(16));
    std::string read;
    for (;;) {
      std::string_view piece = source.Next().value();
      if (piece.empty()) break;
      read += piece;
    }
    EXPECT_EQ(read, content);
    EXPECT_EQ(source.count(), size);
    EXPECT_EQ(source.Finish(), Sha256::Of(content)) << size;
  }
}

TEST(BackgroundHashTest, ALimitEndsIt) {
  test::MemorySource input(std::string(3 << 20, 'x'), 100'000);
  BackgroundHashingSource source(&input, Bytes::MiB(2));
  Result<> drained = Drain(&source);
  ASSERT_FALSE(drained.ok());
  EXPECT_EQ(drained.error().code(), Code::kExhausted);
}

TEST(BackgroundHashTest, AReaderMayLeaveInTheMiddle) {
  test::MemorySource input(std::string(3 << 20, 'x'), 100'000);
  BackgroundHashingSource source(&input, Bytes::MiB(16));
  while (source.count() <= kHashedInline) ASSERT_TRUE(source.Next().ok());
}

}  // namespace
}  // namespace skiff::images
