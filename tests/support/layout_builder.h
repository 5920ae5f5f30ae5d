// Writes OCI layouts and docker archives for tests, with every document open to be bent.
#pragma once

#include <string>
#include <vector>

#include "images/digest.h"

namespace skiff::test {

struct TestLayer {
  std::string tar;     // whose digest is the diff id
  std::string packed;  // what the blob holds; empty: the tar
  const std::string& blob() const { return packed.empty() ? tar : packed; }
};

struct TestImage {
  std::string name = "nginx:latest";
  std::vector<TestLayer> layers;
  std::string architecture;  // empty: this host's
  std::string config_members = R"("config":{"Cmd":["/bin/true"]})";
};

// The member of an index that stands for a document.
std::string DescriptorOf(const std::string& media_type, const std::string& text,
                         const std::string& more = "");

std::string ConfigOf(const TestImage& image);
std::string ManifestOf(const TestImage& image);

// An OCI layout as a directory: blobs as they are added.
class LayoutBuilder {
 public:
  explicit LayoutBuilder(std::string directory);
  // Adds an image's blobs; the result is its descriptor, for an index.
  std::string AddImage(const TestImage& image);
  void AddBlob(const std::string& content);
  void ReplaceBlob(const images::Digest& digest, const std::string& content);
  void WriteIndex(const std::vector<std::string>& descriptors);
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
};

// One image, straight.
std::string WriteLayout(const std::string& directory, const TestImage& image);
std::string DockerArchive(const std::vector<TestImage>& images);

void WriteTestFile(const std::string& path, const std::string& content);

}  // namespace skiff::test
