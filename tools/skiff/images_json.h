// Images as JSON for `skiff image list --json` and `skiff image inspect`. Pure.
#pragma once

#include <string>
#include <vector>

#include "images/store.h"
#include "isolation/base/result.h"

namespace skiff::tools {

std::string EncodeImages(const std::vector<images::Image>& list);

// With the image's manifest and configuration as they were imported.
std::string EncodeUsage(const images::StoreUsage& usage);
Result<std::string> EncodeImage(const images::Image& image,
                                const images::ImageDocuments& documents);

}  // namespace skiff::tools
