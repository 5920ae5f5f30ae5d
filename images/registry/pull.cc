#include "images/registry/pull.h"

#include <memory>
#include <utility>
#include <vector>

#include "images/config.h"
#include "images/image_selection.h"
#include "images/intake.h"
#include "images/limits.h"
#include "images/manifest.h"
#include "images/registry/layer_opener.h"
#include "images/registry/repository.h"
#include "images/registry/sources.h"
#include "images/store_files.h"

namespace skiff::images::registry {
namespace {

constexpr std::string_view kSchema1 = "application/vnd.docker.distribution.manifest.v1+";

// The image's manifest and where it was found.
struct Found {
  std::shared_ptr<Sources> sources;
  size_t source = 0;  // of sources
  std::string manifest;
  Manifest parsed;
};

std::string ReferenceOf(const ImageReference& reference) {
  return reference.digest() ? reference.digest()->ToString() : reference.tag();
}

Result<ManifestAnswer> GetDescribed(Repository* repository, const Descriptor& descriptor) {
  ManifestAnswer answer = TRY(repository->GetManifest(descriptor.digest.ToString()));
  if (answer.text.size() != descriptor.size) {
    return Error(Code::kInvalid, "manifest " + descriptor.digest.ToString() + ": size is " +
                                     std::to_string(answer.text.size()) + ", its descriptor says " +
                                     std::to_string(descriptor.size));
  }
  answer.media_type = descriptor.media_type;
  return answer;
}

Result<Found> FindManifest(Repository* repository, const ImageReference& reference,
                           const Platform& platform) {
  ManifestAnswer answer = TRY(repository->GetManifest(ReferenceOf(reference)));
  for (size_t depth = 1; IsIndexType(answer.media_type); ++depth) {
    if (depth > kMaxIndexDepth) return Error(Code::kInvalid, "indexes are nested too deep");
    std::vector<Descriptor> descriptors =
        TRY(DecodeIndex(answer.text, "index " + answer.digest.ToString(), answer.media_type));
    Descriptor chosen = TRY(ChoosePlatform(descriptors, platform));
    answer = TRY(GetDescribed(repository, chosen));
  }
  std::string what = "manifest " + answer.digest.ToString();
  if (answer.media_type.starts_with(kSchema1)) {
    return Error(Code::kInvalid, what +
                                     ": it is of Docker's schema 1, which cannot be verified; "
                                     "push the image again with a current tool");
  }
  if (!IsManifestType(answer.media_type)) {
    return Error(Code::kInvalid, what + ": '" + answer.media_type + "' is not an image");
  }
  Found found;
  found.manifest = std::move(answer.text);
  found.parsed = TRY(DecodeManifest(found.manifest, what, answer.media_type));
  return found;
}

// The mirrors first. What a mirror lacks or gets wrong, the registry itself may have; what the
// registry itself says is what counts.
Result<Found> FindAnywhere(const ImageReference& reference, const PullOptions& options) {
  auto sources = std::make_shared<Sources>(reference, options.settings, options.auth_file);
  Platform platform = options.platform.value_or(HostPlatform());
  for (size_t i = 0;; ++i) {
    auto find = [&]() -> Result<Found> {
      std::shared_ptr<Repository> repository = TRY(sources->At(i));
      return FindManifest(repository.get(), reference, platform);
    };
    Result<Found> found = find();
    if (!found.ok() && i + 1 < sources->count()) continue;
    Found answer = TRY(std::move(found));
    answer.sources = std::move(sources);
    answer.source = i;
    return answer;
  }
}

// Refused unless the registry's rules say otherwise: fetching them leads elsewhere, and handing
// them on may not be allowed.
Result<> CheckForeignLayers(const Manifest& manifest, const std::string& host,
                            const Settings& settings) {
  if (settings.For(host).takes_foreign_layers) return {};
  for (size_t i = 0; i < manifest.layers.size(); ++i) {
    const Descriptor& layer = manifest.layers[i];
    if (!IsForeignLayerType(layer.media_type)) continue;
    return Error(Code::kDenied, "layer " + std::to_string(i + 1) + " (" + layer.digest.ToString() +
                                    "): '" + layer.media_type +
                                    "' is a foreign layer (foreignLayers of " + host +
                                    " in registries.json can allow it)");
  }
  return {};
}

Result<std::string> ReadConfig(const StoreFiles& files, const Found& found) {
  const Descriptor& config = found.parsed.config;
  Result<std::string> present = files.LoadBlob(config.digest);
  if (present.ok()) return present;
  return found.sources->ReadBlob(found.source, config.digest, config.size)
      .Context("configuration " + config.digest.ToString());
}

std::vector<IntakeLayer> LayersOf(const Found& found, const ImageConfig& config) {
  std::vector<IntakeLayer> layers;
  for (size_t i = 0; i < found.parsed.layers.size(); ++i) {
    const Descriptor& descriptor = found.parsed.layers[i];
    IntakeLayer layer{config.diff_ids[i], descriptor, descriptor.size, {}};
    layer.open = LayerOpener(found.sources, found.source, descriptor);
    layers.push_back(std::move(layer));
  }
  return layers;
}

Result<Image> PullHere(ImageStore& store, const ImageReference& reference,
                       const PullOptions& options) {
  const StoreFiles& files = store.files();
  Found found = TRY(FindAnywhere(reference, options));
  TRY(CheckForeignLayers(found.parsed, reference.domain(), options.settings));
  IntakeDocuments documents;
  documents.id = found.parsed.config.digest;
  documents.manifest = found.manifest;
  documents.name = reference.Canonical();
  documents.config = TRY(ReadConfig(files, found));
  ImageConfig config =
      TRY(DecodeImageConfig(documents.config, "configuration " + documents.id.ToString()));
  TRY(CheckImage(config, options.platform.value_or(HostPlatform()), found.parsed.layers.size()));
  std::unique_ptr<Intake> intake =
      TRY(Intake::Begin(files, {.parallel = options.settings.parallel_layers,
                                .keeps_files = options.keeps_files,
                                .completes_files = options.completes_files,
                                .layers = options.layers,
                                .is_pulled = true,
                                .limits = options.limits,
                                .progress = options.progress}));
  TRY(intake->AddLayers(LayersOf(found, config)));
  return intake->Commit(documents);
}

}  // namespace

Result<Image> Pull(ImageStore& store, const ImageReference& reference, const PullOptions& options) {
  return PullHere(store, reference, options).Context("pull image " + reference.Canonical());
}

}  // namespace skiff::images::registry
