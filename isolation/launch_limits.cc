#include "isolation/launch_limits.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace skiff::isolation {
namespace {

bool SetScheduling(const ChildPlan& plan) {
  if (plan.personality >= 0 && syscall(SYS_personality, plan.personality) < 0) return false;
  constexpr int kProcess = 1;  // IOPRIO_WHO_PROCESS
  if (plan.io_priority >= 0 && syscall(SYS_ioprio_set, kProcess, 0, plan.io_priority) != 0)
    return false;
  if (plan.processors != nullptr &&
      syscall(SYS_sched_setaffinity, 0, sizeof(cpu_set_t), plan.processors) != 0)
    return false;
  return plan.scheduling == nullptr || syscall(SYS_sched_setattr, 0, plan.scheduling, 0) == 0;
}

// Kept across the exec, and inherited by what the process starts: set_mempolicy(2).
bool SetMemoryPolicy(const ChildPlan& plan) {
  if (plan.memory_policy < 0) return true;
  // The kernel takes one bit less than it is told of.
  size_t bits = plan.memory_nodes != nullptr ? kMaxMemoryNodes + 1 : 0;
  return syscall(SYS_set_mempolicy, plan.memory_policy, plan.memory_nodes, bits) == 0;
}

}  // namespace

bool SetProcessLimits(const ChildPlan& plan, LaunchReport* report) {
  for (size_t i = 0; i < plan.rlimit_count; ++i) {
    report->item = static_cast<int>(i);
    if (prlimit(0, static_cast<__rlimit_resource>(plan.rlimits[i].resource), &plan.rlimits[i].limit,
                nullptr) != 0) {
      return false;
    }
  }
  report->item = static_cast<int>(plan.rlimit_count + kSchedulingItem);
  if (!SetScheduling(plan)) return false;
  report->item = static_cast<int>(plan.rlimit_count + kMemoryPolicyItem);
  return SetMemoryPolicy(plan);
}

}  // namespace skiff::isolation
