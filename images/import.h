// Brings an image from a file into the store. Private to images/; ImageStore::Import is the door.
#pragma once

#include <string>

#include "images/store.h"
#include "images/store_files.h"
#include "isolation/base/result.h"

namespace skiff::images {

Result<Image> ImportImage(const StoreFiles& files, const std::string& path,
                          const ImportOptions& options);

}  // namespace skiff::images
