// What is removed without being asked for: images by age, by count, and when the disk fills up.
#pragma once

#include <cstdint>

#include "images/settings.h"
#include "images/store.h"
#include "isolation/base/result.h"

namespace skiff::images {

// `now`: wall nanoseconds. Images of tasks, and imported ones that have a name, stay.
Result<PruneReport> Collect(ImageStore& store, const CollectRules& rules, int64_t now);

}  // namespace skiff::images
