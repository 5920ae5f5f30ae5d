// The clone of a container's first process into its group and its namespaces. Private to launch.cc.
#pragma once

#include "isolation/base/result.h"
#include "isolation/cgroup.h"
#include "isolation/container_spec.h"
#include "isolation/launch_child.h"
#include "isolation/sys/process.h"

namespace skiff::isolation {

// The child runs `plan`. This process is its parent, and in its own namespaces again;
// single-threaded.
Result<sys::Process> CloneChild(const NamespaceSpec& namespaces, const Cgroup* cgroup,
                                const ChildPlan& plan);

}  // namespace skiff::isolation
