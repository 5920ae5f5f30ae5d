// The limits of what the store holds.
#pragma once

#include <cstddef>

namespace skiff::runtime {

inline constexpr size_t kMaxTaskRecordBytes = 2 << 20;  // the lists of Task are bounded already

inline constexpr size_t kMaxRecordBytes = 1 << 20;     // of every other kind
inline constexpr size_t kShareBatch = 1000;            // active/ is read in pieces
inline constexpr size_t kMaxRememberedChanges = 2000;  // of active/, between two questions

}  // namespace skiff::runtime
