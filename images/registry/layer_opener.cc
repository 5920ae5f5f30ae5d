#include "images/registry/layer_opener.h"

#include <utility>

#include "images/registry/blob_source.h"

namespace skiff::images::registry {

std::function<Result<std::unique_ptr<ByteSource>>()> LayerOpener(
    std::shared_ptr<Repository> repository, const Descriptor& descriptor) {
  return [repository = std::move(repository), descriptor]() -> Result<std::unique_ptr<ByteSource>> {
    auto open = [repository, digest = descriptor.digest](uint64_t offset) {
      return repository->GetBlob(digest, offset);
    };
    return std::unique_ptr<ByteSource>(
        std::make_unique<BlobSource>(std::move(open), descriptor.size, repository->settings()));
  };
}

}  // namespace skiff::images::registry
