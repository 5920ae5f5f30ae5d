#include "images/store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "isolation/sys/file.h"
#include "tests/support/capability.h"
#include "tests/support/layout_builder.h"
#include "tests/support/tar_builder.h"
#include "tests/support/temp_dir.h"

namespace skiff::images {
namespace {

using test::Gzip;
using test::LayoutBuilder;
using test::TarBuilder;
using test::TestImage;
using test::TestLayer;
using test::Zstd;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TestLayer LayerWith(const std::string& name, const std::string& content = "content") {
  return {TarBuilder().File(name, content).Finish(), ""};
}

TestImage TwoLayers() {
  TestImage image;
  image.layers = {LayerWith("base"), LayerWith("top")};
  image.layers[1].packed = Gzip(image.layers[1].tar);
  return image;
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override { SKIFF_REQUIRE(test::MissingRoot()); }

  std::string Path(const std::string& name) const { return temp_.path() + "/" + name; }
  std::string DataRoot() const { return Path("data"); }
  ImageStore Store() const { return std::move(ImageStore::Open(DataRoot()).value()); }

  // Everything the store holds, beneath its directory, except its lock.
  std::set<std::string> Contents() const {
    std::set<std::string> names;
    std::string root = DataRoot() + "/images";
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      std::string name = std::filesystem::relative(entry.path(), root);
      if (name != "lock") names.insert(name);
    }
    return names;
  }
  std::vector<std::string> Layers() const {
    return sys::ListDirectory(AT_FDCWD, DataRoot() + "/images/layers").value();
  }
  // An import that must fail, and leave the store exactly as it was.
  Error ErrorOf(const std::string& path, const ImportOptions& options = {}) {
    ImageStore store = Store();
    std::set<std::string> before = Contents();
    Result<Image> image = store.Import(path, options);
    EXPECT_EQ(Contents(), before);
    if (image.ok()) return Error(Code::kInternal, "no error");
    return std::move(image).error();
  }
  std::string MessageOf(const std::string& path, const ImportOptions& options = {}) {
    return ErrorOf(path, options).message();
  }

