#include "images/decompress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/memory_source.h"
#include "tests/support/tar_builder.h"

namespace skiff::images {
namespace {

using test::Gzip;
using test::MemorySource;
using test::Zstd;
using testing::AnyOf;
using testing::HasSubstr;

// Long enough for several pieces, and not too easy to compress.
std::string Sample() {
  std::string text;
  for (unsigned i = 0; text.size() < 900'000; ++i) text += std::to_string(i * 2654435761u) + ",";
  return text;
}

Result<std::string> DecompressBy(bool by_zlib, const std::string& packed, size_t piece) {
  MemorySource source(packed, piece);
  std::unique_ptr<DecompressedSource> plain = TRY(DecompressedSource::Open(&source, by_zlib));
  return test::ReadToEnd(plain.get());
}

// By whichever inflater is built in, which zlib agrees with in everything but the words.
Result<std::string> Decompress(const std::string& packed, size_t piece = SIZE_MAX) {
  Result<std::string> plain = DecompressBy(false, packed, piece);
  Result<std::string> by_zlib = DecompressBy(true, packed, piece);
  EXPECT_EQ(plain.ok(), by_zlib.ok());
  bool are_same = !plain.ok() || !by_zlib.ok() || plain.value() == by_zlib.value();
  EXPECT_TRUE(are_same);
  return plain;
}

TEST(DecompressTest, EveryFormatComesOutWhole) {
  std::string sample = Sample();
  for (const std::string& packed : {sample, Gzip(sample), Zstd(sample)}) {
    for (size_t piece : {size_t{100}, size_t{4096}, SIZE_MAX}) {
      Result<std::string> plain = Decompress(packed, piece);
      ASSERT_TRUE(plain.ok()) << plain.error().message();
      EXPECT_TRUE(plain.value() == sample);
    }
  }
}

TEST(DecompressTest, ConcatenatedMembersAndFramesAreOneStream) {
  std::string sample = Sample();
  std::string skippable("\x50\x2a\x4d\x18\x03\x00\x00\x00xyz", 11);
  for (size_t piece : {size_t{7}, size_t{1000}, SIZE_MAX}) {
    EXPECT_TRUE(Decompress(Gzip("head ") + Gzip("") + Gzip(sample), piece).value() ==
                "head " + sample);
    EXPECT_TRUE(Decompress(skippable + Zstd("head ") + skippable + Zstd(sample), piece).value() ==
                "head " + sample);
  }
}

// libzstd reads what its versions before 1.0 wrote, with decoders of that time.
TEST(DecompressTest, FramesOfZstdsOldFormatsAreRefusedBehindOthersToo) {
  for (char version = '\x22'; version <= '\x27'; ++version) {
    std::string old = std::string(1, version) + "\xb5\x2f\xfd";
    for (size_t piece : {size_t{16}, SIZE_MAX}) {
      Result<std::string> plain = Decompress(Zstd("x") + old + std::string(20, '\0'), piece);
      ASSERT_FALSE(plain.ok());
      EXPECT_THAT(plain.error().message(), HasSubstr("zstd: what follows a frame is no frame"));
    }
  }
}

TEST(DecompressTest, EmptyStreamsAreEmpty) {
  EXPECT_EQ(Decompress("").value(), "");
  EXPECT_EQ(Decompress(Gzip("")).value(), "");
  EXPECT_EQ(Decompress(Zstd("")).value(), "");
}

TEST(DecompressTest, EveryTruncationIsAnError) {
  for (const std::string& packed : {Gzip("some text to cut"), Zstd("some text to cut")}) {
    for (size_t size = 4; size < packed.size(); ++size) {
      EXPECT_FALSE(Decompress(packed.substr(0, size)).ok()) << size;
    }
  }
}

TEST(DecompressTest, DamageAndGarbageBehindTheEndAreErrors) {
  std::string packed = Gzip(Sample());
  packed[packed.size() - 6] ^= 1;  // of the checksum
  EXPECT_THAT(Decompress(packed).error().message(),
              AnyOf(HasSubstr("gzip: a wrong checksum"), HasSubstr("gzip: incorrect data check")));
  EXPECT_THAT(Decompress(Gzip("x") + "garbage").error().message(),
              HasSubstr("gzip: garbage after the end"));
  EXPECT_THAT(Decompress(Zstd("x") + "garbage").error().message(), HasSubstr("zstd: "));
  EXPECT_FALSE(Decompress(Gzip("x") + "\x1f\x8c").ok());
}

TEST(DecompressTest, WindowAboveTheLimitIsRefused) {
  // A frame header that asks for a window of 2^30 bytes: descriptor 0, exponent 20.
  std::string frame("\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00", 9);
  EXPECT_THAT(Decompress(frame).error().message(),
              HasSubstr("zstd: its window is larger than 32 MiB"));
  // 2^25 is taken: descriptor 0, exponent 15; then an empty last block.
  EXPECT_EQ(Decompress(std::string("\x28\xb5\x2f\xfd\x00\x78\x01\x00\x00", 9)).value(), "");
}

TEST(DecompressTest, FormatsThatAreNotReadAreNamed) {
  EXPECT_THAT(Decompress(std::string("\xfd\x37zXZ\0rest", 10)).error().message(), HasSubstr("xz"));
  EXPECT_THAT(Decompress("BZh91AY").error().message(), HasSubstr("bzip2"));
}

}  // namespace
}  // namespace skiff::images
