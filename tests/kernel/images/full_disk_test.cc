// A store on a disk that becomes full, of blocks or of inodes, at every stage of an import: one
// clear error, everything given back, what was there before untouched, and the same import once
// there is room.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/statvfs.h>

#include <filesystem>

#include "images/store.h"
#include "images/upkeep.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/loop.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/user_namespace.h"
#include "tests/support/capability.h"
#include "tests/support/layout_builder.h"
#include "tests/support/tar_builder.h"
#include "tests/support/temp_dir.h"

namespace skiff::images {
namespace {

using test::TarBuilder;
using test::TestImage;
using testing::HasSubstr;

constexpr uint64_t kDisk = 24 << 20;
constexpr int kFiles = 40;

// Two layers, 2.5 MiB and 40 files each.
TestImage BigImage() {
  TestImage image;
  image.name = "big:latest";
  for (const char* layer : {"a", "b"}) {
    TarBuilder tar;
    for (int i = 0; i < kFiles; ++i) {
      tar.File(std::string(layer) + "/" + std::to_string(i), std::string(64 << 10, layer[0]));
    }
    image.layers.push_back({tar.Finish(), ""});
  }
  return image;
}

TestImage SmallImage() {
  TestImage image;
  image.name = "small:latest";
  image.layers = {{TarBuilder().File("kept", "as it was").Finish(), ""}};
  return image;
}

// Under emulation an import takes a second: there the test command sets SKIFF_TEST_STRIDE, and only
// every third step is taken.
uint64_t Stride() { return getenv("SKIFF_TEST_STRIDE") != nullptr ? 3 : 1; }

struct Room {
  uint64_t bytes = 0;
  uint64_t inodes = 0;
};

class FullDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(test::MissingRoot());
    big_ = test::WriteLayout(temp_.path() + "/big", BigImage());
    small_ = test::WriteLayout(temp_.path() + "/small", SmallImage());
    sys::MakeDirectory(AT_FDCWD, disk_, 0755).value();
    sys::EnterFollowingMountNamespace().value();
  }
  void TearDown() override {
    if (is_mounted_) sys::DetachMount(disk_).Ignore();
  }

  void MountTmpfs(uint64_t inodes) {
    sys::FilesystemContext context = sys::FilesystemContext::Open("tmpfs").value();
    context.SetString("size", std::to_string(kDisk)).value();
    context.SetString("nr_inodes", std::to_string(inodes)).value();
    Attach(&context);
  }
  // False: this host cannot.
  bool MountExt4() {
    if (system("modprobe -q loop 2>/dev/null") != 0) {
      // Built in, or there is none: the device tells.
    }
    if (!sys::Exists(AT_FDCWD, "/dev/loop-control")) return false;
    std::string file = temp_.path() + "/disk.img";
    UniqueFd image = sys::Open(AT_FDCWD, file, O_RDWR | O_CREAT, 0600).value();
    sys::Truncate(image.get(), kDisk).value();
    if (system(("/sbin/mke2fs -q -F -t ext4 -m 0 " + file).c_str()) != 0) return false;
    sys::LoopDevice loop = sys::AttachLoop(image.get()).value();
    sys::FilesystemContext context = sys::FilesystemContext::Open("ext4").value();
    context.SetString("source", loop.path).value();
    Attach(&context);
    return true;
  }
  void Attach(sys::FilesystemContext* context) {
    context->Create().value();
    UniqueFd mount = context->Mount(0).value();
    sys::AttachMount(mount.get(), AT_FDCWD, disk_).value();
    is_mounted_ = true;
  }

  Room Free() const {
    struct statvfs info {};
    EXPECT_EQ(statvfs(disk_.c_str(), &info), 0);
    return {info.f_bavail * info.f_frsize, info.f_favail};
  }
  // Leaves so much.
  void Fill(const Room& left) {
    std::string ballast = disk_ + "/ballast";
    std::filesystem::create_directory(ballast);
    UniqueFd file = sys::Open(AT_FDCWD, ballast + "/bytes", O_WRONLY | O_CREAT, 0600).value();
    // ext4 gives removed files' blocks back with the next commit, and takes some for its own.
    sys::SyncFilesystem(file.get()).value();
    constexpr uint64_t kSlack = 64 << 10;
    for (uint64_t size = Free().bytes; size > left.bytes + kSlack; size -= kSlack) {
      if (posix_fallocate(file.get(), 0, static_cast<off_t>(size - left.bytes)) == 0) break;
    }
    for (int i = 0; Free().inodes > left.inodes; ++i) {
      sys::WriteFile(AT_FDCWD, ballast + "/" + std::to_string(i), "", 0600).value();
    }
  }

