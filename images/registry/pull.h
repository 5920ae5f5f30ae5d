// Brings an image from a registry into the store. Blocks; one thread, which makes others for the
// layers.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "images/platform.h"
#include "images/reference.h"
#include "images/registry/settings.h"
#include "images/store.h"
#include "isolation/base/result.h"

namespace skiff::images::registry {

struct PullOptions {
  std::optional<Platform> platform;  // default: this host's
  std::string auth_file;             // default: docker's own places
  Settings settings;
  bool keeps_files = true;       // the layers' files as they came: push and export need them
  bool completes_files = false;  // those of layers that are there already as well
  LayerChoice layers = LayerChoice::kAuto;
  StoreLimits limits;
  std::function<void(const ImportProgress&)> progress;  // as ImportOptions::progress
};

// The registry is always asked; what the store has already is not fetched again. Everything is
// verified; after an error the store is as before. Errors name the image.
Result<Image> Pull(ImageStore& store, const ImageReference& reference, const PullOptions& options);

}  // namespace skiff::images::registry
