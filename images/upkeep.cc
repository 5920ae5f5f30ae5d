#include "images/upkeep.h"

#include <algorithm>
#include <map>
#include <set>

#include "images/byte_source.h"
#include "images/image_lookup.h"
#include "images/limits.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

std::string NameOf(const ImageRecord& record) {
  return record.names.empty() ? record.id.ToString() : record.names[0];
}

// ---- verify ----

Result<Digest> DigestOfFile(int fd) {
  struct stat info = TRY(sys::StatFd(fd));
  FileSource file(fd, 0, static_cast<uint64_t>(info.st_size));
  HashingSource hashed(&file, kMaxArchive);
  TRY(Drain(&hashed));
  return hashed.Finish();
}

class Verifier {
 public:
  Verifier(const StoreFiles& files, const ImageRecord& record) : files_(files), record_(record) {}

  Result<ImageHealth> Run() {
    health_.id = record_.id;
    health_.name = NameOf(record_);
    CheckDocument("manifest", record_.manifest);
    CheckDocument("configuration", record_.id);
    std::set<std::string> seen;
    for (const LayerRecord& layer : record_.layers) {
      if (!seen.insert(layer.directory).second) continue;
      TRY(CheckLayer(layer));
      if (layer.blob) TRY(CheckKept(*layer.blob));
    }
    return std::move(health_);
  }

 private:
  void CheckDocument(const std::string& what, const Digest& digest) {
    Result<std::string> text = files_.LoadBlob(digest);
    if (text.ok()) return;
    health_.damage.push_back(what + ": " + text.error().message());
    health_.lacks_documents = true;
    if (files_.HasBlob(digest)) health_.blobs.push_back(digest);
  }

  Result<> CheckLayer(const LayerRecord& layer) {
    std::string what = "layer " + layer.diff_id.ToString();
    HeldLayer held = TRY(files_.HoldLayer(layer.directory).Context(what));
    if (!held.lock.valid()) {
      health_.damage.push_back(what + ": is gone");
      health_.layers.push_back(layer.directory);
      return {};
    }
    Result<std::vector<std::string>> found =
        files_.CompareLayer(layer.directory, Scrutiny::kContent);
    std::vector<std::string> lines =
        found.ok() ? found.value() : std::vector<std::string>{found.error().message()};
    for (const std::string& line : lines) health_.damage.push_back(what + ": " + line);
    if (!lines.empty()) health_.layers.push_back(layer.directory);
    return {};
  }

  Result<> CheckKept(const Digest& digest) {
    std::string what = "file of a layer " + digest.ToString();
    Result<UniqueFd> file = files_.OpenBlob(digest);
    if (!file.ok()) {
      health_.damage.push_back(what + ": " + file.error().message());
      return {};
    }
    Digest found = TRY(DigestOfFile(file.value().get()).Context(what));
    if (found == digest) return {};
    health_.damage.push_back(what + ": its content has the digest " + found.ToString());
    health_.blobs.push_back(digest);
    return {};
  }

  const StoreFiles& files_;
  const ImageRecord& record_;
  ImageHealth health_;
};

// ---- usage ----

std::set<std::string> DirectoriesOf(const ImageRecord& record) {
  std::set<std::string> directories;
  for (const LayerRecord& layer : record.layers) directories.insert(layer.directory);
  return directories;
}

std::set<Digest> KeptOf(const ImageRecord& record) {
  std::set<Digest> kept;
  for (const LayerRecord& layer : record.layers) {
    if (layer.blob) kept.insert(*layer.blob);
  }
  return kept;
}

// How many images have each.
struct Shares {
  explicit Shares(const std::vector<ImageRecord>& records) {
    for (const ImageRecord& record : records) {
      for (const std::string& directory : DirectoriesOf(record)) ++layers[directory];
      for (const Digest& digest : KeptOf(record)) ++blobs[digest];
    }
  }
  std::map<std::string, size_t> layers;
  std::map<Digest, size_t> blobs;
};

// Who uses an image holds all of its layers; a shared one alone may be held for another image.
Result<bool> IsInUse(const StoreFiles& files, const ImageRecord& record) {
  for (const std::string& directory : DirectoriesOf(record)) {
    HeldLayer held = TRY(files.HoldLayer(directory));
    if (!held.lock.valid()) return false;
    bool is_free = TRY(sys::TryLock(held.lock.get(), sys::LockMode::kExclusive));
    if (is_free) return false;
  }
  return !record.layers.empty();
}

Result<ImageUsage> UsageOfImage(const StoreFiles& files, const ImageRecord& record,
                                const Shares& shares) {
  ImageUsage usage;
  usage.image = files.DescribeImage(record);
  usage.last_used = std::max(files.LastUsed(record.id), record.imported);
  std::set<std::string> seen;
  for (const LayerRecord& layer : record.layers) {
    if (!seen.insert(layer.directory).second) continue;
    bool is_shared = shares.layers.at(layer.directory) > 1;
    (is_shared ? usage.shared : usage.own) += layer.size;
  }
  for (const Digest& digest : KeptOf(record)) {
    uint64_t size = files.BlobSize(digest);
    usage.kept += size;
    if (shares.blobs.at(digest) == 1) usage.own += size;
  }
  return usage;
}