  ImportOptions Options() const {
    ImportOptions options;
    options.layers = layers_;
    // The reserve would end every import before its first stage.
    options.limits.reserve = Bytes(0);
    return options;
  }
  // True when the import had room enough.
  bool ImportWith(const Room& left) {
    Fill(left);
    uint64_t before = Names().size();
    Result<Image> image = [&] {
      Result<ImageStore> store = ImageStore::Open(disk_ + "/data");
      return store.ok() ? store.value().Import(big_, Options()) : std::move(store).error();
    }();
    std::string what =
        std::to_string(left.bytes) + " bytes, " + std::to_string(left.inodes) + " inodes left";
    if (!image.ok()) {
      EXPECT_EQ(image.error().code(), Code::kExhausted) << what;
      EXPECT_THAT(image.error().message(), HasSubstr("no space left on device")) << what;
      EXPECT_EQ(Names().size(), before) << what;
    }
    CheckSmall(what);
    std::filesystem::remove_all(disk_ + "/ballast");
    ImageStore store = std::move(ImageStore::Open(disk_ + "/data").value());
    Result<Image> again = store.Import(big_, Options());
    EXPECT_TRUE(again.ok()) << what << ": " << again.error().message();
    store.Remove("big").value();
    return image.ok();
  }
  // It is found, whole, and can be held.
  void CheckSmall(const std::string& what) {
    Result<ImageStore> store = ImageStore::Open(disk_ + "/data");
    ASSERT_TRUE(store.ok()) << what << ": " << store.error().message();
    Result<Image> image = store.value().Resolve("small");
    ASSERT_TRUE(image.ok()) << what << ": " << image.error().message();
    EXPECT_TRUE(store.value().Hold(image.value()).ok()) << what;
    EXPECT_EQ(sys::ReadFile(AT_FDCWD, image.value().layers[0].directory + "/kept").value(),
              "as it was")
        << what;
  }
  // All that is on the disk, without the store's lock.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(disk_)) {
      names.push_back(entry.path());
    }
    return names;
  }
  void KeepSmall() {
    ImageStore store = std::move(ImageStore::Open(disk_ + "/data").value());
    store.Import(small_).value();
    store.Import(big_, Options()).value();  // so that every directory of the store is there
    store.Remove("big").value();
  }
  // From nothing left to enough, at every step.
  void Sweep(uint64_t step) {
    KeepSmall();
    int failures = 0;
    for (uint64_t left = 0;; left += step * Stride()) {
      ASSERT_LT(left, kDisk) << "never enough";
      if (ImportWith({left, Free().inodes})) break;
      ++failures;
    }
    EXPECT_GT(failures, 1);
  }

  test::TempDir temp_;
  std::string disk_ = temp_.path() + "/disk";
  std::string big_;
  std::string small_;
  bool is_mounted_ = false;
  LayerChoice layers_ = LayerChoice::kUnpacked;  // of the big image
};

TEST_F(FullDiskTest, OfBlocksAtEveryStage) {
  MountTmpfs(4096);
  Sweep(512 << 10);
}

// Blocks are given out when they are written to the disk, long after write(2).
TEST_F(FullDiskTest, OfBlocksWhereTheyAreGivenOutLate) {
  if (!MountExt4()) GTEST_SKIP() << "missing capability: loop devices, mke2fs";
  Sweep(1 << 20);
}

TEST_F(FullDiskTest, WhileLayersBecomeImages) {
  if (!MountExt4()) GTEST_SKIP() << "missing capability: loop devices, mke2fs";
  SKIFF_REQUIRE(test::MissingErofs(disk_));
  layers_ = LayerChoice::kErofs;
  Sweep(1 << 20);
}

TEST_F(FullDiskTest, OfInodesAtEveryStage) {
  MountTmpfs(400);
  KeepSmall();
  int failures = 0;
  for (uint64_t left = 1;; left += 9 * Stride()) {
    ASSERT_LT(left, 400U) << "never enough";
    if (ImportWith({Free().bytes, left})) break;
    ++failures;
  }
  EXPECT_GT(failures, 1);
}

}  // namespace
}  // namespace skiff::images
