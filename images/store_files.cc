#include "images/store_files.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

#include "images/limits.h"
#include "isolation/base/clock.h"
#include "isolation/base/scope_exit.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

constexpr mode_t kPrivate = 0700;
constexpr std::string_view kVersion = "1\n";
constexpr char kRecords[] = "refs.json";
constexpr char kBlobs[] = "blobs/sha256";
constexpr Bytes kMaxRecords = Bytes::MiB(64);

std::string LayerName(const std::string& directory) { return "layers/" + directory; }
std::string StagingName(const std::string& name) { return "staging/" + name; }
std::string LockName(const Digest& digest) { return "locks/" + digest.hex(); }
std::string BlobName(const Digest& digest) { return std::string(kBlobs) + "/" + digest.hex(); }

bool IsAbsent(const Error& error) { return error.sys_errno() == ENOENT; }

Result<> CheckVersion(int root) {
  Result<std::string> version = sys::ReadFile(root, "version");
  if (!version.ok() && IsAbsent(version.error())) return sys::StoreFile(root, "version", kVersion);
  std::string found = TRY(std::move(version));
  if (found == kVersion) return {};
  return Error(Code::kUnavailable, "its layout is version '" + std::string(TrimSpace(found)) +
                                       "', this program knows version 1");
}

// Of a layer that appears twice the lower one is hidden by the upper, name for name, and overlayfs
// refuses to stack a directory on itself.
std::vector<LayerRecord> Distinct(const std::vector<LayerRecord>& layers) {
  std::vector<LayerRecord> kept;
  std::set<std::string> seen;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    if (seen.insert(layer->directory).second) kept.push_back(*layer);
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

}  // namespace

Result<StoreFiles> StoreFiles::Open(const std::string& data_root) {
  StoreFiles files;
  std::error_code error;
  files.path_ = std::filesystem::absolute(data_root, error).lexically_normal().string();
  if (error) return Error::FromErrno(error.value(), "data root " + data_root);
  files.path_ += files.path_.ends_with('/') ? "images" : "/images";
  std::string what = "image store " + files.path_;
  TRY(sys::MakeDirectories(files.path_, kPrivate).Context(what));
  for (const char* name : {"blobs/sha256", "layers", "locks", "staging"}) {
    TRY(sys::MakeDirectories(files.path_ + "/" + name, kPrivate).Context(what));
  }
  files.root_ = TRY(sys::OpenDirectory(AT_FDCWD, files.path_).Context(what));
  TRY(CheckVersion(files.root_.get()).Context(what));
  TRY(files.SweepStaging().Context(what));
  return files;
}

Result<UniqueFd> StoreFiles::LockAll() const {
  UniqueFd lock = TRY(sys::Open(root_.get(), "lock", O_RDWR | O_CREAT, 0600));
  TRY(sys::Lock(lock.get(), sys::LockMode::kExclusive));
  return lock;
}

Result<std::vector<ImageRecord>> StoreFiles::LoadRecords() const {
  Result<std::string> text = sys::ReadFile(root_.get(), kRecords, kMaxRecords);
  if (!text.ok() && IsAbsent(text.error())) return std::vector<ImageRecord>();
  std::string records = TRY(std::move(text));
  return DecodeRecords(records, path_ + "/" + kRecords);
}

Result<> StoreFiles::StoreRecords(const std::vector<ImageRecord>& records) const {
  return sys::StoreFile(root_.get(), kRecords, EncodeRecords(records));
}

Result<std::string> StoreFiles::LoadBlob(const Digest& digest) const {
  std::string content = TRY(sys::ReadFile(root_.get(), BlobName(digest), kMaxManifest));
  if (Sha256::Of(content) == digest) return content;
  return Error(Code::kInternal, "the store's " + BlobName(digest) + " is damaged");
}

Result<> StoreFiles::StoreBlob(const Digest& digest, std::string_view content) const {
  if (LoadBlob(digest).ok()) return {};
  return sys::StoreFile(root_.get(), BlobName(digest), content);
}

std::string StoreFiles::LayerPath(const std::string& directory) const {
  return path_ + "/" + LayerName(directory) + "/fs";
}

Result<HeldLayer> StoreFiles::HoldLayer(const std::string& directory) const {
  Result<UniqueFd> opened = sys::OpenDirectory(root_.get(), LayerName(directory));
  if (!opened.ok() && IsAbsent(opened.error())) return HeldLayer();
  HeldLayer held;
  held.lock = TRY(std::move(opened));
  TRY(sys::Lock(held.lock.get(), sys::LockMode::kShared));
  // It may have been removed, and even made anew, before the lock was had.
  struct stat locked = TRY(sys::StatFd(held.lock.get()));
  Result<struct stat> now = sys::Stat(root_.get(), LayerName(directory));
  if (!now.ok() || now.value().st_ino != locked.st_ino) return HeldLayer();
  std::string text = TRY(sys::ReadFile(held.lock.get(), "size"));
  held.size = ParseUint(TrimSpace(text)).value_or(0);
  return held;
}

Result<> StoreFiles::CommitLayer(int staging, const std::string& name,
                                 const std::string& directory) const {
  if (sys::Exists(root_.get(), LayerName(directory))) return {};
  return sys::Rename(staging, name, root_.get(), LayerName(directory));
}

