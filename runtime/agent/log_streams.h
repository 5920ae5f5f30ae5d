// The CloudWatch log streams of a task: where its awslogs containers write. One thread.
#pragma once

#include <map>
#include <string>

#include "isolation/base/result.h"
#include "runtime/control/task_record.h"
#include "runtime/model/task_definition.h"
#include "runtime/plan/paths.h"
#include "runtime/store/store.h"

namespace skiff::runtime {

// "prefix/container/task id", or the container's runtime id without awslogs-stream-prefix.
std::string LogStreamName(const TaskId& id, const ContainerDefinition& container);

// Sees to it that each awslogs container's group and stream exist and says, by container, where the
// streams lie. kNotFound when a group is missing and awslogs-create-group does not ask for it. May
// be repeated.
Result<std::map<std::string, std::string>> MakeLogStreams(Store& store, const Roots& roots,
                                                          const TaskId& id,
                                                          const TaskDefinition& definition);

}  // namespace skiff::runtime