  test::TempDir temp_;
};

TEST_F(StoreTest, ImportedImageIsFoundByEveryNameItHas) {
  ImageStore store = Store();
  Image image = store.Import(test::WriteLayout(Path("layout"), TwoLayers())).value();
  for (const std::string& text :
       {std::string("nginx"), std::string("nginx:latest"), std::string("docker.io/library/nginx"),
        image.id.ToString(), image.id.hex(), image.id.hex().substr(0, 12),
        image.manifest_digest.ToString(), "nginx@" + image.manifest_digest.ToString()}) {
    Result<Image> found = store.Resolve(text);
    ASSERT_TRUE(found.ok()) << found.error().message();
    EXPECT_EQ(found.value().id, image.id);
  }
  for (const char* text : {"redis", "nginx:1", "0000", "sha256:00", "NOT A NAME"}) {
    Result<Image> found = store.Resolve(text);
    ASSERT_FALSE(found.ok()) << text;
    EXPECT_EQ(found.error().code(), Code::kNotFound);
    EXPECT_THAT(found.error().message(), HasSubstr("image " + std::string(text)));
  }
}

TEST_F(StoreTest, LayersAreDirectoriesBaseFirst) {
  Image image = Store().Import(test::WriteLayout(Path("layout"), TwoLayers())).value();
  ASSERT_EQ(image.layers.size(), 2u);
  EXPECT_TRUE(std::filesystem::exists(image.layers[0].directory + "/base"));
  EXPECT_TRUE(std::filesystem::exists(image.layers[1].directory + "/top"));
  EXPECT_EQ(image.layers[0].directory[0], '/');
  EXPECT_EQ(image.layers[0].size, 7u);
  EXPECT_EQ(image.size, 14u);
  EXPECT_THAT(image.config.cmd, ElementsAre("/bin/true"));
  struct stat info {};
  ASSERT_EQ(stat((DataRoot() + "/images").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(StoreTest, ALayerThatInflatesWithoutMeasureIsRefused) {
  TestImage image;
  image.layers = {{TarBuilder().File("zeros", std::string(300 << 20, '\0')).Finish(), ""}};
  image.layers[0].packed = Zstd(image.layers[0].tar);
  EXPECT_THAT(MessageOf(test::WriteLayout(Path("layout"), image)),
              HasSubstr("more than 1100 times its compressed size comes out of it"));
}

TEST_F(StoreTest, AnUnpackerThatDiesIsAnErrorLikeAnother) {
  std::string program = getenv("SKIFF_UNPACK");
  setenv("SKIFF_UNPACK", "/bin/false", 1);
  EXPECT_THAT(MessageOf(test::WriteLayout(Path("layout"), TwoLayers())),
              HasSubstr("skiff-unpack ended without an answer, status 1"));
  setenv("SKIFF_UNPACK", program.c_str(), 1);
}

TEST_F(StoreTest, AStoreSurvivesItsProgram) {
  Image image = Store().Import(test::WriteLayout(Path("layout"), TwoLayers())).value();
  std::vector<Image> images = Store().List().value();
  ASSERT_EQ(images.size(), 1u);
  EXPECT_EQ(images[0].id, image.id);
  EXPECT_THAT(images[0].names, ElementsAre("docker.io/library/nginx:latest"));
  EXPECT_EQ(Store().Inspect("nginx").value().config, test::ConfigOf(TwoLayers()));
  EXPECT_EQ(Store().Inspect("nginx").value().manifest, test::ManifestOf(TwoLayers()));
}

TEST_F(StoreTest, EveryKindOfFileGivesTheSameLayers) {
  TestImage image = TwoLayers();
  image.layers.push_back(LayerWith("third"));
  image.layers[2].packed = Zstd(image.layers[2].tar);
  std::string docker = test::DockerArchive({image});
  test::WriteTestFile(Path("docker.tar"), docker);
  test::WriteTestFile(Path("docker.tar.gz"), Gzip(docker));
  TarBuilder oci;
  test::WriteLayout(Path("layout"), image);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(Path("layout"))) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    oci.File("./" + std::filesystem::relative(entry.path(), Path("layout")).string(), content);
  }
  test::WriteTestFile(Path("oci.tar"), oci.Finish());
  test::WriteTestFile(Path("oci.tar.zst"), Zstd(oci.Finish()));
  std::set<std::string> ids;
  std::set<std::string> layers;
  for (const char* name : {"layout", "docker.tar", "docker.tar.gz", "oci.tar", "oci.tar.zst"}) {
    test::TempDir data;
    Result<Image> imported = ImageStore::Open(data.path()).value().Import(Path(name));
    ASSERT_TRUE(imported.ok()) << imported.error().message();
    ids.insert(imported.value().id.hex());
    for (const LayerInfo& layer : imported.value().layers) {
      layers.insert(layer.directory.substr(data.path().size()));
      EXPECT_EQ(layer.size, 7u);
    }
    EXPECT_THAT(imported.value().names, ElementsAre("docker.io/library/nginx:latest"));
  }
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(layers.size(), 3u);
}

TEST_F(StoreTest, MediaTypesMayLieAboutCompression) {
  TestImage image = TwoLayers();
  image.layers[1].packed = Zstd(image.layers[1].tar);
  std::string manifest = test::ManifestOf(image);
  // Whatever the manifest says they are: the plain one gzip, the other too.
  for (size_t at = 0; (at = manifest.find("layer.v1.tar", at)) != std::string::npos; ++at) {
    size_t end = manifest.find('"', at);
    manifest.replace(at, end - at, "layer.v1.tar+gzip");
  }
  LayoutBuilder layout(Path("layout"));
  layout.AddImage(image);
  layout.AddBlob(manifest);
  layout.WriteIndex({test::DescriptorOf("application/vnd.oci.image.manifest.v1+json", manifest)});
  Result<Image> imported = Store().Import(Path("layout"), {.name = "it:1"});
  ASSERT_TRUE(imported.ok()) << imported.error().message();
  EXPECT_TRUE(std::filesystem::exists(imported.value().layers[1].directory + "/top"));
}

TEST_F(StoreTest, DockerArchiveGetsTheSameManifestPackedOrNot) {
  TestImage plain = TwoLayers();
  plain.layers[1].packed.clear();
  test::WriteTestFile(Path("plain.tar"), test::DockerArchive({plain}));
  test::WriteTestFile(Path("packed.tar"), test::DockerArchive({TwoLayers()}));
  ImageStore store = Store();
  Image first = store.Import(Path("plain.tar")).value();
  Image second = store.Import(Path("packed.tar")).value();  // its layers are present
  EXPECT_EQ(first.manifest_digest, second.manifest_digest);
  EXPECT_EQ(store.List().value().size(), 1u);
}

TEST_F(StoreTest, OldDockerArchiveSharesLayersByLinks) {
  TestImage image = TwoLayers();
  image.layers[1].packed.clear();
  std::string config = test::ConfigOf(image);
  std::string tar = TarBuilder()
                        .File("a/layer.tar", image.layers[0].tar)
                        .File("b/real.tar", image.layers[1].tar)
                        .Symlink("b/layer.tar", "../b/real.tar")
                        .File("config.json", config)
                        .File("manifest.json", R"([{"Config":"config.json","RepoTags":["x:1"],)"
                                               R"("Layers":["a/layer.tar","b/layer.tar"]}])")
                        .Finish();
  test::WriteTestFile(Path("old.tar"), tar);
  Result<Image> imported = Store().Import(Path("old.tar"));
  ASSERT_TRUE(imported.ok()) << imported.error().message();
  EXPECT_EQ(imported.value().layers.size(), 2u);
}

TEST_F(StoreTest, NameIsGivenOrReadOrMissed) {
  TestImage image = TwoLayers();
  image.name = "";
  test::WriteLayout(Path("nameless"), image);
  EXPECT_THAT(MessageOf(Path("nameless")), HasSubstr("give it a --name"));
  image.name = "1.0";  // only a tag
  test::WriteLayout(Path("tag"), image);
  EXPECT_THAT(MessageOf(Path("tag")), HasSubstr("give it a --name"));
  EXPECT_THAT(MessageOf(Path("tag"), {.name = "Bad Name"}), HasSubstr("image name 'Bad Name'"));
  Image named = Store().Import(Path("tag"), {.name = "mine:2"}).value();
  EXPECT_THAT(named.names, ElementsAre("docker.io/library/mine:2"));
}

TEST_F(StoreTest, ANameMovesToTheImageImportedLast) {
  ImageStore store = Store();
  TestImage second = TwoLayers();
  second.layers[1] = LayerWith("other");
  Image old = store.Import(test::WriteLayout(Path("one"), TwoLayers())).value();
  Image now = store.Import(test::WriteLayout(Path("two"), second)).value();
  EXPECT_EQ(store.Resolve("nginx").value().id, now.id);
  EXPECT_THAT(store.Resolve(old.id.hex()).value().names, IsEmpty());
  EXPECT_EQ(Layers().size(), 3u);
}

TEST_F(StoreTest, OneOfSeveralImagesIsChosenByName) {
  TestImage one = TwoLayers();
  TestImage two = TwoLayers();
  two.name = "redis:7";
  two.layers.pop_back();
  test::WriteTestFile(Path("docker.tar"), test::DockerArchive({one, two}));
  LayoutBuilder layout(Path("layout"));
  std::string first = layout.AddImage(one);
  layout.WriteIndex({first, layout.AddImage(two)});
  for (const char* path : {"docker.tar", "layout"}) {
    EXPECT_THAT(MessageOf(Path(path)),
                HasSubstr("several images, name one with --name: nginx:latest, redis:7"));
    EXPECT_THAT(MessageOf(Path(path), {.name = "mysql"}), HasSubstr("nginx:latest, redis:7"));
  }
  EXPECT_EQ(Store().Import(Path("docker.tar"), {.name = "redis:7"}).value().layers.size(), 1u);
  EXPECT_EQ(Store().Import(Path("layout"), {.name = "docker.io/redis:7"}).value().layers.size(),
            1u);
}

TEST_F(StoreTest, IndexIsFollowedToThePlatform) {
  TestImage arm = TwoLayers();
  arm.architecture = "arm64";
  TestImage other = TwoLayers();
  other.architecture = "riscv64";
  LayoutBuilder layout(Path("layout"));
  std::string list = layout.AddImage(other) + "," + layout.AddImage(arm);
  std::string inner = R"({"schemaVersion":2,"manifests":[)" + list + "]}";
  layout.AddBlob(inner);
  layout.WriteIndex(
      {test::DescriptorOf("application/vnd.oci.image.index.v1+json", inner,
                          R"(,"annotations":{"org.opencontainers.image.ref.name":"nginx:2"})")});
  Image image = Store()
                    .Import(Path("layout"), {.platform = Platform::Parse("linux/arm64/v8").value()})
                    .value();
  EXPECT_EQ(image.config.platform.architecture, "arm64");
  EXPECT_THAT(image.names, ElementsAre("docker.io/library/nginx:2"));
  EXPECT_THAT(MessageOf(Path("layout"), {.platform = Platform{"linux", "s390x", ""}}),
              HasSubstr("no image for linux/s390x, only for linux/riscv64, linux/arm64"));
}

TEST_F(StoreTest, ImageForAnotherMachineIsRefused) {
  TestImage image = TwoLayers();
  image.config_members = R"("variant":"v99","config":{})";
  EXPECT_THAT(MessageOf(test::WriteLayout(Path("layout"), image)), HasSubstr("is for linux/"));
}

TEST_F(StoreTest, WrongDigestsAreNamedWithTheLayer) {
  TestImage image = TwoLayers();
  LayoutBuilder layout(Path("layout"));
  layout.WriteIndex({layout.AddImage(image)});
  std::string other = LayerWith("evil").tar;
  Digest base = Sha256::Of(image.layers[0].tar);
  layout.ReplaceBlob(base, LayerWith("evil").tar);
  EXPECT_THAT(
      MessageOf(Path("layout")),
      testing::AllOf(HasSubstr("layout: layer 1 (" + base.ToString() + ")"),
                     HasSubstr("its content has the digest " + Sha256::Of(other).ToString())));
  layout.ReplaceBlob(base, other + "x");
  EXPECT_THAT(MessageOf(Path("layout")), HasSubstr("size is "));

  // The blob is what the manifest says, but not what the configuration says.
  TestImage liar = TwoLayers();
  std::string config = test::ConfigOf(liar);
  liar.layers[1].packed = Gzip(other);
  LayoutBuilder lying(Path("lying"));
  lying.WriteIndex({lying.AddImage(liar)});
  EXPECT_THAT(MessageOf(Path("lying")),
              testing::AllOf(HasSubstr("layer 2 (" + Sha256::Of(Gzip(other)).ToString() + ")"),
                             HasSubstr("diff id is " + Sha256::Of(other).ToString()),
                             HasSubstr("the configuration says " +
                                       Sha256::Of(liar.layers[1].tar).ToString())));
}

TEST_F(StoreTest, WrongDocumentsAreNamed) {
  TestImage image = TwoLayers();
  LayoutBuilder layout(Path("layout"));
  layout.WriteIndex({layout.AddImage(image)});
  std::string config = test::ConfigOf(image);
  std::string manifest = test::ManifestOf(image);
  layout.ReplaceBlob(Sha256::Of(config), std::string(config.size(), ' '));
  EXPECT_THAT(MessageOf(Path("layout")),
              HasSubstr("configuration " + Sha256::Of(config).ToString() + ": its content has"));
  layout.ReplaceBlob(Sha256::Of(manifest), "short");
  EXPECT_THAT(MessageOf(Path("layout")),
              HasSubstr("manifest " + Sha256::Of(manifest).ToString() + ": size is 5"));
  std::filesystem::remove(Path("layout/blobs/sha256/") + Sha256::Of(manifest).hex());
  EXPECT_THAT(MessageOf(Path("layout")), HasSubstr("missing"));
  test::WriteTestFile(Path("layout/index.json"), "{");
  EXPECT_THAT(MessageOf(Path("layout")), HasSubstr("index.json: not valid JSON"));
}

TEST_F(StoreTest, FilesThatAreNoImageAreRefused) {
  test::WriteTestFile(Path("garbage"), std::string(5000, 'g'));
  test::WriteTestFile(Path("empty"), "");
  test::WriteTestFile(Path("other.tar"), TarBuilder().File("readme").Finish());
  std::string docker = test::DockerArchive({TwoLayers()});
  test::WriteTestFile(Path("cut.tar"), docker.substr(0, docker.size() / 2 + 100));
  test::WriteTestFile(Path("cut.tar.gz"), Gzip(docker).substr(0, 300));
  std::filesystem::create_directory(Path("directory"));
  EXPECT_THAT(MessageOf(Path("garbage")), HasSubstr("wrong checksum"));
  EXPECT_THAT(MessageOf(Path("empty")), HasSubstr("neither an OCI layout"));
  EXPECT_THAT(MessageOf(Path("other.tar")), HasSubstr("neither an OCI layout"));
  EXPECT_THAT(MessageOf(Path("directory")), HasSubstr("neither an OCI layout"));
  EXPECT_THAT(MessageOf(Path("cut.tar")), HasSubstr("image " + Path("cut.tar") + ": "));
  EXPECT_THAT(MessageOf(Path("cut.tar.gz")), HasSubstr("gzip: ends in the middle"));
  Error missing = ErrorOf(Path("missing"));
  EXPECT_EQ(missing.code(), Code::kNotFound);
  EXPECT_THAT(missing.message(), HasSubstr("image " + Path("missing")));
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(MessageOf(Path("fifo")), HasSubstr("not a regular file"));
}

TEST_F(StoreTest, HostileLayerLeavesNothing) {
  for (const TarBuilder& tar : {TarBuilder().File("fine").File("../out"),
                                TarBuilder().File("fine").Raw(std::string(512, 'g'))}) {
    TestImage image = TwoLayers();
    image.layers[1] = {tar.Finish(), ""};
    EXPECT_THAT(MessageOf(test::WriteLayout(Path("layout"), image)), HasSubstr("layer 2 (sha256:"));
  }
}

// Deeper than there are descriptors: each symlink leads down a chain of directories, and the next
// chain begins behind it.
TEST_F(StoreTest, DeeplyNestedLayerIsRemovedWhole) {
  std::string chain;
  for (int i = 0; i < 200; ++i) chain += "d/";
  TarBuilder tar;
  std::string prefix;
  for (int i = 0; i < 6; ++i) {
    tar.Add({.name = "x", .pax = {{"path", prefix + chain + "file"}}});
    std::string link = "link" + std::to_string(i);
    tar.Add({.name = link, .type = '2', .pax = {{"linkpath", prefix + chain}}});
    prefix = link + "/";
  }
  TestImage image = TwoLayers();
  image.layers[0] = {tar.Finish(), ""};
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few{256, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  {
    ImageStore store = Store();
    Result<Image> imported = store.Import(test::WriteLayout(Path("good"), image));
    EXPECT_TRUE(imported.ok()) << imported.error().message();
    Result<> removed = store.Remove("nginx");
    EXPECT_TRUE(removed.ok()) << removed.error().message();
    EXPECT_THAT(Layers(), IsEmpty());
    image.layers[0] = {tar.File("../out").Finish(), ""};
    EXPECT_THAT(MessageOf(test::WriteLayout(Path("bad"), image)), HasSubstr("leads out"));
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(StoreTest, LayerThatAppearsTwiceIsStackedOnce) {
  TestImage image = TwoLayers();
  image.layers.push_back(image.layers[0]);
  Image imported = Store().Import(test::WriteLayout(Path("layout"), image)).value();
  ASSERT_EQ(imported.layers.size(), 2u);
  EXPECT_TRUE(std::filesystem::exists(imported.layers[0].directory + "/top"));
  EXPECT_TRUE(std::filesystem::exists(imported.layers[1].directory + "/base"));
  EXPECT_EQ(imported.config.diff_ids.size(), 3u);
}

// The same tar means different things above different layers: it must not be shared.
TEST_F(StoreTest, LayerThatReliesOnThoseBeneathIsNotSharedWithOtherImages) {
  TestLayer links{TarBuilder().HardLink("copy", "base").Finish(), ""};
  TestImage one{.name = "one:1", .layers = {LayerWith("base", "first"), links}};
  TestImage two{.name = "two:1", .layers = {LayerWith("base", "second"), links}};
  ImageStore store = Store();
  Image first = store.Import(test::WriteLayout(Path("one"), one)).value();
  Image second = store.Import(test::WriteLayout(Path("two"), two)).value();
  auto content = [](const Image& image) {
    return sys::ReadFile(AT_FDCWD, image.layers[1].directory + "/copy").value();
  };
  EXPECT_EQ(content(first), "first");
  EXPECT_EQ(content(second), "second");
  EXPECT_EQ(store.Import(Path("two")).value().layers[1].directory, second.layers[1].directory);
}

TEST_F(StoreTest, PresentLayersAreNotUnpackedAgain) {
  ImageStore store = Store();
  // Of each layer; several are at work at a time.
  std::map<size_t, std::vector<ImportProgress::Step>> steps;
  ImportOptions options;
  options.progress = [&](const ImportProgress& progress) {
    auto& own = steps[progress.layer];
    if (own.empty() || own.back() != progress.step) own.push_back(progress.step);
    EXPECT_LE(progress.done, progress.total);
    EXPECT_EQ(progress.layers, 2u);
  };
  using Step = ImportProgress::Step;
  ASSERT_TRUE(store.Import(test::WriteLayout(Path("layout"), TwoLayers()), options).ok());
  EXPECT_THAT(steps[1], ElementsAre(Step::kUnpacking, Step::kUnpacked));
  EXPECT_THAT(steps[2], ElementsAre(Step::kUnpacking, Step::kUnpacked));
  steps.clear();
  ASSERT_TRUE(store.Import(Path("layout"), options).ok());
  EXPECT_THAT(steps[1], ElementsAre(Step::kPresent));
  EXPECT_THAT(steps[2], ElementsAre(Step::kPresent));
}

TEST_F(StoreTest, RemovalKeepsWhatOtherImagesShare) {
  ImageStore store = Store();
  std::set<std::string> empty = Contents();
  TestImage other{.name = "redis:7", .layers = {LayerWith("base"), LayerWith("redis")}};
  Image nginx = store.Import(test::WriteLayout(Path("nginx"), TwoLayers())).value();
  Image redis = store.Import(test::WriteLayout(Path("redis"), other)).value();
  EXPECT_EQ(Layers().size(), 3u);
  ASSERT_TRUE(store.Remove("nginx").ok());
  EXPECT_FALSE(store.Resolve("nginx").ok());
  EXPECT_EQ(Layers().size(), 2u);
  EXPECT_TRUE(std::filesystem::exists(redis.layers[0].directory + "/base"));
  ASSERT_TRUE(store.Remove(redis.id.ToString()).ok());
  empty.insert("refs.json");
  EXPECT_EQ(Contents(), empty);
  EXPECT_EQ(store.Remove("nginx").error().code(), Code::kNotFound);
}

TEST_F(StoreTest, RemovingOneOfSeveralNamesKeepsTheImage) {
  ImageStore store = Store();
  Image image = store.Import(test::WriteLayout(Path("layout"), TwoLayers())).value();
  ASSERT_TRUE(store.Import(Path("layout"), {.name = "alias:1"}).ok());
  ASSERT_TRUE(store.Remove("nginx").ok());
  EXPECT_FALSE(store.Resolve("nginx").ok());
  EXPECT_EQ(store.Resolve("alias:1").value().id, image.id);
}

TEST_F(StoreTest, ImageInUseIsNotRemoved) {
  ImageStore store = Store();
  Image image = store.Import(test::WriteLayout(Path("layout"), TwoLayers())).value();
  {
    std::vector<UniqueFd> held = store.Hold(image).value();
    std::set<std::string> before = Contents();
    Result<> removed = store.Remove("nginx");
    ASSERT_FALSE(removed.ok());
    EXPECT_EQ(removed.error().code(), Code::kConflict);
    EXPECT_EQ(removed.error().message(), "image nginx is in use");
    EXPECT_EQ(Contents(), before);
  }
  EXPECT_TRUE(store.Remove("nginx").ok());
  EXPECT_EQ(store.Hold(image).error().code(), Code::kUnavailable);
}

TEST_F(StoreTest, WhatAnInterruptedImportLeftIsRemovedButNotALiveOne) {
  Store();
  std::string staging = DataRoot() + "/images/staging";
  std::filesystem::create_directories(staging + "/dead/0/fs");
  std::filesystem::create_directories(staging + "/live/0/fs");
  UniqueFd live = sys::OpenDirectory(AT_FDCWD, staging + "/live").value();
  ASSERT_TRUE(sys::TryLock(live.get(), sys::LockMode::kExclusive).value());
  Store();
  EXPECT_THAT(sys::ListDirectory(AT_FDCWD, staging).value(), ElementsAre("live"));
  live.Reset();
  Store();
  EXPECT_THAT(sys::ListDirectory(AT_FDCWD, staging).value(), IsEmpty());
}

// A crash between moving a layer in and naming it: the layer goes with the next change.
TEST_F(StoreTest, LayerThatNothingNamesIsSwept) {
  ImageStore store = Store();
  std::filesystem::create_directories(DataRoot() + "/images/layers/" + std::string(64, 'a') +
                                      "/fs");
  ASSERT_TRUE(store.Import(test::WriteLayout(Path("layout"), TwoLayers())).ok());
  EXPECT_EQ(Layers().size(), 2u);
}

TEST_F(StoreTest, StoreOfAnotherVersionIsLeftAlone) {
  Store();
  test::WriteTestFile(DataRoot() + "/images/version", "9\n");
  Result<ImageStore> store = ImageStore::Open(DataRoot());
  ASSERT_FALSE(store.ok());
  EXPECT_THAT(store.error().message(), HasSubstr("version '9'"));
}

TEST_F(StoreTest, ImportsAtTheSameTimeMeet) {
  TestImage image = TwoLayers();
  TarBuilder big;
  for (int i = 0; i < 300; ++i) big.File("f" + std::to_string(i), std::string(5000, 'x'));
  image.layers[0] = {big.Finish(), ""};
  test::WriteLayout(Path("layout"), image);
  std::set<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Result<ImageStore> store = ImageStore::Open(DataRoot());
      bool is_good = store.ok() && store.value().Import(Path("layout")).ok();
      _exit(is_good ? 0 : 1);
    }
    children.insert(child);
  }
  for (pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Store().List().value().size(), 1u);
  EXPECT_EQ(Layers().size(), 2u);
  EXPECT_THAT(sys::ListDirectory(AT_FDCWD, DataRoot() + "/images/staging").value(), IsEmpty());
}

}  // namespace
}  // namespace skiff::images
