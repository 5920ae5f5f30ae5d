#include "images/store.h"

#include <algorithm>
#include <filesystem>

#include "images/export.h"
#include "images/image_lookup.h"
#include "images/import.h"
#include "images/reference.h"
#include "images/store_files.h"
#include "images/upkeep.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

Result<UniqueFd> HoldWhole(const StoreFiles& files, const LayerInfo& layer) {
  std::string directory = std::filesystem::path(layer.directory).parent_path().filename();
  HeldLayer held = TRY(files.HoldLayer(directory));
  if (!held.lock.valid()) return Error(Code::kNotFound, "it is gone");
  TRY(files.CheckLayer(directory));
  return std::move(held.lock);
}

}  // namespace

ImageStore::ImageStore(std::unique_ptr<StoreFiles> files) : files_(std::move(files)) {}
ImageStore::ImageStore(ImageStore&&) noexcept = default;
ImageStore& ImageStore::operator=(ImageStore&&) noexcept = default;
ImageStore::~ImageStore() = default;

Result<ImageStore> ImageStore::Open(const std::string& data_root) {
  StoreFiles files = TRY(StoreFiles::Open(data_root));
  return ImageStore(std::make_unique<StoreFiles>(std::move(files)));
}

Result<Image> ImageStore::Import(const std::string& path, const ImportOptions& options) {
  return ImportImage(*files_, path, options).Context(Describe(path));
}

Result<std::vector<Image>> ImageStore::List() const {
  std::vector<ImageRecord> records = TRY(files_->LoadRecords());
  std::vector<Image> images;
  for (const ImageRecord& record : records) {
    images.push_back(files_->DescribeImage(record));
  }
  return images;
}

Result<Image> ImageStore::Resolve(std::string_view text) const {
  std::vector<ImageRecord> records = TRY(files_->LoadRecords());
  RecordMatch match = TRY(FindRecord(records, text));
  return files_->LoadImage(records[match.index]);
}

Result<ImageDocuments> ImageStore::Inspect(std::string_view text) const {
  std::vector<ImageRecord> records = TRY(files_->LoadRecords());
  RecordMatch match = TRY(FindRecord(records, text));
  ImageDocuments documents;
  documents.manifest = TRY(files_->LoadBlob(records[match.index].manifest));
  documents.config = TRY(files_->LoadBlob(records[match.index].id));
  return documents;
}

Result<std::vector<UniqueFd>> ImageStore::Hold(const Image& image) const {
  std::vector<UniqueFd> locks;
  for (const LayerInfo& layer : image.layers) {
    Result<UniqueFd> lock = HoldWhole(*files_, layer);
    if (lock.ok()) {
      locks.push_back(std::move(lock).value());
      continue;
    }
    std::string message = Describe(image.id.ToString()) + ": layer " + layer.diff_id.ToString() +
                          ": " + lock.error().message();
    if (image.is_pulled) return Error(Code::kNotFound, std::move(message));
    // What a registry has under its name may be something else.
    return Error(Code::kUnavailable, message + "; skiff image verify --repair, or import it again");
  }
  // Only its age suffers when this is not to be had.
  files_->MarkUsed(image.id).Ignore();
  return locks;
}

Result<Image> ImageStore::Tag(std::string_view text, std::string_view name) {
  ImageReference reference = TRY(ImageReference::Parse(name));
  if (reference.digest()) {
    return Error(Code::kInvalid, "image name '" + std::string(name) +
                                     "': a name with a digest cannot be given away");
  }
  UniqueFd lock = TRY(files_->LockAll());
  std::vector<ImageRecord> records = TRY(files_->LoadRecords());
  RecordMatch match = TRY(FindRecord(records, text));
  std::string canonical = reference.Canonical();
  for (ImageRecord& record : records) std::erase(record.names, canonical);
  records[match.index].names.push_back(canonical);
  TRY(files_->StoreRecords(records));
  return files_->LoadImage(records[match.index]);
}

Result<> ImageStore::Remove(std::string_view text) {
  UniqueFd lock = TRY(files_->LockAll());
  std::vector<ImageRecord> records = TRY(files_->LoadRecords());
  RecordMatch match = TRY(FindRecord(records, text));
  if (!match.name.empty() && records[match.index].names.size() > 1) {
    std::erase(records[match.index].names, match.name);
    return files_->StoreRecords(records);
  }
  ImageRecord removed = std::move(records[match.index]);
  records.erase(records.begin() + static_cast<std::ptrdiff_t>(match.index));
  {
    std::vector<UniqueFd> claims = TRY(ClaimOwnLayers(*files_, removed, records, text));
    TRY(files_->StoreRecords(records));
  }
  // Whoever takes a layer from here on keeps it from this sweep; a later one removes it.
  return files_->SweepUnnamed(records);
}

Result<> ImageStore::Export(const std::vector<std::string>& images, const std::string& path,
                            ExportFormat format) const {
  return ExportImages(*files_, images, path, format);
}

Result<> ImageStore::Export(const std::vector<std::string>& images, int out,
                            ExportFormat format) const {
  return ExportImages(*files_, images, out, format);
}

Result<ImageHealth> ImageStore::Verify(std::string_view text) const {
  return VerifyImage(*files_, text);
}

Result<> ImageStore::SetAside(const ImageHealth& health) { return SetDamageAside(*files_, health); }

Result<uint64_t> ImageStore::DropKeptFiles() { return images::DropKeptFiles(*files_); }

Result<StoreUsage> ImageStore::Usage() const { return UsageOf(*files_); }

Result<PruneReport> ImageStore::Prune(const PruneOptions& options) {
  return PruneImages(*files_, options);
}

}  // namespace skiff::images
