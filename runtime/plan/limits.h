// The limits and defaults of task plans.
#pragma once

#include <chrono>
#include <cstdint>

#include "isolation/base/bytes.h"

namespace skiff::runtime {

inline constexpr uint64_t kDefaultTaskPids = 4096;     // processes and threads of a task
inline constexpr uint64_t kDefaultOpenFiles = 65'535;  // as Fargate's platform 1.4 sets it
inline constexpr std::chrono::seconds kDefaultStopTimeout{30};
inline constexpr Bytes kDefaultLogLimit = Bytes::GiB(1);  // of one container, then the oldest goes
inline constexpr Bytes kDefaultStorage = Bytes::GiB(20);  // as Fargate's platform 1.4 gives
inline constexpr size_t kMaxImageVolumes = 128;           // of one container
inline constexpr Bytes kMaxPlanBytes = Bytes::MiB(4);
inline constexpr uint64_t kMinCpuShares = 2;  // what ECS gives a container without cpu

}  // namespace skiff::runtime
