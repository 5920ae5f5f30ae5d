// The files of the image store and the rules by which they change (the tree is drawn in store.h).
// Private to images/. One thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "images/digest.h"
#include "images/image_record.h"
#include "images/layer_files.h"
#include "images/store.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::images {

inline constexpr char kFileList[] = "files";  // in a layer's directory (layer_files.h)

// A layer somebody keeps from being removed.
struct HeldLayer {
  UniqueFd lock;  // not valid: there is no such layer
  uint64_t size = 0;
};

class StoreFiles {
 public:
  static Result<StoreFiles> Open(const std::string& data_root);

  // The store's lock; what changes records, layers or blobs needs it.
  Result<UniqueFd> LockAll() const;

  Result<std::vector<ImageRecord>> LoadRecords() const;
  Result<> StoreRecords(const std::vector<ImageRecord>& records) const;

  Result<std::string> LoadBlob(const Digest& digest) const;  // a small one, verified
  Result<> StoreBlob(const Digest& digest, std::string_view content) const;
  // A layer's file, open for reading; not verified. kNotFound: it is not kept.
  Result<UniqueFd> OpenBlob(const Digest& digest) const;
  bool HasBlob(const Digest& digest) const;
  // Moves one in, over one that may be damaged.
  Result<> CommitBlob(int staging, const std::string& name, const Digest& digest) const;
  Result<> RemoveBlob(const Digest& digest) const;

  // Absolute; its name says of which kind the layer is (layer_kind.h).
  std::string LayerPath(const std::string& directory) const;
  Result<HeldLayer> HoldLayer(const std::string& directory) const;
  // Moves a complete layer in; when somebody was first, theirs stays and this one is left.
  Result<> CommitLayer(int staging, const std::string& name, const std::string& directory) const;
  Result<> SyncLayers() const;
  // What is wrong with a layer's files, as CompareFiles says it; or that no kernel like this one
  // mounts a layer of its kind.
  Result<std::vector<std::string>> CompareLayer(const std::string& directory,
                                                Scrutiny scrutiny) const;
  // The same as an error, and only once a boot and an hour: cheap enough for every start.
  Result<> CheckLayer(const std::string& directory) const;
  // Takes a damaged layer out of the way. Whoever uses it keeps it until then. Under LockAll.
  Result<> SetLayerAside(const std::string& directory) const;

  // The right to make a layer, so that two who need it do not both do the work: an exclusive flock
  // on locks/<hex>. Waits for another's end, but not forever: not valid when it was in vain.
  // `on_wait` is called once, before waiting.
  Result<UniqueFd> TakeTurn(const Digest& diff_id, const std::function<void()>& on_wait) const;
  Result<> EndTurn(const Digest& diff_id, UniqueFd turn) const;

  // An empty directory beneath staging/, locked; its name goes into `name`.
  Result<UniqueFd> MakeStaging(std::string* name) const;
  std::string StagingPath(const std::string& name) const;  // absolute
  Result<> RemoveStaging(const std::string& name) const;
  // Staging directories whose maker is gone.
  Result<> SweepStaging() const;
  // Layers and blobs that no record names, except layers that somebody holds. Under LockAll.
  Result<> SweepUnnamed(const std::vector<ImageRecord>& records) const;

  Result<Image> LoadImage(const ImageRecord& record) const;
  // For lists: an image whose configuration is damaged is one of them.
  Image DescribeImage(const ImageRecord& record) const;
  // When an image was last made use of; nobody waits for it to be on disk.
  Result<> MarkUsed(const Digest& image) const;
  int64_t LastUsed(const Digest& image) const;    // wall nanoseconds; 0: never
  uint64_t BlobSize(const Digest& digest) const;  // 0: not there
  int root() const { return root_.get(); }

 private:
  Image DescribeStored(const ImageRecord& record) const;
  Result<> Migrate() const;
  Result<> SweepLayers(const std::vector<ImageRecord>& records) const;
  Result<> RemoveLayer(const std::string& directory) const;

  std::string path_;  // absolute
  UniqueFd root_;
};

}  // namespace skiff::images
