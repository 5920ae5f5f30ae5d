// What the store remembers of each image, in refs.json. Private to images/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "images/digest.h"
#include "isolation/base/result.h"

namespace skiff::images {

struct LayerRecord {
  Digest diff_id;
  std::string directory;  // its name under layers/
  uint64_t size = 0;
  std::optional<Digest> blob;  // the layer's file, when blobs/ keeps it
};

struct ImageRecord {
  Digest id;  // of the configuration
  Digest manifest;
  std::vector<std::string> names;   // canonical references
  std::vector<LayerRecord> layers;  // base first, as the configuration lists them
  int64_t imported = 0;             // nanoseconds of the wall clock
  bool is_pulled = false;           // from a registry, and so can be again
};

Result<std::vector<ImageRecord>> DecodeRecords(std::string_view text, std::string_view what);
std::string EncodeRecords(const std::vector<ImageRecord>& records);

}  // namespace skiff::images
