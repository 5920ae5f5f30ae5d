// CPU and memory: of the task, of its containers, and the pairs that Fargate sells.
#include <algorithm>
#include <array>

#include "runtime/model/limits.h"
#include "runtime/model/validate_rules.h"

namespace skiff::runtime {
namespace {

struct FargateSize {
  int64_t cpu;
  uint64_t min_mib, max_mib, step_mib;
};

constexpr std::array<FargateSize, 7> kFargateSizes = {{
    {256, 512, 2048, 0},  // 512, 1024, 2048: see IsFargateMemory
    {512, 1024, 4096, 1024},
    {1024, 2048, 8192, 1024},
    {2048, 4096, 16384, 1024},
    {4096, 8192, 30720, 1024},
    {8192, 16384, 61440, 4096},
    {16384, 32768, 122880, 8192},
}};

bool IsFargateMemory(const FargateSize& size, Bytes memory) {
  uint64_t mib = memory.mib();
  if (mib < size.min_mib || mib > size.max_mib) return false;
  // The smallest size doubles instead of adding.
  if (size.step_mib == 0) return mib == 512 || mib == 1024 || mib == 2048;
  return (mib - size.min_mib) % size.step_mib == 0;
}

Result<> ValidateFargatePair(const TaskDefinition& task) {
  if (!task.cpu) return Broken("cpu", "Fargate requires that 'cpu' be defined at the task level.");
  if (!task.memory) {
    return Broken("memory", "Fargate requires that 'memory' be defined at the task level.");
  }
  auto size = std::find_if(kFargateSizes.begin(), kFargateSizes.end(),
                           [&](const FargateSize& s) { return s.cpu == task.cpu->count(); });
  if (size == kFargateSizes.end() || !IsFargateMemory(*size, *task.memory)) {
    return Error(Code::kInvalid, "cpu " + std::to_string(task.cpu->count()) + " with memory " +
                                     std::to_string(task.memory->mib()) +
                                     ": No Fargate configuration exists for given values.");
  }
  return {};
}

Result<> ValidateContainerSums(const TaskDefinition& task) {
  int64_t cpu = 0;
  uint64_t mib = 0;
  for (const ContainerDefinition& container : task.containers) {
    cpu += container.cpu;
    // A container without a hard limit is sure of its reservation only.
    mib += container.memory.value_or(container.memory_reservation.value_or(Bytes())).mib();
  }
  if (task.cpu && cpu > task.cpu->count()) {
    return Broken("cpu", "the containers ask for " + std::to_string(cpu) +
                             " CPU units, the task has " + std::to_string(task.cpu->count()));
  }
  if (task.memory && mib > task.memory->mib()) {
    return Broken("memory", "the containers ask for " + std::to_string(mib) +
                                " MiB, the task has " + std::to_string(task.memory->mib()));
  }
  return {};
}

}  // namespace

Result<> ValidateSizes(const TaskDefinition& task) {
  if (IsFargate(task)) TRY(ValidateFargatePair(task));
  for (size_t i = 0; i < task.containers.size(); ++i) {
    const ContainerDefinition& container = task.containers[i];
    if (!task.memory && !container.memory && !container.memory_reservation) {
      return Broken(ElementPath("containerDefinitions", i),
                    "Invalid setting for container '" + container.name +
                        "'. At least one of 'memory' or 'memoryReservation' must be specified.");
    }
  }
  return ValidateContainerSums(task);
}

}  // namespace skiff::runtime
