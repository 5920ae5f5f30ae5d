// The texts of a task's statuses, as files and the ECS API have them.
#pragma once

#include "runtime/model/event_names.h"
#include "runtime/model/names.h"
#include "runtime/model/task.h"

namespace skiff::runtime {

inline constexpr NameTable<TaskStatus, 8> kTaskStatusNames{{
    {TaskStatus::kProvisioning, "PROVISIONING"},
    {TaskStatus::kPending, "PENDING"},
    {TaskStatus::kActivating, "ACTIVATING"},
    {TaskStatus::kRunning, "RUNNING"},
    {TaskStatus::kDeactivating, "DEACTIVATING"},
    {TaskStatus::kStopping, "STOPPING"},
    {TaskStatus::kDeprovisioning, "DEPROVISIONING"},
    {TaskStatus::kStopped, "STOPPED"},
}};

inline constexpr NameTable<ContainerStatus, 3> kContainerStatusNames{{
    {ContainerStatus::kPending, "PENDING"},
    {ContainerStatus::kRunning, "RUNNING"},
    {ContainerStatus::kStopped, "STOPPED"},
}};

inline constexpr NameTable<DesiredStatus, 2> kDesiredStatusNames{{
    {DesiredStatus::kRunning, "RUNNING"},
    {DesiredStatus::kStopped, "STOPPED"},
}};

constexpr const auto& NamesOf(TaskStatus) { return kTaskStatusNames; }
constexpr const auto& NamesOf(ContainerStatus) { return kContainerStatusNames; }
constexpr const auto& NamesOf(DesiredStatus) { return kDesiredStatusNames; }
constexpr const auto& NamesOf(StopCode) { return kStopCodeNames; }

}  // namespace skiff::runtime
