// What a process may use and how it is served, between clone and exec: limits, scheduling, memory
// policy. System calls only. Private to launch_child.cc.
#pragma once

#include "isolation/launch_child.h"

namespace skiff::isolation {

// LaunchReport::item beyond the indices of ChildPlan::rlimits.
inline constexpr size_t kSchedulingItem = 0;
inline constexpr size_t kMemoryPolicyItem = 1;

// While there is a right to raise what it runs with. False with errno set, and in `report` the
// item it was at.
bool SetProcessLimits(const ChildPlan& plan, LaunchReport* report);

}  // namespace skiff::isolation
