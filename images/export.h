// Writes images of the store into a file or a directory that any tool can read. Private to images/;
// ImageStore::Export is the door.
#pragma once

#include <string>
#include <vector>

#include "images/store.h"
#include "images/store_files.h"
#include "isolation/base/result.h"

namespace skiff::images {

Result<> ExportImages(const StoreFiles& files, const std::vector<std::string>& images,
                      const std::string& path, ExportFormat format);
Result<> ExportImages(const StoreFiles& files, const std::vector<std::string>& images, int out,
                      ExportFormat format);

}  // namespace skiff::images
