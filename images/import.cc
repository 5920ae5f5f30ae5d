#include "images/import.h"

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <utility>

#include "images/decompress.h"
#include "images/image_files.h"
#include "images/image_selection.h"
#include "images/layer_pass.h"
#include "images/limits.h"
#include "images/reference.h"
#include "isolation/base/clock.h"
#include "isolation/base/scope_exit.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

// Tells how far a layer is, once a piece.
class ReportingSource : public ByteSource {
 public:
  ReportingSource(ByteSource* input, const ImportOptions* options, ImportProgress progress)
      : input_(input), options_(options), progress_(progress) {}

  Result<std::string_view> Next() override {
    std::string_view piece = TRY(input_->Next());
    progress_.done += piece.size();
    if (options_->progress && !piece.empty()) options_->progress(progress_);
    return piece;
  }

 private:
  ByteSource* input_;
  const ImportOptions* options_;
  ImportProgress progress_;
};

class Importer {
 public:
  Importer(const StoreFiles& files, const ImportOptions& options)
      : files_(files), options_(options) {}
  ~Importer() {
    if (!staging_name_.empty()) files_.RemoveStaging(staging_name_).Ignore();
  }

  Result<Image> Run(const std::string& path);

 private:
  struct StagedLayer {
    std::string name;       // beneath the staging directory
    std::string directory;  // its name to be under layers/
  };

  Result<> ReadNames(const SelectedImage& image);
  Result<> ImportLayer(const ImageFiles& source, const SelectedImage& image, size_t index);
  Result<bool> UsePresentLayer(const Digest& diff_id);
  Result<> CheckLayer(const SelectedLayer& layer, const Digest& diff_id, const LayerPass& pass);
  Result<> DescribeDockerLayer(const ImageFiles::Member& member, const Digest& diff_id);
  void AddLayer(const Digest& diff_id, const std::string& directory, uint64_t size,
                const std::string& path);
  void Report(ImportProgress::Step step, size_t index, const Digest& diff_id, uint64_t size) const;
  Result<Image> Commit(const SelectedImage& image);
  Result<ImageRecord> StoreRecord(const SelectedImage& image);

  const StoreFiles& files_;
  const ImportOptions& options_;
  std::string staging_name_;
  UniqueFd staging_;

  std::optional<ImageReference> name_;
  size_t layer_count_ = 0;
  Digest chain_id_;
  std::vector<LayerRecord> layers_;
  std::vector<std::string> paths_;  // where each of layers_ is now
  std::map<std::string, uint64_t> sizes_by_directory_;
  std::map<std::string, std::string> path_by_directory_;
  std::vector<StagedLayer> staged_;
  std::vector<UniqueFd> locks_;
  Manifest docker_manifest_;
};

Result<Image> Importer::Run(const std::string& path) {
  if (options_.name) name_ = TRY(ImageReference::Parse(*options_.name));
  if (name_ && name_->digest()) {
    return Error(Code::kInvalid,
                 "image name '" + *options_.name + "': a name with a digest cannot be given away");
  }
  staging_ = TRY(files_.MakeStaging(&staging_name_));
  ImageFiles source = TRY(ImageFiles::Open(path, staging_.get()));
  Platform platform = options_.platform.value_or(HostPlatform());
  SelectedImage image = TRY(SelectImage(source, name_, platform));
  TRY(ReadNames(image));
  layer_count_ = image.layers.size();
  for (size_t i = 0; i < layer_count_; ++i) {
    std::string what = "layer " + std::to_string(i + 1);
    if (image.layers[i].expected) what += " (" + image.layers[i].expected->digest.ToString() + ")";
    TRY(ImportLayer(source, image, i).Context(what));
  }
  return Commit(image);
}

Result<> Importer::ReadNames(const SelectedImage& image) {
  if (name_) return {};
  // By the rules of OCI a name without a colon is only a tag, and says nothing of what.
  if (image.name.find_first_of(":/") == std::string::npos) {
    return Error(Code::kInvalid, "the file does not say what it is called: give it a --name");
  }
  name_ =
      TRY(ImageReference::Parse(image.name).Context("the file's own name (--name overrides it)"));
  return {};
}

void Importer::Report(ImportProgress::Step step, size_t index, const Digest& diff_id,
                      uint64_t size) const {
  if (!options_.progress) return;
  options_.progress({step, index + 1, layer_count_, diff_id, size, size});
}

void Importer::AddLayer(const Digest& diff_id, const std::string& directory, uint64_t size,
                        const std::string& path) {
  layers_.push_back({diff_id, directory, size});
  paths_.push_back(path);
  sizes_by_directory_[directory] = size;
  path_by_directory_[directory] = path;
}

// In the store already, or met before in this image.
Result<bool> Importer::UsePresentLayer(const Digest& diff_id) {
  for (const std::string& directory : {diff_id.hex(), chain_id_.hex()}) {
    auto earlier = path_by_directory_.find(directory);
    if (earlier != path_by_directory_.end()) {
      AddLayer(diff_id, directory, sizes_by_directory_[directory], std::string(earlier->second));
      return true;
    }
    HeldLayer held = TRY(files_.HoldLayer(directory));
    if (!held.lock.valid()) continue;
    AddLayer(diff_id, directory, held.size, files_.LayerPath(directory));
    locks_.push_back(std::move(held.lock));
    return true;
  }
  return false;
}

