// The limits of the vocabulary layer.
#pragma once

#include <cstddef>

namespace skiff {

inline constexpr size_t kMaxJsonBytes = 4 << 20;  // as registries limit a manifest
inline constexpr size_t kMaxJsonDepth = 64;

}  // namespace skiff
