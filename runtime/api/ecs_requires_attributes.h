// What a task definition asks of the host it runs on, and what this host has, in the names ECS uses
// for it (`requiresAttributes` of a task definition, `attributes` of a container instance). Pure.
#pragma once

#include <string>
#include <vector>

#include "runtime/control/records.h"
#include "runtime/model/task_definition.h"

namespace skiff::runtime::api {

// Sorted, each once.
std::vector<std::string> RequiredAttributes(const TaskDefinition& definition);

// Name and value; a capability has no value.
std::vector<KeyValue> HostAttributes(const HostRecord& host, const std::string& region);

}  // namespace skiff::runtime::api
