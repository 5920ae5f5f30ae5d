#include "isolation/oci/exec.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "isolation/base/text.h"
#include "isolation/cgroup.h"
#include "isolation/launch.h"
#include "isolation/limits.h"
#include "isolation/oci/config.h"
#include "isolation/oci/console.h"
#include "isolation/oci/container.h"
#include "isolation/oci/joined_user.h"
#include "isolation/oci/lifecycle.h"
#include "isolation/oci/limits.h"
#include "isolation/oci/rootless.h"
#include "isolation/oci/seccomp.h"
#include "isolation/oci/security_label.h"
#include "isolation/oci/state.h"
#include "isolation/sys/file.h"
#include "isolation/sys/namespace_types.h"
#include "isolation/sys/process.h"
#include "isolation/sys/socket.h"

namespace skiff::isolation::oci {
namespace {

constexpr std::pair<const char*, int> kNamespaces[] = {
    {"user", sys::kUserNamespace},     {"mnt", sys::kMountNamespace}, {"pid", sys::kPidNamespace},
    {"net", sys::kNetworkNamespace},   {"ipc", sys::kIpcNamespace},   {"uts", sys::kUtsNamespace},
    {"cgroup", sys::kCgroupNamespace}, {"time", sys::kTimeNamespace}};

// "1000", "1000:100".
Result<> SetUser(const std::string& text, Process* process) {
  if (text.empty()) return {};
  constexpr uint64_t kMaxId = UINT32_MAX - 1;
  std::vector<std::string_view> parts = Split(text, ':');
  std::optional<uint64_t> uid = ParseUint(parts[0], kMaxId);
  std::optional<uint64_t> gid = parts.size() > 1 ? ParseUint(parts[1], kMaxId) : process->gid;
  if (!uid || !gid || parts.size() > 2)
    return Error(Code::kInvalid, "--user '" + text + "' is not of the form UID[:GID]");
  process->uid = static_cast<uint32_t>(*uid);
  process->gid = static_cast<uint32_t>(*gid);
  process->additional_gids.clear();
  return {};
}

// "PATH" or "CONTROLLER,CONTROLLER:PATH", the path below the container's group.
Result<CgroupHost::Choice> ParseCgroup(const std::string& text) {
  CgroupHost::Choice choice;
  size_t colon = text.find(':');
  std::string_view path = text;
  if (colon != std::string::npos) {
    for (std::string_view name : Split(path.substr(0, colon), ','))
      choice.controllers.emplace_back(name);
    path.remove_prefix(colon + 1);
  }
  for (std::string_view part : Split(path, '/')) {
    if (part == "..")
      return Error(Code::kInvalid, "--cgroup: " + text + " .. is not a sub cgroup path");
    if (part.empty() || part == ".") continue;
    choice.path.append(choice.path.empty() ? "" : "/").append(part);
  }
  return choice;
}

void SetVariable(const std::string& entry, std::vector<std::string>* environment) {
  std::string prefix = entry.substr(0, entry.find('=') + 1);
  std::erase_if(*environment, [&](const std::string& old) { return old.rfind(prefix, 0) == 0; });
  environment->push_back(entry);
}

class Executor {
 public:
  Executor(const ExecOptions& options, int* failure_code)
      : options_(options), failure_code_(failure_code) {}
  Result<int> Run();

 private:
  Result<> FindContainer();
  Result<> MakeProcess();
  Result<> AddCapabilities();
  Result<> OpenNamespaces();
  Result<> OpenCgroup();
  Result<> ConnectConsole();
  Result<> JoinGroup(pid_t pid);
  Result<Launched> LaunchInGroup(LaunchFailure* failure);
  Result<int> Start();

