// ECS's operations on tasks: RunTask, StopTask, DescribeTasks, ListTasks, UpdateTaskProtection,
// GetTaskProtection.
//
// They write what is asked for and show what the agent observed; nothing here waits for a task.
// One thread: the server's.
#pragma once

#include <memory>

#include "runtime/api/operation.h"
#include "runtime/control/settings.h"
#include "runtime/store/store.h"

namespace skiff::runtime::api {

class TaskService;

class TaskOperations {
 public:
  // `store` outlives it.
  TaskOperations(Store& store, const ControlSettings& settings);
  ~TaskOperations();

  // The table's operations must not outlive this.
  void AddTo(OperationTable& table);
  // The store was emptied.
  void Forget();

 private:
  std::unique_ptr<TaskService> service_;
};

}  // namespace skiff::runtime::api
