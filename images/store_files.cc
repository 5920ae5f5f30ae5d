#include "images/store_files.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

#include "images/layer_files.h"
#include "images/layer_kind.h"
#include "images/limits.h"
#include "isolation/base/clock.h"
#include "isolation/base/scope_exit.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"

namespace skiff::images {
namespace {

constexpr mode_t kPrivate = 0700;
constexpr uint64_t kVersion = 3;
constexpr char kVersionFile[] = "version";
constexpr char kChecked[] = "checked";  // in a layer's directory: the boot it was last compared in
constexpr char kAsidePrefix[] = "damaged-";
constexpr char kRecords[] = "refs.json";
constexpr char kBlobs[] = "blobs/sha256";
constexpr int64_t kNanoseconds = 1'000'000'000;
constexpr Bytes kMaxRecords = Bytes::MiB(64);

std::string LayerName(const std::string& directory) { return "layers/" + directory; }
std::string StagingName(const std::string& name) { return "staging/" + name; }
std::string LockName(const Digest& digest) { return "locks/" + digest.hex(); }
std::string BlobName(const Digest& digest) { return std::string(kBlobs) + "/" + digest.hex(); }

bool IsAbsent(const Error& error) { return error.sys_errno() == ENOENT; }

std::string VersionText() { return std::to_string(kVersion) + "\n"; }

// Of the layout; nullopt: the store is new.
Result<std::optional<uint64_t>> ReadVersion(int root) {
  Result<std::string> version = sys::ReadFile(root, kVersionFile);
  if (!version.ok() && IsAbsent(version.error())) return std::optional<uint64_t>();
  std::string found = TRY(std::move(version));
  std::optional<uint64_t> number = ParseUint(TrimSpace(found));
  if (number && *number >= 1 && *number <= kVersion) return number;
  return Error(Code::kUnavailable, "its layout is version '" + std::string(TrimSpace(found)) +
                                       "', this program knows versions up to " +
                                       std::to_string(kVersion));
}

std::string BootId() {
  return sys::ReadFile(AT_FDCWD, "/proc/sys/kernel/random/boot_id").ValueOr("unknown");
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
  TRY(files.Migrate().Context(what));
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

Result<UniqueFd> StoreFiles::OpenBlob(const Digest& digest) const {
  return sys::Open(root_.get(), BlobName(digest), O_RDONLY | O_NOFOLLOW);
}

bool StoreFiles::HasBlob(const Digest& digest) const {
  return sys::Exists(root_.get(), BlobName(digest));
}

Result<> StoreFiles::CommitBlob(int staging, const std::string& name, const Digest& digest) const {
  return sys::Rename(staging, name, root_.get(), BlobName(digest));
}

Result<> StoreFiles::RemoveBlob(const Digest& digest) const {
  return sys::Unlink(root_.get(), BlobName(digest));
}

uint64_t StoreFiles::BlobSize(const Digest& digest) const {
  Result<struct stat> info = sys::Stat(root_.get(), BlobName(digest));
  return info.ok() ? static_cast<uint64_t>(info.value().st_size) : 0;
}

Result<> StoreFiles::MarkUsed(const Digest& image) const {
  int64_t now = WallNanoseconds();
  return sys::SetTimes(root_.get(), BlobName(image),
                       {.tv_sec = now / kNanoseconds, .tv_nsec = now % kNanoseconds});
}

int64_t StoreFiles::LastUsed(const Digest& image) const {
  Result<struct stat> info = sys::Stat(root_.get(), BlobName(image));
  if (!info.ok()) return 0;
  return info.value().st_mtim.tv_sec * kNanoseconds + info.value().st_mtim.tv_nsec;
}

// Version 1 had no lists of files. What the layers hold now is what will be compared with. Version
// 2 knew no layers but unpacked ones.
Result<> StoreFiles::Migrate() const {
  std::optional<uint64_t> found = TRY(ReadVersion(root_.get()));
  if (found == kVersion) return {};
  UniqueFd lock = TRY(LockAll());
  std::vector<std::string> layers = TRY(sys::ListDirectory(root_.get(), "layers"));
  for (const std::string& name : layers) {
    UniqueFd layer = TRY(sys::OpenDirectory(root_.get(), LayerName(name)));
    if (sys::Exists(layer.get(), kFileList)) continue;
    UniqueFd fs = TRY(sys::OpenDirectory(layer.get(), "fs"));
    UniqueFd list = TRY(sys::Open(layer.get(), "files.new", O_WRONLY | O_CREAT | O_TRUNC, 0600));
    TRY(RecordFiles(fs.get(), nullptr, list.get()).Context("layer " + name));
    TRY(sys::Sync(list.get()));
    TRY(sys::Rename(layer.get(), "files.new", layer.get(), kFileList));
  }
  return sys::StoreFile(root_.get(), kVersionFile, VersionText());
}

std::string StoreFiles::LayerPath(const std::string& directory) const {
  std::string image = LayerName(directory) + "/" + NameOfKind(LayerKind::kErofs);
  if (sys::Exists(root_.get(), image)) return path_ + "/" + image;
  return path_ + "/" + LayerName(directory) + "/" + NameOfKind(LayerKind::kUnpacked);
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
  // A layer that lost it is damaged, which others find out.
  std::string text = sys::ReadFile(held.lock.get(), "size").ValueOr("");
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

Result<std::vector<std::string>> StoreFiles::CompareLayer(const std::string& directory,
                                                          Scrutiny scrutiny) const {
  UniqueFd layer = TRY(sys::OpenDirectory(root_.get(), LayerName(directory)));
  std::string list = TRY(sys::ReadFile(layer.get(), kFileList, kMaxFileList));
  LayerKind kind = KindOfPlace(LayerPath(directory));
  Result<UniqueFd> place = sys::OpenDirectory(layer.get(), NameOfKind(kind));
  if (!place.ok()) return std::vector<std::string>{place.error().message()};
  Result<> mountable = CheckKind(kind, path_ + "/staging");
  if (!mountable.ok()) return std::vector<std::string>{mountable.error().message()};
  return CompareFiles(place.value().get(), list, scrutiny);
}

Result<> StoreFiles::CheckLayer(const std::string& directory) const {
  std::string mark = LayerName(directory) + "/" + kChecked;
  std::string boot = BootId();
  Result<struct stat> checked = sys::Stat(root_.get(), mark);
  if (checked.ok()) {
    int64_t age = WallNanoseconds() / kNanoseconds - checked.value().st_mtim.tv_sec;
    bool is_recent = age >= 0 && age < kCheckedFor.count();
    if (is_recent && sys::ReadFile(root_.get(), mark).ValueOr("") == boot) return {};
  }
  std::vector<std::string> damage = TRY(CompareLayer(directory, Scrutiny::kSizes));
  if (damage.empty()) {
    // On a full disk it is only done again.
    sys::WriteFile(root_.get(), mark, boot).Ignore();
    return {};
  }
  return Error(Code::kNotFound, "it is damaged: " + damage[0]);
}

Result<> StoreFiles::SetLayerAside(const std::string& directory) const {
  return sys::Rename(root_.get(), LayerName(directory), root_.get(),
                     LayerName(kAsidePrefix + RandomHex(8)));
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
    for (const LayerRecord& layer : record.layers) {
      if (layer.blob) named.insert(layer.blob->hex());
    }
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
  Image image = DescribeStored(record);
  image.config = TRY(DecodeImageConfig(config, what));
  return image;
}

Image StoreFiles::DescribeImage(const ImageRecord& record) const {
  Result<Image> image = LoadImage(record);
  if (image.ok()) return std::move(image).value();
  Image damaged = DescribeStored(record);
  damaged.is_damaged = true;
  return damaged;
}

Image StoreFiles::DescribeStored(const ImageRecord& record) const {
  Image image;
  image.id = record.id;
  image.manifest_digest = record.manifest;
  image.names = record.names;
  image.imported = record.imported;
  image.is_pulled = record.is_pulled;
  std::vector<LayerRecord> layers = Distinct(record.layers);
  for (const LayerRecord& layer : layers) {
    image.layers.push_back({layer.diff_id, LayerPath(layer.directory), layer.size});
    image.size += layer.size;
  }
  return image;
}

}  // namespace skiff::images