Result<> Importer::ImportLayer(const ImageFiles& source, const SelectedImage& image, size_t index) {
  const SelectedLayer& layer = image.layers[index];
  const Digest& diff_id = image.config.diff_ids[index];
  chain_id_ = index == 0 ? diff_id : Sha256::Of(chain_id_.ToString() + " " + diff_id.ToString());
  ImageFiles::Member member = TRY(source.Find(layer.file));
  if (layer.expected && layer.expected->size != member.size) {
    return Error(Code::kInvalid, "size is " + std::to_string(member.size) + ", the manifest says " +
                                     std::to_string(layer.expected->size));
  }
  bool is_present = TRY(UsePresentLayer(diff_id));
  if (is_present) {
    Report(ImportProgress::Step::kPresent, index, diff_id, member.size);
    return layer.expected ? Result<>() : DescribeDockerLayer(member, diff_id);
  }

  ImportProgress progress{
      ImportProgress::Step::kUnpacking, index + 1, layer_count_, diff_id, 0, member.size};
  FileSource file(member.fd, member.offset, member.size);
  ReportingSource reporting(&file, &options_, progress);
  std::string name = std::to_string(index);
  TRY(sys::MakeDirectory(staging_.get(), name, 0700));
  UniqueFd directory = TRY(sys::OpenDirectory(staging_.get(), name));
  TRY(sys::MakeDirectory(directory.get(), "fs", 0755));
  std::string fs = files_.StagingPath(staging_name_) + "/" + name + "/fs";
  LayerPass pass = TRY(ReadLayer(&reporting, fs, paths_));
  TRY(CheckLayer(layer, diff_id, pass));
  const PlainLayer& plain = pass.plain;
  TRY(sys::WriteFile(directory.get(), "size", std::to_string(plain.unpacked.size) + "\n"));
  // From the moment it has its name, nobody may take it away before a record names it.
  TRY(sys::Lock(directory.get(), sys::LockMode::kShared));
  locks_.push_back(std::move(directory));
  std::string final_name = plain.unpacked.relies_on_lower ? chain_id_.hex() : diff_id.hex();
  staged_.push_back({name, final_name});
  AddLayer(diff_id, final_name, plain.unpacked.size, fs);
  if (!layer.expected) {
    docker_manifest_.layers.push_back({kOciLayerType, diff_id, plain.plain_size, {}, "", ""});
  }
  Report(ImportProgress::Step::kUnpacked, index, diff_id, member.size);
  return {};
}

Result<> Importer::CheckLayer(const SelectedLayer& layer, const Digest& diff_id,
                              const LayerPass& pass) {
  if (layer.expected && pass.blob != layer.expected->digest) {
    return Error(Code::kInvalid, "its content has the digest " + pass.blob.ToString());
  }
  if (pass.plain.diff_id == diff_id) return {};
  return Error(Code::kInvalid, "diff id is " + pass.plain.diff_id.ToString() +
                                   ", the configuration says " + diff_id.ToString());
}

// A docker archive has no manifest; the one we write names the layers uncompressed, whatever the
// archive did, so that the same image always gets the same one.
Result<> Importer::DescribeDockerLayer(const ImageFiles::Member& member, const Digest& diff_id) {
  FileSource file(member.fd, member.offset, member.size);
  std::unique_ptr<DecompressedSource> plain = TRY(DecompressedSource::Open(&file));
  uint64_t size = member.size;
  if (plain->compression() != Compression::kNone) {
    HashingSource counted(plain.get(), kMaxLayer);
    TRY(Drain(&counted));
    size = counted.count();
  }
  docker_manifest_.layers.push_back({kOciLayerType, diff_id, size, {}, "", ""});
  return {};
}

Result<Image> Importer::Commit(const SelectedImage& image) {
  // Everything is on disk before a name says it is there.
  TRY(sys::SyncFilesystem(staging_.get()));
  UniqueFd lock = TRY(files_.LockAll());
  Result<ImageRecord> record = StoreRecord(image);
  std::vector<UniqueFd> held = std::exchange(locks_, {});
  held.clear();
  // After an error the layers that were moved in; otherwise what a moved name left behind.
  Result<std::vector<ImageRecord>> records = files_.LoadRecords();
  if (records.ok()) files_.SweepUnnamed(records.value()).Ignore();
  if (!record.ok()) return std::move(record).error();
  return files_.LoadImage(record.value());
}

Result<ImageRecord> Importer::StoreRecord(const SelectedImage& image) {
  std::vector<ImageRecord> records = TRY(files_.LoadRecords());
  for (const StagedLayer& layer : staged_) {
    TRY(files_.CommitLayer(staging_.get(), layer.name, layer.directory));
  }
  TRY(files_.SyncLayers());
  std::string manifest = image.manifest_text;
  if (manifest.empty()) {
    Manifest written = docker_manifest_;
    written.config = {kOciConfigType, image.id, image.config_text.size(), {}, "", ""};
    manifest = EncodeManifest(written);
  }
  ImageRecord record;
  record.id = image.id;
  record.manifest = Sha256::Of(manifest);
  record.layers = layers_;
  record.imported = WallNanoseconds();
  TRY(files_.StoreBlob(record.id, image.config_text));
  TRY(files_.StoreBlob(record.manifest, manifest));

  std::string name = name_->Canonical();
  for (ImageRecord& other : records) std::erase(other.names, name);
  auto same = std::find_if(records.begin(), records.end(),
                           [&](const ImageRecord& other) { return other.id == record.id; });
  if (same != records.end()) {
    record.names = same->names;
    records.erase(same);
  }
  record.names.push_back(name);
  records.push_back(record);
  TRY(files_.StoreRecords(records));
  return record;
}

}  // namespace

Result<Image> ImportImage(const StoreFiles& files, const std::string& path,
                          const ImportOptions& options) {
  Importer importer(files, options);
  return importer.Run(path);
}

}  // namespace skiff::images
