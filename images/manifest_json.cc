#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "images/limits.h"
#include "images/manifest.h"
#include "isolation/base/json.h"

namespace skiff::images {
namespace {

constexpr std::string_view kOciIndexType = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view kDockerManifestType =
    "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view kDockerIndexType =
    "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr std::string_view kDockerConfigType = "application/vnd.docker.container.image.v1+json";
constexpr std::string_view kDockerLayerType = "application/vnd.docker.image.rootfs.diff.tar";

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool IsLayerType(std::string_view type) {
  return IsOneOf(type, {kOciLayerType, "application/vnd.oci.image.layer.v1.tar+gzip",
                        "application/vnd.oci.image.layer.v1.tar+zstd", kDockerLayerType,
                        "application/vnd.docker.image.rootfs.diff.tar.gzip",
                        "application/vnd.docker.image.rootfs.diff.tar.zstd"}) ||
         IsForeignLayerType(type);
}

Result<Platform> ReadPlatform(const JsonCursor& cursor) {
  Platform platform;
  std::optional<std::string> os = TRY(cursor.FindString("os"));
  std::optional<std::string> architecture = TRY(cursor.FindString("architecture"));
  std::optional<std::string> variant = TRY(cursor.FindString("variant"));
  platform.os = os.value_or("");
  platform.architecture = architecture.value_or("");
  platform.variant = variant.value_or("");
  return platform;
}

Result<Descriptor> ReadDescriptor(const JsonCursor& cursor) {
  Descriptor descriptor;
  JsonCursor type = TRY(cursor.Get("mediaType"));
  descriptor.media_type = TRY(type.String());
  JsonCursor digest = TRY(cursor.Get("digest"));
  std::string digest_text = TRY(digest.String());
  descriptor.digest = TRY(Digest::Parse(digest_text).Context(cursor.path()));
  JsonCursor size = TRY(cursor.Get("size"));
  int64_t count = TRY(size.Integer(0));
  descriptor.size = static_cast<uint64_t>(count);
  std::optional<JsonCursor> platform = TRY(cursor.Find("platform"));
  if (platform) descriptor.platform = TRY(ReadPlatform(*platform));
  std::optional<JsonCursor> notes = TRY(cursor.Find("annotations"));
  if (!notes) return descriptor;
  std::optional<std::string> image_name = TRY(notes->FindString("io.containerd.image.name"));
  std::optional<std::string> ref_name = TRY(notes->FindString("org.opencontainers.image.ref.name"));
  descriptor.image_name = image_name.value_or("");
  descriptor.ref_name = ref_name.value_or("");
  return descriptor;
}

// The members only the other kind of document has, and the media type it should be.
Result<> CheckKind(const JsonCursor& root, std::string_view expected_type,
                   std::initializer_list<std::string_view> foreign,
                   bool (*is_kind)(std::string_view)) {
  std::optional<int64_t> version = TRY(root.FindInteger("schemaVersion"));
  if (version != 2) {
    return root.Invalid("schemaVersion is " + std::to_string(version.value_or(0)) + ", expected 2");
  }
  for (std::string_view name : foreign) {
    std::optional<JsonCursor> member = TRY(root.Find(name));
    if (member) return root.Invalid("could be both a manifest and an index");
  }
  std::optional<std::string> type = TRY(root.FindString("mediaType"));
  if (!type) return {};
  if (!is_kind(*type))
    return root.Invalid("mediaType is '" + *type + "', another kind of document");
  if (!expected_type.empty() && *type != expected_type) {
    return root.Invalid("mediaType is '" + *type + "', but '" + std::string(expected_type) +
                        "' where it is referred to");
  }
  return {};
}

Result<Manifest> ReadManifest(const JsonCursor& root, std::string_view media_type) {
  TRY(CheckKind(root, media_type, {"manifests"}, IsManifestType));
  Manifest manifest;
  std::optional<std::string> type = TRY(root.FindString("mediaType"));
  manifest.media_type = type.value_or("");
  JsonCursor config = TRY(root.Get("config"));
  manifest.config = TRY(ReadDescriptor(config));
  if (!IsOneOf(manifest.config.media_type, {kOciConfigType, kDockerConfigType})) {
    return config.Invalid("mediaType is '" + manifest.config.media_type +
                          "': not a container image");
  }
  JsonCursor layers = TRY(root.Get("layers"));
  std::vector<JsonCursor> elements = TRY(layers.Elements());
  if (elements.size() > kMaxLayers) {
    return layers.Invalid("more than " + std::to_string(kMaxLayers) + " layers");
  }
  for (const JsonCursor& element : elements) {
    Descriptor layer = TRY(ReadDescriptor(element));
    if (!IsLayerType(layer.media_type)) {
      return element.Invalid("mediaType '" + layer.media_type +
                             "' is not a layer skiff can unpack");
    }
    // Nobody is to be led elsewhere by any other layer.
    if (IsForeignLayerType(layer.media_type)) layer.urls = TRY(element.FindStrings("urls"));
    if (layer.urls.size() > kMaxUrls) {
      return element.Invalid("more urls than " + std::to_string(kMaxUrls));
    }
    manifest.layers.push_back(std::move(layer));
  }
  return manifest;
}

Result<std::vector<Descriptor>> ReadIndex(const JsonCursor& root, std::string_view media_type) {
  TRY(CheckKind(root, media_type, {"layers", "config"}, IsIndexType));
  JsonCursor manifests = TRY(root.Get("manifests"));
  std::vector<JsonCursor> elements = TRY(manifests.Elements());
  if (elements.size() > kMaxIndexEntries) return manifests.Invalid("too many manifests");
  std::vector<Descriptor> descriptors;
  for (const JsonCursor& element : elements) {
    Descriptor descriptor = TRY(ReadDescriptor(element));
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

Result<std::vector<DockerImage>> ReadDockerImages(const JsonCursor& root) {
  std::vector<JsonCursor> elements = TRY(root.Elements());
  if (elements.size() > kMaxIndexEntries) return root.Invalid("too many images");
  std::vector<DockerImage> images;
  for (const JsonCursor& element : elements) {
    DockerImage image;
    JsonCursor config = TRY(element.Get("Config"));
    image.config = TRY(config.String());
    image.names = TRY(element.FindStrings("RepoTags"));
    image.layers = TRY(element.FindStrings("Layers"));
    if (image.layers.size() > kMaxLayers) {
      return element.Invalid("more than " + std::to_string(kMaxLayers) + " layers");
    }
    images.push_back(std::move(image));
  }
  return images;
}

nlohmann::json DescribeContent(const Descriptor& descriptor) {
  return {{"mediaType", descriptor.media_type},
          {"digest", descriptor.digest.ToString()},
          {"size", descriptor.size}};
}

}  // namespace

bool IsManifestType(std::string_view media_type) {
  return media_type == kOciManifestType || media_type == kDockerManifestType;
}

bool IsIndexType(std::string_view media_type) {
  return media_type == kOciIndexType || media_type == kDockerIndexType;
}

bool IsForeignLayerType(std::string_view type) {
  return IsOneOf(type, {"application/vnd.docker.image.rootfs.foreign.diff.tar",
                        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                        "application/vnd.docker.image.rootfs.foreign.diff.tar.zstd",
                        "application/vnd.oci.image.layer.nondistributable.v1.tar",
                        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"});
}

Result<Manifest> DecodeManifest(std::string_view text, std::string_view what,
                                std::string_view media_type) {
  JsonDocument document = TRY(JsonDocument::Parse(text, what, kMaxManifest.count()));
  return ReadManifest(document.root(), media_type).Context(what);
}

Result<std::vector<Descriptor>> DecodeIndex(std::string_view text, std::string_view what,
                                            std::string_view media_type) {
  JsonDocument document = TRY(JsonDocument::Parse(text, what, kMaxManifest.count()));
  return ReadIndex(document.root(), media_type).Context(what);
}

Result<std::vector<DockerImage>> DecodeDockerImages(std::string_view text, std::string_view what) {
  JsonDocument document = TRY(JsonDocument::Parse(text, what, kMaxManifest.count()));
  return ReadDockerImages(document.root()).Context(what);
}

std::string EncodeManifest(const Manifest& manifest) {
  nlohmann::json layers = nlohmann::json::array();
  for (const Descriptor& layer : manifest.layers) layers.push_back(DescribeContent(layer));
  nlohmann::json document = {{"schemaVersion", 2},
                             {"mediaType", kOciManifestType},
                             {"config", DescribeContent(manifest.config)},
                             {"layers", std::move(layers)}};
  return EncodeJson(document);
}

std::string EncodeIndex(const std::vector<Descriptor>& descriptors) {
  nlohmann::json manifests = nlohmann::json::array();
  for (const Descriptor& descriptor : descriptors) {
    nlohmann::json entry = DescribeContent(descriptor);
    if (!descriptor.image_name.empty()) {
      entry["annotations"]["io.containerd.image.name"] = descriptor.image_name;
    }
    if (!descriptor.ref_name.empty()) {
      entry["annotations"]["org.opencontainers.image.ref.name"] = descriptor.ref_name;
    }
    manifests.push_back(std::move(entry));
  }
  return EncodeJson(
      {{"schemaVersion", 2}, {"mediaType", kOciIndexType}, {"manifests", std::move(manifests)}});
}

std::string EncodeDockerImages(const std::vector<DockerImage>& images) {
  nlohmann::json list = nlohmann::json::array();
  for (const DockerImage& image : images) {
    list.push_back({{"Config", image.config}, {"RepoTags", image.names}, {"Layers", image.layers}});
  }
  return EncodeJson(list);
}

std::string ManifestTypeOf(const Manifest& manifest) {
  if (!manifest.media_type.empty()) return manifest.media_type;
  bool is_docker = manifest.config.media_type == kDockerConfigType;
  return is_docker ? std::string(kDockerManifestType) : kOciManifestType;
}

}  // namespace skiff::images
