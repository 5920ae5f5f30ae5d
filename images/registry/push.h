// Brings an image of the store to a registry, byte for byte as it came. Blocks; one thread, which
// makes others for the layers.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "images/reference.h"
#include "images/registry/settings.h"
#include "images/store.h"
#include "isolation/base/result.h"

namespace skiff::images::registry {

struct PushOptions {
  std::string auth_file;  // default: docker's own places
  Settings settings;
  // kPresent: the registry has the layer; kUnpacking: done of total bytes are on their way;
  // kUnpacked: it has them all.
  std::function<void(const ImportProgress&)> progress;  // as ImportOptions::progress
};

// `image` as ImageStore::Resolve takes it. What the registry has is not sent again. The manifest
// goes last, so that nobody finds half an image. The result is the manifest's digest.
Result<Digest> Push(const ImageStore& store, std::string_view image, const ImageReference& to,
                    const PushOptions& options);

}  // namespace skiff::images::registry
