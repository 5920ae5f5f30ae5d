// Decides what a supervisor does next: which container may start now, which must stop, in which
// order, and why the task ended. Pure: told what happened, it answers with actions; it never asks.
//
// Contract with the caller: every StartContainer is answered by ContainerStarted or
// ContainerStartFailed, every container that started is reported by ContainerExited in the end
// (StopContainer sees to that). Then FinishTask comes, once, whatever happened in which order.
// One owner, one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/model/container_definition.h"
#include "runtime/model/event.h"
#include "runtime/model/task_definition.h"

namespace skiff::runtime {

struct ContainerRule {
  std::string name;
  bool essential = true;
  std::vector<DependsOn> depends_on;
};

// The rules that a definition's containers stand for.
std::vector<ContainerRule> ContainerRules(const TaskDefinition& definition);

// What happened.
namespace input {
struct Begin {};
struct ContainerStarted {
  std::string name;
};
// `reason` without or with its "CannotStartContainerError: "; `exit_code` 126 or 127 where a shell
// would say so.
struct ContainerStartFailed {
  std::string name;
  std::optional<int> exit_code;
  std::string reason;
};
struct ContainerExited {
  std::string name;
  int exit_code = 0;  // 128 + signal when a signal ended it
};
struct ContainerHealthy {
  std::string name;
};
// An empty reason becomes "Task stopped by user".
struct StopRequested {
  std::string reason;
  StopCode code = StopCode::kUserInitiated;
};
// `name` started its startTimeout ago. Matters only if a container still waits for it.
struct StartTimeout {
  std::string name;
};
}  // namespace input
using Input = std::variant<input::Begin, input::ContainerStarted, input::ContainerStartFailed,
                           input::ContainerExited, input::ContainerHealthy, input::StopRequested,
                           input::StartTimeout>;

// What to do now.
struct StartContainer {
  std::string name;
  bool operator==(const StartContainer&) const = default;
};
// The stop signal, then after the container's stopTimeout the kill.
struct StopContainer {
  std::string name;
  bool operator==(const StopContainer&) const = default;
};
// Nothing runs any more: tear down.
struct FinishTask {
  bool operator==(const FinishTask&) const = default;
};
using Action = std::variant<StartContainer, StopContainer, FinishTask>;

struct StopCause {
  StopCode code = StopCode::kUserInitiated;
  std::string reason;
  bool operator==(const StopCause&) const = default;
};

class TaskMachine {
 public:
  explicit TaskMachine(const std::vector<ContainerRule>& rules);

  // Unknown names and repeated reports change nothing.
  std::vector<Action> On(const Input& input);

  // Every container has started (or already ended) and no stop has begun: the task is RUNNING.
  bool is_running() const;
  // Set once, by the first cause; from then on the task is stopping.
  const std::optional<StopCause>& stop_cause() const { return stop_cause_; }
  bool is_finished() const { return is_finished_; }
  // What `skiff run` exits with: the failed start's code when the task failed to start, otherwise
  // the code of the essential container that exited first. nullopt: no container has one.
  std::optional<int> exit_code() const;

 private:
  enum class State { kWaiting, kStarting, kRunning, kExited, kFailed, kSkipped };
  enum class Outlook { kMet, kPossible, kImpossible };
  struct Container {
    ContainerRule rule;
    State state = State::kWaiting;
    bool is_healthy = false;
    bool is_stop_sent = false;
    int exit_code = 0;
  };

  void Take(const input::Begin& begin);
  void Take(const input::ContainerStarted& started);
  void Take(const input::ContainerStartFailed& failed);
  void Take(const input::ContainerExited& exited);
  void Take(const input::ContainerHealthy& healthy);
  void Take(const input::StopRequested& request);
  void Take(const input::StartTimeout& timeout);

  Container* Find(std::string_view name);
  const Container* Find(std::string_view name) const;
  Outlook OutlookOf(const DependsOn& dependency) const;
  bool IsNeededByAnother(const Container& container) const;
  void BeginStop(StopCode code, std::string reason);
  void FailUnresolvable(const Container& waiting, const DependsOn& dependency,
                        std::string_view why);
  void StopIfStuck();
  void StartWhatMay(std::vector<Action>& actions);
  void StopWhatMay(std::vector<Action>& actions);
  void FinishIfDone(std::vector<Action>& actions);

  std::vector<Container> containers_;
  std::optional<StopCause> stop_cause_;
  std::optional<int> failed_start_code_;
  std::optional<int> first_essential_code_;
  bool has_begun_ = false;
  bool is_finished_ = false;
};

}  // namespace skiff::runtime
