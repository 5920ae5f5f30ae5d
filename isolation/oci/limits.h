// The limits of the OCI layer.
#pragma once

#include <cstddef>

#include "isolation/base/bytes.h"

namespace skiff::isolation::oci {

inline constexpr Bytes kMaxConfigFile = Bytes::MiB(4);
inline constexpr size_t kMaxContainerId = 128;
inline constexpr size_t kMaxListEntries = 4096;  // of any one list in config.json
inline constexpr Bytes kMaxSeccompCacheFile = Bytes::MiB(2);

}  // namespace skiff::isolation::oci
