// What a task's containers may write into their root file systems, all together: a project quota
// where the file system of the data root enforces those; otherwise, and only when a limit was asked
// for, a sparse file of that size with a file system in it, mounted over the task's `containers`
// directory in the supervisor's own mount namespace. Everything derives from the plan and the
// task's directory, so that anybody can clean up.
#pragma once

#include <cstdint>
#include <string_view>

#include "isolation/base/result.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {

inline constexpr const char* kStorageStep = "limit storage";

// kNoNeed: no container of the task may write any file that counts.
enum class StorageKeeper { kNobody, kQuota, kImage, kNoNeed };
std::string_view StorageKeeperName(StorageKeeper keeper);  // "project quota"

// Before the first container's root. kNobody without an error: the limit was not asked for. An
// error leaves the task as it was, without a limit. Single-threaded callers.
Result<StorageKeeper> LimitStorage(const TaskPlan& plan);

// Removes the writable layers and what limits them. When nothing of the task runs any more.
Result<> RemoveStorage(const TaskPlan& plan);

struct StorageFacts {
  StorageKeeper keeper = StorageKeeper::kNobody;
  uint64_t used = 0;  // bytes on the disk
};
// Of a task that runs, or did.
Result<StorageFacts> LookAtStorage(const TaskPlan& plan);

}  // namespace skiff::runtime
