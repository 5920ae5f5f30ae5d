// Images whose layers are EROFS images: what a container sees of them is what it sees of unpacked
// ones, and the store looks after them as well.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <utility>

#include "images/digest.h"
#include "images/registry/repair.h"
#include "images/store.h"
#include "isolation/base/scope_exit.h"
#include "isolation/erofs.h"
#include "isolation/overlay.h"
#include "isolation/sys/confine.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/user_namespace.h"
#include "tests/support/capability.h"
#include "tests/support/layout_builder.h"
#include "tests/support/tar_builder.h"
#include "tests/support/temp_dir.h"

namespace skiff::images {
namespace {

namespace fs = std::filesystem;
using isolation::ErofsBacking;
using test::Gzip;
using test::TarBuilder;
using test::TarItem;
using test::TestImage;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Three layers with whiteouts, opaque directories, links into the layers beneath, and everything a
// file can be.
TestImage OrdinaryImage() {
  std::string capability("\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  TarItem sparse{.name = "var/sparse", .content = std::string(4096, 'A') + "BB"};
  sparse.pax = {{"GNU.sparse.size", "1000000"}, {"GNU.sparse.map", "8192,4096,999998,2"}};
  TarItem ping{.name = "bin/ping", .content = std::string(3000, 'p'), .mode = 0755, .uid = 7};
  ping.pax = {{"SCHILY.xattr.security.capability", capability},
              {"SCHILY.xattr.user.note", "a note"},
              {"mtime", "77.123456789"}};
  std::string long_name = "etc/" + std::string(200, 'l');
  TarBuilder base;
  base.Add({.name = "./", .type = '5', .mode = 0751, .uid = 3})
      .Directory("etc/")
      .File("etc/passwd", "root:x:0:0::/:/bin/sh\n")
      .HardLink("etc/passwd-", "etc/passwd")
      .Add({.name = "x", .content = "long", .pax = {{"path", long_name}}})
      .Add({.name = "secret/", .type = '5', .mode = 0700, .uid = 9, .gid = 10})
      .File("secret/key", "k")
      .Directory("bin/")
      .Add(ping)
      .Add({.name = "bin/su", .content = "su", .mode = 04755})
      .Symlink("lib", "usr/lib")
      .Add({.name = "dev/null", .type = '3', .mode = 0666, .device_major = 1, .device_minor = 3})
      .Add({.name = "run/pipe", .type = '6', .mode = 0640})
      .Directory("var/")
      .Add(sparse)
      .File("gone/a", "a")
      .File("kept/old", "old");
  for (int i = 0; i < 300; ++i) base.File("many/file-" + std::to_string(i), std::to_string(i));
  TarBuilder middle;
  middle.File("etc/.wh.passwd")
      .File("gone/.wh..wh..opq")
      .File("gone/b", "b")
      .File("kept/new", "new")
      .File("secret/more", "implicit parent")
      .HardLink("bin/ping-too", "bin/ping");
  TarBuilder top;
  top.File("many/.wh.file-7").Directory("many/", 0711).File("lib/deep/so", "through a symlink");
  TestImage image;
  image.layers = {{base.Finish(), ""}, {middle.Finish(), ""}, {top.Finish(), ""}};
  image.layers[1].packed = Gzip(image.layers[1].tar);
  return image;
}

void AddXattrs(int directory, const std::string& path, std::string* line) {
  std::vector<std::string> names = sys::ListXattrs(directory, path).value();
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    // The marks of overlayfs on the writable layer, whatever the layers are.
    if (name.starts_with("trusted.overlay.")) continue;
    *line += " " + name + "=" + sys::GetXattr(directory, path, name).value();
  }
}

// A line for each file beneath, in order.
std::vector<std::string> Describe(const std::string& root) {
  UniqueFd directory = sys::OpenDirectory(AT_FDCWD, root).value();
  // Without xino, overlayfs shows each layer's file system as a device of its own.
  std::map<std::pair<dev_t, ino_t>, std::string> first_names;
  std::vector<std::string> paths = {"."};
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    paths.push_back(fs::relative(entry.path(), root));
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> lines;
  for (const std::string& path : paths) {
    struct stat info = sys::Stat(directory.get(), path).value();
    // The writable layer's own.
    if (path == ".") info.st_mtim = {};
    std::string line = path;
    for (uint64_t number : {uint64_t{info.st_mode}, uint64_t{info.st_uid}, uint64_t{info.st_gid},
                            uint64_t{info.st_rdev}, static_cast<uint64_t>(info.st_mtim.tv_sec),
                            static_cast<uint64_t>(info.st_mtim.tv_nsec)}) {
      line += " " + std::to_string(number);
    }
    if (!S_ISDIR(info.st_mode)) {
      line += " " + std::to_string(info.st_size) + " " + std::to_string(info.st_nlink) + " " +
              first_names.emplace(std::pair(info.st_dev, info.st_ino), path).first->second;
    }
    if (S_ISLNK(info.st_mode)) line += " " + sys::ReadLink(directory.get(), path).value();
    if (S_ISREG(info.st_mode)) {
      line += " " + Sha256::Of(sys::ReadFile(directory.get(), path).value()).hex();
    }
    AddXattrs(directory.get(), path, &line);
    lines.push_back(line);
  }
  return lines;
}

// Tells the first difference only: a tree has hundreds of lines.
void ExpectSame(const std::vector<std::string>& seen, const std::vector<std::string>& expected) {
  auto [a, b] = std::mismatch(seen.begin(), seen.end(), expected.begin(), expected.end());
  EXPECT_EQ(a == seen.end() ? "the end" : *a, b == expected.end() ? "the end" : *b);
}

class ErofsStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(test::MissingRoot());
    SKIFF_REQUIRE(test::MissingErofs(temp_.path()));
    static bool is_own = false;
    if (!std::exchange(is_own, true)) {
      ASSERT_TRUE(sys::EnterFollowingMountNamespace().ok());
    }
    image_ = OrdinaryImage();
    layout_ = test::WriteLayout(temp_.path() + "/layout", image_);
  }

