#include "runtime/supervisor/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <cstring>

#include "isolation/base/clock.h"
#include "isolation/base/log.h"
#include "isolation/sandbox.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "runtime/plan/limits.h"
#include "runtime/supervisor/cleanup.h"
#include "runtime/supervisor/limits.h"
#include "runtime/supervisor/task_storage.h"
#include "runtime/supervisor/task_user_namespace.h"

namespace skiff::runtime {
namespace {

Event MakeEvent(EventType type, std::string container = "") {
  Event event;
  event.type = type;
  event.container = std::move(container);
  return event;
}

std::vector<ContainerRule> RulesOf(const TaskPlan& plan) {
  std::vector<ContainerRule> rules;
  for (const ContainerPlan& container : plan.containers) {
    rules.push_back({container.name, container.essential, container.depends_on});
  }
  return rules;
}

// A container below everything else on a host that is short of memory, its supervisor last. Without
// the right to ask for it the value stays, which is no reason to stop.
void ProtectFromOom() {
  sys::WriteControl(AT_FDCWD, "/proc/self/oom_score_adj", std::to_string(kSupervisorOomScore))
      .Ignore();
}

}  // namespace

Supervisor::Supervisor(TaskPlan plan, UniqueFd lock, EventLog events)
    : plan_(std::move(plan)),
      lock_(std::move(lock)),
      events_(std::move(events)),
      machine_(RulesOf(plan_)) {}

Result<std::unique_ptr<Supervisor>> Supervisor::Open(const std::string& task_directory) {
  std::string text = TRY(sys::ReadFile(AT_FDCWD, task_directory + "/plan.json", kMaxPlanBytes));
  TaskPlan plan = TRY(DecodePlan(text));
  if (plan.roots.TaskDirectory(plan.id) != task_directory) {
    return Error(Code::kInvalid, "plan of task " + plan.id.text() + " lies in " + task_directory);
  }
  UniqueFd lock = TRY(TryLockTask(task_directory));
  if (!lock.valid())
    return Error(Code::kConflict, "task " + plan.id.text() + " has a supervisor already");
  EventLog events = TRY(EventLog::Open(task_directory));
  return std::unique_ptr<Supervisor>(
      new Supervisor(std::move(plan), std::move(lock), std::move(events)));
}

Result<> Supervisor::SetUpLoop() {
  signals_ = TRY(sys::MakeSignalFd({SIGTERM, SIGINT, SIGHUP}));
  loop_ = TRY(sys::EventLoop::Create());
  if (!loop_->fallback_reason().empty())
    Warn("", "logs without io_uring: " + loop_->fallback_reason());
  loop_->Read(signals_.get(), signal_buffer_, sizeof(signal_buffer_), signal_ready_);
  TRY(sys::MakeDirectories(plan_.roots.run, 0755));
  TRY(sys::MakeDirectories(plan_.roots.AttachPoint(), 0755));
  TRY(sys::MakeDirectories(plan_.roots.RunDirectory(plan_.id), 0700));
  control_ = std::make_unique<ControlServer>(
      loop_.get(), [this](const ControlRequest& r) { return OnRequest(r); });
  return control_->Listen(plan_.roots.ControlSocket(plan_.id));
}

// As images/store.h asks of whoever uses a layer: a shared lock on the directory that holds it.
Result<> Supervisor::HoldLayers() {
  for (const ContainerPlan& container : plan_.containers) {
    for (const std::string& layer : container.layers) {
      UniqueFd fd =
          TRY(sys::OpenDirectory(AT_FDCWD, layer + "/..").Context("container " + container.name));
      bool is_held = TRY(sys::TryLock(fd.get(), sys::LockMode::kShared));
      if (!is_held)
        return Error(Code::kConflict,
                     "container " + container.name + ": its image is being removed");
      held_layers_.push_back(std::move(fd));
    }
  }
  return {};
}

// Where this host cannot, that is said, and the task runs without: unless it was asked for.
Result<> Supervisor::SetUpUserNamespace() {
  if (plan_.user_namespace.first_id == 0) return {};
  int64_t begin = MonotonicNanoseconds();
  Result<sys::UserNamespace> made = MakeTaskUserNamespace(plan_);
  if (!made.ok() && plan_.user_namespace.is_required) {
    return std::move(made).error().Context("user namespace");
  }
  if (!made.ok()) {
    std::string text = WithoutUserNamespace(made.error());
    Log(LogLevel::kWarning, text);
    Warn("", text);
    return {};
  }
  namespaces_ = std::move(made).value();
  Event event = MakeEvent(EventType::kStepFinished);
  event.step = kUserNamespaceStep;
  event.duration_ns = MonotonicNanoseconds() - begin;
  Record(std::move(event));
  return {};
}

// An init that is nothing but that: in the sight of the containers, with nothing of the host's.
Result<> Supervisor::SetUpPids() {
  if (!plan_.share_pids) return {};
  isolation::SandboxSpec sandbox;
  sandbox.writable = plan_.roots.AttachPoint();
  sandbox.memory = kInitMemory;
  sandbox.allowed = sys::kInitCalls;
  auto confine = [](void* spec) {
    return isolation::EnterSandbox(*static_cast<isolation::SandboxSpec*>(spec));
  };
  pids_ = TRY(sys::MakePidNamespace(confine, &sandbox));
  return {};
}

Result<> Supervisor::SetUpCgroup() {
  cgroups_ = TRY(isolation::CgroupHost::Discover());
  std::vector<std::string> warnings;
  const LimitsPlan& limits = plan_.limits;
  TRY(cgroups_->Create(plan_.cgroup,
                       {limits.memory_max, limits.memory_low, limits.cpu_quota_us,
                        limits.cpu_shares, limits.pids_max},
                       &warnings));
  for (const std::string& warning : warnings) Warn("", warning);
  return {};
}

// A limit that cannot be kept is said, and the task runs without: as with those of cgroups.
void Supervisor::SetUpStorage() {
  int64_t begin = MonotonicNanoseconds();
  Result<StorageKeeper> keeper = LimitStorage(plan_);
  if (!keeper.ok()) {
    std::string text = "ephemeralStorage is not enforced: " + keeper.error().message();
    Log(LogLevel::kWarning, text);
    Warn("", text);
    return;
  }
  bool is_kept = keeper.value() == StorageKeeper::kQuota || keeper.value() == StorageKeeper::kImage;
  if (!is_kept) return;
  Event event = MakeEvent(EventType::kStepFinished);
  event.step = kStorageStep;
  event.duration_ns = MonotonicNanoseconds() - begin;
  Record(std::move(event));
}

void Supervisor::MakeContainers() {
  context_ = {&plan_,
              &*cgroups_,
              network_->netns.valid() ? network_->netns.get() : -1,
              namespaces_.user.valid() ? namespaces_.user.get() : -1,
              pids_.fd.valid() ? pids_.fd.get() : -1,
              network_->hostname,
              loop_.get()};
  for (const ContainerPlan& container : plan_.containers) {
    Container::Observer observer;
    observer.on_exit = [this](Container& c, const ContainerExit& ended) { OnExit(c, ended); };
    observer.on_drained = [this](Container& c) { OnDrained(c); };
    observer.on_kill = [this](Container& c) {
      Record(MakeEvent(EventType::kKillSent, c.plan().name));
    };
    containers_.push_back(std::make_unique<Container>(&container, &context_, std::move(observer)));
    Event created = MakeEvent(EventType::kContainerCreated, container.name);
    created.image = container.image;
    created.digest = container.image_digest;
    created.runtime_id = container.runtime_id;
    Record(std::move(created));
  }
}

Result<> Supervisor::SetUp() {
  for (const std::string& warning : plan_.warnings) Warn("", warning);
  TRY(SetUpLoop());
  TRY(HoldLayers());
  int64_t begin = MonotonicNanoseconds();
  TRY(SetUpUserNamespace());
  TRY(SetUpPids());
  network_ = TRY(SetUpNetwork(plan_, std::move(namespaces_.network)).Context("network"));
  std::vector<Event> events;
  for (const networking::StepTime& step : network_->steps) {
    Event event = MakeEvent(EventType::kStepFinished);
    event.step = "network: " + step.name;
    event.duration_ns = step.nanoseconds;
    events.push_back(std::move(event));
  }
  if (!network_->address.empty()) {
    Event attached = MakeEvent(EventType::kNetworkAttached);
    attached.address = network_->address;
    attached.mac = network_->mac;
    attached.eni = EniIdOf(plan_.id);
    events.push_back(std::move(attached));
  }
  begin = MonotonicNanoseconds();
  TRY(SetUpCgroup());
  Event cgroup = MakeEvent(EventType::kStepFinished);
  cgroup.step = "make task cgroup";
  cgroup.duration_ns = MonotonicNanoseconds() - begin;
  events.push_back(std::move(cgroup));
  events_.Append(std::move(events));
  SetUpStorage();
  MakeContainers();
  return {};
}

Container* Supervisor::Find(std::string_view name) {
  for (const auto& container : containers_) {
    if (container->plan().name == name) return container.get();
  }
  return nullptr;
}

void Supervisor::Warn(const std::string& container, const std::string& text) {
  Event event = MakeEvent(EventType::kWarning, container);
  event.text = text;
  Record(std::move(event));
}

void Supervisor::Feed(const Input& input) {
  // Carrying out an action may produce the next input; the machine has taken the first in by then.
  std::vector<Action> actions = machine_.On(input);
  NoteStopCause();
  for (const Action& action : actions) Carry(action);
  NoteRunning();
}

void Supervisor::NoteStopCause() {
  if (is_stop_noted_ || !machine_.stop_cause()) return;
  is_stop_noted_ = true;
  Event event = MakeEvent(EventType::kStopRequested);
  event.stop_code = machine_.stop_cause()->code;
  event.reason = machine_.stop_cause()->reason;
  Record(std::move(event));
}

void Supervisor::NoteRunning() {
  if (is_running_noted_ || !machine_.is_running()) return;
  is_running_noted_ = true;
  Record(MakeEvent(EventType::kTaskRunning));
}

void Supervisor::Carry(const Action& action) {
  if (std::holds_alternative<FinishTask>(action)) {
    is_finished_ = true;
  } else if (const auto* start = std::get_if<StartContainer>(&action)) {
    Start(*Find(start->name));
  } else if (const auto* stop = std::get_if<StopContainer>(&action)) {
    Stop(*Find(stop->name));
  }
}

void Supervisor::Start(Container& container) {
  const std::string& name = container.plan().name;
  isolation::LaunchFailure failure;
  Result<StartedContainer> started = container.Start(&failure);
  if (!started.ok()) {
    Event failed = MakeEvent(EventType::kContainerStartFailed, name);
    bool is_exec = failure.step == isolation::LaunchStep::kExec;
    if (is_exec) failed.exit_code = failure.ExitCode();
    failed.reason = "CannotStartContainerError: " + started.error().message();
    std::string reason = failed.reason;
    std::optional<int> exit_code = failed.exit_code;
    Record(std::move(failed));
    Feed(input::ContainerStartFailed{name, exit_code, reason});
    return;
  }
  std::vector<Event> events;
  for (const auto& [step, nanoseconds] : started.value().steps) {
    Event event = MakeEvent(EventType::kStepFinished, name);
    event.step = step;
    event.duration_ns = nanoseconds;
    events.push_back(std::move(event));
  }
  Event event = MakeEvent(EventType::kContainerStarted, name);
  event.pid = started.value().pid;
  events.push_back(std::move(event));
  events_.Append(std::move(events));
  for (const std::string& warning : started.value().warnings) Warn(name, warning);
  if (container.plan().start_timeout) {
    auto timer = std::make_unique<StartTimer>();
    timer->supervisor = this;
    timer->container = name;
    loop_->Timeout(*container.plan().start_timeout, *timer);
    start_timers_.push_back(std::move(timer));
  }
  Feed(input::ContainerStarted{name});
}

void Supervisor::StartTimer::OnComplete(int result, unsigned /*flags*/) {
  if (result != -ECANCELED) supervisor->Feed(input::StartTimeout{container});
}

void Supervisor::Stop(Container& container) {
  std::chrono::seconds timeout = stop_timeout_.value_or(container.plan().stop_timeout);
  if (timeout.count() > 0 && container.is_running()) {
    Event event = MakeEvent(EventType::kStopSignalled, container.plan().name);
    event.signal = container.plan().stop_signal;
    Record(std::move(event));
  }
  container.Stop(timeout);
}

void Supervisor::OnExit(Container& container, const ContainerExit& ended) {
  Event event = MakeEvent(EventType::kContainerExited, container.plan().name);
  event.exit_code = ended.code;
  event.signal = ended.signal;
  event.oom_killed = ended.oom_killed;
  event.reason = ended.reason;
  Record(std::move(event));
  Feed(input::ContainerExited{container.plan().name, ended.code});
}

void Supervisor::RequestStop(const std::string& reason,
                             std::optional<std::chrono::seconds> timeout) {
  if (timeout) stop_timeout_ = timeout;
  bool is_stopping = machine_.stop_cause().has_value();
  Feed(input::StopRequested{reason});
  if (!is_stopping || !timeout) return;
  // Asked again with less patience: what is being stopped already gets the new timeout.
  for (const auto& container : containers_) {
    if (container->is_running() && timeout->count() == 0) Stop(*container);
  }
}

Result<> Supervisor::OnRequest(const ControlRequest& request) {
  if (request.verb == ControlRequest::Verb::kStop) {
    RequestStop(request.reason, request.timeout);
    return {};
  }
  if (!request.container.empty()) {
    Container* container = Find(request.container);
    if (container == nullptr)
      return Error(Code::kNotFound, "container " + request.container + ": not in this task");
    return container->Signal(request.signal);
  }
  for (const auto& container : containers_) {
    if (container->is_running()) container->Signal(request.signal).Ignore();
  }
  return {};
}

void Supervisor::OnSignal(int result, unsigned /*flags*/) {
  if (result == -ECANCELED) return;
  if (result >= static_cast<int>(sizeof(signalfd_siginfo))) {
    signalfd_siginfo info{};
    memcpy(&info, signal_buffer_, sizeof(info));
    // A hangup of a terminal is no reason to stop a task that outlives its command line.
    if (info.ssi_signo != SIGHUP)
      RequestStop("Task stopped by a signal to its supervisor", std::nullopt);
  }
  loop_->Read(signals_.get(), signal_buffer_, sizeof(signal_buffer_), signal_ready_);
}

bool Supervisor::IsDone() const {
  if (!is_finished_) return false;
  for (const auto& container : containers_) {
    if (!container->is_drained()) return false;
  }
  return true;
}

// The loop looks after every round whether all is done.
void Supervisor::OnDrained(Container& container) {
  LogWriterStats stats = container.log_stats();
  Event closed = MakeEvent(EventType::kLogClosed, container.plan().name);
  closed.stored_bytes = static_cast<int64_t>(stats.stored_bytes);
  closed.lost_bytes = static_cast<int64_t>(stats.lost_bytes);
  Record(std::move(closed));
}

void Supervisor::Loop() {
  while (!IsDone()) {
    Result<> round = loop_->RunOnce();
    pulse_.Beat();
    if (round.ok()) continue;
    // Without a loop nothing can be supervised any more; the cleanup kills what runs.
    Log(LogLevel::kError, round.error().message());
    set_up_failure_ =
        StopCause{StopCode::kInfrastructureHealth, "supervisor: " + round.error().message()};
    return;
  }
}

bool Supervisor::TearDown() {
  loop_.reset();
  containers_.clear();
  if (pids_.init.pidfd.valid()) {
    sys::SignalPidfd(pids_.init.pidfd.get(), SIGKILL).Ignore();
    [[maybe_unused]] auto reaped = sys::WaitPidfd(pids_.init.pidfd.get(), true);
  }
  control_.reset();
  networking::Network* network = nullptr;
  if (network_) {
    network_->netns.Reset();
    if (network_->installation) network = &*network_->installation;
  }
  std::vector<Error> errors = CleanUpTask(plan_, network);
  for (const Error& error : errors) {
    Event event = MakeEvent(EventType::kCleanupFailed);
    event.text = error.message();
    Record(std::move(event));
  }
  return errors.empty();
}

bool Supervisor::Run() {
  ProtectFromOom();
  Event created = MakeEvent(EventType::kTaskCreated);
  created.wall_ns = plan_.created_at;
  Record(std::move(created));
  pulse_.Beat();
  Result<> ready = SetUp();
  if (ready.ok()) {
    Feed(input::Begin{});
    pulse_.Beat();
    Loop();
  } else {
    set_up_failure_ = StopCause{StopCode::kTaskFailedToStart,
                                "ResourceInitializationError: " + ready.error().message()};
  }
  StopCause cause =
      set_up_failure_ ? *set_up_failure_ : machine_.stop_cause().value_or(StopCause{});
  if (!is_stop_noted_) {
    Event stop = MakeEvent(EventType::kStopRequested);
    stop.stop_code = cause.code;
    stop.reason = cause.reason;
    Record(std::move(stop));
  }
  bool is_clean = TearDown();
  Event stopped = MakeEvent(EventType::kTaskStopped);
  stopped.stop_code = cause.code;
  stopped.reason = cause.reason;
  Record(std::move(stopped));
  pulse_.Beat();
  return is_clean;
}

}  // namespace skiff::runtime