Result<> StoreFiles::SyncLayers() const {
  UniqueFd layers = TRY(sys::OpenDirectory(root_.get(), "layers"));
  return sys::Sync(layers.get());
}

Result<UniqueFd> StoreFiles::TakeTurn(const Digest& diff_id,
                                      const std::function<void()>& on_wait) const {
  bool is_waiting = false;
  int64_t end = MonotonicNanoseconds() + Nanoseconds(kMaxTurnWait).count();
  for (;;) {
    UniqueFd lock = TRY(sys::Open(root_.get(), LockName(diff_id), O_RDWR | O_CREAT, 0600));
    bool is_own = TRY(sys::TryLock(lock.get(), sys::LockMode::kExclusive));
    if (is_own) {
      // Whoever had it may have removed the file meanwhile.
      struct stat locked = TRY(sys::StatFd(lock.get()));
      Result<struct stat> now = sys::Stat(root_.get(), LockName(diff_id));
      if (now.ok() && now.value().st_ino == locked.st_ino) return lock;
    } else if (MonotonicNanoseconds() > end) {
      return UniqueFd();
    } else {
      if (!std::exchange(is_waiting, true)) on_wait();
      std::this_thread::sleep_for(kTurnPause);  // flock(2) knows no timeout
    }
  }
}

Result<> StoreFiles::EndTurn(const Digest& diff_id, UniqueFd turn) const {
  if (!turn.valid()) return {};
  return sys::Unlink(root_.get(), LockName(diff_id));
}

Result<UniqueFd> StoreFiles::MakeStaging(std::string* name) const {
  *name = RandomHex(8);
  // Under the lock no sweep comes between making and locking.
  UniqueFd lock = TRY(LockAll());
  TRY(sys::MakeDirectory(root_.get(), StagingName(*name), kPrivate));
  UniqueFd staging = TRY(sys::OpenDirectory(root_.get(), StagingName(*name)));
  TRY(sys::Lock(staging.get(), sys::LockMode::kExclusive));
  return staging;
}

std::string StoreFiles::StagingPath(const std::string& name) const {
  return path_ + "/" + StagingName(name);
}

Result<> StoreFiles::RemoveStaging(const std::string& name) const {
  return sys::RemoveTree(root_.get(), StagingName(name));
}

Result<> StoreFiles::SweepStaging() const {
  std::vector<std::string> names = TRY(sys::ListDirectory(root_.get(), "staging"));
  if (names.empty()) return {};
  UniqueFd lock = TRY(LockAll());
  for (const std::string& name : names) {
    Result<UniqueFd> staging = sys::OpenDirectory(root_.get(), StagingName(name));
    if (!staging.ok() && IsAbsent(staging.error())) continue;
    UniqueFd directory = TRY(std::move(staging));
    bool is_left = TRY(sys::TryLock(directory.get(), sys::LockMode::kExclusive));
    if (is_left) TRY(RemoveStaging(name));
  }
  return {};
}

Result<> StoreFiles::SweepUnnamed(const std::vector<ImageRecord>& records) const {
  TRY(SweepLayers(records));
  std::set<std::string> named;
  for (const ImageRecord& record : records) {
    named.insert(record.id.hex());
    named.insert(record.manifest.hex());
  }
  std::vector<std::string> blobs = TRY(sys::ListDirectory(root_.get(), kBlobs));
  for (const std::string& blob : blobs) {
    if (!named.contains(blob)) TRY(sys::Unlink(root_.get(), std::string(kBlobs) + "/" + blob));
  }
  return {};
}

Result<> StoreFiles::SweepLayers(const std::vector<ImageRecord>& records) const {
  std::set<std::string> named;
  for (const ImageRecord& record : records) {
    for (const LayerRecord& layer : record.layers) named.insert(layer.directory);
  }
  std::vector<std::string> layers = TRY(sys::ListDirectory(root_.get(), "layers"));
  for (const std::string& layer : layers) {
    if (named.contains(layer)) continue;
    UniqueFd directory = TRY(sys::OpenDirectory(root_.get(), LayerName(layer)));
    bool is_free = TRY(sys::TryLock(directory.get(), sys::LockMode::kExclusive));
    if (is_free) TRY(RemoveLayer(layer));
  }
  return {};
}

// Renamed first, so that nobody meets half of it.
Result<> StoreFiles::RemoveLayer(const std::string& directory) const {
  std::string name = RandomHex(8);
  TRY(sys::Rename(root_.get(), LayerName(directory), root_.get(), StagingName(name)));
  return RemoveStaging(name);
}

Result<Image> StoreFiles::LoadImage(const ImageRecord& record) const {
  std::string what = "image " + record.id.ToString();
  std::string config = TRY(LoadBlob(record.id).Context(what));
  Image image;
  image.id = record.id;
  image.manifest_digest = record.manifest;
  image.names = record.names;
  image.config = TRY(DecodeImageConfig(config, what));
  image.imported = record.imported;
  std::vector<LayerRecord> layers = Distinct(record.layers);
  for (const LayerRecord& layer : layers) {
    image.layers.push_back({layer.diff_id, LayerPath(layer.directory), layer.size});
    image.size += layer.size;
  }
  return image;
}

}  // namespace skiff::images