  const ExecOptions& options_;
  int* failure_code_;
  State state_;
  Config config_;
  Process process_;
  ContainerSpec spec_;
  UniqueFd container_;  // its first process
  UniqueFd root_;
  std::vector<UniqueFd> namespaces_;
  std::optional<Cgroup> cgroup_;
  SeccompProgram seccomp_;
  UniqueFd console_;
  UniqueFd console_reader_;
};

Result<> Executor::FindContainer() {
  StateDirectory directory = TRY(StateDirectory::Open(options_.context.root, options_.id));
  state_ = TRY(directory.Load());
  bool is_paused = state_.status == "paused";
  if (is_paused && !options_.ignores_pause) {
    return Error(Code::kConflict, "container '" + options_.id +
                                      "' is paused: cannot exec in a paused container "
                                      "(use --ignore-paused to override)");
  }
  bool is_fit = is_paused || state_.status == "running" || state_.status == "created";
  if (!is_fit) {
    return Error(Code::kConflict, "container '" + options_.id + "' is " + state_.status +
                                      ": cannot exec in a container that is not running");
  }
  std::string text = TRY(directory.LoadConfig());
  config_ = TRY(ParseConfig(text));
  container_ = OpenContainerProcess(state_);
  if (!container_.valid())
    return Error(Code::kConflict, "container '" + options_.id + "' has ended");
  return {};
}

Result<> Executor::AddCapabilities() {
  for (const std::string& name : options_.capabilities) {
    std::optional<int> number = CapabilityByName(name);
    if (!number) {
      options_.context.warn("--cap: unknown capability '" + name + "'");
      continue;
    }
    CapabilityMask bit = CapabilityMask{1} << *number;
    CapabilitySets& sets = process_.capabilities;
    sets.bounding |= bit;
    sets.permitted |= bit;
    sets.effective |= bit;
  }
  return {};
}

Result<> Executor::MakeProcess() {
  std::vector<std::string> warnings;
  if (!options_.process_file.empty()) {
    std::string text = TRY(sys::ReadFile(AT_FDCWD, options_.process_file, kMaxConfigFile));
    process_ = TRY(ParseProcessFile(text, &warnings).Context(options_.process_file));
  } else {
    process_ = config_.process;
    std::vector<std::string> said_at_the_start;
    SettleSecurityLabels(&process_, &said_at_the_start);
    process_.has_terminal = options_.has_terminal;
    process_.no_new_privileges = options_.no_new_privileges;
    process_.arguments = options_.arguments;
    if (process_.arguments.empty()) return Error(Code::kInvalid, "no command is given");
  }
  process_.has_terminal = process_.has_terminal || options_.has_terminal;
  for (const std::string& entry : options_.environment) {
    if (entry.find('=') == std::string::npos || entry[0] == '=')
      return Error(Code::kInvalid, "--env '" + entry + "' is not of the form NAME=value");
    SetVariable(entry, &process_.environment);
  }
  if (!options_.working_directory.empty()) process_.working_directory = options_.working_directory;
  if (process_.working_directory.empty() || process_.working_directory[0] != '/')
    return Error(Code::kInvalid, "--cwd '" + process_.working_directory + "' is not absolute");
  TRY(SetUser(options_.user, &process_));
  process_.additional_gids.insert(process_.additional_gids.end(), options_.additional_gids.begin(),
                                  options_.additional_gids.end());
  if (process_.additional_gids.size() > kMaxGroups)
    return Error(Code::kInvalid,
                 "--additional-gids: more than " + std::to_string(kMaxGroups) + " groups");
  TRY(AddCapabilities());
  if (!options_.apparmor_profile.empty()) process_.apparmor_profile = options_.apparmor_profile;
  if (!options_.selinux_label.empty()) process_.selinux_label = options_.selinux_label;
  SettleSecurityLabels(&process_, &warnings);
  for (const std::string& warning : warnings) options_.context.warn(warning);
  // Nothing a later execve could inherit (CVE-2022-29162), unless ambient ones are asked for.
  if (options_.process_file.empty() && process_.capabilities.ambient == 0)
    process_.capabilities.inheritable = 0;
  PlanProcess(process_, &spec_);
  spec_.personality = config_.personality;
  spec_.memory_policy = config_.memory_policy;
  spec_.processors = process_.final_processors;
  return {};
}

// Only those that differ from this process's own. The descriptors are those of the process that
// `container_` names: it is still there afterwards.
Result<> Executor::OpenNamespaces() {
  std::string process = "/proc/" + std::to_string(state_.pid);
  NamespaceSpec& namespaces = spec_.namespaces;
  namespaces.new_pid = namespaces.new_mount = namespaces.new_uts = namespaces.new_ipc =
      namespaces.new_cgroup = false;
  for (const auto& [name, type] : kNamespaces) {
    // A kernel without time namespaces has no file for them.
    if (type == sys::kTimeNamespace && !sys::Exists(AT_FDCWD, process + "/ns/time")) continue;
    UniqueFd theirs = TRY(sys::Open(AT_FDCWD, process + "/ns/" + name, O_RDONLY));
    UniqueFd ours = TRY(sys::OpenOwnNamespace(name));
    struct stat their_info = TRY(sys::StatFd(theirs.get()));
    struct stat our_info = TRY(sys::StatFd(ours.get()));
    if (their_info.st_ino == our_info.st_ino) continue;
    namespaces.joins.push_back({theirs.get(), type});
    namespaces_.push_back(std::move(theirs));
  }
  root_ = TRY(sys::Open(AT_FDCWD, process + "/root", O_PATH | O_DIRECTORY));
  // Its mounts are ours: then its root is all that it has of its own.
  bool has_mounts =
      std::any_of(namespaces.joins.begin(), namespaces.joins.end(),
                  [](const NamespaceJoin& join) { return join.type == sys::kMountNamespace; });
  if (!has_mounts) spec_.kept_root = root_.get();
  bool has_ended = TRY(sys::PollReadable(container_.get(), std::chrono::milliseconds(0)));
  if (has_ended) return Error(Code::kConflict, "container '" + options_.id + "' has ended");
  return {};
}

Result<> Executor::OpenCgroup() {
  if (state_.cgroup_path.empty()) return {};
  std::vector<CgroupHost::Choice> choices;
  for (const std::string& text : options_.cgroups) {
    CgroupHost::Choice choice = TRY(ParseCgroup(text));
    choices.push_back(std::move(choice));
  }
  CgroupHost host = TRY(CgroupHost::Discover(CgroupHost::Hierarchies::kEvery));
  Result<Cgroup> group = host.Open(state_.cgroup_path, choices);
  if (!group.ok())
    return std::move(group).error().Context("exec: adding pid of the process to cgroups");
  cgroup_ = std::move(group).value();
  spec_.asks_for_group = state_.is_systemd_user;
  return {};
}

// A user may not move a process from a group that is not below his own manager's; that one may.
Result<> Executor::JoinGroup(pid_t pid) {
  Result<> written = sys::WriteControl(cgroup_->unified_fd(), "cgroup.procs", std::to_string(pid));
  bool is_denied = !written.ok() && written.error().code() == Code::kDenied;
  if (!is_denied || !options_.cgroups.empty()) return written;
  return AttachToScope(BusOf(options_.context, state_), state_.systemd_unit, pid);
}

// A group whose controllers are passed on to groups below takes no process: then the first
// process's own group, wherever it has been moved to, unless another was asked for.
Result<Launched> Executor::LaunchInGroup(LaunchFailure* failure) {
  LaunchCallbacks callbacks;
  callbacks.join_group = [&](pid_t pid) { return JoinGroup(pid); };
  callbacks.on_listener = [&](pid_t pid, UniqueFd listener) {
    const std::string& metadata = config_.seccomp->listener_metadata;
    return SendListener(*config_.seccomp, EncodeProcessState(state_, pid, metadata),
                        listener.get());
  };
  Result<Launched> launched = Launch(spec_, cgroup_ ? &*cgroup_ : nullptr, failure, callbacks);
  bool is_full = !launched.ok() && cgroup_ && failure->step == LaunchStep::kNone &&
                 launched.error().sys_errno() == EBUSY;
  if (!is_full) return launched;
  if (!options_.cgroups.empty()) {
    return std::move(launched).error().Context("exec: adding pid of the process to cgroups: /" +
                                               state_.cgroup_path +
                                               "/cgroup.procs: device or resource busy");
  }
  std::string own = TRY(sys::ReadFile(AT_FDCWD, "/proc/" + std::to_string(state_.pid) + "/cgroup"));
  for (std::string_view line : Split(own, '\n')) {
    if (line.rfind("0::/", 0) != 0) continue;
    CgroupHost host = TRY(CgroupHost::Discover(CgroupHost::Hierarchies::kEvery));
    cgroup_ = TRY(host.Open(std::string(line.substr(4))));
    return Launch(spec_, &*cgroup_, failure, callbacks);
  }
  return launched;
}

Result<> Executor::ConnectConsole() {
  if (!process_.has_terminal) return {};
  if (!options_.console_socket.empty()) {
    console_ = TRY(sys::ConnectUnix(options_.console_socket).Context("--console-socket"));
  } else if (!options_.is_detached) {
    sys::SocketPair pair = TRY(sys::MakeSocketPair());
    console_ = std::move(pair.theirs);
    console_reader_ = std::move(pair.ours);
  } else {
    return Error(Code::kInvalid, "--tty: use --console-socket with a detached terminal");
  }
  spec_.console_socket = console_.get();
  return {};
}

Result<int> Executor::Start() {
  UniqueFd signals;
  if (!options_.is_detached) signals = TRY(HoldSignals());
  // Before anything of it is inside: the child is a copy of this process.
  TRY(sys::SetNonDumpable());
  // The child begins where this process is.
  if (!process_.initial_processors.empty()) TRY(sys::SetProcessors(process_.initial_processors));
  LaunchFailure failure;
  Result<Launched> launched = LaunchInGroup(&failure);
  if (!launched.ok()) return std::move(launched).error();
  TellSteps(launched.value(), options_.context, true);
  sys::Process process = std::move(launched.value().process);
  Result<> noted = WritePidFile(options_.pid_file, process.pid);
  if (!noted.ok()) {
    sys::SignalPidfd(process.pidfd.get(), SIGKILL).Ignore();
    [[maybe_unused]] auto reaped = sys::WaitPidfd(process.pidfd.get(), true);
    return std::move(noted).error();
  }
  if (options_.is_detached) return 0;
  UniqueFd master;
  if (console_reader_.valid()) {
    console_.Reset();
    master = TRY(sys::ReceiveDescriptor(console_reader_.get()).Context("terminal"));
  }
  return Attend(process, signals.get(), master.get());
}

Result<int> Executor::Run() {
  *failure_code_ = 255;  // as runc and crun, so that it is told from the program's own
  TRY(FindContainer());
  bool is_rootless = options_.context.caller.has_value();
  bool lacks_rights = TRY(IsRootless());
  // There are processes in it already: this one does not begin again where they might look into it.
  bool enters_directly = lacks_rights && !is_rootless && JoinsUser(config_);
  if (enters_directly) TRY(options_.context.begin_sealed());
  if (lacks_rights && !is_rootless && !enters_directly) {
    TRY(BecomeRootAbove(state_.pid));
    TRY(options_.context.begin_again());
  }
  TRY(MakeProcess());
  TRY(OpenNamespaces());
  TRY(OpenCgroup());
  TRY(ConnectConsole());
  if (enters_directly) TRY(BecomeRootOfJoinedUser(&spec_.namespaces.joins));
  spec_.namespaces.is_in_user = enters_directly || (!is_rootless && IsInUserNamespace());
  if (is_rootless || enters_directly) SettleForOwnRoot(&spec_.namespaces);
  SetHome(root_.get(), &spec_);
  TRY(LimitCapabilities(&spec_, options_.context));
  if (config_.seccomp) {
    seccomp_ = TRY(
        LoadSeccomp(*config_.seccomp, options_.context.root + "/.cache").Context("linux.seccomp"));
    spec_.seccomp = &seccomp_;
    spec_.seccomp_flags = config_.seccomp->flags;
    spec_.seccomp_listens = !config_.seccomp->listener_path.empty();
  }
  for (int stream = 0; stream < 3; ++stream) spec_.standard_fds[stream] = stream;
  PassListeners(options_.preserved_descriptors, &spec_);
  spec_.dies_with_caller = !options_.is_detached;
  spec_.new_keyring = false;
  return Start();
}

}  // namespace

Result<int> Exec(const ExecOptions& options, int* failure_code) {
  return Executor(options, failure_code).Run();
}

}  // namespace skiff::isolation::oci
