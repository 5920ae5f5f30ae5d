#include "images/intake.h"

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "images/limits.h"
#include "isolation/base/clock.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

constexpr char kStopped[] = "another layer stopped the work";

std::string KeptName(size_t index) { return std::to_string(index) + ".file"; }

// Writes what passes to a file; without one, nothing.
class KeepingSource : public ByteSource {
 public:
  KeepingSource(ByteSource* input, int file) : input_(input), file_(file) {}
  Result<std::string_view> Next() override {
    std::string_view piece = TRY(input_->Next());
    if (file_ >= 0) TRY(sys::WriteAll(file_, piece, "the layer's file"));
    return piece;
  }

 private:
  ByteSource* input_;
  int file_;
};

std::optional<Digest> KeptBefore(const std::vector<ImageRecord>& records,
                                 const std::string& directory) {
  for (const ImageRecord& record : records) {
    for (const LayerRecord& layer : record.layers) {
      if (layer.directory == directory && layer.blob) return layer.blob;
    }
  }
  return std::nullopt;
}

}  // namespace

// Tells how far a layer is, once a piece, and ends when another layer's failure ended the work.
class Intake::WatchedSource : public ByteSource {
 public:
  WatchedSource(ByteSource* input, Intake* intake, size_t index)
      : input_(input), intake_(intake), index_(index) {}

  Result<std::string_view> Next() override {
    {
      std::lock_guard lock(intake_->mutex_);
      if (intake_->failure_) return Error(Code::kConflict, kStopped);
    }
    std::string_view piece = TRY(input_->Next());
    done_ += piece.size();
    // What others write, and what this piece's like inflate to.
    TRY(intake_->room().Check(Bytes(piece.size()), "its next bytes"));
    if (!piece.empty()) intake_->Report(ImportProgress::Step::kUnpacking, index_, done_);
    return piece;
  }

 private:
  ByteSource* input_;
  Intake* intake_;
  size_t index_;
  uint64_t done_ = 0;
};

Result<std::unique_ptr<Intake>> Intake::Begin(const StoreFiles& files, IntakeOptions options) {
  std::unique_ptr<Intake> intake(new Intake(files, std::move(options)));
  intake->staging_ = TRY(files.MakeStaging(&intake->staging_name_));
  intake->kind_ = TRY(KindFor(intake->options_.layers, files.StagingPath(intake->staging_name_)));
  return intake;
}

Intake::~Intake() {
  EndTurns();
  if (!staging_name_.empty()) files_.RemoveStaging(staging_name_).Ignore();
}

void Intake::Report(ImportProgress::Step step, size_t index, uint64_t done) {
  if (!options_.progress) return;
  std::lock_guard lock(progress_mutex_);
  options_.progress(
      {step, index + 1, layers_.size(), layers_[index].diff_id, done, layers_[index].size});
}

Result<> Intake::MakeSlots() {
  std::map<Digest, size_t> seen;
  slots_.resize(layers_.size());
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Digest& diff_id = layers_[i].diff_id;
    Slot& slot = slots_[i];
    slot.diff_id = diff_id;
    slot.chain_id = diff_id;
    if (i > 0) {
      slot.chain_id = Sha256::Of(slots_[i - 1].chain_id.ToString() + " " + diff_id.ToString());
    }
    auto [earlier, is_new] = seen.emplace(diff_id, i);
    if (!is_new) {
      slot.twin = earlier->second;
      // What becomes of the first decides about the second: one after the other.
      options_.parallel = 1;
    }
    slot.lower_ready = TRY(sys::MakePipe());
  }
  return {};
}

// A layer that lost files is made anew, like one that is not there.
Result<> Intake::SetDamagedAside() const {
  for (const Slot& slot : slots_) {
    for (const std::string& directory : {slot.diff_id.hex(), slot.chain_id.hex()}) {
      HeldLayer held = TRY(files_.HoldLayer(directory));
      if (!held.lock.valid()) continue;
      Result<> checked = files_.CheckLayer(directory);
      if (checked.ok()) continue;
      UniqueFd lock = TRY(files_.LockAll());
      TRY(files_.SetLayerAside(directory));
    }
  }
  return {};
}

