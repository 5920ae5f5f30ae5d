// A task's user namespace, and whether this host can give it one. Single-threaded callers.
#pragma once

#include <string>

#include "isolation/base/result.h"
#include "isolation/sys/user_namespace.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {

// The step of a start that says there is one.
inline constexpr const char* kUserNamespaceStep = "make user namespace";

// Of the plan's id block, with the task's network namespace unless the network is the host's. An
// error says why this host cannot: the kernel, or the file system of a layer or of the task's
// directory.
Result<sys::UserNamespace> MakeTaskUserNamespace(const TaskPlan& plan);

// The same question before there is a task: nothing is left of the answer.
Result<> CheckUserNamespace(const TaskPlan& plan);

// The warning of a task that has to go without.
std::string WithoutUserNamespace(const Error& reason);

}  // namespace skiff::runtime
