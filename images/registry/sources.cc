#include "images/registry/sources.h"

#include <optional>
#include <utility>

#include "images/registry/credentials.h"

namespace skiff::images::registry {

Sources::Sources(const ImageReference& reference, Settings settings, std::string auth_file)
    : repository_(reference.repository()),
      settings_(std::move(settings)),
      auth_file_(std::move(auth_file)),
      hosts_(settings_.For(reference.domain()).mirrors) {
  hosts_.push_back(reference.domain());
  opened_.resize(hosts_.size());
}

Result<std::shared_ptr<Repository>> Sources::At(size_t index) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<Repository>& repository = opened_[index];
  if (repository) return repository;
  CredentialStore credentials(auth_file_, settings_.helper_time);
  std::optional<Credential> credential = TRY(credentials.Find(hosts_[index], repository_));
  repository = TRY(Repository::Open({hosts_[index], repository_}, settings_, std::move(credential),
                                    Repository::Access::kPull));
  return repository;
}

Result<std::string> Sources::ReadBlob(size_t first, const Digest& digest, uint64_t size) {
  for (size_t i = first;; ++i) {
    auto read = [&]() -> Result<std::string> {
      std::shared_ptr<Repository> repository = TRY(At(i));
      return repository->ReadBlob(digest, size);
    };
    Result<std::string> text = read();
    if (text.ok() || i + 1 == count()) return text;
  }
}

}  // namespace skiff::images::registry
