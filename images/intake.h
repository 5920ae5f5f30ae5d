// Takes an image into the store, wherever its layers come from: each layer is verified and unpacked
// in one pass, several at a time, in a staging directory; Commit moves them in and names the image.
// Private to images/. The functions belong to one thread, which makes others for the layers.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "images/byte_source.h"
#include "images/digest.h"
#include "images/image_record.h"
#include "images/layer_pass.h"
#include "images/manifest.h"
#include "images/store.h"
#include "images/store_files.h"
#include "images/store_limits.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/process.h"

namespace skiff::images {

struct IntakeLayer {
  Digest diff_id;
  std::optional<Descriptor> expected;  // of the layer's file, where somebody says it
  uint64_t size = 0;                   // bytes of the layer's file
  // Called at most once, from any thread.
  std::function<Result<std::unique_ptr<ByteSource>>()> open;
};

// What is taken in, and how.
struct IntakeOptions {
  size_t parallel = 1;      // layers at a time
  bool keeps_files = true;  // the layers' files as they came, for push and export
  // Those of present layers too, when they are not there.
  bool completes_files = false;
  LayerChoice layers = LayerChoice::kAuto;
  bool is_pulled = false;  // from a registry
  StoreLimits limits;
  std::function<void(const ImportProgress&)> progress;
};

struct IntakeDocuments {
  Digest id;
  std::string config;
  std::string manifest;
  std::string name;  // canonical; empty: none
};

class Intake {
 public:
  // `files` outlives it. Without Commit nothing stays.
  static Result<std::unique_ptr<Intake>> Begin(const StoreFiles& files, IntakeOptions options);
  ~Intake();

  int staging() const { return staging_.get(); }
  DiskRoom room() const { return {staging_.get(), options_.limits.reserve}; }
  // Base first; once. The first cause of a failure is answered, the other layers stop.
  Result<> AddLayers(std::vector<IntakeLayer> layers);
  // Bytes of layer `index` uncompressed; nullopt when it was in the store already.
  std::optional<uint64_t> plain_size(size_t index) const { return slots_[index].plain_size; }
  Result<Image> Commit(const IntakeDocuments& documents);

 private:
  class WatchedSource;
  struct Slot {
    Digest diff_id;
    Digest chain_id;
    std::optional<size_t> twin;  // an earlier layer of the same diff id
    LayerRecord record;
    std::string path;    // where its files are, or will be
    std::string staged;  // its name in staging, when it is to be moved in
    std::optional<uint64_t> plain_size;
    std::optional<Digest> kept;  // the digest of its file, when that is to be kept
    sys::Pipe lower_ready;       // see LayerPlace
    bool is_done = false;
  };

  Intake(const StoreFiles& files, IntakeOptions options)
      : files_(files), options_(std::move(options)) {}

  Result<> MakeSlots();
  Result<> SetDamagedAside() const;
  Result<> MakePlaces();
  Result<> TakeTurns();
  void EndTurns();
  void Work();
  Result<> AddLayer(size_t index);
  Result<bool> UsePresent(size_t index);
  Result<> Unpack(size_t index);
  Result<> Check(size_t index, const LayerPass& pass) const;
  Result<> CheckRoom() const;
  Bytes MostOfNext();
  Result<> NotePlainSize(size_t index, uint64_t size);
  void TellWhoWaits();
  void Finish(size_t index, std::string directory, uint64_t size, std::string path,
              std::string staged);
  void Fail(Error error);
  void Report(ImportProgress::Step step, size_t index, uint64_t done);
  Result<UniqueFd> OpenKept(size_t index) const;
  Result<> FetchFile(size_t index);
  Result<> CommitLayers(const std::vector<ImageRecord>& records, ImageRecord* record);
  Result<ImageRecord> StoreRecord(const IntakeDocuments& documents);

  const StoreFiles& files_;
  IntakeOptions options_;
  std::string staging_name_;
  UniqueFd staging_;
  LayerKind kind_ = LayerKind::kUnpacked;
  std::vector<IntakeLayer> layers_;
  std::vector<std::pair<Digest, UniqueFd>> turns_;

  std::mutex mutex_;  // guards all that follows
  std::vector<Slot> slots_;
  std::vector<UniqueFd> locks_;
  size_t next_ = 0;
  std::optional<Error> failure_;
  std::mutex progress_mutex_;
};

}  // namespace skiff::images
