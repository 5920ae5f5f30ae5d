// The texts of event types and stop codes, as files and the ECS API have them.
#pragma once

#include "runtime/model/event.h"
#include "runtime/model/names.h"

namespace skiff::runtime {

inline constexpr NameTable<StopCode, 7> kStopCodeNames{{
    {StopCode::kTaskFailedToStart, "TaskFailedToStart"},
    {StopCode::kEssentialContainerExited, "EssentialContainerExited"},
    {StopCode::kUserInitiated, "UserInitiated"},
    {StopCode::kServiceSchedulerInitiated, "ServiceSchedulerInitiated"},
    {StopCode::kSpotInterruption, "SpotInterruption"},
    {StopCode::kTerminationNotice, "TerminationNotice"},
    {StopCode::kInfrastructureHealth, "InfrastructureHealth"},
}};

inline constexpr NameTable<EventType, 15> kEventTypeNames{{
    {EventType::kTaskCreated, "TaskCreated"},
    {EventType::kStepFinished, "StepFinished"},
    {EventType::kNetworkAttached, "NetworkAttached"},
    {EventType::kContainerCreated, "ContainerCreated"},
    {EventType::kContainerStarted, "ContainerStarted"},
    {EventType::kContainerExited, "ContainerExited"},
    {EventType::kContainerStartFailed, "ContainerStartFailed"},
    {EventType::kTaskRunning, "TaskRunning"},
    {EventType::kStopRequested, "StopRequested"},
    {EventType::kStopSignalled, "StopSignalled"},
    {EventType::kKillSent, "KillSent"},
    {EventType::kLogClosed, "LogClosed"},
    {EventType::kWarning, "Warning"},
    {EventType::kCleanupFailed, "CleanupFailed"},
    {EventType::kTaskStopped, "TaskStopped"},
}};

}  // namespace skiff::runtime
