// Which image of the store people mean. Private to images/. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "images/image_record.h"
#include "isolation/base/result.h"

namespace skiff::images {

struct RecordMatch {
  size_t index = 0;
  std::string name;  // the name it was found by, or empty
};

// `text` as ImageStore::Resolve takes it. kNotFound, or kConflict for digits of several ids.
Result<RecordMatch> FindRecord(const std::vector<ImageRecord>& records, std::string_view text);

// For errors: "image nginx".
std::string Describe(std::string_view text);

}  // namespace skiff::images
