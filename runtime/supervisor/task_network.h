// The network of one task: its namespace, its ENI, and the files by which its programs find names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "networking/network.h"
#include "runtime/model/event.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {

networking::NetworkPlan NetworkPlanOf(const TaskPlan& plan);

struct TaskNetwork {
  std::optional<networking::Network> installation;  // awsvpc only; destroying it may take 10 ms
  UniqueFd netns;                                   // invalid in host mode
  std::string hostname;                             // "" keeps the host's
  std::string address;                              // "" without one of its own
  std::string mac;
  std::vector<networking::StepTime> steps;
};

// Makes the namespace and attaches it as the plan's mode says; writes etc/ of the task directory.
// When it fails nothing of the network is left.
// `netns` is a namespace made for the task, with the task's user namespace; invalid: one of the
// host's root's is made.
Result<TaskNetwork> SetUpNetwork(const TaskPlan& plan, UniqueFd netns);

}  // namespace skiff::runtime
