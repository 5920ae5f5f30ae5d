// What a task's containers will get, each with the rule it comes from: read off the plan and the
// spec that would be carried out. Pure but for the host's cgroup placement, which is given.
#pragma once

#include <string>
#include <vector>

#include "isolation/cgroup.h"
#include "runtime/model/task_definition.h"
#include "runtime/plan/task_plan.h"

namespace skiff::tools {

struct ExplainedItem {
  std::string what;                 // "memory"
  std::vector<std::string> values;  // one, or a list
  std::string rule;                 // "containerDefinitions[0].memory", "default"
};

struct ExplainedPart {
  std::string name;  // "task web", "container nginx"
  std::vector<ExplainedItem> items;
};

struct ExplainInput {
  const runtime::TaskDefinition* definition;
  const runtime::TaskPlan* plan;
  const runtime::IsolationOptions* options;
  bool is_image = false;  // rules name the image, there is no definition's file
  std::string memory_by;  // "cgroup v2", "cgroup v1", ...
  std::string cpu_by;
  std::string pids_by;
  std::string user_namespace_missing;  // why this host has none for it; "" when it has
};

std::vector<ExplainedPart> ExplainPlan(const ExplainInput& input);

std::string FormatExplained(const std::vector<ExplainedPart>& parts);
std::string EncodeExplained(const std::vector<ExplainedPart>& parts,
                            const std::vector<std::string>& warnings);

}  // namespace skiff::tools