// In the order of their digests, so that two who need several never wait for each other.
Result<> Intake::TakeTurns() {
  std::map<Digest, size_t> missing;
  for (size_t i = 0; i < layers_.size(); ++i) {
    bool is_there = sys::Exists(AT_FDCWD, files_.LayerPath(layers_[i].diff_id.hex())) ||
                    sys::Exists(AT_FDCWD, files_.LayerPath(slots_[i].chain_id.hex()));
    if (!is_there) missing.emplace(layers_[i].diff_id, i);
  }
  for (const auto& [diff_id, index] : missing) {
    UniqueFd turn = TRY(files_.TakeTurn(
        diff_id, [this, at = index] { Report(ImportProgress::Step::kWaiting, at, 0); }));
    turns_.emplace_back(diff_id, std::move(turn));
  }
  return {};
}

void Intake::EndTurns() {
  for (auto& [diff_id, turn] : std::exchange(turns_, {})) {
    files_.EndTurn(diff_id, std::move(turn)).Ignore();
  }
}

Result<> Intake::AddLayers(std::vector<IntakeLayer> layers) {
  layers_ = std::move(layers);
  TRY(MakeSlots());
  TRY(SetDamagedAside());
  TRY(TakeTurns());
  TRY(MakePlaces());
  TRY(CheckRoom());
  std::vector<std::thread> threads;
  size_t count = std::min({options_.parallel, kMaxParallelLayers, layers_.size()});
  for (size_t i = 1; i < count; ++i) threads.emplace_back([this] { Work(); });
  Work();
  for (std::thread& thread : threads) thread.join();
  if (failure_) return std::move(*failure_);
  return {};
}

// Every layer has its directory before the first is begun: those above it are told where it is.
Result<> Intake::MakePlaces() {
  for (size_t i = 0; i < layers_.size(); ++i) {
    bool is_present = TRY(UsePresent(i));
    if (is_present) continue;
    std::string name = std::to_string(i);
    TRY(sys::MakeDirectory(staging_.get(), name, 0700));
    std::string place = name + "/" + NameOfKind(kind_);
    TRY(sys::MakeDirectory(staging_.get(), place, 0755));
    slots_[i].path = files_.StagingPath(staging_name_) + "/" + place;
  }
  return {};
}

// Before anything is fetched: the layers' files alone.
Result<> Intake::CheckRoom() const {
  uint64_t sum = 0;
  for (size_t i = 0; i < layers_.size(); ++i) {
    uint64_t size = layers_[i].size;
    if (slots_[i].is_done || slots_[i].twin) continue;
    if (size > options_.limits.layer.count()) {
      return Error(Code::kExhausted, "layer " + std::to_string(i + 1) + ": its file has " +
                                         std::to_string(size) + " bytes, above the limit of " +
                                         std::to_string(options_.limits.layer.count()) +
                                         " (layerMiB of images.json)");
    }
    sum += std::min(size, UINT64_MAX - sum);
  }
  if (sum > options_.limits.image.count()) {
    return Error(Code::kExhausted,
                 "its layers' files have " + std::to_string(sum) + " bytes, above the limit of " +
                     std::to_string(options_.limits.image.count()) + " (imageMiB of images.json)");
  }
  return room().Check(Bytes(sum), "its layers' files");
}

// Of the tar in the layer that is to be unpacked: what the image has left.
Bytes Intake::MostOfNext() {
  std::lock_guard lock(mutex_);
  uint64_t left = options_.limits.image.count();
  for (const Slot& slot : slots_) left -= std::min(left, slot.plain_size.value_or(0));
  return std::min({options_.limits.layer, Bytes(left), kMaxLayer});
}

// Layers that are unpacked at once do not know of each other.
Result<> Intake::NotePlainSize(size_t index, uint64_t size) {
  std::lock_guard lock(mutex_);
  slots_[index].plain_size = size;
  uint64_t sum = 0;
  for (const Slot& slot : slots_) sum += slot.plain_size.value_or(0);
  if (sum <= options_.limits.image.count()) return {};
  return Error(Code::kExhausted, "with it the image's layers have more than " +
                                     std::to_string(options_.limits.image.count()) +
                                     " bytes uncompressed (imageMiB of images.json)");
}

