// What a supervisor reports about its task: one Event is one line of JSON in the task's append-only
// `events` file, numbered from 1 without gaps. Applying them in order (task.h) gives the task as
// users see it. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "isolation/base/result.h"

namespace skiff::runtime {

// Behind each: the members of Event that it carries beside number, wall_ns and type.
enum class EventType {
  kTaskCreated,           // -
  kStepFinished,          // step, duration_ns, container (empty: a step of the task)
  kNetworkAttached,       // address, mac, eni
  kContainerCreated,      // container, image, digest, runtime_id
  kContainerStarted,      // container, pid
  kContainerExited,       // container, exit_code, signal, oom_killed, reason
  kContainerStartFailed,  // container, exit_code (126, 127 as a shell has it), reason
  kTaskRunning,           // -
  kStopRequested,         // stop_code, reason: the first cause, whoever asked
  kStopSignalled,         // container, signal
  kKillSent,              // container
  kLogClosed,             // container, stored_bytes, lost_bytes
  kWarning,               // text, container (may be empty)
  kCleanupFailed,         // text
  kTaskStopped,           // stop_code, reason: as in kStopRequested
};

enum class StopCode {
  kTaskFailedToStart,
  kEssentialContainerExited,
  kUserInitiated,
  kServiceSchedulerInitiated,
  kSpotInterruption,
  kTerminationNotice,
  kInfrastructureHealth,
};

struct Event {
  uint64_t number = 0;  // set by whoever appends
  int64_t wall_ns = 0;
  EventType type = EventType::kTaskCreated;
  std::string container;
  std::string image;
  std::string digest;
  std::string runtime_id;
  int64_t pid = 0;
  std::optional<int> exit_code;
  std::optional<int> signal;
  bool oom_killed = false;
  std::optional<StopCode> stop_code;
  std::string reason;
  std::string text;
  std::string step;
  int64_t duration_ns = 0;
  int64_t stored_bytes = 0;
  int64_t lost_bytes = 0;  // of a log: the disk or a buffer was full
  std::string address;     // "10.77.0.5"
  std::string mac;
  std::string eni;  // "eni-0123456789abcdef0"
  bool operator==(const Event&) const = default;
};

// A container's reason when the kernel killed it for its memory limit; the exit code is 137 then.
inline constexpr std::string_view kOutOfMemoryReason =
    "OutOfMemoryError: Container killed due to memory usage";
inline constexpr int kOutOfMemoryExitCode = 137;

// "TaskFailedToStart", as the ECS API has it.
std::string_view StopCodeName(StopCode code);
std::optional<StopCode> ParseStopCode(std::string_view name);

// "ContainerExited".
std::string_view EventTypeName(EventType type);

// One line, without the newline. Texts are cut so that it stays under kMaxEventLineBytes.
std::string EncodeEvent(const Event& event);

// Refuses an unknown type: a reader older than the writer must not skip what it cannot know.
// Unknown members are ignored.
Result<Event> DecodeEvent(std::string_view line);

}  // namespace skiff::runtime
