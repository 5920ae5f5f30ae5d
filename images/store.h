// The images of this host: names, configurations, and layers unpacked once and shared by all.
//
//   <data root>/images/            0700: set-user-ID files of images are not for the host's users
//     version                      of this layout
//     lock                         flock: exclusive while refs.json, layers/ or blobs/ change
//     refs.json                    every image: id, manifest, names, layers; replaced atomically
//     blobs/sha256/<hex>           manifests and configurations
//     layers/<hex>/fs              a layer as overlayfs stacks it; complete or absent
//     layers/<hex>/size            bytes of its files' content
//     locks/<hex>                  flock: held by who makes the layer of that diff id
//     staging/<random>/            of one import at work, which holds an exclusive flock on it
//
// A layer's <hex> is its diff id, or its chain id when what it became relied on the layers beneath
// (see unpack.h). Whoever uses a layer holds a shared flock on layers/<hex>: Hold. Several
// processes may use one store; an ImageStore itself belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "images/config.h"
#include "images/digest.h"
#include "images/platform.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::images {

struct LayerInfo {
  Digest diff_id;
  std::string directory;  // absolute path of fs
  uint64_t size = 0;      // bytes of its files' content
};

struct Image {
  Digest id;  // of the configuration
  Digest manifest_digest;
  std::vector<std::string> names;  // canonical references
  ImageConfig config;
  // Base first, each once: of a layer that appears twice only the upper one matters.
  std::vector<LayerInfo> layers;
  int64_t imported = 0;  // nanoseconds of the wall clock
  uint64_t size = 0;     // of all layers, shared or not
};

struct ImportProgress {
  // kWaiting: another process makes layers of this image. It has no layer number.
  enum class Step { kWaiting, kPresent, kUnpacking, kUnpacked };
  Step step;
  size_t layer;  // counts from 1
  size_t layers;
  Digest diff_id;
  uint64_t done;   // bytes of the layer's file read so far
  uint64_t total;  // bytes of the layer's file
};

struct ImportOptions {
  // What to call it; default: what the file says. Also chooses among several images in one file.
  std::optional<std::string> name;
  std::optional<Platform> platform;                     // default: this host's
  std::function<void(const ImportProgress&)> progress;  // one call at a time, from any thread
};

struct ImageDocuments {
  std::string manifest;  // JSON, byte for byte
  std::string config;
};

class StoreFiles;

class ImageStore {
 public:
  // Makes what is missing, removes what an interrupted import left.
  static Result<ImageStore> Open(const std::string& data_root);
  ImageStore(ImageStore&&) noexcept;
  ImageStore& operator=(ImageStore&&) noexcept;
  ~ImageStore();

  // `path`: an OCI layout directory, an oci-archive or a docker-archive (plain, gzip, zstd).
  // Everything is verified; after an error the store is as before. An image that is there already
  // gets the name; a name that was another image's moves.
  Result<Image> Import(const std::string& path, const ImportOptions& options = {});

  Result<std::vector<Image>> List() const;
  // `text`: a name, an id or manifest digest ("sha256:..."), or at least four digits of an id.
  Result<Image> Resolve(std::string_view text) const;
  Result<ImageDocuments> Inspect(std::string_view text) const;
  // Keeps the image's layers from being removed for as long as the descriptors are open.
  Result<std::vector<UniqueFd>> Hold(const Image& image) const;
  // A name of several: only that name. Otherwise the image, and the layers no other image has;
  // kConflict when one of those is held.
  Result<> Remove(std::string_view text);

  // For images/ itself.
  const StoreFiles& files() const { return *files_; }

 private:
  explicit ImageStore(std::unique_ptr<StoreFiles> files);
  std::unique_ptr<StoreFiles> files_;
};

}  // namespace skiff::images
