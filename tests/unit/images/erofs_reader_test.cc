#include "images/erofs_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "images/erofs_format.h"
#include "images/erofs_tree.h"
#include "images/erofs_writer.h"
#include "images/unpack.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "tests/support/memory_source.h"
#include "tests/support/tar_builder.h"

namespace skiff::images {
namespace {

using test::MemorySource;
using test::TarBuilder;
using testing::ElementsAre;
using testing::HasSubstr;

class ErofsReaderTest : public testing::Test {
 protected:
  void Make(const TarBuilder& builder) {
    std::string bytes = builder.Finish();
    tar_ = sys::MakeMemoryFile(bytes).value();
    image_ = sys::MakeMemoryFile("").value();
    MemorySource source(bytes);
    ErofsTree tree(image_.get());
    ASSERT_TRUE(UnpackLayer(&source, &tree, [] {
                  return Result<std::vector<std::unique_ptr<LowerLayer>>>({});
                }).ok());
    size_ = WriteErofs(&tree, tar_.get(), bytes.size()).value();
    EXPECT_EQ(static_cast<uint64_t>(sys::StatFd(image_.get()).value().st_size), size_);
  }
  static UniqueFd Again(const UniqueFd& file) {
    return sys::Open(AT_FDCWD, "/proc/self/fd/" + std::to_string(file.get()), O_RDONLY).value();
  }
  Result<std::unique_ptr<ErofsReader>> Open() const {
    return ErofsReader::Open(Again(image_), Again(tar_));
  }
  std::string ByteAt(uint64_t offset) const {
    char byte = 0;
    EXPECT_EQ(sys::ReadAt(image_.get(), &byte, 1, offset).value(), 1u);
    return std::string(1, byte);
  }
  void Put(uint64_t offset, const std::string& bytes) const {
    ASSERT_TRUE(sys::WriteAllAt(image_.get(), bytes, offset).ok());
  }

  UniqueFd tar_;
  UniqueFd image_;
  uint64_t size_ = 0;
};

TarBuilder SmallTar() {
  return TarBuilder()
      .Directory("d/", 0711)
      .Add({.name = "d/file",
            .content = std::string(1000, 'c'),
            .mode = 04755,
            .uid = 70'000,
            .pax = {{"SCHILY.xattr.user.note", "value"}, {"mtime", "-1.5"}}})
      .HardLink("d/link", "d/file")
      .Symlink("soft", "d/file")
      .File("empty");
}

TEST_F(ErofsReaderTest, FindsWhatTheTarSays) {
  Make(SmallTar());
  std::unique_ptr<ErofsReader> reader = Open().value();
  EXPECT_TRUE(reader->Check().ok());
  EXPECT_THAT(reader->ListDirectory("").value(), ElementsAre("d", "empty", "soft"));
  struct stat file = reader->Stat("d/file").value();
  EXPECT_EQ(file.st_mode, S_IFREG | 04755u);
  EXPECT_EQ(file.st_uid, 70'000u);
  EXPECT_EQ(file.st_size, 1000);
  EXPECT_EQ(file.st_nlink, 2u);
  EXPECT_EQ(file.st_mtim.tv_sec, -2);
  EXPECT_EQ(file.st_mtim.tv_nsec, 500'000'000);
  EXPECT_EQ(reader->Stat("d/link").value().st_ino, file.st_ino);
  EXPECT_EQ(reader->GetXattr("d/file", "user.note").value(), "value");
  EXPECT_EQ(reader->ReadLink("soft").value(), "d/file");
  EXPECT_EQ(test::ReadToEnd(reader->OpenFile("d/file").value().get()).value(),
            std::string(1000, 'c'));
  EXPECT_EQ(test::ReadToEnd(reader->OpenFile("empty").value().get()).value(), "");
  EXPECT_EQ(reader->Stat("d/none").error().sys_errno(), ENOENT);
  EXPECT_EQ(reader->Stat("soft/none").error().sys_errno(), ENOTDIR);
}

TEST_F(ErofsReaderTest, ContentStaysInTheTar) {
  Make(SmallTar());
  std::string image(size_, '\0');
  ASSERT_EQ(sys::ReadAt(image_.get(), image.data(), size_, 0).value(), size_);
  EXPECT_EQ(image.find("cccc"), std::string::npos);
  EXPECT_LT(size_, 4096u);
}

TEST_F(ErofsReaderTest, ASuperblockThatChangedIsNone) {
  Make(SmallTar());
  for (uint64_t offset = erofs::kSuperOffset; offset < erofs::kDataStart; ++offset) {
    std::string before = ByteAt(offset);
    Put(offset, std::string(1, static_cast<char>(before[0] ^ 1)));
    EXPECT_FALSE(Open().ok()) << offset;
    Put(offset, before);
  }
  EXPECT_TRUE(Open().ok());
}

// Nothing worse than an error comes of it.
TEST_F(ErofsReaderTest, AnyByteMayChange) {
  Make(SmallTar());
  size_t found = 0;
  for (uint64_t offset = erofs::kDataStart; offset < size_; ++offset) {
    std::string before = ByteAt(offset);
    for (int change : {1, 0x80, 0xff}) {
      Put(offset, std::string(1, static_cast<char>(before[0] ^ change)));
      Result<std::unique_ptr<ErofsReader>> reader = Open();
      ASSERT_TRUE(reader.ok());
      Result<> checked = reader.value()->Check();
      found += checked.ok() ? 0 : 1;
      std::string words = checked.ok() ? "damaged" : checked.error().message();
      EXPECT_THAT(words, HasSubstr("damaged"));
      auto file = reader.value()->OpenFile("d/file");
      if (file.ok()) test::ReadToEnd(file.value().get()).ValueOr("");
      reader.value()->ListXattrs("d/file").ValueOr({});
      reader.value()->ReadLink("soft").ValueOr("");
    }
    Put(offset, before);
  }
  EXPECT_GT(found, 300u);
}

TEST_F(ErofsReaderTest, ATarThatIsTooShortIsFound) {
  Make(SmallTar());
  ASSERT_TRUE(sys::Truncate(tar_.get(), 1024).ok());
  EXPECT_THAT(Open().error().message(), HasSubstr("its tar has another size"));
}

}  // namespace
}  // namespace skiff::images
