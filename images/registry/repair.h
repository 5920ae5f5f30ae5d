// Makes anew what is damaged of an image: layers from their kept files, and what those do not give
// from the registry. Blocks; one thread, which makes others for the layers.
#pragma once

#include <string>

#include "images/registry/settings.h"
#include "images/store.h"
#include "isolation/base/result.h"

namespace skiff::images::registry {

struct RepairOptions {
  std::string auth_file;  // default: docker's own places
  Settings settings;
  LayerChoice layers = LayerChoice::kAuto;
  StoreLimits limits;
};

// `health`: what Verify answered. What is damaged is out of the way afterwards, repaired or not.
Result<> Repair(ImageStore& store, const ImageHealth& health, const RepairOptions& options);

}  // namespace skiff::images::registry
