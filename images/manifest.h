// The documents that say what an image consists of: OCI and Docker manifests and indexes, and the
// manifest.json of docker archives. Decoding is strict about kind: a document that could be read as
// both a manifest and an index is refused, and one whose media type is not the expected one too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "images/digest.h"
#include "images/platform.h"
#include "isolation/base/result.h"

namespace skiff::images {

struct Descriptor {
  std::string media_type;
  Digest digest;
  uint64_t size = 0;
  std::optional<Platform> platform;
  // From annotations: what the image is called, in full and as the archive's writer had it.
  std::string image_name;
  std::string ref_name;
  std::vector<std::string> urls;  // of a foreign layer: where else it is to be had; unchecked
};

struct Manifest {
  std::string media_type;  // what it says of itself, or ""
  Descriptor config;
  std::vector<Descriptor> layers;  // base first
};

// One image of a docker archive; the paths are names of members of the archive.
struct DockerImage {
  std::string config;
  std::vector<std::string> names;
  std::vector<std::string> layers;
};

bool IsManifestType(std::string_view media_type);
bool IsIndexType(std::string_view media_type);
// Of layers that are not for every registry to hand on: Docker's foreign ones, OCI's
// nondistributable ones (image-spec 1.1, "Non-distributable Layers"). Decoding takes them; whoever
// fetches asks first.
bool IsForeignLayerType(std::string_view media_type);

// `what` names the document in errors; `media_type` is what pointed to it says it is ("" if
// nothing did).
Result<Manifest> DecodeManifest(std::string_view text, std::string_view what,
                                std::string_view media_type);
Result<std::vector<Descriptor>> DecodeIndex(std::string_view text, std::string_view what,
                                            std::string_view media_type);
Result<std::vector<DockerImage>> DecodeDockerImages(std::string_view text, std::string_view what);

// As an OCI manifest; the same manifest gives the same text.
std::string EncodeManifest(const Manifest& manifest);
std::string EncodeIndex(const std::vector<Descriptor>& descriptors);
std::string EncodeDockerImages(const std::vector<DockerImage>& images);
// What to call a manifest of an image: what it says, or what its configuration's type makes it.
std::string ManifestTypeOf(const Manifest& manifest);

inline constexpr char kOciManifestType[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kOciConfigType[] = "application/vnd.oci.image.config.v1+json";
inline constexpr char kOciLayerType[] = "application/vnd.oci.image.layer.v1.tar";

}  // namespace skiff::images
