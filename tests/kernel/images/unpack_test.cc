#include "images/unpack.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "images/layer_tree.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "tests/support/capability.h"
#include "tests/support/layout_builder.h"
#include "tests/support/memory_source.h"
#include "tests/support/tar_builder.h"
#include "tests/support/temp_dir.h"

namespace skiff::images {
namespace {

using test::MemorySource;
using test::TarBuilder;
using test::TarItem;

using testing::HasSubstr;

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class UnpackTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(test::MissingRoot());
    root_ = temp_.path() + "/layer";
    std::filesystem::create_directory(root_);
  }

  Result<UnpackedLayer> Unpack(const TarBuilder& tar, const std::vector<std::string>& lower = {}) {
    MemorySource source(tar.Finish(), 1000);
    UniqueFd directory = TRY(sys::OpenDirectory(AT_FDCWD, root_));
    return UnpackLayer(&source, directory.get(), lower);
  }
  void UnpackWell(const TarBuilder& tar, const std::vector<std::string>& lower = {}) {
    Result<UnpackedLayer> layer = Unpack(tar, lower);
    ASSERT_TRUE(layer.ok()) << layer.error().message();
    layer_ = layer.value();
  }
  // A directory that stands for a layer beneath, unpacked from a tar of its own.
  std::string Lower(const std::string& name, const TarBuilder& tar,
                    const std::vector<std::string>& lower = {}) {
    std::string path = temp_.path() + "/" + name;
    std::filesystem::create_directory(path);
    std::swap(root_, path);
    UnpackWell(tar, lower);
    std::swap(root_, path);
    return path;
  }

  std::string In(const std::string& path) const { return root_ + "/" + path; }
  struct stat StatOf(const std::string& path) const {
    struct stat info {};
    EXPECT_EQ(lstat(In(path).c_str(), &info), 0) << path;
    return info;
  }
  bool Exists(const std::string& path) const {
    struct stat info {};
    return lstat(In(path).c_str(), &info) == 0;
  }
  bool IsWhiteoutAt(const std::string& path) const {
    struct stat info {};
    return lstat(In(path).c_str(), &info) == 0 && IsWhiteout(info);
  }
  std::string XattrOf(const std::string& path, const char* name) const {
    char value[1024];
    ssize_t size = lgetxattr(In(path).c_str(), name, value, sizeof(value));
    return size < 0 ? "none" : std::string(value, static_cast<size_t>(size));
  }
  bool IsOpaque(const std::string& path) const { return XattrOf(path, kOpaqueXattr) == "y"; }

  test::TempDir temp_;
  std::string root_;
  UnpackedLayer layer_;
};