void Intake::Work() {
  for (;;) {
    size_t index = 0;
    {
      std::lock_guard lock(mutex_);
      if (failure_ || next_ == layers_.size()) return;
      TellWhoWaits();
      index = next_++;
    }
    Result<> added = AddLayer(index);
    if (added.ok()) continue;
    std::string what = "layer " + std::to_string(index + 1);
    if (layers_[index].expected) what += " (" + layers_[index].expected->digest.ToString() + ")";
    Fail(std::move(added).error().Context(what));
  }
}

// The first failure is the cause; whoever waits for a layer gives up.
void Intake::Fail(Error error) {
  std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(error);
  for (Slot& slot : slots_) slot.lower_ready.write_end.Reset();
}

// Those above layers that are all done. Under mutex_.
void Intake::TellWhoWaits() {
  for (Slot& slot : slots_) {
    UniqueFd told = std::move(slot.lower_ready.write_end);
    // A pipe takes a byte; a reader who is gone needs none.
    if (told.valid()) sys::WriteAll(told.get(), "+", "pipe").Ignore();
    if (!slot.is_done) return;
  }
}

void Intake::Finish(size_t index, std::string directory, uint64_t size, std::string path,
                    std::string staged) {
  std::lock_guard lock(mutex_);
  Slot& slot = slots_[index];
  slot.record = {layers_[index].diff_id, std::move(directory), size};
  slot.path = std::move(path);
  slot.staged = std::move(staged);
  slot.is_done = true;
  TellWhoWaits();
}

Result<> Intake::AddLayer(size_t index) {
  bool is_present = slots_[index].is_done;
  if (!is_present && slots_[index].twin) is_present = TRY(UsePresent(index));
  if (is_present) {
    if (options_.completes_files) TRY(FetchFile(index));
    Report(ImportProgress::Step::kPresent, index, layers_[index].size);
    return {};
  }
  return Unpack(index);
}

// Met before in this image, or in the store already.
Result<bool> Intake::UsePresent(size_t index) {
  const Slot& slot = slots_[index];
  std::string diff_id = layers_[index].diff_id.hex();
  std::string chain_id = slot.chain_id.hex();
  if (slot.twin && slots_[*slot.twin].is_done) {
    LayerRecord twin = slots_[*slot.twin].record;
    if (twin.directory == diff_id || twin.directory == chain_id) {
      Finish(index, twin.directory, twin.size, slots_[*slot.twin].path, "");
      return true;
    }
  }
  for (const std::string& directory : {diff_id, chain_id}) {
    HeldLayer held = TRY(files_.HoldLayer(directory));
    if (!held.lock.valid()) continue;
    {
      std::lock_guard lock(mutex_);
      locks_.push_back(std::move(held.lock));
    }
    Finish(index, directory, held.size, files_.LayerPath(directory), "");
    return true;
  }
  return false;
}

Result<> Intake::Unpack(size_t index) {
  std::unique_ptr<ByteSource> file = TRY(layers_[index].open());
  UniqueFd kept = TRY(OpenKept(index));
  KeepingSource keeping(file.get(), kept.get());
  WatchedSource watched(&keeping, this, index);
  std::string name = std::to_string(index);
  LayerPlace place;
  {
    std::lock_guard lock(mutex_);
    for (size_t i = 0; i < index; ++i) place.lower.push_back(slots_[i].path);
    place.directory = slots_[index].path;
  }
  place.lower_ready = slots_[index].lower_ready.read_end.get();
  UniqueFd directory = TRY(sys::OpenDirectory(staging_.get(), name));
  UniqueFd list = TRY(sys::Open(directory.get(), kFileList, O_WRONLY | O_CREAT | O_EXCL, 0600));
  place.list = list.get();
  place.most = MostOfNext();
  LayerPass pass = TRY(ReadLayer(&watched, place));
  TRY(Check(index, pass));
  TRY(NotePlainSize(index, pass.plain.plain_size));
  const UnpackedLayer& unpacked = pass.plain.unpacked;
  TRY(sys::WriteFile(directory.get(), "size", std::to_string(unpacked.size) + "\n"));
  // From the moment it has its name, nobody may take it away before a record names it.
  TRY(sys::Lock(directory.get(), sys::LockMode::kShared));
  {
    std::lock_guard lock(mutex_);
    locks_.push_back(std::move(directory));
    if (kept.valid()) slots_[index].kept = pass.blob;
  }
  const Digest& own = unpacked.relies_on_lower ? slots_[index].chain_id : layers_[index].diff_id;
  Finish(index, own.hex(), unpacked.size, place.directory, name);
  Report(ImportProgress::Step::kUnpacked, index, layers_[index].size);
  return {};
}

