// Looking after the store: is what is there whole, what does it take, what can go. Private to
// images/; ImageStore is the door.
#pragma once

#include <string_view>
#include <vector>

#include "images/image_record.h"
#include "images/store.h"
#include "images/store_files.h"
#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::images {

// Exclusive locks on the layers that only this record names: nobody uses them. `text` is what the
// image is called in errors.
Result<std::vector<UniqueFd>> ClaimOwnLayers(const StoreFiles& files, const ImageRecord& record,
                                             const std::vector<ImageRecord>& others,
                                             std::string_view text);

Result<ImageHealth> VerifyImage(const StoreFiles& files, std::string_view text);
Result<> SetDamageAside(const StoreFiles& files, const ImageHealth& health);
Result<StoreUsage> UsageOf(const StoreFiles& files);
Result<PruneReport> PruneImages(const StoreFiles& files, const PruneOptions& options);
Result<uint64_t> DropKeptFiles(const StoreFiles& files);

}  // namespace skiff::images
