#include "images/store.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "images/import.h"
#include "images/reference.h"
#include "images/store_files.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

constexpr size_t kMinIdDigits = 4;

struct Match {
  size_t index = 0;
  std::string name;  // the name it was found by, or empty
};

std::string Describe(std::string_view text) { return "image " + std::string(text); }

// "name@sha256:...": the name must be one of the image's, the digest its manifest's or its id.
bool HasReference(const ImageRecord& record, const ImageReference& wanted, std::string* name) {
  for (const std::string& known : record.names) {
    Result<ImageReference> parsed = ImageReference::Parse(known);
    if (!parsed.ok()) continue;
    const ImageReference& reference = parsed.value();
    if (reference == wanted) {
      *name = known;
      return true;
    }
    bool is_pinned = wanted.digest() && reference.domain() == wanted.domain() &&
                     reference.repository() == wanted.repository() &&
                     (wanted.tag().empty() || wanted.tag() == reference.tag());
    if (is_pinned && (*wanted.digest() == record.manifest || *wanted.digest() == record.id)) {
      return true;
    }
  }
  return false;
}

std::optional<Match> FindByName(const std::vector<ImageRecord>& records, std::string_view text) {
  Result<ImageReference> wanted = ImageReference::Parse(text);
  if (!wanted.ok()) return std::nullopt;
  for (size_t i = 0; i < records.size(); ++i) {
    Match match{i, ""};
    if (HasReference(records[i], wanted.value(), &match.name)) return match;
  }
  return std::nullopt;
}

Result<Match> FindRecord(const std::vector<ImageRecord>& records, std::string_view text) {
  std::optional<Match> named = FindByName(records, text);
  if (named) return *named;
  bool is_digest = text.starts_with("sha256:");
  std::string_view digits = is_digest ? text.substr(7) : text;
  std::vector<size_t> found;
  if (digits.size() >= kMinIdDigits) {
    for (size_t i = 0; i < records.size(); ++i) {
      bool is_manifest = is_digest && records[i].manifest.hex() == digits;
      if (is_manifest || records[i].id.hex().starts_with(digits)) found.push_back(i);
    }
  }
  if (found.size() == 1) return Match{found[0], ""};
  if (found.size() > 1) {
    return Error(Code::kConflict, Describe(text) + ": these digits begin several ids");
  }
  return Error(Code::kNotFound, Describe(text) + ": not found");
}

// Exclusive locks on the layers that only this record names: nobody uses them.
Result<std::vector<UniqueFd>> ClaimOwnLayers(const StoreFiles& files, const ImageRecord& record,
                                             const std::vector<ImageRecord>& others,
                                             std::string_view text) {
  std::set<std::string> shared;
  for (const ImageRecord& other : others) {
    for (const LayerRecord& layer : other.layers) shared.insert(layer.directory);
  }
  std::set<std::string> own;
  for (const LayerRecord& layer : record.layers) {
    if (!shared.contains(layer.directory)) own.insert(layer.directory);
  }
  std::vector<UniqueFd> claims;
  for (const std::string& directory : own) {
    HeldLayer held = TRY(files.HoldLayer(directory));
    if (!held.lock.valid()) continue;
    bool is_free = TRY(sys::TryLock(held.lock.get(), sys::LockMode::kExclusive));
    if (!is_free) return Error(Code::kConflict, Describe(text) + " is in use");
    claims.push_back(std::move(held.lock));
  }
  return claims;
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
    Image image = TRY(files_->LoadImage(record));
    images.push_back(std::move(image));
  }
  return images;
}

Result<Image> ImageStore::Resolve(std::string_view text) const {
  std::vector<ImageRecord> records = TRY(files_->LoadRecords());
  Match match = TRY(FindRecord(records, text));
  return files_->LoadImage(records[match.index]);
}

Result<ImageDocuments> ImageStore::Inspect(std::string_view text) const {
  std::vector<ImageRecord> records = TRY(files_->LoadRecords());
  Match match = TRY(FindRecord(records, text));
  ImageDocuments documents;
  documents.manifest = TRY(files_->LoadBlob(records[match.index].manifest));
  documents.config = TRY(files_->LoadBlob(records[match.index].id));
  return documents;
}

Result<std::vector<UniqueFd>> ImageStore::Hold(const Image& image) const {
  std::vector<UniqueFd> locks;
  for (const LayerInfo& layer : image.layers) {
    std::string directory = std::filesystem::path(layer.directory).parent_path().filename();
    HeldLayer held = TRY(files_->HoldLayer(directory));
    if (!held.lock.valid()) {
      return Error(Code::kNotFound, Describe(image.id.ToString()) + ": layer " +
                                        layer.diff_id.ToString() + " is gone");
    }
    locks.push_back(std::move(held.lock));
  }
  return locks;
}

Result<> ImageStore::Remove(std::string_view text) {
  UniqueFd lock = TRY(files_->LockAll());
  std::vector<ImageRecord> records = TRY(files_->LoadRecords());
  Match match = TRY(FindRecord(records, text));
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

}  // namespace skiff::images