  ImageStore Store(const std::string& name) {
    return std::move(ImageStore::Open(temp_.path() + "/" + name).value());
  }
  Image Import(ImageStore& store, LayerChoice layers) {
    ImportOptions options;
    options.layers = layers;
    Result<Image> image = store.Import(layout_, options);
    EXPECT_TRUE(image.ok()) << image.error().message();
    return std::move(image).value();
  }
  // What a container would see.
  std::vector<std::string> Seen(const Image& image, int user_namespace = -1) {
    std::string work = temp_.path() + "/task-" + std::to_string(++tasks_);
    for (const char* name : {"/upper", "/work", "/attach", "/root"}) {
      fs::create_directories(work + name);
    }
    isolation::OverlaySpec spec{
        {}, work + "/upper", work + "/work", user_namespace, work + "/attach"};
    for (const LayerInfo& layer : image.layers) spec.layers.push_back(layer.directory);
    Result<UniqueFd> mount = isolation::MountOverlay(spec);
    EXPECT_TRUE(mount.ok()) << mount.error().message();
    if (!mount.ok()) return {};
    EXPECT_TRUE(sys::AttachMount(mount.value().get(), AT_FDCWD, work + "/root").ok());
    std::vector<std::string> lines = Describe(work + "/root");
    EXPECT_TRUE(sys::DetachMount(work + "/root").ok());
    return lines;
  }

  test::TempDir temp_;
  TestImage image_;
  std::string layout_;
  int tasks_ = 0;
};

// On every kernel, whatever it mounts.
TEST(LayerChoiceTest, WhatThisKernelCannotMountIsRefusedAndAutoGoesOn) {
  SKIFF_REQUIRE(test::MissingRoot());
  test::TempDir temp;
  std::string layout = test::WriteLayout(temp.path() + "/layout", OrdinaryImage());
  bool can_mount = test::MissingErofs(temp.path()).empty();
  ImageStore store = std::move(ImageStore::Open(temp.path() + "/data").value());
  ImportOptions options;
  options.layers = LayerChoice::kErofs;
  Result<Image> asked = store.Import(layout, options);
  EXPECT_EQ(asked.ok(), can_mount);
  if (!asked.ok()) {
    EXPECT_EQ(asked.error().code(), Code::kUnavailable);
    EXPECT_THAT(asked.error().message(), HasSubstr("layers=erofs: this host mounts no such layer"));
    options.layers = LayerChoice::kAuto;
    Result<Image> image = store.Import(layout, options);
    ASSERT_TRUE(image.ok()) << image.error().message();
    EXPECT_EQ(KindOfPlace(image.value().layers[0].directory), LayerKind::kUnpacked);
  }
}