// ---- prune ----

bool HasLabels(const ImageConfig& config, const PruneOptions& options) {
  return std::all_of(options.labels.begin(), options.labels.end(), [&](const auto& wanted) {
    return std::any_of(config.labels.begin(), config.labels.end(), [&](const auto& label) {
      return label.first == wanted.first &&
             (wanted.second.empty() || label.second == wanted.second);
    });
  });
}

bool IsCandidate(const ImageRecord& record, const ImageUsage& usage, const PruneOptions& options) {
  bool is_named = !record.names.empty();
  if (is_named && (!options.takes_named || (options.only_pulled && !record.is_pulled)))
    return false;
  return usage.last_used <= options.unused_since && HasLabels(usage.image.config, options);
}

// Those unused longest first.
Result<std::vector<ImageRecord>> CandidatesOf(const StoreFiles& files,
                                              const std::vector<ImageRecord>& records,
                                              const PruneOptions& options) {
  std::vector<std::pair<int64_t, ImageRecord>> found;
  Shares shares(records);
  for (const ImageRecord& record : records) {
    ImageUsage usage = TRY(UsageOfImage(files, record, shares));
    if (IsCandidate(record, usage, options)) found.emplace_back(usage.last_used, record);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<ImageRecord> candidates;
  for (auto& [last_used, record] : found) candidates.push_back(std::move(record));
  return candidates;
}

}  // namespace

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

Result<ImageHealth> VerifyImage(const StoreFiles& files, std::string_view text) {
  std::vector<ImageRecord> records = TRY(files.LoadRecords());
  RecordMatch match = TRY(FindRecord(records, text));
  return Verifier(files, records[match.index]).Run().Context(Describe(text));
}

Result<> SetDamageAside(const StoreFiles& files, const ImageHealth& health) {
  UniqueFd lock = TRY(files.LockAll());
  for (const std::string& directory : health.layers) {
    Result<> moved = files.SetLayerAside(directory);
    if (!moved.ok() && moved.error().code() != Code::kNotFound) return moved;
  }
  for (const Digest& digest : health.blobs) {
    Result<> removed = files.RemoveBlob(digest);
    if (!removed.ok() && removed.error().code() != Code::kNotFound) return removed;
  }
  std::vector<ImageRecord> records = TRY(files.LoadRecords());
  for (ImageRecord& record : records) {
    for (LayerRecord& layer : record.layers) {
      if (layer.blob && !files.HasBlob(*layer.blob)) layer.blob.reset();
    }
  }
  TRY(files.StoreRecords(records));
  return files.SweepUnnamed(records);
}

Result<StoreUsage> UsageOf(const StoreFiles& files) {
  UniqueFd lock = TRY(files.LockAll());
  std::vector<ImageRecord> records = TRY(files.LoadRecords());
  Shares shares(records);
  StoreUsage usage;
  std::set<std::string> seen;
  for (const ImageRecord& record : records) {
    ImageUsage image = TRY(UsageOfImage(files, record, shares));
    image.is_in_use = TRY(IsInUse(files, record));
    usage.images.push_back(std::move(image));
    for (const LayerRecord& layer : record.layers) {
      if (seen.insert(layer.directory).second) usage.layers += layer.size;
    }
  }
  for (const auto& [digest, count] : shares.blobs) usage.kept += files.BlobSize(digest);
  return usage;
}

Result<PruneReport> PruneImages(const StoreFiles& files, const PruneOptions& options) {
  UniqueFd lock = TRY(files.LockAll());
  std::vector<ImageRecord> records = TRY(files.LoadRecords());
  std::vector<ImageRecord> candidates = TRY(CandidatesOf(files, records, options));
  PruneReport report;
  for (const ImageRecord& candidate : candidates) {
    if (options.is_enough && options.is_enough()) break;
    ImageUsage usage = TRY(UsageOfImage(files, candidate, Shares(records)));
    bool is_used = TRY(IsInUse(files, candidate));
    if (is_used) continue;
    std::erase_if(records, [&](const ImageRecord& record) { return record.id == candidate.id; });
    if (!options.is_dry) {
      // Whoever takes a layer from here on keeps it from the sweep, as with Remove. At once:
      // whether it is enough is seen on the disk.
      TRY(files.StoreRecords(records));
      TRY(files.SweepUnnamed(records));
    }
    report.freed += usage.own;
    report.removed.push_back(std::move(usage));
  }
  // And what was left of before: damaged layers that were in use, layers of a commit that broke
  // off.
  if (!options.is_dry) TRY(files.SweepUnnamed(records));
  return report;
}

Result<uint64_t> DropKeptFiles(const StoreFiles& files) {
  UniqueFd lock = TRY(files.LockAll());
  std::vector<ImageRecord> records = TRY(files.LoadRecords());
  uint64_t freed = 0;
  for (const auto& [digest, count] : Shares(records).blobs) freed += files.BlobSize(digest);
  for (ImageRecord& record : records) {
    for (LayerRecord& layer : record.layers) layer.blob.reset();
  }
  TRY(files.StoreRecords(records));
  TRY(files.SweepUnnamed(records));
  return freed;
}

}  // namespace skiff::images
