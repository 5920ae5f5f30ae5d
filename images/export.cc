#include "images/export.h"

#include <fcntl.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "images/export_sink.h"
#include "images/image_lookup.h"
#include "images/layer_blob.h"
#include "images/limits.h"
#include "images/manifest.h"
#include "isolation/base/scope_exit.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

// An image and what it is to be called; an id or digest gives it no name.
struct Exported {
  ImageRecord record;
  std::string name;  // canonical, or empty
  std::string manifest_text;
  std::string config_text;
  Manifest manifest;
};

class Exporter {
 public:
  Exporter(const StoreFiles& files, ExportSink* sink) : files_(files), sink_(sink) {}

  Result<> Run(const std::vector<Exported>& images, ExportFormat format) {
    bool is_docker = format == ExportFormat::kDockerArchive;
    for (const Exported& image : images) {
      Result<> added = is_docker ? AddDocker(image) : AddOci(image);
      if (!added.ok()) return std::move(added).error().Context(Describe(NameOf(image)));
    }
    if (is_docker) {
      TRY(sink_->AddText("manifest.json", EncodeDockerImages(docker_)));
    } else {
      TRY(sink_->AddText("index.json", EncodeIndex(index_)));
      TRY(sink_->AddText("oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
    }
    return sink_->Finish();
  }

 private:
  static std::string NameOf(const Exported& image) {
    return image.name.empty() ? image.record.id.ToString() : image.name;
  }

  Result<> AddText(const std::string& name, const std::string& text) {
    return added_.insert(name).second ? sink_->AddText(name, text) : Result<>();
  }

  // Verified on its way: what leaves the store is what it is called.
  Result<> AddLayer(const std::string& name, const LayerRecord& layer, const Digest& wanted) {
    if (!added_.insert(name).second) return {};
    std::string what = "layer " + wanted.ToString();
    uint64_t size = TRY(LayerBlobSize(files_, layer, wanted));
    std::unique_ptr<ByteSource> source = TRY(OpenLayerBlob(files_, layer, wanted));
    HashingSource hashed(source.get(), kMaxArchive);
    TRY(sink_->Add(name, size, &hashed).Context(what));
    if (hashed.Finish() == wanted) return {};
    return Error(Code::kInternal, what + ": its kept file is damaged; skiff image verify --repair");
  }

  Result<> AddOci(const Exported& image) {
    auto file = [](const Digest& digest) { return "blobs/sha256/" + digest.hex(); };
    for (size_t i = 0; i < image.manifest.layers.size(); ++i) {
      const Digest& digest = image.manifest.layers[i].digest;
      TRY(AddLayer(file(digest), image.record.layers[i], digest));
    }
    TRY(AddText(file(image.record.id), image.config_text));
    TRY(AddText(file(image.record.manifest), image.manifest_text));
    Descriptor descriptor;
    descriptor.media_type = ManifestTypeOf(image.manifest);
    descriptor.digest = image.record.manifest;
    descriptor.size = image.manifest_text.size();
    descriptor.image_name = image.name;
    descriptor.ref_name = image.name;
    index_.push_back(std::move(descriptor));
    return {};
  }

  Result<> AddDocker(const Exported& image) {
    DockerImage docker;
    docker.config = image.record.id.hex() + ".json";
    for (const LayerRecord& layer : image.record.layers) {
      std::string name = layer.diff_id.hex() + ".tar";
      TRY(AddLayer(name, layer, layer.diff_id));
      docker.layers.push_back(std::move(name));
    }
    TRY(AddText(docker.config, image.config_text));
    // In full: podman takes a short name for one of this host.
    if (!image.name.empty()) docker.names.push_back(image.name);
    // An image of several names is one entry.
    auto same = std::find_if(docker_.begin(), docker_.end(), [&](const DockerImage& other) {
      return other.config == docker.config;
    });
    if (same == docker_.end()) {
      docker_.push_back(std::move(docker));
    } else {
      same->names.insert(same->names.end(), docker.names.begin(), docker.names.end());
    }
    return {};
  }

  const StoreFiles& files_;
  ExportSink* sink_;
  std::set<std::string> added_;
  std::vector<Descriptor> index_;
  std::vector<DockerImage> docker_;
};

Result<Exported> Load(const StoreFiles& files, const std::vector<ImageRecord>& records,
                      const std::string& text) {
  RecordMatch match = TRY(FindRecord(records, text));
  Exported image;
  image.record = records[match.index];
  image.name = match.name;
  image.manifest_text = TRY(files.LoadBlob(image.record.manifest));
  image.config_text = TRY(files.LoadBlob(image.record.id));
  image.manifest = TRY(DecodeManifest(image.manifest_text, "manifest", ""));
  if (image.manifest.layers.size() == image.record.layers.size()) return image;
  return Error(Code::kInternal, "its manifest and its record have different layers");
}

Result<std::vector<Exported>> LoadAll(const StoreFiles& files,
                                      const std::vector<std::string>& images) {
  std::vector<ImageRecord> records = TRY(files.LoadRecords());
  std::vector<Exported> loaded;
  for (const std::string& text : images) {
    Exported image = TRY(Load(files, records, text).Context(Describe(text)));
    loaded.push_back(std::move(image));
  }
  return loaded;
}

// Beside `path` first: after an error nothing is there that looks like an export.
Result<> ExportFile(const StoreFiles& files, const std::vector<Exported>& images,
                    const std::string& path, ExportFormat format) {
  std::string partial = path + ".partial";
  UniqueFd out = TRY(sys::Open(AT_FDCWD, partial, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  ScopeExit remove([&] { sys::Unlink(AT_FDCWD, partial).Ignore(); });
  TarSink sink(out.get());
  TRY(Exporter(files, &sink).Run(images, format));
  TRY(sys::Sync(out.get()));
  TRY(sys::Rename(AT_FDCWD, partial, AT_FDCWD, path));
  remove.Cancel();
  return {};
}

Result<> ExportDirectory(const StoreFiles& files, const std::vector<Exported>& images,
                         const std::string& path) {
  if (sys::Exists(AT_FDCWD, path)) {
    return Error(Code::kConflict, path + ": is there already");
  }
  std::string partial = path + ".partial";
  TRY(sys::RemoveTree(AT_FDCWD, partial));
  ScopeExit remove([&] { sys::RemoveTree(AT_FDCWD, partial).Ignore(); });
  DirectorySink sink(partial);
  TRY(Exporter(files, &sink).Run(images, ExportFormat::kOciLayout));
  TRY(sys::Rename(AT_FDCWD, partial, AT_FDCWD, path));
  remove.Cancel();
  return {};
}

}  // namespace

Result<> ExportImages(const StoreFiles& files, const std::vector<std::string>& images,
                      const std::string& path, ExportFormat format) {
  std::vector<Exported> loaded = TRY(LoadAll(files, images));
  if (format == ExportFormat::kOciLayout) return ExportDirectory(files, loaded, path);
  return ExportFile(files, loaded, path, format);
}

Result<> ExportImages(const StoreFiles& files, const std::vector<std::string>& images, int out,
                      ExportFormat format) {
  if (format == ExportFormat::kOciLayout) {
    return Error(Code::kInvalid, "a layout is a directory: it needs a path");
  }
  std::vector<Exported> loaded = TRY(LoadAll(files, images));
  TarSink sink(out);
  return Exporter(files, &sink).Run(loaded, format);
}

}  // namespace skiff::images
