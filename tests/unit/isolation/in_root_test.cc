#include "isolation/in_root.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "isolation/sys/file.h"
#include "tests/support/temp_dir.h"

namespace skiff::isolation {
namespace {

using testing::HasSubstr;

class InRootTest : public testing::Test {
 protected:
  InRootTest() {
    sys::MakeDirectories(path_ + "/usr/lib", 0755).value();
    sys::WriteFile(AT_FDCWD, path_ + "/file", "x").value();
    fd_ = sys::OpenDirectory(AT_FDCWD, path_).value();
  }
  void Link(const std::string& name, const std::string& target) {
    sys::Symlink(target, fd_.get(), name).value();
  }
  // "/path" and, when not all of it is there, how many of its parts are.
  std::string Place(const std::string& path) {
    Result<InRootPath> place = ResolveInRoot(fd_.get(), path);
    if (!place.ok()) return place.error().message();
    return place.value().Text() +
           (place.value().exists() ? "" : " " + std::to_string(place.value().existing));
  }

  skiff::test::TempDir directory_;
  std::string path_ = directory_.path() + "/root";
  UniqueFd fd_;
};

TEST_F(InRootTest, WhatIsThereAndWhatIsNot) {
  EXPECT_EQ(Place("/"), "/");
  EXPECT_EQ(Place(""), "/");
  EXPECT_EQ(Place("//usr/./lib/"), "/usr/lib");
  EXPECT_EQ(Place("/usr/share/new"), "/usr/share/new 1");
  EXPECT_EQ(Place("/usr/share/../lib"), "/usr/lib");
  EXPECT_EQ(Place("/file"), "/file");
  EXPECT_TRUE(S_ISREG(ResolveInRoot(fd_.get(), "/file").value().mode));
  EXPECT_TRUE(S_ISDIR(ResolveInRoot(fd_.get(), "/usr/new").value().mode));
}

TEST_F(InRootTest, NothingLeadsOut) {
  Link("up", "../../../../usr");
  Link("absolute", "/usr/lib");
  Link("outside", directory_.path() + "/secret");
  sys::WriteFile(AT_FDCWD, directory_.path() + "/secret", "x").value();
  Link("magic", "/proc/self/root");
  EXPECT_EQ(Place("/../../usr"), "/usr");
  EXPECT_EQ(Place("/up/lib"), "/usr/lib");
  EXPECT_EQ(Place("/absolute/.."), "/usr");
  EXPECT_EQ(Place("/outside"), directory_.path() + "/secret 0");
  EXPECT_EQ(Place("/magic/etc"), "/proc/self/root/etc 0");
  EXPECT_EQ(Place("/nowhere/../../../usr/lib"), "/usr/lib");
}

TEST_F(InRootTest, LinksThatLeadNowhereAreFollowedAllTheSame) {
  Link("run", "usr/run");
  Link("conf", "../run/resolve/conf");
  EXPECT_EQ(Place("/conf"), "/usr/run/resolve/conf 1");
}

TEST_F(InRootTest, LoopsAndFilesOnTheWayAreErrors) {
  Link("a", "b");
  Link("b", "a/x");
  Link("to-file", "file");
  EXPECT_THAT(Place("/a/c"), HasSubstr("path /a/c: too"));
  EXPECT_EQ(Place("/file/x"), "path /file/x: not a directory");
  EXPECT_EQ(Place("/to-file/.."), "path /to-file/..: not a directory");
  EXPECT_THAT(Place(std::string(5000, '/') + "a/b"), HasSubstr("too"));
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "/x";
  EXPECT_THAT(Place(deep), HasSubstr("too long"));
}

}  // namespace
}  // namespace skiff::isolation
