// The limits of the host's agent.
#pragma once

#include "isolation/base/bytes.h"

namespace skiff::runtime {

inline constexpr Bytes kMaxSupervisorLog = Bytes::MiB(1);

}  // namespace skiff::runtime