Result<UniqueFd> Intake::OpenKept(size_t index) const {
  if (!options_.keeps_files) return UniqueFd();
  return sys::Open(staging_.get(), KeptName(index), O_WRONLY | O_CREAT | O_EXCL, 0600);
}

// The file of a layer that is unpacked already, when the store has not kept it.
Result<> Intake::FetchFile(size_t index) {
  const std::optional<Descriptor>& expected = layers_[index].expected;
  if (!expected || files_.HasBlob(expected->digest)) return {};
  std::unique_ptr<ByteSource> file = TRY(layers_[index].open());
  UniqueFd kept = TRY(OpenKept(index));
  KeepingSource keeping(file.get(), kept.get());
  WatchedSource watched(&keeping, this, index);
  HashingSource hashed(&watched, kMaxArchive);
  TRY(Drain(&hashed));
  Digest found = hashed.Finish();
  if (found != expected->digest) {
    return Error(Code::kInvalid, "its content has the digest " + found.ToString());
  }
  std::lock_guard lock(mutex_);
  slots_[index].kept = found;
  return {};
}

Result<> Intake::Check(size_t index, const LayerPass& pass) const {
  const IntakeLayer& layer = layers_[index];
  if (layer.expected && pass.blob != layer.expected->digest) {
    return Error(Code::kInvalid, "its content has the digest " + pass.blob.ToString());
  }
  if (pass.plain.diff_id == layer.diff_id) return {};
  return Error(Code::kInvalid, "diff id is " + pass.plain.diff_id.ToString() +
                                   ", the configuration says " + layer.diff_id.ToString());
}

Result<Image> Intake::Commit(const IntakeDocuments& documents) {
  // Everything is on disk before a name says it is there.
  TRY(sys::SyncFilesystem(staging_.get()));
  UniqueFd lock = TRY(files_.LockAll());
  Result<ImageRecord> record = StoreRecord(documents);
  std::vector<UniqueFd> held = std::exchange(locks_, {});
  held.clear();
  EndTurns();
  // After an error the layers that were moved in; otherwise what a moved name left behind.
  Result<std::vector<ImageRecord>> records = files_.LoadRecords();
  if (records.ok()) files_.SweepUnnamed(records.value()).Ignore();
  if (!record.ok()) return std::move(record).error();
  return files_.LoadImage(record.value());
}

Result<> Intake::CommitLayers(const std::vector<ImageRecord>& records, ImageRecord* record) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    LayerRecord layer = slot.record;
    if (slot.kept) {
      TRY(files_.CommitBlob(staging_.get(), KeptName(i), *slot.kept));
      layer.blob = slot.kept;
    }
    const std::optional<Descriptor>& expected = layers_[i].expected;
    if (!layer.blob && expected && files_.HasBlob(expected->digest)) layer.blob = expected->digest;
    if (!layer.blob) layer.blob = KeptBefore(records, layer.directory);
    if (!slot.staged.empty()) {
      TRY(files_.CommitLayer(staging_.get(), slot.staged, layer.directory));
    }
    record->layers.push_back(std::move(layer));
  }
  return files_.SyncLayers();
}

Result<ImageRecord> Intake::StoreRecord(const IntakeDocuments& documents) {
  std::vector<ImageRecord> records = TRY(files_.LoadRecords());
  ImageRecord record;
  TRY(CommitLayers(records, &record));
  record.id = documents.id;
  record.is_pulled = options_.is_pulled;
  record.manifest = Sha256::Of(documents.manifest);
  record.imported = WallNanoseconds();
  TRY(files_.StoreBlob(record.id, documents.config));
  TRY(files_.StoreBlob(record.manifest, documents.manifest));

  bool is_named = !documents.name.empty();
  if (is_named) {
    for (ImageRecord& other : records) std::erase(other.names, documents.name);
  }
  auto same = std::find_if(records.begin(), records.end(),
                           [&](const ImageRecord& other) { return other.id == record.id; });
  if (same != records.end()) {
    record.names = same->names;
    records.erase(same);
  }
  if (is_named) record.names.push_back(documents.name);
  records.push_back(record);
  TRY(files_.StoreRecords(records));
  return record;
}

}  // namespace skiff::images
