#include "images/registry/layer_opener.h"

#include <utility>
#include <vector>

#include "images/registry/blob_source.h"

namespace skiff::images::registry {

std::function<Result<std::unique_ptr<ByteSource>>()> LayerOpener(std::shared_ptr<Sources> sources,
                                                                 size_t first,
                                                                 const Descriptor& descriptor) {
  return
      [sources = std::move(sources), first, descriptor]() -> Result<std::unique_ptr<ByteSource>> {
        std::vector<BlobSource::Opener> openers;
        for (size_t i = first; i < sources->count(); ++i) {
          openers.emplace_back([sources, i, digest = descriptor.digest](
                                   uint64_t offset) -> Result<std::unique_ptr<http::Exchange>> {
            std::shared_ptr<Repository> repository = TRY(sources->At(i));
            return repository->GetBlob(digest, offset);
          });
        }
        // Who answers for a manifest's addresses is the registry itself, whoever handed it out.
        size_t registry = sources->count() - 1;
        std::vector<std::string> urls;
        if (sources->TakesForeignLayers()) urls = descriptor.urls;
        for (const std::string& url : urls) {
          openers.emplace_back(
              [sources, registry, url](uint64_t offset) -> Result<std::unique_ptr<http::Exchange>> {
                std::shared_ptr<Repository> repository = TRY(sources->At(registry));
                return repository->GetBlobAt(url, offset);
              });
        }
        return std::unique_ptr<ByteSource>(
            std::make_unique<BlobSource>(std::move(openers), descriptor.size, sources->settings()));
      };
}

}  // namespace skiff::images::registry
