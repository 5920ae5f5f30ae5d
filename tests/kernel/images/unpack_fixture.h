// Layers unpacked, and made into images and mounted, for the tests of unpack.cc.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "images/erofs_reader.h"
#include "images/layer_kind.h"
#include "images/layer_pass.h"
#include "images/layer_tree.h"
#include "images/unpack.h"
#include "isolation/erofs.h"
#include "isolation/sys/confine.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/mount.h"
#include "tests/support/capability.h"
#include "tests/support/memory_source.h"
#include "tests/support/tar_builder.h"
#include "tests/support/temp_dir.h"

namespace skiff::images {

inline std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Everything holds for both kinds of layers: an image is mounted where the files would be unpacked.
class UnpackTest : public testing::TestWithParam<LayerKind> {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(test::MissingRoot());
    if (is_image()) {
      SKIFF_REQUIRE(test::MissingErofs(temp_.path()));
      EnterMountNamespace();
    }
    root_ = temp_.path() + "/layer";
    std::filesystem::create_directory(root_);
  }
  void TearDown() override {
    for (const std::string& root : mounted_) sys::DetachMount(root).Ignore();
  }

  bool is_image() const { return GetParam() == LayerKind::kErofs; }
  static void EnterMountNamespace() {
    static bool is_own = false;
    if (std::exchange(is_own, true)) return;
    ASSERT_TRUE(sys::EnterOwnMountNamespace().ok());
  }
  void EmptyRoot() {
    if (mounted_.erase(root_) > 0) sys::DetachMount(root_).Ignore();
    std::filesystem::remove_all(root_);
    std::filesystem::create_directory(root_);
  }
  static std::string ImageOf(const std::string& root) { return root + ".erofs"; }
  uint64_t ImageSize() const {
    return std::filesystem::file_size(ImageOf(root_) + "/" + kErofsImage) +
           std::filesystem::file_size(ImageOf(root_) + "/" + kErofsTar);
  }

  Result<UnpackedLayer> Unpack(const test::TarBuilder& tar,
                               const std::vector<std::string>& lower = {}) {
    test::MemorySource source(tar.Finish(), 1000);
    UniqueFd list = TRY(sys::OpenUnnamed(AT_FDCWD, temp_.path()));
    PlainPlace place;
    place.kind = GetParam();
    place.lower = [&] { return OpenLower(lower); };
    if (is_image()) {
      EmptyRoot();
      std::filesystem::remove_all(ImageOf(root_));
      std::filesystem::create_directory(ImageOf(root_));
    }
    UniqueFd directory = TRY(sys::OpenDirectory(AT_FDCWD, is_image() ? ImageOf(root_) : root_));
    place.directory = directory.get();
    PlainLayer layer = TRY(ReadPlainLayer(&source, place, list.get()));
    if (is_image()) TRY(MountImage());
    return layer.unpacked;
  }
  Result<std::vector<std::unique_ptr<LowerLayer>>> OpenLower(
      const std::vector<std::string>& roots) const {
    std::vector<std::unique_ptr<LowerLayer>> layers;
    for (const std::string& root : roots) {
      std::unique_ptr<LowerLayer> layer =
          TRY(is_image() ? ErofsReader::OpenLayer(ImageOf(root)) : LowerDirectory::Open(root));
      layers.push_back(std::move(layer));
    }
    return layers;
  }
  Result<> MountImage() {
    TRY(CheckErofsLayer(ImageOf(root_)));
    UniqueFd mount = TRY(isolation::MountErofs(ImageOf(root_)));
    TRY(sys::AttachMount(mount.get(), AT_FDCWD, root_));
    mounted_.insert(root_);
    return {};
  }
  void UnpackWell(const test::TarBuilder& tar, const std::vector<std::string>& lower = {}) {
    Result<UnpackedLayer> layer = Unpack(tar, lower);
    ASSERT_TRUE(layer.ok()) << layer.error().message();
    layer_ = layer.value();
  }
  // A directory that stands for a layer beneath, unpacked from a tar of its own.
  std::string Lower(const std::string& name, const test::TarBuilder& tar,
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
  std::set<std::string> mounted_;
  UnpackedLayer layer_;
};

}  // namespace skiff::images
