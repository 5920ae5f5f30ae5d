#include "runtime/model/task_machine.h"

#include <algorithm>
#include <utility>

namespace skiff::runtime {
namespace {

// "CannotStartContainerError: " unless the reason already opens with the kind of error.
std::string StartFailureReason(const std::string& reason) {
  size_t colon = reason.find(": ");
  std::string_view kind =
      std::string_view(reason).substr(0, colon == std::string::npos ? 0 : colon);
  bool is_named = kind.ends_with("Error") && kind.find(' ') == std::string_view::npos;
  return is_named ? reason : "CannotStartContainerError: " + reason;
}

}  // namespace

std::vector<ContainerRule> ContainerRules(const TaskDefinition& definition) {
  std::vector<ContainerRule> rules;
  for (const ContainerDefinition& container : definition.containers) {
    rules.push_back({container.name, container.essential, container.depends_on});
  }
  return rules;
}

TaskMachine::TaskMachine(const std::vector<ContainerRule>& rules) {
  for (const ContainerRule& rule : rules) {
    Container container;
    container.rule = rule;
    containers_.push_back(std::move(container));
  }
}

std::vector<Action> TaskMachine::On(const Input& input) {
  std::vector<Action> actions;
  if (is_finished_) return actions;
  std::visit([this](const auto& what) { Take(what); }, input);
  if (!has_begun_ && !stop_cause_) return actions;
  StopIfStuck();
  if (stop_cause_) {
    StopWhatMay(actions);
  } else {
    StartWhatMay(actions);
  }
  FinishIfDone(actions);
  return actions;
}

void TaskMachine::Take(const input::Begin&) { has_begun_ = true; }

void TaskMachine::Take(const input::ContainerStarted& started) {
  Container* container = Find(started.name);
  if (container != nullptr && container->state == State::kStarting) {
    container->state = State::kRunning;
  }
}

void TaskMachine::Take(const input::ContainerStartFailed& failed) {
  Container* container = Find(failed.name);
  if (container == nullptr || container->state != State::kStarting) return;
  container->state = State::kFailed;
  if (!container->rule.essential || stop_cause_) return;
  failed_start_code_ = failed.exit_code;
  BeginStop(StopCode::kTaskFailedToStart, StartFailureReason(failed.reason));
}

void TaskMachine::Take(const input::ContainerExited& exited) {
  Container* container = Find(exited.name);
  if (container == nullptr) return;
  // A container may end before its start was reported; the start is implied then.
  if (container->state != State::kRunning && container->state != State::kStarting) return;
  container->state = State::kExited;
  container->exit_code = exited.exit_code;
  if (!container->rule.essential) return;
  if (!first_essential_code_) first_essential_code_ = exited.exit_code;
  BeginStop(StopCode::kEssentialContainerExited, "Essential container in task exited");
}

void TaskMachine::Take(const input::ContainerHealthy& healthy) {
  Container* container = Find(healthy.name);
  if (container != nullptr && container->state == State::kRunning) container->is_healthy = true;
}

void TaskMachine::Take(const input::StopRequested& request) {
  BeginStop(request.code, request.reason.empty() ? "Task stopped by user" : request.reason);
}

void TaskMachine::Take(const input::StartTimeout& timeout) {
  for (const Container& waiting : containers_) {
    if (waiting.state != State::kWaiting) continue;
    for (const DependsOn& dependency : waiting.rule.depends_on) {
      if (dependency.container_name == timeout.name &&
          OutlookOf(dependency) == Outlook::kPossible) {
        return FailUnresolvable(waiting, dependency, "within its startTimeout");
      }
    }
  }
}

TaskMachine::Container* TaskMachine::Find(std::string_view name) {
  return const_cast<Container*>(std::as_const(*this).Find(name));
}

const TaskMachine::Container* TaskMachine::Find(std::string_view name) const {
  auto found = std::find_if(containers_.begin(), containers_.end(),
                            [&](const Container& c) { return c.rule.name == name; });
  return found == containers_.end() ? nullptr : &*found;
}

TaskMachine::Outlook TaskMachine::OutlookOf(const DependsOn& dependency) const {
  const Container* on = Find(dependency.container_name);
  if (on == nullptr) return Outlook::kImpossible;
  if (on->state == State::kFailed || on->state == State::kSkipped) return Outlook::kImpossible;
  bool has_exited = on->state == State::kExited;
  bool has_started = has_exited || on->state == State::kRunning;
  switch (dependency.condition) {
    case DependencyCondition::kStart:
      return has_started ? Outlook::kMet : Outlook::kPossible;
    case DependencyCondition::kComplete:
      return has_exited ? Outlook::kMet : Outlook::kPossible;
    case DependencyCondition::kSuccess:
      if (!has_exited) return Outlook::kPossible;
      return on->exit_code == 0 ? Outlook::kMet : Outlook::kImpossible;
    case DependencyCondition::kHealthy:
      if (has_exited) return Outlook::kImpossible;
      return on->is_healthy ? Outlook::kMet : Outlook::kPossible;
  }
  return Outlook::kImpossible;
}

void TaskMachine::BeginStop(StopCode code, std::string reason) {
  if (stop_cause_) return;
  stop_cause_ = StopCause{code, std::move(reason)};
  for (Container& container : containers_) {
    if (container.state == State::kWaiting) container.state = State::kSkipped;
  }
}

void TaskMachine::FailUnresolvable(const Container& waiting, const DependsOn& dependency,
                                   std::string_view why) {
  BeginStop(StopCode::kTaskFailedToStart, "Task dependencies cannot be resolved: container " +
                                              waiting.rule.name + " waits for " +
                                              dependency.container_name + " to reach " +
                                              std::string(ConditionName(dependency.condition)) +
                                              ", which did not happen " + std::string(why));
}

// Ends the task when a dependency can no longer be met, or when everything stands still: containers
// wait for each other in a circle, or none of those that ran was essential.
void TaskMachine::StopIfStuck() {
  bool is_active = false;
  const Container* waiting = nullptr;
  for (const Container& container : containers_) {
    is_active |= container.state == State::kStarting || container.state == State::kRunning;
    if (container.state != State::kWaiting) continue;
    bool may_start = true;
    for (const DependsOn& dependency : container.rule.depends_on) {
      Outlook outlook = OutlookOf(dependency);
      if (outlook == Outlook::kImpossible) {
        return FailUnresolvable(container, dependency, "and no longer can");
      }
      may_start &= outlook == Outlook::kMet;
    }
    is_active |= may_start;
    if (!may_start) waiting = &container;
  }
  if (is_active || stop_cause_) return;
  if (waiting != nullptr) {
    return FailUnresolvable(*waiting, waiting->rule.depends_on.front(), "in a circle of waiting");
  }
  BeginStop(StopCode::kEssentialContainerExited, "All containers in task exited");
}

void TaskMachine::StartWhatMay(std::vector<Action>& actions) {
  for (Container& container : containers_) {
    if (container.state != State::kWaiting) continue;
    const std::vector<DependsOn>& needs = container.rule.depends_on;
    bool may_start = std::all_of(needs.begin(), needs.end(), [this](const DependsOn& dependency) {
      return OutlookOf(dependency) == Outlook::kMet;
    });
    if (!may_start) continue;
    container.state = State::kStarting;
    actions.push_back(StartContainer{container.rule.name});
  }
}

bool TaskMachine::IsNeededByAnother(const Container& container) const {
  return std::any_of(containers_.begin(), containers_.end(), [&](const Container& other) {
    if (other.state != State::kStarting && other.state != State::kRunning) return false;
    const std::vector<DependsOn>& needs = other.rule.depends_on;
    return std::any_of(needs.begin(), needs.end(), [&](const DependsOn& dependency) {
      return dependency.container_name == container.rule.name;
    });
  });
}

// Reverse order of dependency. Those that start at this moment are waited for: stopping a container
// whose process may or may not exist yet would race with the start.
void TaskMachine::StopWhatMay(std::vector<Action>& actions) {
  for (Container& container : containers_) {
    if (container.state != State::kRunning || container.is_stop_sent) continue;
    if (IsNeededByAnother(container)) continue;
    container.is_stop_sent = true;
    actions.push_back(StopContainer{container.rule.name});
  }
}

void TaskMachine::FinishIfDone(std::vector<Action>& actions) {
  bool is_done = std::all_of(containers_.begin(), containers_.end(), [](const Container& c) {
    return c.state == State::kExited || c.state == State::kFailed || c.state == State::kSkipped;
  });
  if (!is_done || !stop_cause_) return;
  is_finished_ = true;
  actions.push_back(FinishTask{});
}

bool TaskMachine::is_running() const {
  if (!has_begun_ || stop_cause_) return false;
  return std::none_of(containers_.begin(), containers_.end(), [](const Container& c) {
    return c.state == State::kWaiting || c.state == State::kStarting;
  });
}

std::optional<int> TaskMachine::exit_code() const {
  bool failed_to_start = stop_cause_ && stop_cause_->code == StopCode::kTaskFailedToStart;
  return failed_to_start ? failed_start_code_ : first_essential_code_;
}

}  // namespace skiff::runtime
