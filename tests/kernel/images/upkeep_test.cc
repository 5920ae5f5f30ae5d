// Looking after the store: verify, repair, usage, prune.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "images/collect.h"
#include "images/registry/repair.h"
#include "images/store.h"
#include "isolation/base/clock.h"
#include "isolation/sys/file.h"
#include "tests/support/capability.h"
#include "tests/support/layout_builder.h"
#include "tests/support/tar_builder.h"
#include "tests/support/temp_dir.h"

namespace skiff::images {
namespace {

using test::Gzip;
using test::TarBuilder;
using test::TestImage;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Files of every kind; the second layer packed.
TestImage OrdinaryImage(const std::string& name = "nginx:latest", const std::string& top = "top") {
  TestImage image;
  image.name = name;
  image.layers = {{TarBuilder()
                       .Directory("etc")
                       .File("etc/passwd", "root:x:0:0::/:/bin/sh\n")
                       .HardLink("etc/passwd-", "etc/passwd")
                       .Symlink("bin", "usr/bin")
                       .File("odd\nname", "content")
                       .Finish(),
                   ""},
                  {TarBuilder().File("usr/bin/tool", top).Finish(), ""}};
  image.layers[1].packed = Gzip(image.layers[1].tar);
  return image;
}

class UpkeepTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(test::MissingRoot());
    store_ = std::make_unique<ImageStore>(std::move(ImageStore::Open(DataRoot()).value()));
  }

  std::string DataRoot() const { return temp_.path() + "/data"; }
  std::string Inside(const std::string& name) const { return DataRoot() + "/images/" + name; }
  Image Import(const TestImage& image, const ImportOptions& options = {}) {
    std::string path = temp_.path() + "/" + std::to_string(++layouts_);
    Result<Image> imported = store_->Import(test::WriteLayout(path, image), options);
    EXPECT_TRUE(imported.ok()) << imported.error().message();
    return std::move(imported).value();
  }
  std::vector<std::string> Names(const std::string& directory) const {
    return sys::ListDirectory(AT_FDCWD, Inside(directory)).value();
  }
  ImageHealth Health() const { return store_->Verify("nginx").value(); }
  Result<> Repair() { return registry::Repair(*store_, Health(), {}); }

  test::TempDir temp_;
  std::unique_ptr<ImageStore> store_;
  int layouts_ = 0;
};

void Overwrite(const std::string& path, const std::string& bytes, off_t offset) {
  UniqueFd file = sys::Open(AT_FDCWD, path, O_WRONLY).value();
  ASSERT_TRUE(sys::WriteAt(file.get(), bytes, offset, path).ok());
}

