// Where a repository is to be had: the mirrors of its registry in their order, then the registry
// itself, each opened when it is first asked. Several threads may use one.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "images/digest.h"
#include "images/reference.h"
#include "images/registry/repository.h"
#include "images/registry/settings.h"
#include "isolation/base/result.h"

namespace skiff::images::registry {

class Sources {
 public:
  // `auth_file`: as CredentialStore takes it.
  Sources(const ImageReference& reference, Settings settings, std::string auth_file);

  size_t count() const { return hosts_.size(); }
  const Settings& settings() const { return settings_; }
  bool TakesForeignLayers() const { return settings_.For(hosts_.back()).takes_foreign_layers; }
  Result<std::shared_ptr<Repository>> At(size_t index);
  // A small blob, verified, from the first that has it, `first` or behind it.
  Result<std::string> ReadBlob(size_t first, const Digest& digest, uint64_t size);

 private:
  const std::string repository_;
  const Settings settings_;
  const std::string auth_file_;
  std::vector<std::string> hosts_;
  std::mutex mutex_;  // guards what follows
  std::vector<std::shared_ptr<Repository>> opened_;
};

}  // namespace skiff::images::registry
