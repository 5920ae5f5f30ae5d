#include "tests/support/layout_builder.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "images/platform.h"
#include "tests/support/tar_builder.h"

namespace skiff::test {
namespace {

using images::Sha256;

const std::string kOci = "application/vnd.oci.image.";

// A store looks for skiff-unpack beside the program it is part of, which a test does not stand
// beside.
[[maybe_unused]] const bool kKnowsUnpacker = setenv("SKIFF_UNPACK", SKIFF_UNPACK_PROGRAM, 0) == 0;

std::string Quote(const std::string& text) { return "\"" + text + "\""; }

}  // namespace

void WriteTestFile(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (!file) abort();
}

std::string DescriptorOf(const std::string& media_type, const std::string& text,
                         const std::string& more) {
  return R"({"mediaType":)" + Quote(media_type) + R"(,"digest":)" +
         Quote(Sha256::Of(text).ToString()) + R"(,"size":)" + std::to_string(text.size()) + more +
         "}";
}

std::string ConfigOf(const TestImage& image) {
  std::string diff_ids;
  for (const TestLayer& layer : image.layers) {
    diff_ids += (diff_ids.empty() ? "" : ",") + Quote(Sha256::Of(layer.tar).ToString());
  }
  std::string architecture =
      image.architecture.empty() ? images::HostPlatform().architecture : image.architecture;
  return R"({"os":"linux","architecture":)" + Quote(architecture) + "," + image.config_members +
         R"(,"rootfs":{"type":"layers","diff_ids":[)" + diff_ids + "]}}";
}

std::string ManifestOf(const TestImage& image) {
  std::string layers;
  for (const TestLayer& layer : image.layers) {
    layers += (layers.empty() ? "" : ",") + DescriptorOf(kOci + "layer.v1.tar+gzip", layer.blob());
  }
  return R"({"schemaVersion":2,"config":)" +
         DescriptorOf(kOci + "config.v1+json", ConfigOf(image)) + R"(,"layers":[)" + layers + "]}";
}

LayoutBuilder::LayoutBuilder(std::string directory) : directory_(std::move(directory)) {
  std::filesystem::create_directories(directory_ + "/blobs/sha256");
  WriteTestFile(directory_ + "/oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
}

void LayoutBuilder::AddBlob(const std::string& content) {
  ReplaceBlob(Sha256::Of(content), content);
}

void LayoutBuilder::ReplaceBlob(const images::Digest& digest, const std::string& content) {
  WriteTestFile(directory_ + "/blobs/sha256/" + digest.hex(), content);
}

std::string LayoutBuilder::AddImage(const TestImage& image) {
  for (const TestLayer& layer : image.layers) AddBlob(layer.blob());
  AddBlob(ConfigOf(image));
  AddBlob(ManifestOf(image));
  std::string more =
      image.name.empty()
          ? ""
          : R"(,"annotations":{"org.opencontainers.image.ref.name":)" + Quote(image.name) + "}";
  if (!image.architecture.empty()) {
    more += R"(,"platform":{"os":"linux","architecture":)" + Quote(image.architecture) + "}";
  }
  return DescriptorOf(kOci + "manifest.v1+json", ManifestOf(image), more);
}

void LayoutBuilder::WriteIndex(const std::vector<std::string>& descriptors) {
  std::string list;
  for (const std::string& descriptor : descriptors) list += (list.empty() ? "" : ",") + descriptor;
  WriteTestFile(directory_ + "/index.json", R"({"schemaVersion":2,"manifests":[)" + list + "]}");
}

std::string WriteLayout(const std::string& directory, const TestImage& image) {
  LayoutBuilder layout(directory);
  std::string descriptor = layout.AddImage(image);
  layout.WriteIndex({descriptor});
  return directory;
}

std::string DockerArchive(const std::vector<TestImage>& images) {
  TarBuilder tar;
  std::string list;
  for (const TestImage& image : images) {
    std::string config = ConfigOf(image);
    std::string config_name = Sha256::Of(config).hex() + ".json";
    tar.File(config_name, config);
    std::string layers;
    for (const TestLayer& layer : image.layers) {
      std::string name = Sha256::Of(layer.tar).hex() + "/layer.tar";
      tar.File(name, layer.blob());
      layers += (layers.empty() ? "" : ",") + Quote(name);
    }
    list += (list.empty() ? "" : ",") + (R"({"Config":)" + Quote(config_name)) +
            R"(,"RepoTags":[)" + Quote(image.name) + R"(],"Layers":[)" + layers + "]}";
  }
  return tar.File("manifest.json", "[" + list + "]").Finish();
}

}  // namespace skiff::test
