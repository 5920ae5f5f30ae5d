// The images of this host: names, configurations, and layers unpacked once and shared by all.
//
//   <data root>/images/            0700: set-user-ID files of images are not for the host's users
//     version                      of this layout
//     lock                         flock: exclusive while refs.json, layers/ or blobs/ change
//     refs.json                    every image: id, manifest, names, layers; replaced atomically
//     blobs/sha256/<hex>           manifests and configurations
//     layers/<hex>/fs/             a layer as overlayfs stacks it; complete or absent
//     layers/<hex>/layer.erofs/    or the same as a mountable image and its tar (layer_kind.h)
//     layers/<hex>/size            bytes of its files' content; of the two files of an image
//     layers/<hex>/files           what they were when they were unpacked (layer_files.h)
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
#include "images/layer_kind.h"
#include "images/platform.h"
#include "images/store_limits.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::images {

struct LayerInfo {
  Digest diff_id;
  std::string directory;  // absolute path of fs or layer.erofs
  uint64_t size = 0;      // bytes of its files' content
};

struct Image {
  Digest id;  // of the configuration
  Digest manifest_digest;
  std::vector<std::string> names;  // canonical references
  ImageConfig config;
  // Base first, each once: of a layer that appears twice only the upper one matters.
  std::vector<LayerInfo> layers;
  int64_t imported = 0;     // nanoseconds of the wall clock
  uint64_t size = 0;        // of all layers, shared or not
  bool is_pulled = false;   // from a registry
  bool is_damaged = false;  // its configuration cannot be read
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
  std::optional<Platform> platform;  // default: this host's
  bool keeps_files = true;           // the layers' files as they came: push and export need them
  bool completes_files = false;      // those of layers that are there already as well
  LayerChoice layers = LayerChoice::kAuto;  // of layers that are made; others stay as they are
  StoreLimits limits;
  std::function<void(const ImportProgress&)> progress;  // one call at a time, from any thread
};

// What is wrong with an image on disk.
struct ImageHealth {
  Digest id;
  std::string name;                 // the first of its names, or its id
  std::vector<std::string> damage;  // a line each; empty: it is whole
  std::vector<std::string> layers;  // under layers/, that are damaged or gone
  std::vector<Digest> blobs;        // damaged; layers' files that nobody kept are no damage
  bool lacks_documents = false;     // its manifest or configuration is damaged or gone
  bool is_whole() const { return damage.empty(); }
};

struct ImageUsage {
  Image image;
  uint64_t shared = 0;  // bytes of its layers that other images have as well
  uint64_t own = 0;     // bytes that its removal would free, of layers and kept files
  uint64_t kept = 0;    // bytes of its layers' files as they came
  int64_t last_used = 0;
  bool is_in_use = false;  // a task has it
};

struct StoreUsage {
  std::vector<ImageUsage> images;
  uint64_t layers = 0;  // bytes of all layers
  uint64_t kept = 0;    // bytes of all kept files
};

struct PruneOptions {
  bool takes_named = false;          // else only images without a name
  bool only_pulled = false;          // of the named ones: what a registry has
  int64_t unused_since = INT64_MAX;  // wall nanoseconds; what was used later stays
  std::vector<std::pair<std::string, std::string>> labels;  // all of them; no value: any
  bool is_dry = false;
  // Asked before each one, those unused longest first; false ends it. Default: all.
  std::function<bool()> is_enough;
};

struct PruneReport {
  std::vector<ImageUsage> removed;
  uint64_t freed = 0;  // bytes
};

enum class ExportFormat { kOciArchive, kDockerArchive, kOciLayout };

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
  // Keeps the image's layers from being removed for as long as the descriptors are open. Looks,
  // once a boot and an hour, whether every file is there. A layer that is gone or damaged is
  // kNotFound for a pulled image, whose name brings it back, and kUnavailable for an imported one.
  Result<std::vector<UniqueFd>> Hold(const Image& image) const;
  // A name of several: only that name. Otherwise the image, and the layers no other image has;
  // kConflict when one of those is held.
  Result<> Remove(std::string_view text);
  // One more name; it moves when another image has it.
  Result<Image> Tag(std::string_view text, std::string_view name);

  // All of `images` as one file, or for an OCI layout a directory, that appears when it is
  // complete; byte for byte what came in. An image that is asked for by an id gets no name.
  Result<> Export(const std::vector<std::string>& images, const std::string& path,
                  ExportFormat format) const;
  // The same into a stream.
  Result<> Export(const std::vector<std::string>& images, int out, ExportFormat format) const;

  // Reads everything the image consists of and compares it with what it should be.
  Result<ImageHealth> Verify(std::string_view text) const;
  // Takes what is damaged out of the way, so that a pull or an import makes it anew.
  Result<> SetAside(const ImageHealth& health);
  Result<StoreUsage> Usage() const;
  // Removes images that nobody uses.
  Result<PruneReport> Prune(const PruneOptions& options);
  // The files of layers as they came, of all images: no push or export without them.
  Result<uint64_t> DropKeptFiles();

  // For images/ itself.
  const StoreFiles& files() const { return *files_; }

 private:
  explicit ImageStore(std::unique_ptr<StoreFiles> files);
  std::unique_ptr<StoreFiles> files_;
};

}  // namespace skiff::images
