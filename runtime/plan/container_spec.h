// A container's spec as far as the plan alone says it: what the supervisor launches, once it has
// added what only it has (the user as the image knows it, descriptors, the seccomp program), and
// what `skiff explain` shows. Pure.
#pragma once

#include <string>

#include "isolation/cgroup.h"
#include "isolation/container_spec.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {

// `hostname` "" keeps the host's. Of the capabilities the sets of root.
isolation::ContainerSpec SpecOf(const TaskPlan& task, const ContainerPlan& container,
                                const std::string& hostname);

isolation::CgroupLimits CgroupLimitsOf(const LimitsPlan& limits);

}  // namespace skiff::runtime
