// The limits of what the store holds.
#pragma once

#include <cstddef>

namespace skiff::runtime {

inline constexpr size_t kMaxTaskRecordBytes = 2 << 20;  // the lists of Task are bounded already

}  // namespace skiff::runtime
