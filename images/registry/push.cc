#include "images/registry/push.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "images/image_lookup.h"
#include "images/layer_blob.h"
#include "images/manifest.h"
#include "images/registry/credentials.h"
#include "images/registry/repository.h"
#include "images/store_files.h"

namespace skiff::images::registry {
namespace {

class Pusher {
 public:
  Pusher(const StoreFiles& files, const PushOptions& options) : files_(files), options_(options) {}

  Result<Digest> Run(std::string_view image, const ImageReference& to) {
    TRY(Load(image));
    TRY(Open(to));
    TRY(PushLayers());
    TRY(PushConfig().Context("configuration " + record_.id.ToString()));
    TRY(repository_->PutManifest(to.tag(), manifest_text_, ManifestTypeOf(manifest_)));
    return record_.manifest;
  }

 private:
  Result<> Load(std::string_view image) {
    std::vector<ImageRecord> records = TRY(files_.LoadRecords());
    RecordMatch match = TRY(FindRecord(records, image));
    record_ = std::move(records[match.index]);
    manifest_text_ = TRY(files_.LoadBlob(record_.manifest));
    config_text_ = TRY(files_.LoadBlob(record_.id));
    manifest_ = TRY(DecodeManifest(manifest_text_, "manifest", ""));
    if (manifest_.layers.size() == record_.layers.size()) return {};
    return Error(Code::kInternal, "its manifest and its record have different layers");
  }

  Result<> Open(const ImageReference& to) {
    CredentialStore credentials(options_.auth_file, options_.settings.helper_time);
    std::optional<Credential> credential = TRY(credentials.Find(to.domain(), to.repository()));
    repository_ = TRY(Repository::Open({to.domain(), to.repository()}, options_.settings,
                                       std::move(credential), Repository::Access::kPush));
    FindNeighbours(to);
    return {};
  }

  // Where else in that registry the image is by its names: the registry may have its blobs there.
  void FindNeighbours(const ImageReference& to) {
    constexpr size_t kMost = 2;  // each may cost a request a layer
    for (const std::string& name : record_.names) {
      Result<ImageReference> other = ImageReference::Parse(name);
      if (!other.ok() || other.value().domain() != to.domain()) continue;
      const std::string& repository = other.value().repository();
      bool is_known =
          repository == to.repository() ||
          std::find(neighbours_.begin(), neighbours_.end(), repository) != neighbours_.end();
      if (!is_known && neighbours_.size() < kMost) neighbours_.push_back(repository);
    }
  }

  Result<> PushLayers() {
    size_t count = std::min(options_.settings.parallel_layers, manifest_.layers.size());
    std::vector<std::thread> threads;
    for (size_t i = 1; i < count; ++i) threads.emplace_back([this] { Work(); });
    Work();
    for (std::thread& thread : threads) thread.join();
    if (failure_) return std::move(*failure_);
    return {};
  }

  void Work() {
    for (;;) {
      size_t index = 0;
      {
        std::lock_guard lock(mutex_);
        if (failure_ || next_ >= manifest_.layers.size()) return;
        index = next_++;
      }
      Result<> pushed = PushLayer(index);
      if (pushed.ok()) continue;
      std::lock_guard lock(mutex_);
      if (failure_) return;
      failure_ = std::move(pushed).error().Context("layer " + std::to_string(index + 1) + " (" +
                                                   manifest_.layers[index].digest.ToString() + ")");
    }
  }

  void Report(ImportProgress::Step step, size_t index, uint64_t done) {
    if (!options_.progress) return;
    std::lock_guard lock(progress_mutex_);
    options_.progress({step, index + 1, manifest_.layers.size(), record_.layers[index].diff_id,
                       done, manifest_.layers[index].size});
  }

  Result<> PushLayer(size_t index) {
    const Descriptor& descriptor = manifest_.layers[index];
    // One that appears twice is sent once.
    for (size_t i = 0; i < index; ++i) {
      if (manifest_.layers[i].digest == descriptor.digest) return {};
    }
    // What is not to be handed on is fetched from where its manifest says.
    bool is_there = IsForeignLayerType(descriptor.media_type) && !descriptor.urls.empty();
    if (!is_there) is_there = TRY(repository_->HasBlob(descriptor.digest));
    if (is_there) {
      Report(ImportProgress::Step::kPresent, index, 0);
      return {};
    }
    auto open = [&]() -> Result<Repository::BodySource> {
      std::shared_ptr<ByteSource> source =
          TRY(OpenLayerBlob(files_, record_.layers[index], descriptor.digest));
      return Repository::BodySource([this, source, index, done = uint64_t{0}]() mutable {
        Result<std::string_view> piece = source->Next();
        if (piece.ok()) {
          done += piece.value().size();
          Report(ImportProgress::Step::kUnpacking, index, done);
        }
        return piece;
      });
    };
    bool is_sent = TRY(repository_->PutBlob(descriptor.digest, descriptor.size, neighbours_, open));
    if (is_sent) {
      Report(ImportProgress::Step::kUnpacked, index, descriptor.size);
    } else {
      Report(ImportProgress::Step::kPresent, index, 0);
    }
    return {};
  }

  Result<> PushConfig() {
    bool is_there = TRY(repository_->HasBlob(record_.id));
    if (is_there) return {};
    auto open = [&]() -> Result<Repository::BodySource> {
      return Repository::BodySource(
          [text = std::string_view(config_text_)]() mutable -> Result<std::string_view> {
            return std::exchange(text, {});
          });
    };
    TRY(repository_->PutBlob(record_.id, config_text_.size(), neighbours_, open));
    return {};
  }

  const StoreFiles& files_;
  const PushOptions& options_;
  ImageRecord record_;
  std::string manifest_text_;
  std::string config_text_;
  Manifest manifest_;
  std::unique_ptr<Repository> repository_;
  std::vector<std::string> neighbours_;

  std::mutex mutex_;  // guards the two that follow
  size_t next_ = 0;
  std::optional<Error> failure_;
  std::mutex progress_mutex_;
};

}  // namespace

Result<Digest> Push(const ImageStore& store, std::string_view image, const ImageReference& to,
                    const PushOptions& options) {
  std::string what = "push image " + to.Canonical();
  if (to.digest()) return Error(Code::kInvalid, what + ": a push is to a tag, not to a digest");
  return Pusher(store.files(), options).Run(image, to).Context(what);
}

}  // namespace skiff::images::registry
