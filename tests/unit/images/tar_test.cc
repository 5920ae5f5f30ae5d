#include "images/tar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "images/limits.h"
#include "tests/support/memory_source.h"
#include "tests/support/tar_builder.h"

namespace skiff::images {
namespace {

using test::MemorySource;
using test::TarBuilder;
using test::TarItem;
using testing::HasSubstr;

struct ReadEntry {
  TarEntry entry;
  std::string content;  // holes as zeros
};

Result<std::vector<ReadEntry>> ReadTar(const std::string& bytes, size_t piece = SIZE_MAX) {
  MemorySource source(bytes, piece);
  TarReader reader(&source);
  std::vector<ReadEntry> entries;
  for (;;) {
    ReadEntry read;
    bool is_there = TRY(reader.Next(&read.entry));
    if (!is_there) return entries;
    for (;;) {
      TarData data = TRY(reader.ReadData());
      if (data.bytes.empty()) break;
      read.content.resize(static_cast<size_t>(data.offset));
      read.content += data.bytes;
    }
    entries.push_back(std::move(read));
  }
}

ReadEntry ReadOne(const std::string& bytes) {
  Result<std::vector<ReadEntry>> entries = ReadTar(bytes);
  EXPECT_TRUE(entries.ok()) << entries.error().message();
  EXPECT_EQ(entries.value().size(), 1u);
  return std::move(entries).value().at(0);
}

std::string ErrorOf(const std::string& bytes) {
  Result<std::vector<ReadEntry>> entries = ReadTar(bytes);
  return entries.ok() ? "no error" : entries.error().message();
}

TEST(TarTest, EntriesComeOutInOrderWhateverThePieces) {
  std::string tar = TarBuilder()
                        .Directory("d/", 01777)
                        .File("d/f", std::string(1300, 'x'))
                        .Symlink("s", "d/f")
                        .HardLink("h", "d/f")
                        .Finish();
  for (size_t piece : {size_t{1}, size_t{511}, size_t{513}, SIZE_MAX}) {
    std::vector<ReadEntry> entries = ReadTar(tar, piece).value();
    ASSERT_EQ(entries.size(), 4u);
    EXPECT_EQ(entries[0].entry.type, TarType::kDirectory);
    EXPECT_EQ(entries[0].entry.mode, 01777u);
    EXPECT_EQ(entries[1].content, std::string(1300, 'x'));
    EXPECT_EQ(entries[1].entry.mtime.tv_sec, 1'000'000'000);
    EXPECT_EQ(entries[2].entry.type, TarType::kSymlink);
    EXPECT_EQ(entries[2].entry.link_target, "d/f");
    EXPECT_EQ(entries[3].entry.type, TarType::kHardLink);
  }
}

TEST(TarTest, LongNamesOfEveryKind) {
  std::string name = std::string(120, 'n') + "/" + std::string(200, 'm');
  std::string target(3000, 't');
  std::string by_pax =
      TarBuilder()
          .Add({.name = "short", .type = '2', .pax = {{"path", name}, {"linkpath", target}}})
          .Finish();
  std::string by_gnu = TarBuilder()
                           .Add({.name = "././@LongLink", .type = 'L', .content = name + '\0'})
                           .Add({.name = "././@LongLink", .type = 'K', .content = target + '\0'})
                           .Add({.name = "short", .type = '2'})
                           .Finish();
  for (const std::string& tar : {by_pax, by_gnu}) {
    ReadEntry read = ReadOne(tar);
    EXPECT_EQ(read.entry.name, name);
    EXPECT_EQ(read.entry.link_target, target);
  }
}

TEST(TarTest, UstarPrefixJoinsTheName) {
  std::string block = TarBuilder().Header({.name = "name"}, 0).open();
  block.replace(345, 6, "prefix");
  // Six letters more in the checksum.
  unsigned sum = static_cast<unsigned>(std::stoul(block.substr(148, 6), nullptr, 8));
  for (char c : std::string("prefix")) sum += static_cast<unsigned char>(c);
  char digits[8];
  snprintf(digits, sizeof(digits), "%06o", sum);
  block.replace(148, 6, digits, 6);
  EXPECT_EQ(ReadOne(block).entry.name, "prefix/name");
}

TEST(TarTest, NamesAboveTheLimitAreRefused) {
  std::string name(kMaxTarName + 1, 'x');
  EXPECT_THAT(ErrorOf(TarBuilder().Add({.name = "x", .pax = {{"path", name}}}).Finish()),
              HasSubstr("a name is longer than 4096 bytes"));
  EXPECT_THAT(
      ErrorOf(TarBuilder().Add({.name = "x", .type = 'L', .content = name + "yz"}).Finish()),
      HasSubstr("a GNU long name is longer"));
  EXPECT_THAT(
      ErrorOf(TarBuilder().Add({.name = "x", .pax = {{"path", std::string("a\0b", 3)}}}).Finish()),
      HasSubstr("has a NUL"));
}

TEST(TarTest, HugePaxHeaderIsRefusedUnread) {
  EXPECT_THAT(ErrorOf(TarBuilder().Header({.name = "x", .type = 'x'}, 1 << 30).open()),
              HasSubstr("a PAX header is longer than 1048576 bytes"));
}

TEST(TarTest, GlobalHeaderHoldsUntilAnotherReplacesIt) {
  TarBuilder tar;
  std::string global = test::PaxBody({{"comment", "hello"}, {"uid", "7"}});
  tar.Header({.name = "g", .type = 'g'}, global.size()).Raw(global).Pad();
  tar.File("a").Add({.name = "b", .pax = {{"uid", "8"}}}).File("c");
  std::vector<ReadEntry> entries = ReadTar(tar.Finish()).value();
  EXPECT_EQ(entries[0].entry.uid, 7u);
  EXPECT_EQ(entries[1].entry.uid, 8u);
  EXPECT_EQ(entries[2].entry.uid, 7u);
}

TEST(TarTest, NumbersTooBigForOctal) {
  EXPECT_EQ(ReadOne(TarBuilder().Add({.name = "x", .uid = 3'000'000'000}).Finish()).entry.uid,
            3'000'000'000u);
  EXPECT_EQ(
      ReadOne(TarBuilder().Add({.name = "x", .pax = {{"gid", "4294967294"}}}).Finish()).entry.gid,
      4294967294u);
  EXPECT_EQ(ReadOne(TarBuilder().Add({.name = "x", .mtime = -5}).Finish()).entry.mtime.tv_sec, -5);
  EXPECT_EQ(
      ReadOne(TarBuilder().Add({.name = "x", .mtime = 1LL << 40}).Finish()).entry.mtime.tv_sec,
      1LL << 40);
}

// A uid of 2^32 must not become root.
TEST(TarTest, IdsOutOfRangeAreRefused) {
  for (uint64_t id : {uint64_t{1} << 32, (uint64_t{1} << 32) - 1, uint64_t{1} << 40}) {
    EXPECT_THAT(ErrorOf(TarBuilder().Add({.name = "x", .uid = id}).Finish()),
                HasSubstr("uid " + std::to_string(id) + " is out of range"));
    std::string text = std::to_string(id);
    EXPECT_THAT(ErrorOf(TarBuilder().Add({.name = "x", .pax = {{"gid", text}}}).Finish()),
                HasSubstr("gid " + text + " is out of range"));
  }
  EXPECT_THAT(ErrorOf(TarBuilder().Add({.name = "x", .pax = {{"uid", "-1"}}}).Finish()),
              HasSubstr("PAX uid '-1' is not a number"));
}

TEST(TarTest, TimesToTheNanosecondAndBeforeTheEpoch) {
  auto time_of = [](const std::string& text) {
    return ReadOne(TarBuilder().Add({.name = "x", .pax = {{"mtime", text}}}).Finish()).entry.mtime;
  };
  EXPECT_EQ(time_of("12.123456789").tv_nsec, 123456789);
  EXPECT_EQ(time_of("12.5").tv_nsec, 500000000);
  EXPECT_EQ(time_of("12.1234567899999").tv_nsec, 123456789);
  EXPECT_EQ(time_of("-1.25").tv_sec, -2);
  EXPECT_EQ(time_of("-1.25").tv_nsec, 750000000);
  for (const char* text : {"nan", "1e9", "99999999999999999999", "1.2.3", ".", "- 1", "1,5"}) {
    EXPECT_THAT(ErrorOf(TarBuilder().Add({.name = "x", .pax = {{"mtime", text}}}).Finish()),
                HasSubstr("PAX mtime '" + std::string(text) + "' is not a time"));
  }
}

TEST(TarTest, ExtendedAttributesKeepTheirBytes) {
  std::string value("\x01\0=\n\x02", 5);
  ReadEntry read =
      ReadOne(TarBuilder().Add({.name = "x", .pax = {{"SCHILY.xattr.user.a", value}}}).Finish());
  ASSERT_EQ(read.entry.xattrs.size(), 1u);
  EXPECT_EQ(read.entry.xattrs[0].first, "user.a");
  EXPECT_EQ(read.entry.xattrs[0].second, value);
}

TEST(TarTest, SparseFilesOfEveryPaxFormat) {
  std::string stored = "AAAABB";
  TarItem v00{.name = "x", .content = stored};
  v00.pax = {{"GNU.sparse.size", "20"},   {"GNU.sparse.numblocks", "2"},
             {"GNU.sparse.offset", "4"},  {"GNU.sparse.numbytes", "4"},
             {"GNU.sparse.offset", "12"}, {"GNU.sparse.numbytes", "2"}};
  TarItem v01{.name = "x", .content = stored};
  v01.pax = {{"GNU.sparse.size", "20"}, {"GNU.sparse.map", "4,4,12,2"}};
  std::string map = "2\n4\n4\n12\n2\n";
  map.resize(512);
  TarItem v10{.name = "GNUSparseFile.1/x", .content = map + stored};
  v10.pax = {{"GNU.sparse.major", "1"},
             {"GNU.sparse.minor", "0"},
             {"GNU.sparse.name", "x"},
             {"GNU.sparse.realsize", "20"}};
  for (const TarItem& item : {v00, v01, v10}) {
    ReadEntry read = ReadOne(TarBuilder().Add(item).Finish());
    EXPECT_EQ(read.entry.name, "x");
    EXPECT_EQ(read.entry.size, 20u);
    EXPECT_EQ(read.content, std::string("\0\0\0\0AAAA\0\0\0\0BB", 14));
  }
}

TEST(TarTest, SparseMapsThatDoNotAddUpAreRefused) {
  for (const char* map : {"4,4,2,2", "0,6,18,4", "0,7", "0,5", "0", "0,x", "18,6"}) {
    TarItem item{.name = "x", .content = "AAAABB"};
    item.pax = {{"GNU.sparse.size", "20"}, {"GNU.sparse.map", map}};
    EXPECT_NE(ErrorOf(TarBuilder().Add(item).Finish()), "no error") << map;
  }
}

TEST(TarTest, WrongChecksumIsAnError) {
  std::string tar = TarBuilder().File("x").Finish();
  tar[0] = 'y';
  EXPECT_THAT(ErrorOf(tar), HasSubstr("a tar header has a wrong checksum"));
  EXPECT_THAT(ErrorOf(std::string(2000, 'g')), HasSubstr("wrong checksum"));
}

TEST(TarTest, EveryTruncationInsideAnEntryIsAnError) {
  std::string tar = TarBuilder()
                        .Add({.name = "x", .content = std::string(600, 'c'), .pax = {{"uid", "1"}}})
                        .open();
  for (size_t size = 1; size < tar.size(); ++size) {
    EXPECT_NE(ErrorOf(tar.substr(0, size)), "no error") << size;
  }
}

TEST(TarTest, SizeWithoutABodyIsAnError) {
  EXPECT_THAT(ErrorOf(TarBuilder().Header({.name = "x"}, uint64_t{1} << 60).Raw("short").open()),
              HasSubstr("ends in the middle of an entry"));
}

TEST(TarTest, DataAfterASingleBlockOfZerosIsAnError) {
  std::string tar = TarBuilder().Raw(std::string(512, '\0')).File("hidden").Finish();
  EXPECT_THAT(ErrorOf(tar), HasSubstr("goes on after a block of zeros"));
}

TEST(TarTest, MalformedFieldsAreRefused) {
  for (const char* body :
       {"5 a=b", "99 a=b\n", "x a=b\n", "6 =ab\n", "6 aabb\n", "3 \n", " a=b\n"}) {
    std::string text(body);
    std::string tar = TarBuilder()
                          .Header({.name = "x", .type = 'x'}, text.size())
                          .Raw(text)
                          .Pad()
                          .File("f")
                          .Finish();
    EXPECT_THAT(ErrorOf(tar), HasSubstr("PAX header")) << body;
  }
  EXPECT_THAT(ErrorOf(TarBuilder().Add({.name = "x", .type = 'M'}).Finish()),
              HasSubstr("entry 'x' has the unknown type M"));
  EXPECT_THAT(ErrorOf(TarBuilder().Header({.name = "x", .type = 'x'}, 0).Finish()),
              HasSubstr("ends after an extended header"));
}

TEST(TarTest, LinksAndDirectoriesHaveNoContentWhateverTheySay) {
  std::string tar = TarBuilder().Header({.name = "d/", .type = '5'}, 4096).File("f", "x").Finish();
  EXPECT_EQ(ReadTar(tar).value().size(), 2u);
}

TEST(TarTest, SlashAtTheEndMakesAnOldFileADirectory) {
  for (char type : {'\0', '0', '7'}) {
    EXPECT_EQ(ReadOne(TarBuilder().Add({.name = "d/", .type = type}).Finish()).entry.type,
              TarType::kDirectory);
  }
}

}  // namespace
}  // namespace skiff::images