TEST_F(ErofsStoreTest, AContainerSeesTheSameTree) {
  ImageStore unpacked_store = Store("unpacked");
  ImageStore store = Store("erofs");
  Image unpacked = Import(unpacked_store, LayerChoice::kUnpacked);
  Image image = Import(store, LayerChoice::kErofs);
  for (const LayerInfo& layer : image.layers) {
    EXPECT_THAT(layer.directory, testing::EndsWith(".erofs"));
    EXPECT_THAT(sys::ListDirectory(AT_FDCWD, layer.directory).value(),
                testing::UnorderedElementsAre(isolation::kErofsImage, isolation::kErofsData));
  }
  std::vector<std::string> expected = Seen(unpacked);
  EXPECT_THAT(expected, SizeIs(testing::Gt(320u)));
  ExpectSame(Seen(image), expected);
  // Names by which others share them are the same, too: what relies on what is.
  for (size_t i = 0; i < image.layers.size(); ++i) {
    EXPECT_EQ(fs::path(image.layers[i].directory).parent_path().filename(),
              fs::path(unpacked.layers[i].directory).parent_path().filename());
  }
}

TEST_F(ErofsStoreTest, AUserNamespaceSeesTheSameTree) {
  constexpr uint32_t kFirst = 1'000'000;
  sys::UserNamespace made = sys::MakeUserNamespace(kFirst, false).value();
  ImageStore unpacked_store = Store("unpacked");
  ImageStore store = Store("erofs");
  Image unpacked = Import(unpacked_store, LayerChoice::kUnpacked);
  Image image = Import(store, LayerChoice::kErofs);
  std::vector<std::string> expected = Seen(unpacked, made.user.get());
  EXPECT_THAT(expected, Contains(HasSubstr(" 1000007 ")));
  EXPECT_THAT(expected, Contains(HasSubstr("security.capability=")));
  ExpectSame(Seen(image, made.user.get()), expected);
}

TEST_F(ErofsStoreTest, KindsOfLayersMix) {
  ImageStore expected_store = Store("unpacked");
  std::vector<std::string> expected = Seen(Import(expected_store, LayerChoice::kUnpacked));
  ImageStore store = Store("mixed");
  TestImage below = image_;
  below.name = "below:latest";
  below.layers.pop_back();
  below.layers.pop_back();
  for (LayerChoice first : {LayerChoice::kUnpacked, LayerChoice::kErofs}) {
    ImportOptions options;
    options.layers = first;
    ASSERT_TRUE(store.Import(test::WriteLayout(temp_.path() + "/below", below), options).ok());
    bool is_image = first == LayerChoice::kErofs;
    Image image = Import(store, is_image ? LayerChoice::kUnpacked : LayerChoice::kErofs);
    // What is there stays as it is.
    EXPECT_EQ(isolation::IsErofsLayer(image.layers[0].directory), is_image);
    EXPECT_EQ(isolation::IsErofsLayer(image.layers[1].directory), !is_image);
    ExpectSame(Seen(image), expected);
    ASSERT_TRUE(store.Remove("nginx").ok());
    ASSERT_TRUE(store.Remove("below").ok());
    fs::remove_all(temp_.path() + "/below");
  }
}

