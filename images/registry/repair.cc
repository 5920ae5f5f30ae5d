#include "images/registry/repair.h"

#include <fcntl.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "images/intake.h"
#include "images/manifest.h"
#include "images/reference.h"
#include "images/registry/layer_opener.h"
#include "images/registry/repository.h"
#include "images/registry/sources.h"
#include "images/store_files.h"
#include "isolation/sys/file.h"

namespace skiff::images::registry {
namespace {

class Repairer {
 public:
  Repairer(const StoreFiles& files, const ImageHealth& health, const RepairOptions& options)
      : files_(files), health_(health), options_(options) {}

  Result<> Run() {
    TRY(FindRecord());
    IntakeDocuments documents;
    documents.id = record_.id;
    documents.manifest = TRY(ReadManifest());
    Manifest manifest =
        TRY(DecodeManifest(documents.manifest, "manifest " + record_.manifest.ToString(), ""));
    documents.config = TRY(ReadConfig(manifest.config));
    if (!record_.names.empty()) documents.name = record_.names[0];
    std::vector<IntakeLayer> layers = TRY(LayersOf(manifest));
    std::unique_ptr<Intake> intake =
        TRY(Intake::Begin(files_, {.parallel = options_.settings.parallel_layers,
                                   .layers = options_.layers,
                                   .is_pulled = record_.is_pulled,
                                   .limits = options_.limits}));
    TRY(intake->AddLayers(std::move(layers)));
    Result<Image> image = intake->Commit(documents);
    return image.ok() ? Result<>() : Result<>(std::move(image).error());
  }

 private:
  Result<> FindRecord() {
    std::vector<ImageRecord> records = TRY(files_.LoadRecords());
    auto found = std::find_if(records.begin(), records.end(),
                              [&](const ImageRecord& record) { return record.id == health_.id; });
    if (found == records.end()) return Error(Code::kNotFound, "it was removed meanwhile");
    record_ = std::move(*found);
    return {};
  }

  // The first of the image's names under which a mirror or a registry still has it.
  Result<> FindSource() {
    if (sources_) return {};
    Error why(Code::kNotFound, "it has no name to fetch it by");
    for (const std::string& name : record_.names) {
      ImageReference reference = TRY(ImageReference::Parse(name));
      auto sources = std::make_shared<Sources>(reference, options_.settings, options_.auth_file);
      for (size_t i = 0; i < sources->count(); ++i) {
        Result<> asked = Ask(sources, i);
        if (asked.ok()) return {};
        why = std::move(asked).error().Context(name);
      }
    }
    return std::move(why).Context(
        "what is damaged was not kept as a file, and no registry gives it; import it again");
  }

  Result<> Ask(const std::shared_ptr<Sources>& sources, size_t index) {
    std::shared_ptr<Repository> repository = TRY(sources->At(index));
    ManifestAnswer answer = TRY(repository->GetManifest(record_.manifest.ToString()));
    fetched_manifest_ = std::move(answer.text);
    sources_ = sources;
    source_ = index;
    return {};
  }

  Result<std::string> ReadManifest() {
    Result<std::string> text = files_.LoadBlob(record_.manifest);
    if (text.ok()) return text;
    TRY(FindSource());
    return fetched_manifest_;
  }

  Result<std::string> ReadConfig(const Descriptor& config) {
    Result<std::string> text = files_.LoadBlob(record_.id);
    if (text.ok()) return text;
    TRY(FindSource());
    return sources_->ReadBlob(source_, config.digest, config.size)
        .Context("configuration " + config.digest.ToString());
  }

  Result<std::vector<IntakeLayer>> LayersOf(const Manifest& manifest) {
    if (manifest.layers.size() != record_.layers.size()) {
      return Error(Code::kInternal, "its manifest and its record have different layers");
    }
    std::vector<IntakeLayer> layers;
    for (size_t i = 0; i < record_.layers.size(); ++i) {
      IntakeLayer layer = TRY(LayerOf(record_.layers[i], manifest.layers[i]));
      layers.push_back(std::move(layer));
    }
    return layers;
  }

  Result<IntakeLayer> LayerOf(const LayerRecord& record, const Descriptor& descriptor) {
    IntakeLayer layer{record.diff_id, descriptor, descriptor.size, {}};
    if (sys::Exists(AT_FDCWD, files_.LayerPath(record.directory))) {
      // Should it go before its turn comes.
      layer.open = []() -> Result<std::unique_ptr<ByteSource>> {
        return Error(Code::kConflict, "it was removed meanwhile");
      };
      return layer;
    }
    if (!record.blob) {
      TRY(FindSource());
      layer.open = LayerOpener(sources_, source_, descriptor);
      return layer;
    }
    UniqueFd kept = TRY(files_.OpenBlob(*record.blob));
    layer.size = files_.BlobSize(*record.blob);
    layer.expected = Descriptor{descriptor.media_type, *record.blob, layer.size, {}, "", ""};
    layer.open = [fd = kept.get(), size = layer.size]() -> Result<std::unique_ptr<ByteSource>> {
      return std::unique_ptr<ByteSource>(std::make_unique<FileSource>(fd, 0, size));
    };
    kept_.push_back(std::move(kept));
    return layer;
  }

  const StoreFiles& files_;
  const ImageHealth& health_;
  const RepairOptions& options_;
  ImageRecord record_;
  std::shared_ptr<Sources> sources_;
  size_t source_ = 0;  // of sources_
  std::string fetched_manifest_;
  std::vector<UniqueFd> kept_;
};

}  // namespace

Result<> Repair(ImageStore& store, const ImageHealth& health, const RepairOptions& options) {
  std::string what = "image " + health.name;
  TRY(store.SetAside(health).Context(what));
  return Repairer(store.files(), health, options).Run().Context(what);
}

}  // namespace skiff::images::registry
