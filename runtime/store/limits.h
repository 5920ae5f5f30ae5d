// The limits of the store.
#pragma once

#include <chrono>
#include <cstddef>

namespace skiff::runtime {

inline constexpr size_t kMaxKeyBytes = 2048;
inline constexpr size_t kMaxValueBytes = 4 << 20;
inline constexpr size_t kMaxSalvagedRows = 10'000'000;  // a damaged tree may lead in circles
inline constexpr int kStorePageCacheKib = 2048;         // SQLite's own cache of pages

// For the lock of a directory, and how often it is looked at meanwhile.
inline constexpr std::chrono::seconds kLockPatience{1};
inline constexpr std::chrono::milliseconds kLockInterval{5};

}  // namespace skiff::runtime
