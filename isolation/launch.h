// Starts one container process from a complete spec: clone3 into its cgroup and namespaces, set-up
// in the child, exec.
//
// Everything that can be prepared is prepared before the clone; between clone and exec the child
// only makes system calls (launch_child.cc: no allocation, no locks, no exceptions). A failed step
// is reported by number and errno and becomes words here. The child dies with the calling process
// (PR_SET_PDEATHSIG). Single-threaded callers.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "isolation/base/result.h"
#include "isolation/cgroup.h"
#include "isolation/container_spec.h"
#include "isolation/launch_steps.h"
#include "isolation/sys/process.h"

namespace skiff::isolation {

struct Launched {
  sys::Process process;
  // Nanoseconds spent in each step, by LaunchStep; kNone is the clone itself.
  std::array<int64_t, kLaunchStepCount> step_nanoseconds{};
};

// What went wrong in the child, for those who turn it into an exit code: 127 not found, 126 not
// executable.
struct LaunchFailure {
  LaunchStep step = LaunchStep::kNone;
  int error_number = 0;
  // As a shell would exit, or 128 for a failure before exec.
  int ExitCode() const;
};

// What the caller does while the child waits. An error ends the launch.
struct LaunchCallbacks {
  // With ContainerSpec::asks_for_group: puts the process into its group.
  std::function<Result<>(pid_t)> join_group;
  std::function<Result<>(pid_t)> on_network;    // with ContainerSpec::asks_for_links
  std::function<Result<>(pid_t)> before_pivot;  // with ContainerSpec::pauses_before_pivot
  // With ContainerSpec::seccomp_listens: the listener of the process (pid) that is being started.
  std::function<Result<>(pid_t, UniqueFd)> on_listener;
};

// With ContainerSpec::gate: whoever connects lets the exec happen, and reads this, or nothing when
// the program runs.
struct GateFailure {
  int32_t step = 0;  // LaunchStep
  int32_t error_number = 0;
};

// On failure no process is left; `failure` (may be null) tells the step. Blocks until the exec has
// happened, at most kLaunchTimeout. `cgroup` may be null: then the caller's
// groups are kept. With ContainerSpec::asks_for_group it is not entered here.
Result<Launched> Launch(const ContainerSpec& spec, const Cgroup* cgroup, LaunchFailure* failure,
                        const LaunchCallbacks& callbacks = {});

}  // namespace skiff::isolation