TEST_F(ErofsStoreTest, BothWaysOfMountingShowTheSame) {
  ImageStore store = Store("erofs");
  Image image = Import(store, LayerChoice::kErofs);
  std::vector<std::vector<std::string>> seen;
  for (ErofsBacking backing : {ErofsBacking::kFiles, ErofsBacking::kLoop}) {
    Result<UniqueFd> mount = isolation::MountErofs(image.layers[0].directory, backing);
    if (!mount.ok()) {
      // The probe said that one of them works.
      EXPECT_NE(isolation::FindErofsBacking(temp_.path()).value(), backing);
      continue;
    }
    std::string root = temp_.path() + "/root";
    fs::create_directories(root);
    ASSERT_TRUE(sys::AttachMount(mount.value().get(), AT_FDCWD, root).ok());
    seen.push_back(Describe(root));
    ASSERT_TRUE(sys::DetachMount(root).ok());
  }
  ASSERT_THAT(seen, testing::Not(IsEmpty()));
  ExpectSame(seen.front(), seen.back());
}

// What one task has read is in memory for the others; a mount from files is each one's own.
TEST_F(ErofsStoreTest, MountsByLoopDevicesShareThem) {
  if (system("modprobe -q loop 2>/dev/null") != 0) {
    // Built in, or there is none: the device tells.
  }
  if (!sys::Exists(AT_FDCWD, "/dev/loop-control"))
    GTEST_SKIP() << "missing capability: loop devices";
  ImageStore store = Store("erofs");
  Image image = Import(store, LayerChoice::kErofs);
  const std::string& layer = image.layers[0].directory;
  auto device_of = [&](const std::string& directory) {
    Result<UniqueFd> mount = isolation::MountErofs(directory, ErofsBacking::kLoop);
    EXPECT_TRUE(mount.ok()) << mount.error().message();
    dev_t device = sys::StatFd(mount.value().get()).value().st_dev;
    return std::pair(std::move(mount).value(), device);
  };
  auto [first, first_device] = device_of(layer);
  auto [second, second_device] = device_of(layer);
  auto [other, other_device] = device_of(image.layers[1].directory);
  EXPECT_EQ(first_device, second_device);
  EXPECT_NE(first_device, other_device);
  first.Reset();
  auto [third, third_device] = device_of(layer);
  EXPECT_EQ(third_device, second_device);
}

// On overlayfs there are no mounts from files; and /dev/loop-control is another file.
TEST_F(ErofsStoreTest, WhereLoopDevicesAreGoneTheErrorTellsAndRepairUnpacks) {
  for (const char* name : {"/lower", "/upper", "/work", "/store"}) {
    fs::create_directories(temp_.path() + name);
  }
  isolation::OverlaySpec spec{
      {temp_.path() + "/lower"}, temp_.path() + "/upper", temp_.path() + "/work"};
  std::string place = temp_.path() + "/store";
  UniqueFd overlay = isolation::MountOverlay(spec).value();
  ASSERT_TRUE(sys::AttachMount(overlay.get(), AT_FDCWD, place).ok());
  ScopeExit detach([&] { sys::DetachMount(place).Ignore(); });
  SKIFF_REQUIRE(test::MissingErofs(place));
  // Whiteouts cannot be made there.
  image_.layers.resize(1);
  layout_ = test::WriteLayout(temp_.path() + "/base", image_);
  ImageStore store = Store("store");
  Image image = Import(store, LayerChoice::kErofs);

  ASSERT_TRUE(sys::WriteFile(AT_FDCWD, temp_.path() + "/none", "").ok());
  UniqueFd none = sys::CloneMount(AT_FDCWD, temp_.path() + "/none", false).value();
  ASSERT_TRUE(sys::AttachMount(none.get(), AT_FDCWD, "/dev/loop-control").ok());
  ScopeExit show([&] { sys::DetachMount("/dev/loop-control").Ignore(); });
  Result<UniqueFd> mount = isolation::MountErofs(image.layers[0].directory);
  ASSERT_FALSE(mount.ok());
  EXPECT_EQ(mount.error().code(), Code::kUnavailable);
  EXPECT_THAT(mount.error().message(),
              AllOf(HasSubstr(image.layers[0].directory), HasSubstr("; by loop devices: "),
                    HasSubstr("skiff image verify --repair")));
  Result<> refused = CheckKind(LayerKind::kErofs, place);
  EXPECT_EQ(refused.error().code(), Code::kUnavailable);
  EXPECT_THAT(refused.error().message(), HasSubstr("this host mounts no such layer"));
  ImageHealth health = store.Verify("nginx").value();
  EXPECT_THAT(health.damage, SizeIs(1));
  Result<> repaired = registry::Repair(store, health, {});
  ASSERT_TRUE(repaired.ok()) << repaired.error().message();
  EXPECT_EQ(KindOfPlace(store.Resolve("nginx").value().layers[0].directory), LayerKind::kUnpacked);
  EXPECT_THAT(store.Verify("nginx").value().damage, IsEmpty());
}

