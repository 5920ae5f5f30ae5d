// Carries out one TaskPlan, from the first namespace to the last removed directory: sets the task
// up, starts and stops its containers as the TaskMachine decides, records everything as events,
// tears down in reverse.
//
// Knows no defaults and reads nothing from the network. One process a task, one thread, one loop;
// whoever started it may go away. When it dies, the kernel kills the containers (PR_SET_PDEATHSIG)
// and cleanup.h does the rest from the plan.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isolation/cgroup.h"
#include "isolation/sys/event_loop.h"
#include "isolation/sys/pid_namespace.h"
#include "isolation/sys/user_namespace.h"
#include "runtime/model/task_machine.h"
#include "runtime/supervisor/container.h"
#include "runtime/supervisor/control_server.h"
#include "runtime/supervisor/event_log.h"
#include "runtime/supervisor/pulse.h"
#include "runtime/supervisor/task_network.h"

namespace skiff::runtime {

class Supervisor {
 public:
  // Takes the task's lock and opens its event log: from then on every failure is an event.
  static Result<std::unique_ptr<Supervisor>> Open(const std::string& task_directory);

  // Runs the task to its end. True when nothing of it is left behind.
  bool Run();

 private:
  explicit Supervisor(TaskPlan plan, UniqueFd lock, EventLog events);

  Result<> SetUp();
  Result<> SetUpLoop();
  Result<> HoldLayers();
  Result<> SetUpUserNamespace();
  Result<> SetUpPids();
  Result<> SetUpCgroup();
  void SetUpStorage();
  void MakeContainers();

  void Feed(const Input& input);
  void Carry(const Action& action);
  void Start(Container& container);
  void Stop(Container& container);
  void OnExit(Container& container, const ContainerExit& ended);
  void OnSignal(int result, unsigned flags);
  Result<> OnRequest(const ControlRequest& request);
  void RequestStop(const std::string& reason, std::optional<std::chrono::seconds> timeout);
  void NoteStopCause();
  void NoteRunning();
  void OnDrained(Container& container);
  void Loop();
  bool IsDone() const;
  bool TearDown();

  Container* Find(std::string_view name);
  void Record(Event event) { events_.Append(std::move(event)); }
  void Warn(const std::string& container, const std::string& text);

  struct StartTimer final : sys::Completion {
    void OnComplete(int result, unsigned flags) override;
    Supervisor* supervisor = nullptr;
    std::string container;
  };

  TaskPlan plan_;
  UniqueFd lock_;
  EventLog events_;
  Pulse pulse_ = Pulse::OfStandardInput();
  TaskMachine machine_;
  std::vector<UniqueFd> held_layers_;
  std::optional<isolation::CgroupHost> cgroups_;
  sys::UserNamespace namespaces_;  // invalid: the host's
  sys::PidNamespace pids_;         // invalid: each container has its own
  std::optional<TaskNetwork> network_;
  TaskContext context_;
  std::optional<std::chrono::seconds> stop_timeout_;  // asked for by whoever stops the task
  bool is_finished_ = false;
  bool is_stop_noted_ = false;
  bool is_running_noted_ = false;
  std::optional<StopCause> set_up_failure_;
  UniqueFd signals_;
  char signal_buffer_[256];
  sys::MemberCompletion<Supervisor, &Supervisor::OnSignal> signal_ready_{this};
  // The loop is destroyed first, for its operations point into what stands above.
  std::vector<std::unique_ptr<StartTimer>> start_timers_;
  std::vector<std::unique_ptr<Container>> containers_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<sys::EventLoop> loop_;
};

}  // namespace skiff::runtime
