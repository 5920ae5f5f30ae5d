// The texts in which ECS writes CPU and memory, turned into numbers once. Values; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "isolation/base/bytes.h"
#include "isolation/base/result.h"

namespace skiff::runtime {

// 1024 units are one CPU.
class CpuUnits {
 public:
  constexpr CpuUnits() = default;
  constexpr explicit CpuUnits(int64_t count) : count_(count) {}

  constexpr int64_t count() const { return count_; }
  constexpr double cpus() const { return static_cast<double>(count_) / 1024; }
  constexpr auto operator<=>(const CpuUnits&) const = default;

 private:
  int64_t count_ = 0;
};

// The task's cpu: "256", "1 vCPU", ".5 vcpu". The error is the text ECS answers.
Result<CpuUnits> ParseTaskCpu(std::string_view text);

// The task's memory: "512" (MiB), "1 GB", "0.5GB" (a GB here is 1024 MiB, as in ECS).
Result<Bytes> ParseTaskMemory(std::string_view text);

}  // namespace skiff::runtime