TEST_F(UnpackTest, FilesKeepContentOwnerModeAndTime) {
  UnpackWell(TarBuilder()
                 .Directory("usr/", 0750)
                 .Add({.name = "usr/su",
                       .content = "program",
                       .mode = 06755,
                       .uid = 12,
                       .gid = 34,
                       .pax = {{"mtime", "-5.000000001"}}})
                 .Add({.name = "usr/big", .uid = 3'000'000'000}));
  EXPECT_EQ(Slurp(In("usr/su")), "program");
  struct stat info = StatOf("usr/su");
  EXPECT_EQ(info.st_mode, S_IFREG | 06755u);
  EXPECT_EQ(info.st_uid, 12u);
  EXPECT_EQ(info.st_gid, 34u);
  EXPECT_EQ(info.st_mtim.tv_sec, -6);
  EXPECT_EQ(info.st_mtim.tv_nsec, 999'999'999);
  EXPECT_EQ(StatOf("usr/big").st_uid, 3'000'000'000u);
  EXPECT_EQ(StatOf("usr").st_mode, S_IFDIR | 0750u);
  // Although files were made in it later.
  EXPECT_EQ(StatOf("usr").st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(layer_.entries, 3u);
  EXPECT_EQ(layer_.size, 7u);
  EXPECT_FALSE(layer_.relies_on_lower);
}

TEST_F(UnpackTest, WhatTheTarLeavesOutIsTheSameEveryTime) {
  mode_t mask = umask(077);
  UnpackWell(TarBuilder().File("a/b/c"));
  umask(mask);
  for (const char* path : {"", "a", "a/b"}) {
    struct stat info = StatOf(path);
    EXPECT_EQ(info.st_mode, S_IFDIR | 0755u) << path;
    EXPECT_EQ(info.st_uid, 0u);
    EXPECT_EQ(info.st_mtim.tv_sec, 0);
  }
}

// What is made is mostly right from the start; here it is not.
TEST_F(UnpackTest, OwnersAndModesDoNotComeFromTheDirectoryOrTheProcess) {
  mode_t mask = umask(077);
  UnpackWell(TarBuilder()
                 .Add({.name = "staff/", .type = '5', .mode = 02775, .gid = 50})
                 .File("staff/file")
                 .Add({.name = "staff/below/", .type = '5', .mode = 0777})
                 .Add({.name = "late/", .type = '5', .mode = 0755})
                 .File("late/before")
                 .Add({.name = "late/", .type = '5', .mode = 02755, .gid = 50})
                 .File("late/after")
                 .Add({.name = "late/tmp/", .type = '5', .mode = 01777})
                 .Add({.name = "late/open", .mode = 0666})
                 .Add({.name = "late/su", .mode = 04755})
                 .Add({.name = "late/pipe", .type = '6', .mode = 0622})
                 .Add({.name = "late/link", .type = '2', .link = "su"}));
  EXPECT_EQ(umask(mask), 077u) << "the process has its umask back";
  for (const char* path : {"staff/file", "staff/below", "late/before", "late/after", "late/tmp",
                           "late/open", "late/su", "late/pipe", "late/link"}) {
    EXPECT_EQ(StatOf(path).st_gid, 0u) << path;
    EXPECT_EQ(StatOf(path).st_uid, 0u) << path;
  }
  EXPECT_EQ(StatOf("staff").st_mode, S_IFDIR | 02775u);
  EXPECT_EQ(StatOf("staff/below").st_mode, S_IFDIR | 0777u);
  EXPECT_EQ(StatOf("late/tmp").st_mode, S_IFDIR | 01777u);
  EXPECT_EQ(StatOf("late/open").st_mode, S_IFREG | 0666u);
  EXPECT_EQ(StatOf("late/su").st_mode, S_IFREG | 04755u);
  EXPECT_EQ(StatOf("late/pipe").st_mode, S_IFIFO | 0622u);
}

TEST_F(UnpackTest, DefaultAclsDoNotChangeModes) {
  // Version 2; user::rwx, group::---, other::---.
  const std::string acl(
      "\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff"
      "\x04\0\0\0\xff\xff\xff\xff\x20\0\0\0\xff\xff\xff\xff",
      28);
  UnpackWell(TarBuilder()
                 .Add({.name = "d/",
                       .type = '5',
                       .mode = 0755,
                       .pax = {{"SCHILY.xattr.system.posix_acl_default", acl}}})
                 .File("d/file"));
  if (layer_.refused_xattrs > 0) GTEST_SKIP() << "no ACLs on this file system";
  EXPECT_EQ(XattrOf("d", "system.posix_acl_default"), acl);
  EXPECT_EQ(StatOf("d/file").st_mode, S_IFREG | 0644u);
}

TEST_F(UnpackTest, NamesAreSpelledManyWays) {
  UnpackWell(TarBuilder()
                 .Add({.name = "./", .type = '5', .mode = 0711, .uid = 5})
                 .File("./one")
                 .File("//two")
                 .File("d//three")
                 .File("d/x/../four")
                 .File("Case")
                 .File("case")
                 .File("caf\xc3\xa9")
                 .File("cafe\xcc\x81"));
  for (const char* path :
       {"one", "two", "d/three", "d/four", "Case", "case", "caf\xc3\xa9", "cafe\xcc\x81"}) {
    EXPECT_TRUE(Exists(path)) << path;
  }
  EXPECT_EQ(StatOf("").st_mode, S_IFDIR | 0711u);
  EXPECT_EQ(StatOf("").st_uid, 5u);
}

TEST_F(UnpackTest, LastOfSeveralEntriesWins) {
  UnpackWell(TarBuilder()
                 .File("file", "old old old")
                 .File("file", "new")
                 .File("tree/deep/leaf")
                 .File("tree", "now a file")
                 .File("leaf")
                 .Directory("leaf/")
                 .Symlink("link", "nowhere")
                 .Directory("link/")
                 .Directory("kept/", 0700)
                 .File("kept/inside")
                 .Directory("kept/", 0711)
                 .File("parent", "no directory")
                 .File("parent/child")
                 .Symlink("turns", "file")
                 .File("turns", "a file itself"));
  EXPECT_EQ(Slurp(In("file")), "new");
  EXPECT_EQ(Slurp(In("tree")), "now a file");
  EXPECT_TRUE(S_ISDIR(StatOf("leaf").st_mode));
  EXPECT_TRUE(S_ISDIR(StatOf("link").st_mode));
  EXPECT_TRUE(Exists("kept/inside"));
  EXPECT_EQ(StatOf("kept").st_mode & 07777, 0711u);
  EXPECT_TRUE(Exists("parent/child"));
  EXPECT_EQ(Slurp(In("turns")), "a file itself");
  // What the file hid in the layers beneath stays hidden by the directory that took its place.
  EXPECT_TRUE(IsOpaque("leaf"));
  EXPECT_TRUE(IsOpaque("parent"));
}

TEST_F(UnpackTest, LinksDevicesAndFifos) {
  UnpackWell(
      TarBuilder()
          .File("file", "text")
          .HardLink("hard", "file")
          .HardLink("absolute", "/file")
          .Symlink("soft", "/etc/passwd")
          .HardLink("hard-soft", "soft")
          .HardLink("file", "file")
          .HardLink("hard", "file")
          .Add({.name = "null", .type = '3', .mode = 0666, .device_major = 1, .device_minor = 3})
          .Add({.name = "disk", .type = '4', .uid = 8, .device_major = 8, .device_minor = 300})
          .Add({.name = "pipe", .type = '6', .mode = 0640}));
  EXPECT_EQ(StatOf("file").st_ino, StatOf("hard").st_ino);
  EXPECT_EQ(StatOf("file").st_nlink, 3u);
  // A hard link to a symlink is one, and nothing it points to is touched.
  EXPECT_TRUE(S_ISLNK(StatOf("hard-soft").st_mode));
  EXPECT_EQ(StatOf("hard-soft").st_ino, StatOf("soft").st_ino);
  EXPECT_EQ(StatOf("soft").st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(StatOf("null").st_mode, S_IFCHR | 0666u);
  EXPECT_EQ(StatOf("null").st_rdev, makedev(1, 3));
  EXPECT_EQ(StatOf("disk").st_rdev, makedev(8, 300));
  EXPECT_EQ(StatOf("disk").st_uid, 8u);
  EXPECT_EQ(StatOf("pipe").st_mode, S_IFIFO | 0640u);
}

TEST_F(UnpackTest, AttributesAreKeptExceptThoseThatSteerTheHost) {
  std::string capability("\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  TarItem file{.name = "ping", .uid = 1};
  file.pax = {{"SCHILY.xattr.security.capability", capability},
              {"SCHILY.xattr.trusted.mine", "kept"},
              {"SCHILY.xattr.trusted.overlay.redirect", "/etc"},
              {"SCHILY.xattr.user.overlay.opaque", "y"},
              {"SCHILY.xattr.security.selinux", "label"}};
  TarItem directory{.name = "d/", .type = '5'};
  directory.pax = {{"SCHILY.xattr.trusted.overlay.opaque", "y"}};
  UnpackWell(TarBuilder().Add(file).Add(directory));
  EXPECT_EQ(XattrOf("ping", "security.capability"), capability);
  EXPECT_EQ(XattrOf("ping", "trusted.mine"), "kept");
  EXPECT_EQ(XattrOf("ping", "trusted.overlay.redirect"), "none");
  EXPECT_EQ(XattrOf("ping", "user.overlay.opaque"), "none");
  EXPECT_EQ(XattrOf("ping", "security.selinux"), "none");
  EXPECT_EQ(XattrOf("d", "trusted.overlay.opaque"), "none");
  EXPECT_EQ(layer_.refused_xattrs, 0u);
}

// Version 3 says whose root it is for; the kernel keeps it as it is.
TEST_F(UnpackTest, CapabilitiesOfAUserNamespaceAreKept) {
  std::string capability("\x01\0\0\x03\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xa0\x86\x01\0", 24);
  TarItem file{.name = "ping", .pax = {{"SCHILY.xattr.security.capability", capability}}};
  UnpackWell(TarBuilder().Add(file));
  EXPECT_EQ(XattrOf("ping", "security.capability"), capability);
}

TEST_F(UnpackTest, AnEmptyLayerIsALayer) {
  UnpackWell(TarBuilder());
  EXPECT_EQ(layer_.entries, 0u);
  EXPECT_EQ(StatOf("").st_mode, S_IFDIR | 0755u);
}

// What overlayfs takes for a whiteout is one, whoever made it: it hides and does nothing else.
TEST_F(UnpackTest, AWhiteoutDeviceInALayerIsAWhiteout) {
  UnpackWell(TarBuilder().Add({.name = "gone", .type = '3'}).Directory("d/"));
  EXPECT_TRUE(IsWhiteoutAt("gone"));
}

TEST_F(UnpackTest, AttributeNobodyKnowsIsCounted) {
  TarItem file{.name = "x", .pax = {{"SCHILY.xattr.bogus.name", "v"}}};
  UnpackWell(TarBuilder().Add(file));
  EXPECT_EQ(layer_.refused_xattrs, 1u);
}

TEST_F(UnpackTest, SparseFileHasItsHoles) {
  TarItem item{.name = "sparse", .content = "AAAABB"};
  item.pax = {{"GNU.sparse.size", "100000000"}, {"GNU.sparse.map", "4,4,70000000,2"}};
  UnpackWell(TarBuilder().Add(item));
  EXPECT_EQ(StatOf("sparse").st_size, 100'000'000);
  EXPECT_LT(StatOf("sparse").st_blocks * 512, 1'000'000);
  EXPECT_EQ(Slurp(In("sparse")).substr(69'999'999, 4), std::string("\0BB\0", 4));
}

TEST_F(UnpackTest, WhiteoutsBecomeWhatOverlayfsReads) {
  UnpackWell(TarBuilder()
                 .File("etc/.wh.passwd")
                 .File(".wh.gone")
                 .File("dir/.wh..wh..opq")
                 .File("dir/kept")
                 .Directory("late/")
                 .File("late/kept")
                 .File("late/.wh..wh..opq")
                 .File(".wh..wh.plnk"));
  EXPECT_TRUE(IsWhiteoutAt("etc/passwd"));
  EXPECT_TRUE(IsWhiteoutAt("gone"));
  EXPECT_TRUE(IsOpaque("dir"));
  EXPECT_TRUE(Exists("dir/kept"));
  EXPECT_TRUE(IsOpaque("late"));
  EXPECT_TRUE(Exists("late/kept"));
  EXPECT_FALSE(Exists(".wh..wh.plnk"));
}

// A whiteout hides what is beneath and nothing of its own layer, before or after it.
TEST_F(UnpackTest, WhiteoutsDoNotDependOnTheirPlaceInTheTar) {
  UnpackWell(TarBuilder()
                 .File(".wh.before-file")
                 .File("before-file", "x")
                 .File("after-file", "x")
                 .File(".wh.after-file")
                 .File(".wh.before-dir")
                 .File("before-dir/f")
                 .File("after-dir/f")
                 .File(".wh.after-dir")
                 .File(".wh.twice")
                 .File(".wh.twice"));
  EXPECT_EQ(Slurp(In("before-file")), "x");
  EXPECT_EQ(Slurp(In("after-file")), "x");
  EXPECT_TRUE(Exists("before-dir/f"));
  EXPECT_TRUE(IsOpaque("before-dir"));
  EXPECT_TRUE(Exists("after-dir/f"));
  EXPECT_TRUE(IsOpaque("after-dir"));
  EXPECT_TRUE(IsWhiteoutAt("twice"));
}

TEST_F(UnpackTest, MalformedNamesAreRefused) {
  struct Case {
    TarItem item;
    const char* error;
  };
  for (const Case& bad : {
           Case{{.name = "../x"}, "entry '../x': the name leads out of the layer"},
           Case{{.name = "a/../../x"}, "the name leads out of the layer"},
           Case{{.name = ".."}, "the name leads out of the layer"},
           Case{{.name = ".wh."}, "the whiteout names nothing"},
           Case{{.name = "a/.wh.."}, "the whiteout names nothing"},
           Case{{.name = ".wh..."}, "the whiteout names nothing"},
           Case{{.name = ".wh.d/x"}, "reserved for whiteouts"},
           Case{{.name = "."}, "the root is not a directory"},
           Case{{.name = "l", .type = '2'}, "the symlink has no target"},
           Case{{.name = "l", .type = '1'}, "the hard link has no target"},
           Case{{.name = "l", .type = '1', .link = "../../etc/passwd"}, "leads out of the layer"},
           Case{{.name = "l", .type = '1', .link = "missing"},
                "hard link to 'missing': there is no such file"},
           Case{{.name = "l", .type = '1', .link = "/"}, "target is a directory"},
       }) {
    Result<UnpackedLayer> layer = Unpack(TarBuilder().Add(bad.item));
    ASSERT_FALSE(layer.ok()) << bad.item.name;
    EXPECT_EQ(layer.error().code(), Code::kInvalid);
    EXPECT_THAT(layer.error().message(), HasSubstr(bad.error)) << bad.item.name;
  }
  EXPECT_THAT(Unpack(TarBuilder().Directory("d/").HardLink("l", "d")).error().message(),
              HasSubstr("target is a directory"));
  EXPECT_THAT(Unpack(TarBuilder().File(".wh.w").HardLink("l", "w")).error().message(),
              HasSubstr("removed by this layer"));
  std::string component(256, 'x');
  EXPECT_THAT(
      Unpack(TarBuilder().Add({.name = "x", .pax = {{"path", component}}})).error().message(),
      HasSubstr("file name too long"));
}

TEST_F(UnpackTest, NestingIsLimited) {
  std::string name;
  for (int i = 0; i < 300; ++i) name += "d/";
  Result<UnpackedLayer> layer = Unpack(TarBuilder().Add({.name = "x", .pax = {{"path", name}}}));
  ASSERT_FALSE(layer.ok());
  EXPECT_THAT(layer.error().message(), HasSubstr("...': nested deeper than 256"));
}

TEST_F(UnpackTest, SymlinkLoopIsAnError) {
  Result<UnpackedLayer> layer =
      Unpack(TarBuilder().Symlink("a", "b").Symlink("b", "a").File("a/file"));
  ASSERT_FALSE(layer.ok());
  EXPECT_THAT(layer.error().message(), HasSubstr("too many"));
}

// --- Breakouts: each archive tries to reach the canary directory beside the layer. -------------

struct Breakout {
  const char* what;
  TarBuilder tar;
  const char* inside;  // where the attempt ended up instead; nullptr: it was refused
};

// `outside` is the canary's absolute path; the layer stands beside it.
std::vector<Breakout> Breakouts(const std::string& outside) {
  std::string up = "../canary";
  auto tar = [] { return TarBuilder(); };
  return {
      {"absolute name", tar().File(outside + "/x"), ""},
      {"name that climbs", tar().File("../canary/x"), nullptr},
      {"symlink up", tar().Symlink("l", up).File("l/x"), "canary/x"},
      {"symlink far up", tar().Symlink("l", "../../../../../../.." + outside).File("l/x"), ""},
      {"absolute symlink", tar().Symlink("l", outside).File("l/x"), ""},
      {"chain of symlinks",
       tar().Symlink("a", "..").Symlink("b", "a/canary").Symlink("c", "b").File("c/x"), "canary/x"},
      {"symlink inside a directory", tar().Symlink("d/l", "../../canary").File("d/l/x"),
       "canary/x"},
      {"symlink ending in a slash", tar().Symlink("l", outside + "/").File("l/x"), ""},
      {"symlink to the file itself", tar().Symlink("f", outside + "/file").File("f", "evil"), "f"},
      {"directory through a symlink", tar().Symlink("l", up).Directory("l/d/", 0700), "canary/d"},
      {"directory over a symlink", tar().Symlink("l", up).Directory("l/", 0700).File("l/x"), "l/x"},
      {"symlink through a symlink", tar().Symlink("l", up).Symlink("l/s", "y"), "canary/s"},
      {"fifo through a symlink", tar().Symlink("l", up).Add({.name = "l/p", .type = '6'}),
       "canary/p"},
      {"whiteout through a symlink", tar().Symlink("l", up).File("l/.wh.file"), "canary/file"},
      {"opaque through a symlink", tar().Symlink("l", up).File("l/.wh..wh..opq"), "canary"},
      {"whiteout of the parent", tar().File(".wh..."), nullptr},
      {"whiteout of a symlink", tar().Symlink("l", outside + "/file").File(".wh.l"), "l"},
      {"hard link that climbs", tar().HardLink("h", "../canary/file"), nullptr},
      {"absolute hard link", tar().HardLink("h", outside + "/file"), nullptr},
      {"hard link through a symlink", tar().Symlink("l", up).HardLink("h", "l/file"), nullptr},
      {"hard link to a symlink, then written",
       tar().Symlink("s", outside + "/file").HardLink("h", "s").File("h", "evil"), "h"},
      {"hard link to a symlink, then owned",
       tar()
           .Symlink("s", outside + "/file")
           .Add({.name = "h", .type = '1', .link = "s", .mode = 0777, .uid = 99}),
       "h"},
      {"hard link into a symlinked place",
       tar().File("mine").Symlink("l", up).HardLink("l/h", "mine"), "canary/h"},
      {"parent replaced by a symlink in between",
       tar().Directory("d/").File("d/one").Symlink("d", up).File("d/two"), "canary/two"},
      {"times of a directory replaced by a symlink", tar().Directory("d/").Symlink("d", up), "d"},
      {"dead symlink as a parent", tar().Symlink("l", "../canary/none").File("l/x"),
       "canary/none/x"},
      {"symlink to procfs", tar().Symlink("l", "/proc/self/cwd").File("l/x"), "proc/self/cwd/x"},
  };
}

TEST_F(UnpackTest, NothingReachesTheDirectoryBeside) {
  std::string outside = temp_.path() + "/canary";
  size_t count = Breakouts(outside).size();
  for (size_t i = 0; i < count; ++i) {
    std::filesystem::remove_all(outside);
    std::filesystem::remove_all(root_);
    std::filesystem::create_directory(outside);
    std::filesystem::create_directory(root_);
    test::WriteTestFile(outside + "/file", "canary");
    Breakout breakout = std::move(Breakouts(outside)[i]);
    SCOPED_TRACE(breakout.what);
    UniqueFd events(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    constexpr uint32_t kChanges = IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVE |
                                  IN_OPEN | IN_ACCESS | IN_DELETE_SELF;
    ASSERT_GE(inotify_add_watch(events.get(), outside.c_str(), kChanges), 0);
    ASSERT_GE(inotify_add_watch(events.get(), (outside + "/file").c_str(), kChanges), 0);

    Result<UnpackedLayer> layer = Unpack(breakout.tar);

    char buffer[4096];
    EXPECT_EQ(read(events.get(), buffer, sizeof(buffer)), -1) << "the canary was touched";
    EXPECT_EQ(Slurp(outside + "/file"), "canary");
    EXPECT_EQ(layer.ok(), breakout.inside != nullptr)
        << (layer.ok() ? "was unpacked" : layer.error().message());
    if (breakout.inside == nullptr || !layer.ok()) continue;
    std::string inside = breakout.inside;
    if (inside.empty()) inside = outside.substr(1) + "/x";
    EXPECT_TRUE(Exists(inside)) << inside;
  }
}

// --- Layers that rely on those beneath. --------------------------------------------------------

TEST_F(UnpackTest, HardLinkToALowerFileIsCopiedUp) {
  TarItem file{.name = "bin/tool", .content = "lower", .mode = 04755, .uid = 7};
  file.pax = {{"SCHILY.xattr.trusted.mine", "v"}, {"mtime", "5.5"}};
  std::string lower = Lower("lower", TarBuilder().Directory("bin/", 0711).Add(file));
  UnpackWell(TarBuilder().HardLink("other", "bin/tool"), {lower});
  EXPECT_TRUE(layer_.relies_on_lower);
  EXPECT_EQ(Slurp(In("other")), "lower");
  EXPECT_EQ(StatOf("other").st_ino, StatOf("bin/tool").st_ino);
  EXPECT_EQ(StatOf("other").st_mode, S_IFREG | 04755u);
  EXPECT_EQ(StatOf("other").st_uid, 7u);
  EXPECT_EQ(StatOf("other").st_mtim.tv_sec, 5);
  EXPECT_EQ(XattrOf("other", "trusted.mine"), "v");
  EXPECT_EQ(StatOf("bin").st_mode, S_IFDIR | 0711u);
}

TEST_F(UnpackTest, LowerFileThatIsHiddenCannotBeLinked) {
  std::string base = Lower("base", TarBuilder().File("a").File("d/b").File("e/c"));
  std::string middle = Lower(
      "middle", TarBuilder().File(".wh.a").File("d/.wh..wh..opq").File("e", "a file"), {base});
  for (const char* target : {"a", "d/b", "e/c"}) {
    Result<UnpackedLayer> layer = Unpack(TarBuilder().HardLink("l", target), {base, middle});
    ASSERT_FALSE(layer.ok()) << target;
    EXPECT_THAT(layer.error().message(), HasSubstr("there is no such file"));
  }
}

TEST_F(UnpackTest, DirectoryOnlyALowerLayerDescribesKeepsItsMode) {
  std::string lower =
      Lower("lower", TarBuilder()
                         .Add({.name = "secret/", .type = '5', .mode = 0700, .uid = 9})
                         .Directory("plain/"));
  UnpackWell(TarBuilder().File("secret/new").File("plain/new"), {lower});
  EXPECT_EQ(StatOf("secret").st_mode, S_IFDIR | 0700u);
  EXPECT_EQ(StatOf("secret").st_uid, 9u);
  EXPECT_TRUE(layer_.relies_on_lower);
}

TEST_F(UnpackTest, LayerThatMerelyStandsOnAnotherDoesNotRelyOnIt) {
  std::string lower = Lower("lower", TarBuilder().Directory("plain/").File("plain/old"));
  UnpackWell(TarBuilder().File("plain/new").File("plain/.wh.old"), {lower});
  EXPECT_FALSE(layer_.relies_on_lower);
}

TEST_F(UnpackTest, OpaqueRootHidesEveryLowerName) {
  std::string lower = Lower("lower", TarBuilder().File("a").File("d/x").File("e/y"));
  UnpackWell(TarBuilder().File(".wh..wh..opq").File("d/z").File("new"), {lower});
  EXPECT_TRUE(layer_.relies_on_lower);
  EXPECT_TRUE(IsWhiteoutAt("a"));
  EXPECT_TRUE(IsWhiteoutAt("e"));
  EXPECT_TRUE(IsOpaque("d"));
  EXPECT_TRUE(Exists("new"));
}

}  // namespace
}  // namespace skiff::images
