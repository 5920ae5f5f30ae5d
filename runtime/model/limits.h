// The limits of the task model. Those marked ECS are the service's own quotas.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "isolation/base/bytes.h"

namespace skiff::runtime {

// ECS takes 64 KiB; describe-task-definition prints more than was registered, indented.
inline constexpr size_t kMaxTaskDefinitionBytes = 512 << 10;
inline constexpr size_t kMaxContainers = 10;            // ECS
inline constexpr size_t kMaxNameLength = 255;           // ECS: family, container and volume names
inline constexpr size_t kMaxImageLength = 255;          // ECS
inline constexpr size_t kMaxPortNameLength = 64;        // ECS
inline constexpr size_t kMaxPortRanges = 100;           // ECS
inline constexpr size_t kMaxTags = 50;                  // ECS
inline constexpr size_t kMaxTagKeyLength = 128;         // ECS
inline constexpr size_t kMaxTagValueLength = 256;       // ECS
inline constexpr size_t kMaxIgnoredExitCodes = 50;      // ECS
inline constexpr size_t kMaxEnvironmentFiles = 10;      // ECS
inline constexpr size_t kMaxPlacementConstraints = 10;  // ECS
inline constexpr size_t kMaxOverridesBytes = 8192;      // ECS: all of RunTask's overrides
inline constexpr int64_t kMaxContainerCpu = 262144;     // ECS, and the kernel's cpu.shares
inline constexpr int64_t kMaxTaskCpu = 196608;          // ECS: 192 vCPU
inline constexpr Bytes kMinContainerMemory = Bytes::MiB(6);  // ECS
inline constexpr int64_t kMaxMemoryMib = int64_t{1}
                                         << 31;  // 2 PiB: far above any host, no overflow

inline constexpr std::chrono::seconds kDefaultStopTimeout{30};
inline constexpr std::chrono::seconds kDefaultStartTimeout{180};
inline constexpr std::chrono::seconds kMinTimeout{2};    // ECS on Fargate, for both
inline constexpr std::chrono::seconds kMaxTimeout{120};  // ECS on Fargate, for both

// Of the observed task and of one line of its `events` file.
inline constexpr size_t kMaxEventLineBytes = 64 << 10;
inline constexpr size_t kMaxEventTextLength = 1024;  // of each text; six-fold when escaped
inline constexpr size_t kMaxTaskWarnings = 100;      // later ones are counted, not kept
inline constexpr size_t kMaxLatencySteps = 400;   // 10 containers of some 30 steps, and the task's
inline constexpr size_t kMaxReasonLength = 1024;  // ECS shows no more of a stoppedReason

}  // namespace skiff::runtime
