// Which image of an archive is meant, and its documents, verified. Private to images/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "images/config.h"
#include "images/image_files.h"
#include "images/manifest.h"
#include "images/reference.h"
#include "isolation/base/result.h"

namespace skiff::images {

struct SelectedLayer {
  std::string file;                    // in the ImageFiles
  std::optional<Descriptor> expected;  // docker archives only have the diff id
};

struct SelectedImage {
  std::string name;           // as the archive has it, or empty
  std::string manifest_text;  // empty for docker archives
  std::string config_text;
  ImageConfig config;
  Digest id;
  std::vector<SelectedLayer> layers;  // base first, as many as the configuration has diff ids
};

// `name`: chooses among several images; `platform`: chooses within an index.
Result<SelectedImage> SelectImage(const ImageFiles& files,
                                  const std::optional<ImageReference>& name,
                                  const Platform& platform);

// Of several descriptors the first of the latest variant that runs on this platform; those that
// name no platform come after those that do. Attestations say they are for "unknown".
Result<Descriptor> ChoosePlatform(const std::vector<Descriptor>& descriptors,
                                  const Platform& platform);

// Whether an image's configuration is for this platform and fits that many layers.
Result<> CheckImage(const ImageConfig& config, const Platform& platform, size_t layers);

}  // namespace skiff::images
