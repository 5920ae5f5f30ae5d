// Images out of the store, and in again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "images/store.h"
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
using test::Zstd;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

TestImage ThreeLayers(const std::string& name = "nginx:latest") {
  TestImage image;
  image.name = name;
  for (const char* file : {"base", "middle", "top"}) {
    image.layers.push_back({TarBuilder().File(file, file).Finish(), ""});
  }
  image.layers[1].packed = Gzip(image.layers[1].tar);
  image.layers[2].packed = Zstd(image.layers[2].tar);
  return image;
}

class ExportTest : public testing::Test {
 protected:
  void SetUp() override { SKIFF_REQUIRE(test::MissingRoot()); }

  std::string Path(const std::string& name) const { return temp_.path() + "/" + name; }
  ImageStore Store(const std::string& name) const {
    return std::move(ImageStore::Open(Path(name)).value());
  }
  Image Import(ImageStore& store, const TestImage& image, const ImportOptions& options = {}) {
    std::string layout = Path("layout" + std::to_string(++layouts_));
    Result<Image> imported = store.Import(test::WriteLayout(layout, image), options);
    EXPECT_TRUE(imported.ok()) << imported.error().message();
    return std::move(imported).value();
  }

  test::TempDir temp_;
  int layouts_ = 0;
};

TEST_F(ExportTest, WhatComesOutIsWhatWentIn) {
  ImageStore store = Store("store");
  Image image = Import(store, ThreeLayers());
  struct Case {
    const char* name;
    ExportFormat format;
    bool is_alike;  // the manifest too
  };
  for (const Case& each : {Case{"oci.tar", ExportFormat::kOciArchive, true},
                           Case{"layout", ExportFormat::kOciLayout, true},
                           Case{"docker.tar", ExportFormat::kDockerArchive, false}}) {
    Result<> exported = store.Export({"nginx"}, Path(each.name), each.format);
    ASSERT_TRUE(exported.ok()) << exported.error().message();
    ImageStore other = Store(std::string(each.name) + ".store");
    Result<Image> back = other.Import(Path(each.name));
    ASSERT_TRUE(back.ok()) << back.error().message();
    EXPECT_EQ(back.value().id, image.id);
    EXPECT_EQ(back.value().manifest_digest == image.manifest_digest, each.is_alike);
    EXPECT_THAT(back.value().names, ElementsAre("docker.io/library/nginx:latest"));
    EXPECT_FALSE(std::filesystem::exists(Path(std::string(each.name) + ".partial")));
    // And out of there again: of a docker archive the manifest is ours.
    EXPECT_TRUE(other.Export({"nginx"}, Path("again"), ExportFormat::kOciArchive).ok());
  }
}

TEST_F(ExportTest, APackedDockerArchiveGoesOutAsItsManifestNamesIt) {
  TestImage image = ThreeLayers();
  image.layers.pop_back();
  test::WriteTestFile(Path("packed.tar"), test::DockerArchive({image}));
  ImageStore store = Store("store");
  Image imported = store.Import(Path("packed.tar")).value();
  Result<> exported = store.Export({"nginx"}, Path("oci.tar"), ExportFormat::kOciArchive);
  ASSERT_TRUE(exported.ok()) << exported.error().message();
  Result<Image> back = Store("other").Import(Path("oci.tar"));
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(back.value().manifest_digest, imported.manifest_digest);
}

TEST_F(ExportTest, SeveralImagesAndNames) {
  ImageStore store = Store("store");
  Import(store, ThreeLayers());
  TestImage redis = ThreeLayers("redis:7");
  redis.layers.pop_back();
  Import(store, redis);
  ASSERT_TRUE(store.Tag("nginx", "web:1").ok());
  for (ExportFormat format : {ExportFormat::kOciArchive, ExportFormat::kDockerArchive}) {
    ASSERT_TRUE(store.Export({"nginx", "web:1", "redis:7"}, Path("all.tar"), format).ok());
    for (const char* name : {"nginx:latest", "web:1", "redis:7"}) {
      ImageStore other = Store("other");
      Result<Image> back = other.Import(Path("all.tar"), {.name = name});
      ASSERT_TRUE(back.ok()) << back.error().message();
      EXPECT_EQ(back.value().id, store.Resolve(name).value().id);
    }
  }
}

TEST_F(ExportTest, WhatWasNotKeptIsNamedAndNothingIsLeft) {
  ImageStore store = Store("store");
  Import(store, ThreeLayers(), {.keeps_files = false});
  Result<> exported = store.Export({"nginx"}, Path("out.tar"), ExportFormat::kOciArchive);
  ASSERT_FALSE(exported.ok());
  EXPECT_EQ(exported.error().code(), Code::kNotFound);
  EXPECT_THAT(exported.error().message(), HasSubstr("was not kept"));
  EXPECT_FALSE(std::filesystem::exists(Path("out.tar")));
  EXPECT_FALSE(std::filesystem::exists(Path("out.tar.partial")));
  // Present layers' files are fetched when that is asked for.
  Import(store, ThreeLayers(), {.completes_files = true});
  EXPECT_TRUE(store.Export({"nginx"}, Path("out.tar"), ExportFormat::kOciArchive).ok());
  EXPECT_TRUE(store.Verify("nginx").value().is_whole());
}

TEST_F(ExportTest, ADamagedFileDoesNotLeave) {
  ImageStore store = Store("store");
  TestImage image = ThreeLayers();
  Import(store, image);
  std::string kept = Path("store/images/blobs/sha256/") + Sha256::Of(image.layers[0].tar).hex();
  std::string content = image.layers[0].tar;
  content[700] ^= 1;
  test::WriteTestFile(kept, content);
  Result<> exported = store.Export({"nginx"}, Path("out.tar"), ExportFormat::kDockerArchive);
  ASSERT_FALSE(exported.ok());
  EXPECT_THAT(exported.error().message(), HasSubstr("is damaged"));
  EXPECT_FALSE(std::filesystem::exists(Path("out.tar")));
}

TEST_F(ExportTest, ALayoutIsNotWrittenOverAnother) {
  ImageStore store = Store("store");
  Import(store, ThreeLayers());
  std::filesystem::create_directory(Path("there"));
  EXPECT_EQ(store.Export({"nginx"}, Path("there"), ExportFormat::kOciLayout).error().code(),
            Code::kConflict);
  EXPECT_EQ(store.Export({"none"}, Path("x"), ExportFormat::kOciLayout).error().code(),
            Code::kNotFound);
}

}  // namespace
}  // namespace skiff::images
