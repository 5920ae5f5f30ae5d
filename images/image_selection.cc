#include "images/image_selection.h"

#include <algorithm>
#include <set>

#include "images/limits.h"
#include "isolation/base/text.h"

namespace skiff::images {
namespace {

std::string BlobFile(const Digest& digest) { return "blobs/sha256/" + digest.hex(); }

// What the archive calls an image: the full name where its writer gave one.
std::string NameOf(const Descriptor& descriptor) {
  return descriptor.image_name.empty() ? descriptor.ref_name : descriptor.image_name;
}

// Some writers only note the tag.
bool IsNamed(const std::string& text, const ImageReference& name) {
  if (!text.empty() && text == name.tag()) return true;
  Result<ImageReference> parsed = ImageReference::Parse(text);
  return parsed.ok() && parsed.value() == name;
}

Error SeveralImages(const std::set<std::string>& names) {
  std::vector<std::string> list;
  for (const std::string& name : names) list.push_back(name.empty() ? "(without a name)" : name);
  return Error(Code::kInvalid, "holds several images, name one with --name: " + Join(list, ", "));
}

Result<std::string> ReadBlob(const ImageFiles& files, const Descriptor& descriptor,
                             std::string_view what) {
  std::string shown = std::string(what) + " " + descriptor.digest.ToString();
  std::string text = TRY(files.Read(BlobFile(descriptor.digest), kMaxManifest).Context(shown));
  if (text.size() != descriptor.size) {
    return Error(Code::kInvalid, shown + ": size is " + std::to_string(text.size()) +
                                     ", its descriptor says " + std::to_string(descriptor.size));
  }
  Digest digest = Sha256::Of(text);
  if (digest == descriptor.digest) return text;
  return Error(Code::kInvalid, shown + ": its content has the digest " + digest.ToString());
}

// The top of an OCI layout: one image (for one or more platforms), or the one that is named.
Result<std::vector<Descriptor>> ChooseName(std::vector<Descriptor> descriptors,
                                           const std::optional<ImageReference>& name) {
  std::set<std::string> names;
  for (const Descriptor& descriptor : descriptors) names.insert(NameOf(descriptor));
  if (names.size() <= 1) return descriptors;
  if (!name) return SeveralImages(names);
  std::vector<Descriptor> named;
  for (const Descriptor& descriptor : descriptors) {
    if (IsNamed(NameOf(descriptor), *name)) named.push_back(descriptor);
  }
  if (named.empty()) return SeveralImages(names);
  return named;
}

Result<SelectedImage> SelectOci(const ImageFiles& files, const std::optional<ImageReference>& name,
                                const Platform& platform) {
  std::string text = TRY(files.Read("index.json", kMaxManifest));
  std::vector<Descriptor> descriptors = TRY(DecodeIndex(text, "index.json", ""));
  descriptors = TRY(ChooseName(std::move(descriptors), name));
  SelectedImage image;
  if (!descriptors.empty()) image.name = NameOf(descriptors[0]);
  Descriptor chosen = TRY(ChoosePlatform(descriptors, platform));
  for (size_t depth = 1; IsIndexType(chosen.media_type); ++depth) {
    if (depth > kMaxIndexDepth) return Error(Code::kInvalid, "indexes are nested too deep");
    std::string what = "index " + chosen.digest.ToString();
    text = TRY(ReadBlob(files, chosen, "index"));
    descriptors = TRY(DecodeIndex(text, what, chosen.media_type));
    chosen = TRY(ChoosePlatform(descriptors, platform));
  }
  std::string what = "manifest " + chosen.digest.ToString();
  image.manifest_text = TRY(ReadBlob(files, chosen, "manifest"));
  Manifest manifest = TRY(DecodeManifest(image.manifest_text, what, chosen.media_type));
  image.config_text = TRY(ReadBlob(files, manifest.config, "configuration"));
  image.id = manifest.config.digest;
  for (const Descriptor& layer : manifest.layers) {
    image.layers.push_back({BlobFile(layer.digest), layer});
  }
  return image;
}

Result<DockerImage> ChooseDocker(std::vector<DockerImage> images,
                                 const std::optional<ImageReference>& name) {
  if (images.empty()) return Error(Code::kInvalid, "holds no image");
  if (images.size() == 1) return std::move(images[0]);
  std::set<std::string> names;
  for (DockerImage& image : images) {
    for (const std::string& known : image.names) {
      if (!name || !IsNamed(known, *name)) continue;
      image.names = {known};
      return std::move(image);
    }
    names.insert(image.names.begin(), image.names.end());
    if (image.names.empty()) names.insert("");
  }
  return SeveralImages(names);
}

// Docker names the configuration after its digest: "<hex>.json" or "blobs/sha256/<hex>".
Result<> CheckConfigName(const std::string& file, const Digest& digest) {
  std::string stem = file.substr(file.rfind('/') + 1);
  if (stem.ends_with(".json")) stem.resize(stem.size() - 5);
  Result<Digest> named = Digest::Parse("sha256:" + stem);
  if (!named.ok() || named.value() == digest) return {};
  return Error(Code::kInvalid, "configuration " + named.value().ToString() +
                                   ": its content has the digest " + digest.ToString());
}

Result<SelectedImage> SelectDocker(const ImageFiles& files,
                                   const std::optional<ImageReference>& name) {
  std::string text = TRY(files.Read("manifest.json", kMaxManifest));
  std::vector<DockerImage> images = TRY(DecodeDockerImages(text, "manifest.json"));
  DockerImage chosen = TRY(ChooseDocker(std::move(images), name));
  SelectedImage image;
  if (!chosen.names.empty()) image.name = chosen.names[0];
  image.config_text = TRY(files.Read(chosen.config, kMaxManifest).Context("configuration"));
  image.id = Sha256::Of(image.config_text);
  TRY(CheckConfigName(chosen.config, image.id));
  for (std::string& layer : chosen.layers) image.layers.push_back({std::move(layer), {}});
  return image;
}

}  // namespace

Result<Descriptor> ChoosePlatform(const std::vector<Descriptor>& descriptors,
                                  const Platform& platform) {
  const Descriptor* unsaid = nullptr;
  const Descriptor* best = nullptr;
  std::vector<std::string> offered;
  for (const Descriptor& descriptor : descriptors) {
    if (!IsManifestType(descriptor.media_type) && !IsIndexType(descriptor.media_type)) continue;
    if (!descriptor.platform) {
      if (unsaid == nullptr) unsaid = &descriptor;
    } else if (platform.Accepts(*descriptor.platform)) {
      bool is_better =
          best == nullptr || platform.Rank(*descriptor.platform) > platform.Rank(*best->platform);
      if (is_better) best = &descriptor;
    } else if (descriptor.platform->os != "unknown") {
      offered.push_back(descriptor.platform->ToString());
    }
  }
  if (best != nullptr) return *best;
  if (unsaid != nullptr) return *unsaid;
  return Error(Code::kNotFound, "no image for " + platform.ToString() +
                                    (offered.empty() ? "" : ", only for " + Join(offered, ", ")));
}

Result<> CheckImage(const ImageConfig& config, const Platform& platform, size_t layers) {
  if (!platform.Accepts(config.platform)) {
    return Error(Code::kInvalid,
                 "is for " + config.platform.ToString() + ", not for " + platform.ToString());
  }
  if (layers == config.diff_ids.size()) return {};
  return Error(Code::kInvalid, "the manifest has " + std::to_string(layers) +
                                   " layers, the configuration " +
                                   std::to_string(config.diff_ids.size()));
}

Result<SelectedImage> SelectImage(const ImageFiles& files,
                                  const std::optional<ImageReference>& name,
                                  const Platform& platform) {
  bool is_oci = files.Has("index.json");
  if (!is_oci && !files.Has("manifest.json")) {
    return Error(Code::kInvalid,
                 "neither an OCI layout (no index.json) nor a docker archive (no manifest.json)");
  }
  Result<SelectedImage> selected =
      is_oci ? SelectOci(files, name, platform) : SelectDocker(files, name);
  SelectedImage image = TRY(std::move(selected));
  image.config = TRY(DecodeImageConfig(image.config_text, "configuration " + image.id.ToString()));
  TRY(CheckImage(image.config, platform, image.layers.size()));
  return image;
}

}  // namespace skiff::images