// As a bad disk does: content changes and nothing else.
void FlipByte(const std::string& path) {
  struct stat before {};
  ASSERT_EQ(stat(path.c_str(), &before), 0);
  std::string content = sys::ReadFile(AT_FDCWD, path).value();
  Overwrite(path, std::string(1, static_cast<char>(content[3] ^ 4)), 3);
  timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

TEST_F(UpkeepTest, AWholeImageIsWhole) {
  Import(OrdinaryImage());
  EXPECT_THAT(Health().damage, IsEmpty());
}

TEST_F(UpkeepTest, VerifyNamesWhatIsWrongWithALayer) {
  struct Case {
    const char* words;
    std::function<void(const std::string&)> damage;  // of the base layer's directory
  };
  const Case cases[] = {
      {"etc/passwd: its content has changed",
       [](const std::string& base) { FlipByte(base + "/etc/passwd"); }},
      {"odd\nname: its size is 0, it was 7",
       [](const std::string& base) { ASSERT_EQ(truncate((base + "/odd\nname").c_str(), 0), 0); }},
      {"etc/passwd: missing",
       [](const std::string& base) { std::filesystem::remove(base + "/etc/passwd"); }},
      {"etc: missing", [](const std::string& base) { std::filesystem::remove_all(base + "/etc"); }},
      {"etc/passwd: its mode has changed",
       [](const std::string& base) { ASSERT_EQ(chmod((base + "/etc/passwd").c_str(), 0600), 0); }},
      {"bin: its owner has changed",
       [](const std::string& base) { ASSERT_EQ(lchown((base + "/bin").c_str(), 7, 7), 0); }},
      {"bin: its size is 5, it was 7",
       [](const std::string& base) {
         std::filesystem::remove(base + "/bin");
         std::filesystem::create_symlink("other", base + "/bin");
       }},
      {"bin: it is another kind of file",
       [](const std::string& base) {
         std::filesystem::remove(base + "/bin");
         std::filesystem::create_directory(base + "/bin");
       }},
      {"etc/passwd: it has another number of names",
       [](const std::string& base) { std::filesystem::remove(base + "/etc/passwd-"); }},
      {"etc: its time has changed",
       [](const std::string& base) { std::ofstream(base + "/etc/more"); }},
      {"etc: there is more in it than there was",
       [](const std::string& base) { std::ofstream(base + "/etc/more"); }},
      {"the list of its files is damaged",
       [](const std::string& base) { Overwrite(base + "/../files", "x", 20); }},
      {"the list of its files is damaged",
       [](const std::string& base) { ASSERT_EQ(truncate((base + "/../files").c_str(), 60), 0); }},
      {"open files: no such file",
       [](const std::string& base) { std::filesystem::remove(base + "/../files"); }},
      {"is gone",
       [](const std::string& base) {
         std::filesystem::remove_all(std::filesystem::path(base).parent_path());
       }},
  };
  for (const Case& each : cases) {
    Image image = Import(OrdinaryImage());
    each.damage(image.layers[0].directory);
    ImageHealth health = Health();
    EXPECT_THAT(health.damage, Contains(HasSubstr("layer " + image.layers[0].diff_id.ToString() +
                                                  ": " + each.words)));
    EXPECT_THAT(health.layers, ElementsAre(image.layers[0].diff_id.hex()));
    Result<> repaired = Repair();
    ASSERT_TRUE(repaired.ok()) << each.words << ": " << repaired.error().message();
    EXPECT_THAT(Health().damage, IsEmpty()) << each.words;
    EXPECT_THAT(Names("layers"), SizeIs(2)) << each.words;
  }
}

TEST_F(UpkeepTest, DocumentsAndKeptFilesAreVerifiedToo) {
  TestImage image = OrdinaryImage();
  Import(image);
  std::string kept = Sha256::Of(image.layers[1].packed).hex();
  FlipByte(Inside("blobs/sha256/" + kept));
  EXPECT_THAT(Health().damage, ElementsAre(HasSubstr("file of a layer sha256:" + kept)));
  ASSERT_TRUE(Repair().ok());  // the layer itself is whole: only the file goes
  EXPECT_THAT(Health().damage, IsEmpty());
  EXPECT_THAT(Names("blobs/sha256"), testing::Not(Contains(kept)));
  std::string config = Sha256::Of(test::ConfigOf(image)).hex();
  FlipByte(Inside("blobs/sha256/" + config));
  EXPECT_THAT(Health().damage, ElementsAre(HasSubstr("configuration: ")));
  EXPECT_TRUE(Health().lacks_documents);
  EXPECT_THAT(store_->List().value(), SizeIs(1));  // it is still to be seen
  EXPECT_TRUE(store_->List().value()[0].is_damaged);
  Import(image);
  EXPECT_THAT(Health().damage, IsEmpty());
}

TEST_F(UpkeepTest, WhatNobodyHasIsNotRepaired) {
  Image image = Import(OrdinaryImage(), {.keeps_files = false});
  EXPECT_THAT(Names("blobs/sha256"), SizeIs(2));
  std::filesystem::remove(image.layers[0].directory + "/etc/passwd");
  ImageHealth health = Health();
  health.name = "nginx";
  // The name leads to no registry here; without one there is nothing to ask.
  ASSERT_TRUE(store_->Tag("nginx", "registry.invalid/nginx:1").ok());
  ASSERT_TRUE(store_->Remove("nginx").ok());
  registry::RepairOptions options;
  options.settings.attempts = 1;
  Result<> repaired = registry::Repair(*store_, health, options);
  ASSERT_FALSE(repaired.ok());
  EXPECT_THAT(repaired.error().message(), HasSubstr("import it again"));
  // What is damaged is not served any more.
  EXPECT_EQ(store_->Hold(image).error().code(), Code::kUnavailable);
  EXPECT_THAT(Import(OrdinaryImage()).layers, SizeIs(2));
  EXPECT_TRUE(store_->Hold(image).ok());
}

TEST_F(UpkeepTest, AStartFindsMissingAndEmptyFiles) {
  Image image = Import(OrdinaryImage());
  std::string base = image.layers[0].directory;
  ASSERT_EQ(truncate((base + "/etc/passwd").c_str(), 0), 0);
  Result<std::vector<UniqueFd>> held = store_->Hold(image);
  ASSERT_FALSE(held.ok());
  // Not kNotFound: a registry may have something else under an imported image's name.
  EXPECT_EQ(held.error().code(), Code::kUnavailable);
  EXPECT_THAT(held.error().message(),
              HasSubstr("it is damaged: etc/passwd: its size is 0, it was 22; skiff image verify"));
  // An import of the same image makes the layer anew.
  Import(OrdinaryImage());
  EXPECT_TRUE(store_->Hold(image).ok());
  EXPECT_EQ(sys::ReadFile(AT_FDCWD, base + "/etc/passwd").value(), "root:x:0:0::/:/bin/sh\n");
}

TEST_F(UpkeepTest, ARepairTakesNothingFromWhoUsesTheLayer) {
  Image image = Import(OrdinaryImage());
  std::vector<UniqueFd> held = store_->Hold(image).value();
  std::string base = image.layers[0].directory;
  UniqueFd used = sys::OpenDirectory(AT_FDCWD, base).value();  // as a mount has it
  FlipByte(base + "/etc/passwd");
  ASSERT_TRUE(Repair().ok());
  EXPECT_TRUE(sys::Exists(used.get(), "etc/passwd"));
  EXPECT_THAT(Names("layers"), SizeIs(3));
  EXPECT_THAT(Health().damage, IsEmpty());
  held.clear();
  used.Reset();
  ASSERT_TRUE(store_->Prune({}).ok());
  EXPECT_THAT(Names("layers"), SizeIs(2));
}

TEST_F(UpkeepTest, AStoreOfTheFirstVersionGetsItsLists) {
  Image image = Import(OrdinaryImage());
  for (const LayerInfo& layer : image.layers) {
    std::filesystem::remove(layer.directory + "/../files");
  }
  test::WriteTestFile(Inside("version"), "1\n");
  store_ = std::make_unique<ImageStore>(std::move(ImageStore::Open(DataRoot()).value()));
  EXPECT_EQ(sys::ReadFile(AT_FDCWD, Inside("version")).value(), "3\n");
  EXPECT_THAT(Health().damage, IsEmpty());
  FlipByte(image.layers[0].directory + "/etc/passwd");
  EXPECT_THAT(Health().damage, Contains(HasSubstr("its content has changed")));
}

TEST_F(UpkeepTest, UsageTellsSharedFromOwn) {
  TestImage first = OrdinaryImage();
  TestImage second = OrdinaryImage("redis:7", "other top");
  Import(first);
  Image redis = Import(second, {.keeps_files = false});
  StoreUsage usage = store_->Usage().value();
  ASSERT_THAT(usage.images, SizeIs(2));
  uint64_t base = 22 + 7;
  uint64_t kept = first.layers[1].packed.size();
  EXPECT_EQ(usage.images[0].shared, base);
  EXPECT_EQ(usage.images[0].own, 3 + kept);
  EXPECT_EQ(usage.images[0].kept, first.layers[0].tar.size() + kept);
  EXPECT_EQ(usage.images[1].own, 9u);
  // The base's file was kept for the first image, and is there for the second.
  EXPECT_EQ(usage.images[1].kept, first.layers[0].tar.size());
  EXPECT_EQ(usage.layers, base + 3 + 9);
  EXPECT_EQ(usage.kept, first.layers[0].tar.size() + kept);
  std::vector<UniqueFd> held = store_->Hold(redis).value();
  usage = store_->Usage().value();
  EXPECT_FALSE(usage.images[0].is_in_use);
  EXPECT_TRUE(usage.images[1].is_in_use);
}

TEST_F(UpkeepTest, PruneTakesTheNamelessAndOnRequestTheUnused) {
  Import(OrdinaryImage());
  Image old = store_->Resolve("nginx").value();
  Import(OrdinaryImage("nginx:latest", "newer"));
  Image redis = Import(OrdinaryImage("redis:7", "redis"));
  EXPECT_THAT(store_->Prune({.is_dry = true}).value().removed, SizeIs(1));
  EXPECT_THAT(store_->List().value(), SizeIs(3));
  PruneReport report = store_->Prune({}).value();
  ASSERT_THAT(report.removed, SizeIs(1));
  EXPECT_EQ(report.removed[0].image.id, old.id);
  EXPECT_GT(report.freed, 3u);
  EXPECT_FALSE(std::filesystem::exists(old.layers[1].directory));

  std::vector<UniqueFd> held = store_->Hold(redis).value();
  report =
      store_->Prune({.takes_named = true, .unused_since = WallNanoseconds() - 3'600'000'000'000})
          .value();
  EXPECT_THAT(report.removed, IsEmpty());
  EXPECT_THAT(store_->Prune({.takes_named = true, .only_pulled = true}).value().removed, IsEmpty());
  EXPECT_THAT(store_->Prune({.takes_named = true, .labels = {{"stage", ""}}}).value().removed,
              IsEmpty());
  report = store_->Prune({.takes_named = true}).value();
  ASSERT_THAT(report.removed, SizeIs(1));
  EXPECT_THAT(report.removed[0].image.names, ElementsAre("docker.io/library/nginx:latest"));
  EXPECT_THAT(store_->List().value(), SizeIs(1));
  held.clear();
  EXPECT_THAT(store_->Prune({.takes_named = true}).value().removed, SizeIs(1));
  EXPECT_THAT(Names("layers"), IsEmpty());
  EXPECT_THAT(Names("blobs/sha256"), IsEmpty());
}

TEST_F(UpkeepTest, PruneEndsWhenThereIsEnoughAndTakesTheOldestFirst) {
  Image first = Import(OrdinaryImage("a:1", "a"));
  Image second = Import(OrdinaryImage("b:1", "b"));
  ASSERT_TRUE(store_->Hold(first).ok());  // used last
  int asked = 0;
  PruneReport report =
      store_->Prune({.takes_named = true, .is_enough = [&] { return ++asked > 1; }}).value();
  ASSERT_THAT(report.removed, SizeIs(1));
  EXPECT_EQ(report.removed[0].image.id, second.id);
}

TEST_F(UpkeepTest, PruneGoesByLabels) {
  TestImage image = OrdinaryImage("app:1");
  image.config_members = R"("config":{"Labels":{"stage":"test"}})";
  Import(image);
  EXPECT_THAT(store_->Prune({.takes_named = true, .labels = {{"stage", "live"}}}).value().removed,
              IsEmpty());
  EXPECT_THAT(store_->Prune({.takes_named = true, .labels = {{"stage", "test"}}}).value().removed,
              SizeIs(1));
}

TEST_F(UpkeepTest, ATagIsAnotherName) {
  Image image = Import(OrdinaryImage());
  EXPECT_THAT(store_->Tag(image.id.hex(), "mine:2").value().names,
              ElementsAre("docker.io/library/nginx:latest", "docker.io/library/mine:2"));
  Image other = Import(OrdinaryImage("redis:7", "redis"));
  ASSERT_TRUE(store_->Tag("redis:7", "mine:2").ok());
  EXPECT_EQ(store_->Resolve("mine:2").value().id, other.id);
  EXPECT_THAT(store_->Resolve("nginx").value().names,
              ElementsAre("docker.io/library/nginx:latest"));
  EXPECT_THAT(store_->Tag("nginx", "Bad Name").error().message(), HasSubstr("Bad Name"));
  EXPECT_EQ(store_->Tag("nothing", "x:1").error().code(), Code::kNotFound);
}

TEST_F(UpkeepTest, DroppedFilesAreGoneAndLayersStay) {
  TestImage image = OrdinaryImage();
  Import(image);
  uint64_t kept = image.layers[0].tar.size() + image.layers[1].packed.size();
  EXPECT_EQ(store_->DropKeptFiles().value(), kept);
  EXPECT_THAT(Names("blobs/sha256"), SizeIs(2));
  EXPECT_THAT(Health().damage, IsEmpty());
}

TEST_F(UpkeepTest, CollectionGoesByItsRulesAndKeepsWhatNoRegistryHas) {
  Import(OrdinaryImage("kept:1", "kept"));
  Image nameless = Import(OrdinaryImage("nginx:1", "a"));
  Import(OrdinaryImage("nginx:1", "b"));
  int64_t later = WallNanoseconds() + std::chrono::nanoseconds(std::chrono::hours(10'000)).count();
  CollectRules rules;
  rules.disk_percent = 1;  // of any disk more is used
  rules.disk_goal_percent = 0;
  rules.unused = std::chrono::hours(1);
  rules.images = 1;
  // All is too young.
  EXPECT_THAT(Collect(*store_, rules, WallNanoseconds()).value().removed, IsEmpty());
  PruneReport report = Collect(*store_, rules, later).value();
  ASSERT_THAT(report.removed, SizeIs(1));
  EXPECT_EQ(report.removed[0].image.id, nameless.id);
}

}  // namespace
}  // namespace skiff::images