TEST_F(ErofsStoreTest, TheSameTarMakesTheSameImage) {
  std::vector<std::string> images;
  for (const char* name : {"one", "two"}) {
    ImageStore store = Store(name);
    Image image = Import(store, LayerChoice::kErofs);
    for (const LayerInfo& layer : image.layers) {
      images.push_back(
          sys::ReadFile(AT_FDCWD, layer.directory + "/" + isolation::kErofsImage).value());
    }
  }
  ASSERT_THAT(images, SizeIs(6));
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(images[i] == images[i + 3]) << "layer " << i;
}

TEST_F(ErofsStoreTest, DamageIsFoundAndRepaired) {
  ImageStore store = Store("erofs");
  Image image = Import(store, LayerChoice::kErofs);
  std::vector<std::string> expected = Seen(image);
  EXPECT_THAT(store.Verify("nginx").value().damage, IsEmpty());
  for (const char* name : {isolation::kErofsImage, isolation::kErofsData}) {
    std::string path = image.layers[0].directory + "/" + name;
    struct stat before = sys::Stat(AT_FDCWD, path).value();
    UniqueFd file = sys::Open(AT_FDCWD, path, O_WRONLY).value();
    ASSERT_TRUE(sys::WriteAllAt(file.get(), "X", 2100).ok());
    ASSERT_TRUE(sys::SetTimesFd(file.get(), before.st_mtim).ok());
    file.Reset();
    ImageHealth health = store.Verify("nginx").value();
    EXPECT_THAT(health.damage,
                ElementsAre(HasSubstr(std::string(name) + ": its content has changed")));
    registry::RepairOptions options;
    options.layers = LayerChoice::kErofs;
    Result<> repaired = registry::Repair(store, health, options);
    ASSERT_TRUE(repaired.ok()) << repaired.error().message();
    EXPECT_THAT(store.Verify("nginx").value().damage, IsEmpty());
    ExpectSame(Seen(store.Resolve("nginx").value()), expected);
  }
}

TEST_F(ErofsStoreTest, UsageCountsTheTwoFilesAndRemovalTakesThem) {
  ImageStore store = Store("erofs");
  Image image = Import(store, LayerChoice::kErofs);
  uint64_t size = 0;
  for (const LayerInfo& layer : image.layers) {
    for (const auto& file : fs::directory_iterator(layer.directory)) size += file.file_size();
  }
  EXPECT_EQ(image.size, size);
  EXPECT_EQ(store.Usage().value().layers, size);
  std::vector<UniqueFd> held = store.Hold(image).value();
  EXPECT_EQ(store.Remove("nginx").error().code(), Code::kConflict);
  held.clear();
  ASSERT_TRUE(store.Remove("nginx").ok());
  EXPECT_THAT(sys::ListDirectory(AT_FDCWD, temp_.path() + "/erofs/images/layers").value(),
              IsEmpty());
}

TEST_F(ErofsStoreTest, NothingIsLeftOfALayerThatFails) {
  TestImage bad = image_;
  bad.layers[2].tar = TarBuilder().File("../climbs").Finish();
  std::string layout = test::WriteLayout(temp_.path() + "/bad", bad);
  ImageStore store = Store("erofs");
  ImportOptions options;
  options.layers = LayerChoice::kErofs;
  Result<Image> image = store.Import(layout, options);
  ASSERT_FALSE(image.ok());
  EXPECT_THAT(image.error().message(), HasSubstr("leads out of the layer"));
  for (const char* directory : {"layers", "staging"}) {
    EXPECT_THAT(sys::ListDirectory(AT_FDCWD, temp_.path() + "/erofs/images/" + directory).value(),
                IsEmpty());
  }
}

}  // namespace
}  // namespace skiff::images
