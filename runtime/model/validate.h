// ECS's rules for a task definition, with the service's texts where it has one. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "runtime/model/task_definition.h"

namespace skiff::runtime {

// The first rule broken, kInvalid, naming the member. Appends to `warnings` what is accepted but
// differs from ECS. With FARGATE in requiresCompatibilities Fargate's rules hold, otherwise EC2's.
Result<> ValidateTaskDefinition(const TaskDefinition& definition,
                                std::vector<std::string>* warnings);

}  // namespace skiff::runtime
