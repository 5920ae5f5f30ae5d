// A change of a task as EventBridge tells it: "ECS Task State Change". Pure.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/control/settings.h"
#include "runtime/control/task_record.h"

namespace skiff::runtime::api {

// One line of JSON. The id derives from the task and its version: a change told twice is known by
// it. `definition` null: it is gone. `at` is the time of the change, wall nanoseconds.
std::string TaskEventText(const TaskRecord& record, const TaskDefinition* definition,
                          const ControlSettings& settings, int64_t at);

}  // namespace skiff::runtime::api
