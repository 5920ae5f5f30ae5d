// The limits of the host's agent.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "isolation/base/bytes.h"

namespace skiff::runtime {

inline constexpr size_t kMaxMeasuredSteps = 100;  // names in /metrics

inline constexpr size_t kMaxParallelPulls = 4;           // processes; of images
inline constexpr Bytes kMaxPullErrors = Bytes::KiB(64);  // what a pull says

inline constexpr Bytes kMaxSupervisorLog = Bytes::MiB(1);
inline constexpr std::chrono::seconds kStoppedTaskRetention{3600};  // as ECS keeps them
inline constexpr std::chrono::seconds kReconcileRetry{1};           // after an error of the store
inline constexpr std::chrono::seconds kResetPatience{20};  // for killed tasks to be cleaned up
inline constexpr int kMaxChangeAttempts = 16;  // compare-and-swap against the API's own changes
inline constexpr size_t kScanPage = 100;       // records read at a time when the agent starts
inline constexpr Bytes kMaxHostReserve = Bytes::MiB(512);  // memory of the host not given to tasks
inline constexpr uint64_t kHostReservePart = 8;            // but at most the 8th part of it

}  // namespace skiff::runtime
