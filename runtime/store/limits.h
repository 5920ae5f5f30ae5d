// The limits of the store.
#pragma once

#include <cstddef>

namespace skiff::runtime {

inline constexpr size_t kMaxKeyBytes = 2048;
inline constexpr size_t kMaxValueBytes = 4 << 20;
inline constexpr int kStorePageCacheKib = 2048;  // SQLite's own cache of pages

}  // namespace skiff::runtime
