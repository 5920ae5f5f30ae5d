#include "images/unpack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <filesystem>

#include "images/layer_tree.h"
#include "tests/kernel/images/unpack_fixture.h"
#include "tests/support/tar_builder.h"

namespace skiff::images {
namespace {

using test::TarBuilder;
using test::TarItem;

using testing::HasSubstr;

INSTANTIATE_TEST_SUITE_P(Kinds, UnpackTest,
                         testing::Values(LayerKind::kUnpacked, LayerKind::kErofs),
                         [](const auto& kind) {
                           return kind.param == LayerKind::kErofs ? "Image" : "Directory";
                         });

TEST_P(UnpackTest, FilesKeepContentOwnerModeAndTime) {
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
  EXPECT_EQ(layer_.size, is_image() ? ImageSize() : 7u);
  EXPECT_FALSE(layer_.relies_on_lower);
}

TEST_P(UnpackTest, WhatTheTarLeavesOutIsTheSameEveryTime) {
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
TEST_P(UnpackTest, OwnersAndModesDoNotComeFromTheDirectoryOrTheProcess) {
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

TEST_P(UnpackTest, DefaultAclsDoNotChangeModes) {
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
  if (layer_.refused_xattrs > 0) GTEST_SKIP() << "missing capability: ACLs on this file system";
  EXPECT_EQ(XattrOf("d", "system.posix_acl_default"), acl);
  EXPECT_EQ(StatOf("d/file").st_mode, S_IFREG | 0644u);
}

TEST_P(UnpackTest, NamesAreSpelledManyWays) {
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

TEST_P(UnpackTest, LastOfSeveralEntriesWins) {
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

TEST_P(UnpackTest, LinksDevicesAndFifos) {
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

TEST_P(UnpackTest, AttributesAreKeptExceptThoseThatSteerTheHost) {
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
TEST_P(UnpackTest, CapabilitiesOfAUserNamespaceAreKept) {
  std::string capability("\x01\0\0\x03\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xa0\x86\x01\0", 24);
  TarItem file{.name = "ping", .pax = {{"SCHILY.xattr.security.capability", capability}}};
  UnpackWell(TarBuilder().Add(file));
  EXPECT_EQ(XattrOf("ping", "security.capability"), capability);
}

TEST_P(UnpackTest, AnEmptyLayerIsALayer) {
  UnpackWell(TarBuilder());
  EXPECT_EQ(layer_.entries, 0u);
  EXPECT_EQ(StatOf("").st_mode, S_IFDIR | 0755u);
}

// What overlayfs takes for a whiteout is one, whoever made it: it hides and does nothing else.
TEST_P(UnpackTest, AWhiteoutDeviceInALayerIsAWhiteout) {
  UnpackWell(TarBuilder().Add({.name = "gone", .type = '3'}).Directory("d/"));
  EXPECT_TRUE(IsWhiteoutAt("gone"));
}

TEST_P(UnpackTest, AttributeNobodyKnowsIsCounted) {
  TarItem file{.name = "x", .pax = {{"SCHILY.xattr.bogus.name", "v"}}};
  UnpackWell(TarBuilder().Add(file));
  EXPECT_EQ(layer_.refused_xattrs, 1u);
}

TEST_P(UnpackTest, SparseFileHasItsHoles) {
  TarItem item{.name = "sparse", .content = "AAAABB"};
  item.pax = {{"GNU.sparse.size", "100000000"}, {"GNU.sparse.map", "4,4,70000000,2"}};
  UnpackWell(TarBuilder().Add(item));
  EXPECT_EQ(StatOf("sparse").st_size, 100'000'000);
  if (is_image()) {
    EXPECT_LT(ImageSize(), 1'000'000u);
  } else {
    EXPECT_LT(StatOf("sparse").st_blocks * 512, 1'000'000);
  }
  EXPECT_EQ(Slurp(In("sparse")).substr(69'999'999, 4), std::string("\0BB\0", 4));
}

TEST_P(UnpackTest, SparseFileOfWholeBlocksHasItsHoles) {
  TarItem item{.name = "sparse", .content = std::string(4096, 'A') + std::string(700, 'B')};
  item.pax = {{"GNU.sparse.size", "50000700"}, {"GNU.sparse.map", "8192,4096,49999872,700"}};
  TarItem hole{.name = "hole"};
  hole.pax = {{"GNU.sparse.size", "4000000000"}, {"GNU.sparse.map", "4000000000,0"}};
  UnpackWell(TarBuilder().Add(item).Add(hole));
  std::string content = Slurp(In("sparse"));
  EXPECT_EQ(content, std::string(8192, '\0') + std::string(4096, 'A') +
                         std::string(49'999'872 - 12288, '\0') + std::string(700, 'B') +
                         std::string(50'000'700 - 49'999'872 - 700, '\0'));
  EXPECT_EQ(StatOf("hole").st_size, 4'000'000'000);
  EXPECT_LT(is_image() ? ImageSize() : 0, 2'000'000u);
}

TEST_P(UnpackTest, BigDirectoriesAndLongNames) {
  TarBuilder tar;
  constexpr int kFiles = 3000;
  for (int i = 0; i < kFiles; ++i) {
    std::string name = "d/" + std::to_string(i) + std::string(static_cast<size_t>(i % 240), 'n');
    tar.Add({.name = "x", .content = name, .pax = {{"path", name}}});
  }
  for (size_t length : {1, 400, 511, 512, 513, 4095}) {
    std::string target(length, 't');
    tar.Add({.name = "l" + std::to_string(length), .type = '2', .pax = {{"linkpath", target}}});
  }
  UnpackWell(tar);
  for (int i = 0; i < kFiles; ++i) {
    std::string name = "d/" + std::to_string(i) + std::string(static_cast<size_t>(i % 240), 'n');
    ASSERT_EQ(Slurp(In(name)), name);
  }
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(In("d"))) ++count;
  EXPECT_EQ(count, size_t{kFiles});
  for (size_t length : {1, 400, 511, 512, 513, 4095}) {
    EXPECT_EQ(std::filesystem::read_symlink(In("l" + std::to_string(length))),
              std::string(length, 't'));
  }
}

TEST_P(UnpackTest, AccessControlListsChangeModesAsTheKernelDoes) {
  // user::rwx, user:7:rw-, group::r-x, mask::r-x, other::---
  auto entry = [](char tag, char permissions, std::string_view id) {
    return std::string{tag, '\0', permissions, '\0'} + std::string(id);
  };
  const std::string none = "\xff\xff\xff\xff";
  const std::string head("\x02\0\0\0", 4);
  const std::string acl = head + entry(1, 7, none) + entry(2, 6, std::string("\x07\0\0\0", 4)) +
                          entry(4, 5, none) + entry(16, 5, none) + entry(32, 0, none);
  const std::string plain = head + entry(1, 6, none) + entry(4, 4, none) + entry(32, 4, none);
  auto with = [](const std::string& value) {
    return std::vector<std::pair<std::string, std::string>>{
        {"SCHILY.xattr.system.posix_acl_access", value}};
  };
  UnpackWell(TarBuilder()
                 .Add({.name = "listed", .mode = 0640, .pax = with(acl)})
                 .Add({.name = "plain", .mode = 0777, .pax = with(plain)})
                 .Add({.name = "d/", .type = '5', .mode = 0755, .pax = with(acl)})
                 .Directory("d/", 0711));
  if (layer_.refused_xattrs > 0) GTEST_SKIP() << "missing capability: ACLs on this file system";
  EXPECT_EQ(StatOf("listed").st_mode, S_IFREG | 0750u);
  EXPECT_EQ(XattrOf("listed", "system.posix_acl_access"), acl);
  EXPECT_EQ(StatOf("plain").st_mode, S_IFREG | 0644u);
  EXPECT_EQ(XattrOf("plain", "system.posix_acl_access"), "none");
  EXPECT_EQ(StatOf("d").st_mode, S_IFDIR | 0711u);
  std::string changed = XattrOf("d", "system.posix_acl_access");
  EXPECT_EQ(changed, head + entry(1, 7, none) + entry(2, 6, std::string("\x07\0\0\0", 4)) +
                         entry(4, 5, none) + entry(16, 1, none) + entry(32, 1, none));
  TarItem bad{.name = "bad", .pax = with(head + entry(1, 7, none))};
  EXPECT_FALSE(Unpack(TarBuilder().Add(bad)).ok());
}

TEST_P(UnpackTest, WhiteoutsBecomeWhatOverlayfsReads) {
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
TEST_P(UnpackTest, WhiteoutsDoNotDependOnTheirPlaceInTheTar) {
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

TEST_P(UnpackTest, MalformedNamesAreRefused) {
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

TEST_P(UnpackTest, NestingIsLimited) {
  std::string name;
  for (int i = 0; i < 300; ++i) name += "d/";
  Result<UnpackedLayer> layer = Unpack(TarBuilder().Add({.name = "x", .pax = {{"path", name}}}));
  ASSERT_FALSE(layer.ok());
  EXPECT_THAT(layer.error().message(), HasSubstr("...': nested deeper than 256"));
}

TEST_P(UnpackTest, SymlinkLoopIsAnError) {
  Result<UnpackedLayer> layer =
      Unpack(TarBuilder().Symlink("a", "b").Symlink("b", "a").File("a/file"));
  ASSERT_FALSE(layer.ok());
  EXPECT_THAT(layer.error().message(), HasSubstr("too many"));
}

// --- Layers that rely on those beneath. --------------------------------------------------------

TEST_P(UnpackTest, HardLinkToALowerFileIsCopiedUp) {
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

TEST_P(UnpackTest, LowerFileThatIsHiddenCannotBeLinked) {
  std::string base = Lower("base", TarBuilder().File("a").File("d/b").File("e/c"));
  std::string middle = Lower(
      "middle", TarBuilder().File(".wh.a").File("d/.wh..wh..opq").File("e", "a file"), {base});
  for (const char* target : {"a", "d/b", "e/c"}) {
    Result<UnpackedLayer> layer = Unpack(TarBuilder().HardLink("l", target), {base, middle});
    ASSERT_FALSE(layer.ok()) << target;
    EXPECT_THAT(layer.error().message(), HasSubstr("there is no such file"));
  }
}

TEST_P(UnpackTest, DirectoryOnlyALowerLayerDescribesKeepsItsMode) {
  std::string lower =
      Lower("lower", TarBuilder()
                         .Add({.name = "secret/", .type = '5', .mode = 0700, .uid = 9})
                         .Directory("plain/"));
  UnpackWell(TarBuilder().File("secret/new").File("plain/new"), {lower});
  EXPECT_EQ(StatOf("secret").st_mode, S_IFDIR | 0700u);
  EXPECT_EQ(StatOf("secret").st_uid, 9u);
  EXPECT_TRUE(layer_.relies_on_lower);
}

TEST_P(UnpackTest, LayerThatMerelyStandsOnAnotherDoesNotRelyOnIt) {
  std::string lower = Lower("lower", TarBuilder().Directory("plain/").File("plain/old"));
  UnpackWell(TarBuilder().File("plain/new").File("plain/.wh.old"), {lower});
  EXPECT_FALSE(layer_.relies_on_lower);
}

TEST_P(UnpackTest, OpaqueRootHidesEveryLowerName) {
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
