// A container's files: the root that its image's layers make, with a writable directory above them
// unless it is to be read-only, and the directories of the image's volumes. All of it lies in the
// container's directory (runtime/plan/paths.h), which the task's cleanup removes. Single-threaded
// callers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/container_spec.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {

struct ContainerRootSpec {
  const TaskPlan* task;
  const ContainerPlan* container;
  int user_namespace = -1;  // borrowed; -1: the host's
  uint32_t first_id = 0;    // what is 0 inside
};

struct ContainerRoot {
  UniqueFd mount;  // attached nowhere
  // What a read-only root was looked up in, if that was another mount: for the container's life,
  // as the kernel takes milliseconds to let a mount go on a busy machine.
  UniqueFd looked_up;
  std::vector<std::string> warnings;
};

// Makes the volumes, filled with what the image has at their places, and gives their mounts in
// `spec` the places that the image's links lead to; a volume that comes out where another one or a
// mount of skiff's own is goes out of `spec`. With a read-only root everything that `spec` mounts
// has its place in the root afterwards.
Result<ContainerRoot> MakeContainerRoot(const ContainerRootSpec& from,
                                        isolation::ContainerSpec* spec);

}  // namespace skiff::runtime
