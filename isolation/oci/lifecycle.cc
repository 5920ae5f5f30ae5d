#include "isolation/oci/lifecycle.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "isolation/base/clock.h"
#include "isolation/base/text.h"
#include "isolation/cgroup.h"
#include "isolation/launch.h"
#include "isolation/limits.h"
#include "isolation/oci/container.h"
#include "isolation/oci/hooks.h"
#include "isolation/oci/notify.h"
#include "isolation/oci/rootless.h"
#include "isolation/oci/seccomp.h"
#include "isolation/oci/systemd_unit.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/namespace_types.h"
#include "isolation/sys/process.h"
#include "isolation/sys/socket.h"

namespace skiff::isolation::oci {
namespace {

Error WrongStatus(const State& state, const std::string& wanted) {
  return Error(Code::kConflict,
               "container '" + state.id + "' is " + state.status + ", not " + wanted);
}

Result<Config> LoadedConfig(const StateDirectory& directory) {
  std::string text = TRY(directory.LoadConfig());
  return ParseConfig(text);
}

// Opens the gate and waits until the program runs.
Result<> OpenGate(const StateDirectory& directory, const Config& config) {
  UniqueFd gate = TRY(sys::ConnectUnix(directory.claimed_gate_path()));
  sys::Unlink(AT_FDCWD, directory.claimed_gate_path()).Ignore();
  bool is_answered = TRY(sys::PollReadable(gate.get(), kLaunchTimeout));
  if (!is_answered) return Error(Code::kTimeout, "the container's program did not start in 30 s");
  GateFailure failure;
  Result<size_t> size = sys::Read(gate.get(), &failure, sizeof(failure));
  if (!size.ok() || size.value() < sizeof(failure)) return {};
  auto step = static_cast<LaunchStep>(std::clamp(failure.step, 0, kLaunchStepCount - 1));
  std::string what(LaunchStepName(step));
  if (step == LaunchStep::kExec) what += " " + config.process.arguments.front();
  return Error::FromErrno(failure.error_number, what);
}

Result<> KillGroup(const std::string& path, int signal) {
  CgroupHost host = TRY(CgroupHost::Discover(CgroupHost::Hierarchies::kEvery));
  std::string text =
      TRY(sys::ReadFile(AT_FDCWD, host.unified_mount() + "/" + path + "/cgroup.procs"));
  for (std::string_view line : Split(TrimSpace(text), '\n')) {
    std::optional<uint64_t> pid = ParseUint(line, INT32_MAX);
    if (!pid || *pid == 0) continue;
    Result<UniqueFd> pidfd = sys::OpenPidfd(static_cast<pid_t>(*pid));
    if (pidfd.ok()) sys::SignalPidfd(pidfd.value().get(), signal).Ignore();
  }
  return {};
}

// A frozen process dies of SIGKILL only with cgroup v2's freezer, which is the one used here.
Result<> EndProcess(const State& state) {
  UniqueFd process = OpenContainerProcess(state);
  if (!process.valid()) return {};
  sys::SignalPidfd(process.get(), SIGKILL).Ignore();
  Result<CgroupHost> host = CgroupHost::Discover(CgroupHost::Hierarchies::kEvery);
  if (host.ok()) host.value().FreeFromLegacyFreezer(state.pid).Ignore();
  bool has_ended = TRY(sys::PollReadable(process.get(), kCgroupEmptyTimeout));
  if (!has_ended)
    return Error(Code::kTimeout, "process " + std::to_string(state.pid) + " is left after SIGKILL");
  return {};
}

constexpr std::array<std::pair<std::string_view, int>, 31> kSignals = {{
    {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT},     {"ILL", SIGILL},
    {"TRAP", SIGTRAP}, {"ABRT", SIGABRT}, {"BUS", SIGBUS},       {"FPE", SIGFPE},
    {"KILL", SIGKILL}, {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},     {"USR2", SIGUSR2},
    {"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"TERM", SIGTERM},     {"STKFLT", SIGSTKFLT},
    {"CHLD", SIGCHLD}, {"CONT", SIGCONT}, {"STOP", SIGSTOP},     {"TSTP", SIGTSTP},
    {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU}, {"URG", SIGURG},       {"XCPU", SIGXCPU},
    {"XFSZ", SIGXFSZ}, {"PROF", SIGPROF}, {"VTALRM", SIGVTALRM}, {"WINCH", SIGWINCH},
    {"IO", SIGIO},     {"PWR", SIGPWR},   {"SYS", SIGSYS},
}};

// None to enter: there is none of its own, or this process, which made it, has entered the one that
// was to be joined (joined_user.h).
Result<bool> IsUserToBeEntered(const Config& config, pid_t pid) {
  if (!config.namespaces.contains(NamespaceType::kUser)) return false;
  std::string theirs = TRY(sys::ReadLink(AT_FDCWD, "/proc/" + std::to_string(pid) + "/ns/user"));
  std::string ours = TRY(sys::ReadLink(AT_FDCWD, "/proc/self/ns/user"));
  return theirs != ours;
}

// A hook may be made to execute this program (CVE-2019-5736).
Result<> ProtectFromHooks(const CommandContext& context, const Config& config) {
  if (config.hooks.start_container.empty()) return {};
  bool lacks_rights = TRY(IsRootless());
  if (lacks_rights) return context.begin_sealed();  // it is the caller's own
  context.protect_program();
  return {};
}

Result<> RunStartHooks(const CommandContext& context, const Config& config, const State& state) {
  if (config.hooks.start_container.empty()) return {};
  UniqueFd process = OpenContainerProcess(state);
  if (!process.valid()) return WrongStatus(state, "created");
  constexpr int kTypes = sys::kMountNamespace | sys::kNetworkNamespace | sys::kUtsNamespace |
                         sys::kIpcNamespace | sys::kPidNamespace;
  bool enters_user = TRY(IsUserToBeEntered(config, state.pid));
  int user = enters_user ? sys::kUserNamespace : 0;
  SeccompProgram seccomp;
  if (config.seccomp) {
    seccomp = TRY(LoadSeccomp(*config.seccomp, context.root + "/.cache").Context("linux.seccomp"));
  }
  return RunHooks(config.hooks.start_container, "startContainer", EncodePublicState(state),
                  {process.get(), kTypes | user, "/", config.seccomp ? &seccomp : nullptr});
}

}  // namespace

SystemdBus BusOf(const CommandContext& context, const State& state) {
  return {context.systemd_program, state.is_systemd_user};
}

Result<State> FindContainer(const CommandContext& context, const std::string& id) {
  StateDirectory directory = TRY(StateDirectory::Open(context.root, id));
  return directory.Load();
}

Result<std::vector<State>> FindContainers(const CommandContext& context) {
  std::vector<std::string> ids = TRY(ListContainers(context.root));
  std::vector<State> states;
  for (const std::string& id : ids) {
    Result<State> state = FindContainer(context, id);
    if (state.ok()) states.push_back(std::move(state).value());
    // One that has just been deleted is no longer to be listed.
    else if (state.error().code() != Code::kNotFound)
      context.warn(state.error().message());
  }
  return states;
}

Result<> StartContainer(const CommandContext& context, const std::string& id, bool awaits_ready) {
  StateDirectory directory = TRY(StateDirectory::Open(context.root, id));
  State state = TRY(directory.Load());
  if (state.status != "created") return WrongStatus(state, "created");
  Config config = TRY(LoadedConfig(directory));
  TRY(ProtectFromHooks(context, config));
  bool is_ours = TRY(directory.ClaimGate());
  if (!is_ours) return Error(Code::kConflict, "container '" + id + "' is being started already");
  std::string manager = NotifySocket();
  bool is_awaited =
      awaits_ready && !manager.empty() && sys::Exists(AT_FDCWD, directory.notify_directory());
  std::optional<NotifyRelay> relay;
  if (is_awaited) relay = TRY(NotifyRelay::Create(directory.notify_directory(), manager));
  auto start = [&]() -> Result<> {
    TRY(RunStartHooks(context, config, state));
    return OpenGate(directory, config);
  };
  Result<> started = start();
  if (!started.ok()) {
    Result<> ended = EndProcess(state);
    if (!ended.ok()) context.warn(ended.error().message());
    return started;
  }
  state.status = "running";
  RunPoststart(context, config, state);
  if (!relay) return {};
  UniqueFd process = OpenContainerProcess(state);
  return process.valid() ? relay->Await(process.get(), state.pid) : Result<>();
}

Result<int> ParseSignal(const std::string& text) {
  constexpr uint64_t kLastSignal = 64;
  std::optional<uint64_t> number = ParseUint(text, kLastSignal);
  if (number) return static_cast<int>(*number);
  std::string name = text;
  for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  if (name.rfind("SIG", 0) == 0) name.erase(0, 3);
  for (const auto& [known, signal] : kSignals) {
    if (known == name) return signal;
  }
  if (name.rfind("RTMIN+", 0) == 0) {
    std::optional<uint64_t> offset = ParseUint(std::string_view(name).substr(6), 30);
    if (offset) return SIGRTMIN + static_cast<int>(*offset);
  }
  return Error(Code::kInvalid, "signal '" + text + "' is unknown");
}

Result<> KillContainer(const CommandContext& context, const std::string& id, int signal,
                       bool is_for_all) {
  State state = TRY(FindContainer(context, id));
  if (is_for_all && !state.cgroup_path.empty()) return KillGroup(state.cgroup_path, signal);
  UniqueFd process = OpenContainerProcess(state);
  // Of a container that has ended there are no processes: all of them have been signalled.
  if (!process.valid() && is_for_all) return {};
  if (!process.valid())
    return Error(Code::kConflict, "container '" + id + "' is stopped: container not running");
  return sys::SignalPidfd(process.get(), signal);
}

Result<> DeleteContainer(const CommandContext& context, const std::string& id, bool is_forced) {
  TRY(CheckContainerId(id));
  Result<StateDirectory> found = StateDirectory::Open(context.root, id);
  if (!found.ok() && is_forced && found.error().code() == Code::kNotFound) return {};
  StateDirectory directory = TRY(std::move(found));
  Result<State> loaded = directory.Load();
  if (!loaded.ok() && is_forced) return directory.Remove();
  State state = TRY(std::move(loaded));
  bool is_deletable = state.status == "stopped" || state.status == "created";
  if (!is_deletable && !is_forced)
    return Error(Code::kConflict, "container '" + id + "' is " + state.status +
                                      ": cannot delete container that is not stopped");
  Result<Config> config = LoadedConfig(directory);
  Result<> first = EndProcess(state);
  if (!state.cgroup_path.empty()) {
    Result<CgroupHost> host = CgroupHost::Discover(CgroupHost::Hierarchies::kEvery);
    auto remove = [&]() -> Result<> {
      if (!host.ok()) return std::move(host).error();
      Result<> removed = state.is_cgroup_shared ? host.value().RemoveIfEmpty(state.cgroup_path)
                                                : host.value().Remove(state.cgroup_path);
      if (config.ok() && HasOwnParentGroups(config.value()))
        host.value().RemoveEmptyParents(state.cgroup_path);
      if (state.systemd_unit.empty()) return removed;
      Result<> stopped = StopScope(BusOf(context, state), state.systemd_unit);
      return removed.ok() ? std::move(stopped) : std::move(removed);
    };
    Result<> removed = remove();
    if (first.ok()) first = std::move(removed);
  }
  Result<> detached = DetachRoot(state);
  if (first.ok()) first = std::move(detached);
  if (!first.ok()) return first;  // the state stays, so that it can be tried again
  TRY(directory.Remove());
  state.status = "stopped";
  state.pid = 0;
  if (config.ok()) RunPoststop(context, config.value(), state);
  return {};
}

Result<> DetachRoot(const State& state) {
  if (state.root_mount == 0) return {};
  Result<uint64_t> number = sys::MountNumber(AT_FDCWD, state.rootfs);
  // Another mount, or none: somebody was here before.
  if (!number.ok() || number.value() != state.root_mount) return {};
  return sys::DetachMount(state.rootfs);
}

Result<> FreezeContainer(const CommandContext& context, const std::string& id, bool is_frozen) {
  State state = TRY(FindContainer(context, id));
  std::string wanted = is_frozen ? "running" : "paused";
  bool is_right = state.status == wanted || (is_frozen && state.status == "created");
  if (!is_right) return WrongStatus(state, wanted);
  if (state.cgroup_path.empty())
    return Error(Code::kInvalid, "container '" + id + "' has no cgroup: it cannot be paused");
  CgroupHost host = TRY(CgroupHost::Discover(CgroupHost::Hierarchies::kEvery));
  std::string group = host.unified_mount() + "/" + state.cgroup_path;
  TRY(sys::WriteControl(AT_FDCWD, group + "/cgroup.freeze", is_frozen ? "1" : "0"));
  std::string wanted_line = is_frozen ? "frozen 1" : "frozen 0";
  int64_t deadline = MonotonicNanoseconds() + Nanoseconds(kCgroupEmptyTimeout).count();
  // The file is ready with POLLPRI when it has changed since it was read.
  UniqueFd events = TRY(sys::Open(AT_FDCWD, group + "/cgroup.events", O_RDONLY));
  for (;;) {
    std::string seen = TRY(sys::ReadAll(events.get(), "cgroup.events"));
    if (seen.find(wanted_line) != std::string::npos) return {};
    int64_t left = deadline - MonotonicNanoseconds();
    if (left <= 0) return Error(Code::kTimeout, "container '" + id + "' does not freeze");
    TRY(sys::PollPriority(events.get(), std::chrono::milliseconds(left / 1'000'000 + 1)));
    events = TRY(sys::Open(AT_FDCWD, group + "/cgroup.events", O_RDONLY));
  }
}

namespace {

Result<> CheckMemoryUse(const CgroupHost& host, const State& state, const CgroupLimits& limits) {
  if (!limits.memory_max || limits.memory_max == kUnlimitedBytes) return {};
  Cgroup group = TRY(host.Open(state.cgroup_path));
  std::optional<Bytes> use = group.Usage().memory_current;
  if (!use || *use <= *limits.memory_max) return {};
  return Error(Code::kConflict, "memory.limit: " + std::to_string(limits.memory_max->count()) +
                                    " bytes are less than the " + std::to_string(use->count()) +
                                    " that are in use (checkBeforeUpdate)");
}

}  // namespace

Result<> UpdateContainer(const CommandContext& context, const std::string& id,
                         const Resources& resources) {
  State state = TRY(FindContainer(context, id));
  if (state.status == "stopped")
    return Error(Code::kConflict, "container '" + id + "' is stopped: it cannot be updated");
  if (state.cgroup_path.empty())
    return Error(Code::kInvalid, "container '" + id + "' has no cgroup: it cannot be updated");
  if (!resources.device_rules.empty())
    return Error(Code::kInvalid, "devices: the rules of a container cannot be changed");
  CgroupHost host = TRY(CgroupHost::Discover(CgroupHost::Hierarchies::kEvery));
  if (resources.checks_memory_use) TRY(CheckMemoryUse(host, state, resources.limits));
  std::vector<std::string> warnings = resources.warnings;
  if (!state.systemd_unit.empty()) {
    std::string cpu_max =
        sys::ReadFile(AT_FDCWD, host.unified_mount() + "/" + state.cgroup_path + "/cpu.max")
            .ValueOr(std::string());
    std::vector<UnitProperty> properties = TRY(LimitProperties(resources.limits, cpu_max));
    TRY(SetScopeProperties(BusOf(context, state), state.systemd_unit, properties));
  }
  TRY(host.Update(state.cgroup_path, resources.limits, &warnings));
  for (const std::string& warning : warnings) context.warn(warning);
  return {};
}

Result<std::vector<int>> ContainerProcesses(const CommandContext& context, const std::string& id) {
  State state = TRY(FindContainer(context, id));
  if (state.cgroup_path.empty())
    return Error(Code::kInvalid, "container '" + id + "' has no cgroup: its processes are unknown");
  CgroupHost host = TRY(CgroupHost::Discover(CgroupHost::Hierarchies::kEvery));
  std::vector<int> pids;
  std::vector<std::string> groups = {host.unified_mount() + "/" + state.cgroup_path};
  while (!groups.empty()) {
    std::string group = std::move(groups.back());
    groups.pop_back();
    std::string text = TRY(sys::ReadFile(AT_FDCWD, group + "/cgroup.procs"));
    for (std::string_view line : Split(TrimSpace(text), '\n')) {
      std::optional<uint64_t> pid = ParseUint(line, INT32_MAX);
      if (pid && *pid != 0) pids.push_back(static_cast<int>(*pid));
    }
    std::vector<std::string> names = TRY(sys::ListDirectory(AT_FDCWD, group));
    for (const std::string& name : names) {
      Result<struct stat> info = sys::Stat(AT_FDCWD, group + "/" + name);
      if (info.ok() && S_ISDIR(info.value().st_mode)) groups.push_back(group + "/" + name);
    }
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

void RunPoststart(const CommandContext& context, const Config& config, const State& state) {
  if (config.hooks.poststart.empty()) return;
  for (const Error& error :
       RunEveryHook(config.hooks.poststart, "poststart", EncodePublicState(state)))
    context.warn(error.message());
}

void RunPoststop(const CommandContext& context, const Config& config, const State& state) {
  if (config.hooks.poststop.empty()) return;
  for (const Error& error :
       RunEveryHook(config.hooks.poststop, "poststop", EncodePublicState(state)))
    context.warn(error.message());
}

}  // namespace skiff::isolation::oci
