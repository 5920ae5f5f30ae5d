#include "isolation/oci/run.h"

#include <fcntl.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <memory>

#include "isolation/base/clock.h"
#include "isolation/base/text.h"
#include "isolation/cgroup.h"
#include "isolation/launch.h"
#include "isolation/oci/config.h"
#include "isolation/oci/console.h"
#include "isolation/oci/container.h"
#include "isolation/oci/hooks.h"
#include "isolation/oci/joined_user.h"
#include "isolation/oci/lifecycle.h"
#include "isolation/oci/limits.h"
#include "isolation/oci/notify.h"
#include "isolation/oci/own_group.h"
#include "isolation/oci/rootless.h"
#include "isolation/oci/seccomp.h"
#include "isolation/oci/security_label.h"
#include "isolation/oci/state.h"
#include "isolation/sys/file.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/namespace_types.h"
#include "isolation/sys/process.h"
#include "isolation/sys/socket.h"

namespace skiff::isolation::oci {
namespace {

Result<std::string> AbsoluteDirectory(const std::string& path) {
  std::unique_ptr<char, decltype(&free)> resolved(realpath(path.c_str(), nullptr), &free);
  if (!resolved) return Error::FromErrno(errno, path);
  return std::string(resolved.get());
}

constexpr uint64_t kReadOnly = 1;  // MOUNT_ATTR_RDONLY

MountSpec OwnGroupBind(const std::string& source, const MountSpec& cgroup) {
  MountSpec bind = cgroup;
  bind.kind = MountSpec::Kind::kBind;
  bind.source = source;
  bind.options.clear();
  return bind;
}

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// A host whose controllers sit in cgroup v1 shows them as every runtime does there: a tmpfs with a
// directory for each hierarchy, holding the container's own group.
std::vector<MountSpec> HybridGroups(const OwnGroup& cgroup, const MountSpec& mount) {
  MountSpec parent;
  parent.type = "tmpfs";
  parent.target = mount.target;
  parent.options = {{"mode", "755"}, {"size", "64k"}};
  parent.attributes = mount.attributes;
  std::vector<MountSpec> mounts = {parent};
  const std::string& path = cgroup.get()->path();
  for (const std::string& directory : cgroup.host().Directories(path)) {
    MountSpec bind = OwnGroupBind(directory, mount);
    std::string hierarchy = directory.substr(0, directory.size() - path.size() - 1);
    bind.target = mount.target + "/" + BaseName(hierarchy);
    mounts.push_back(std::move(bind));
  }
  return mounts;
}

MountSpec HostGroupsBind(const MountSpec& cgroup) {
  MountSpec bind = OwnGroupBind("/sys/fs/cgroup", cgroup);
  bind.is_recursive = bind.is_attributes_recursive = true;
  bind.attributes |= kReadOnly;
  return bind;
}

// Without a cgroup namespace a new cgroup2 mount would show the host's whole tree: the container
// gets its own group instead.
void SettleCgroupMounts(const OwnGroup& cgroup, ContainerSpec* spec) {
  std::vector<std::string> directories;
  if (cgroup.get() != nullptr) directories = cgroup.host().Directories(cgroup.get()->path());
  std::vector<MountSpec> settled;
  for (const MountSpec& mount : spec->mounts) {
    bool is_group = mount.kind == MountSpec::Kind::kCgroup;
    if (is_group && directories.size() > 1 && mount.type == "cgroup") {
      std::vector<MountSpec> groups = HybridGroups(cgroup, mount);
      settled.insert(settled.end(), groups.begin(), groups.end());
      continue;
    }
    bool is_bind = is_group && !spec->namespaces.new_cgroup && !directories.empty();
    // Nor may a user namespace make one then, and without a group of his own he sees what there is.
    if (is_group && !spec->namespaces.new_cgroup && directories.empty() &&
        !spec->namespaces.MayMakeNodes()) {
      settled.push_back(HostGroupsBind(mount));
      continue;
    }
    settled.push_back(is_bind ? OwnGroupBind(directories[0], mount) : mount);
    if (settled.back().kind == MountSpec::Kind::kCgroup) settled.back().type = "cgroup2";
  }
  spec->mounts = std::move(settled);
}

}  // namespace

void SetHome(int rootfs, ContainerSpec* spec) {
  for (const std::string& entry : spec->environment) {
    if (entry.rfind("HOME=", 0) == 0) return;
  }
  Result<ContainerUser> user = ResolveUserIn(rootfs, std::to_string(spec->user.uid));
  spec->environment.push_back("HOME=" + (user.ok() ? user.value().home : "/"));
}

Result<> LimitCapabilities(ContainerSpec* spec, const CommandContext& context) {
  CapabilityMask own = TRY(OwnEffectiveCapabilities());
  // A user namespace of its own gives every capability inside it.
  if (spec->namespaces.HasOwnUser()) own = AllCapabilities();
  CapabilitySets& sets = spec->capabilities;
  CapabilityMask missing = (sets.bounding | sets.permitted | sets.inheritable) & ~own;
  for (const std::string& name : CapabilityNames(missing))
    context.warn("capability " + name + " cannot be granted: this process does not hold it");
  for (CapabilityMask* set : {&sets.bounding, &sets.permitted, &sets.inheritable}) *set &= own;
  sets.effective &= sets.permitted;
  // The kernel's condition for the ambient set: capabilities(7).
  sets.ambient &= sets.permitted & sets.inheritable;
  return {};
}

void PassListeners(unsigned preserved, ContainerSpec* spec) {
  spec->kept_descriptors = preserved;
  const char* listeners = getenv("LISTEN_FDS");
  std::optional<uint64_t> count = listeners == nullptr ? std::nullopt : ParseUint(listeners, 1024);
  if (!count) return;
  spec->environment.push_back("LISTEN_FDS=" + std::string(listeners));
  spec->environment.emplace_back("LISTEN_PID=1");
  spec->kept_descriptors += static_cast<unsigned>(*count);
}

Result<> WritePidFile(const std::string& path, pid_t pid) {
  if (path.empty()) return {};
  // Whoever waits for the file reads it whole.
  std::string fresh = path + ".new";
  TRY(sys::WriteFile(AT_FDCWD, fresh, std::to_string(pid), 0644).Context("pid file"));
  return sys::Rename(AT_FDCWD, fresh, AT_FDCWD, path).Context("pid file");
}

// What runc's log says at that step: people search for it, and runc's own suite does.
std::string_view WordsOfRunc(LaunchStep step, bool is_exec) {
  if (step == LaunchStep::kNone) return " (nsexec container setup)";
  if (step == LaunchStep::kIdentity) return " (child process in init())";
  if (step != LaunchStep::kExec) return "";
  return is_exec ? " (setns_init: about to exec)"
                 : " (init: closing the pipe to signal completion)";
}

void TellSteps(const Launched& launched, const CommandContext& context, bool is_exec) {
  for (size_t i = 0; i < launched.step_nanoseconds.size(); ++i) {
    int64_t nanoseconds = launched.step_nanoseconds[i];
    if (nanoseconds == 0) continue;
    auto step = static_cast<LaunchStep>(i);
    context.debug(std::string(LaunchStepName(step)) + ": " + std::to_string(nanoseconds / 1000) +
                  " us" + std::string(WordsOfRunc(step, is_exec)));
  }
}

namespace {

// Where the root is attached for a moment, seen by nobody else: a user namespace's root may not
// reach the bundle's directory.
std::string PlaceForAll() {
  for (const char* place : {"/mnt", "/srv", "/media", "/opt"}) {
    if (sys::Exists(AT_FDCWD, place)) return place;
  }
  return "/tmp";
}

// By the file alone: a program linked statically cannot load what else names users.
std::string OwnerName(uid_t number) {
  std::string uid = std::to_string(number);
  Result<std::string> passwd = sys::ReadFile(AT_FDCWD, "/etc/passwd");
  if (!passwd.ok()) return uid;
  for (std::string_view line : Split(passwd.value(), '\n')) {
    std::vector<std::string_view> fields = Split(line, ':');
    if (fields.size() > 2 && fields[2] == uid) return std::string(fields[0]);
  }
  return uid;
}

// A user namespace may not make nodes. The host's are bound, but where they are missing or somebody
// else's.
Result<> SupplyDevices(const StateDirectory& directory, ContainerSpec* spec) {
  if (spec->namespaces.MayMakeNodes()) return {};
  for (DeviceSpec& device : spec->devices) {
    if (device.type == 'p') continue;
    bool is_as_wanted = device.uid == 0 && device.gid == 0 && sys::Exists(AT_FDCWD, device.path);
    if (is_as_wanted) continue;
    uid_t uid = OutsideId(spec->namespaces.uid_mappings, device.uid);
    gid_t gid = OutsideId(spec->namespaces.gid_mappings, device.gid);
    device.host_path = TRY(directory.MakeDevice(device, uid, gid).Context("device " + device.path));
  }
  return {};
}

bool HasNewPidNamespace(const Config& config) {
  auto found = config.namespaces.find(NamespaceType::kPid);
  return found != config.namespaces.end() && found->second.empty();
}

class Runner {
 public:
  Runner(const RunOptions& options, int* failure_code)
      : options_(options), context_(options.context), failure_code_(failure_code) {}
  Result<int> Run();

 private:
  Result<> Load();
  Result<> BecomeRoot();
  Result<> MakeCgroup();
  Result<> OpenRoot();
  Result<> Prepare();
  Result<> ConnectConsole();
  Result<> MoveDevices(pid_t pid);
  Result<> BeforePivot(pid_t pid);
  Result<> Start();
  Result<int> Finish();
  Result<> CleanUp();
  State MakeState(const std::string& status, pid_t pid) const;

  const RunOptions& options_;
  const CommandContext& context_;
  int* failure_code_;
  std::string bundle_;
  std::string text_;
  Config config_;
  ContainerPlan plan_;
  std::optional<StateDirectory> directory_;
  OwnGroup cgroup_;
  UniqueFd rootfs_;
  UniqueFd user_;  // joined by path
  std::vector<UniqueFd> namespaces_;
  MoveBack move_back_;  // the network devices, until the container has begun
  SeccompProgram seccomp_;
  UniqueFd console_;         // what the child sends its terminal to
  UniqueFd console_reader_;  // our side of it, in the foreground
  std::optional<NotifyRelay> relay_;
  UniqueFd gate_;
  UniqueFd signals_;
  sys::Process process_;
  bool is_rootless_ = context_.caller.has_value();
  bool has_own_manager_ = false;
  std::string cgroup_path_;  // relative to the hierarchies' roots; or, with systemd:
  ScopeName scope_name_;
  uint64_t root_mount_ = 0;  // as in State
  std::string owner_ = OwnerName(context_.caller.value_or(geteuid()));
  std::string created_ = FormatRfc3339(WallNanoseconds());
};

// For a caller without rights on the host. The program begins again where whoever has rights in
// the user namespace may look into it: not in a pid namespace that has processes of it already
// (CVE-2016-9962).
Result<> Runner::BecomeRoot() {
  bool joins_user = JoinsUser(config_);
  bool is_alone = !joins_user || HasNewPidNamespace(config_);
  if (!is_alone) TRY(context_.begin_sealed());
  if (joins_user) {
    TRY(BecomeRootOfJoinedUser(config_));
  } else {
    TRY(BecomeOwnRoot(config_));
  }
  if (is_alone) return context_.begin_again();
  is_rootless_ = true;
  return sys::SetNonDumpable();
}

Result<> Runner::Load() {
  TRY(CheckContainerId(options_.id));
  bundle_ = TRY(AbsoluteDirectory(options_.bundle).Context("bundle"));
  std::string path = options_.config[0] == '/' ? options_.config : bundle_ + "/" + options_.config;
  text_ = TRY(sys::ReadFile(AT_FDCWD, path, kMaxConfigFile));
  config_ = TRY(ParseConfig(text_).Context(path));
  bool lacks_rights = TRY(IsRootless());
  if (lacks_rights && !is_rootless_) {
    TRY(BecomeRoot().Context(path));
  }
  user_ = TRY(OpenJoinedUser(&config_, is_rootless_).Context(path));
  SettleSecurityLabels(&config_.process, &config_.warnings);
  SettleMountLabel(&config_);
  plan_ = TRY(PlanContainer(config_, bundle_, options_.id).Context(path));
  plan_.spec.namespaces.enter_user = user_.get();
  if (context_.cgroups == CgroupSource::kSystemd) {
    has_own_manager_ = HasOwnManager();
    scope_name_ = TRY(PlanScope(config_.cgroups_path, options_.id, has_own_manager_).Context(path));
  } else {
    cgroup_path_ = TRY(PlanCgroupPath(config_.cgroups_path, options_.id).Context(path));
  }
  for (const std::string& warning : config_.warnings) context_.warn(warning);
  for (const std::string& warning : config_.resources.warnings) context_.warn(warning);
  if (context_.cgroups == CgroupSource::kNone && !config_.resources.limit_paths.empty()) {
    return Error(Code::kInvalid, config_.resources.limit_paths[0] +
                                     ": cannot be enforced with the cgroup manager disabled");
  }
  return {};
}

Result<> Runner::ConnectConsole() {
  bool is_foreground = options_.mode == RunMode::kForeground;
  if (!config_.process.has_terminal) {
    if (options_.console_socket.empty()) return {};
    return Error(Code::kInvalid, "--console-socket: process.terminal is not true");
  }
  if (!options_.console_socket.empty()) {
    console_ = TRY(sys::ConnectUnix(options_.console_socket).Context("--console-socket"));
  } else if (is_foreground) {
    sys::SocketPair pair = TRY(sys::MakeSocketPair());
    console_ = std::move(pair.theirs);
    console_reader_ = std::move(pair.ours);
  } else {
    return Error(Code::kInvalid, "process.terminal: use --console-socket with a detached terminal");
  }
  plan_.spec.console_socket = console_.get();
  return {};
}

Result<> Runner::OpenRoot() {
  ContainerSpec& spec = plan_.spec;
  plan_.rootfs = TRY(AbsoluteDirectory(plan_.rootfs).Context("root.path"));
  spec.attach_point = spec.namespaces.HasOwnUser() ? PlaceForAll() : plan_.rootfs;
  rootfs_ = TRY(sys::CloneMount(AT_FDCWD, plan_.rootfs, true).Context("root.path"));
  spec.root_mount = rootfs_.get();
  auto mounts = config_.namespaces.find(NamespaceType::kMount);
  bool joins_mounts = mounts != config_.namespaces.end() && !mounts->second.empty();
  spec.binds_in_turn = !spec.namespaces.HasOwnUser() && !joins_mounts;
  if (mounts == config_.namespaces.end()) root_mount_ = TRY(sys::MountNumber(rootfs_.get(), ""));
  SetHome(rootfs_.get(), &spec);
  TRY(LimitCapabilities(&spec, context_));
  for (const auto& [type, path] : plan_.joins) {
    if (type == sys::kUserNamespace) continue;  // enter_user
    UniqueFd fd = TRY(sys::Open(AT_FDCWD, path, O_RDONLY).Context("linux.namespaces"));
    spec.namespaces.joins.push_back({fd.get(), type});
    namespaces_.push_back(std::move(fd));
  }
  return {};
}

// Who has no group to make others in goes without, unless he asked for something in it.
Result<> Runner::MakeCgroup() {
  if (context_.cgroups == CgroupSource::kNone) return {};
  if (context_.cgroups == CgroupSource::kSystemd) {
    return cgroup_.CreateScope({context_.systemd_program, has_own_manager_}, scope_name_,
                               options_.id, config_, context_.warn);
  }
  Result<> made = cgroup_.Create(cgroup_path_, config_, context_.warn);
  bool has_less_rights = is_rootless_ || plan_.spec.namespaces.is_in_user;
  bool may_lack = context_.may_lack_cgroup.value_or(has_less_rights);
  if (made.ok() || !may_lack || made.error().code() != Code::kDenied) return made;
  // In runc's words, which its suite looks for.
  if (!config_.cgroups_path.empty())
    return std::move(made).Context("linux.cgroupsPath: unable to apply cgroup configuration");
  if (!config_.resources.limit_paths.empty()) {
    return std::move(made).Context(config_.resources.limit_paths[0] +
                                   ": rootless needs no limits + no cgrouppath when no permission "
                                   "is granted for cgroups");
  }
  context_.debug("no cgroup: " + made.error().message());
  return {};
}

Result<> Runner::Prepare() {
  ContainerSpec& spec = plan_.spec;
  StateDirectory directory = TRY(StateDirectory::Create(context_.root, options_.id));
  directory_.emplace(std::move(directory));
  TRY(directory_->StoreConfig(text_));
  bool is_user_entered = is_rootless_ && JoinsUser(config_);
  spec.namespaces.is_in_user = is_user_entered || (!is_rootless_ && IsInUserNamespace());
  if (is_rootless_ && !config_.net_devices.empty()) {
    return Error(Code::kDenied,
                 "linux.netDevices: whoever is not root may not take devices out of the network "
                 "namespace of the host");
  }
  if (is_rootless_) SettleForOwnRoot(&spec.namespaces);
  TRY(OpenRoot());
  TRY(SupplyDevices(*directory_, &spec));
  if (config_.seccomp) {
    seccomp_ =
        TRY(LoadSeccomp(*config_.seccomp, context_.root + "/.cache").Context("linux.seccomp"));
    spec.seccomp = &seccomp_;
    spec.seccomp_flags = config_.seccomp->flags;
    spec.seccomp_listens = !config_.seccomp->listener_path.empty();
  }
  TRY(MakeCgroup());
  spec.asks_for_group = cgroup_.must_be_joined();
  SettleCgroupMounts(cgroup_, &spec);
  for (int stream = 0; stream < 3; ++stream) spec.standard_fds[stream] = stream;
  PassListeners(options_.preserved_descriptors, &spec);
  TRY(ConnectConsole());
  std::string manager = NotifySocket();
  if (!manager.empty()) {
    relay_ = TRY(NotifyRelay::Create(directory_->notify_directory(), manager));
    relay_->AddTo(&spec);
  }
  spec.new_keyring = options_.new_keyring;
  spec.moves_root = options_.moves_root;
  spec.dies_with_caller = options_.mode == RunMode::kForeground;
  const Hooks& hooks = config_.hooks;
  spec.asks_for_links = !config_.net_devices.empty();
  spec.pauses_before_pivot =
      !(hooks.prestart.empty() && hooks.create_runtime.empty() && hooks.create_container.empty());
  if (options_.mode == RunMode::kCreate || !hooks.start_container.empty()) {
    gate_ = TRY(sys::ListenUnix(directory_->gate_path(), 1));
    spec.gate = gate_.get();
  }
  return {};
}

State Runner::MakeState(const std::string& status, pid_t pid) const {
  return {.version = config_.version,
          .id = options_.id,
          .status = status,
          .pid = pid,
          .pid_start = pid > 0 ? ProcessStart(pid).ValueOr(0) : 0,
          .bundle = bundle_,
          .rootfs = plan_.rootfs,
          .cgroup_path = cgroup_.path(),
          .is_cgroup_shared = cgroup_.is_shared(),
          .systemd_unit = cgroup_.unit(),
          .is_systemd_user = cgroup_.is_user(),
          .root_mount = root_mount_,
          .created = created_,
          .owner = owner_,
          .annotations = config_.annotations};
}

// Before sysctls, which may name them, and hooks.
Result<> Runner::MoveDevices(pid_t pid) {
  UniqueFd network = TRY(sys::Open(AT_FDCWD, "/proc/" + std::to_string(pid) + "/ns/net", O_RDONLY));
  UniqueFd own = TRY(sys::OpenOwnNamespace("net"));
  struct stat theirs = TRY(sys::StatFd(network.get()));
  struct stat ours = TRY(sys::StatFd(own.get()));
  if (theirs.st_ino == ours.st_ino) {
    return Error(Code::kInvalid,
                 "linux.netDevices: the container's network namespace is that of the runtime");
  }
  Result<MoveBack> moved = options_.move_net_devices(config_.net_devices, network.get());
  move_back_ = TRY(std::move(moved).Context("linux.netDevices"));
  return {};
}

Result<> Runner::BeforePivot(pid_t pid) {
  State state = MakeState("creating", pid);
  TRY(directory_->Store(state));
  std::string text = EncodePublicState(state);
  // What the specification's own suite and crun tell this one, which was there before "creating".
  TRY(RunHooks(config_.hooks.prestart, "prestart", EncodePublicState(MakeState("created", pid))));
  TRY(RunHooks(config_.hooks.create_runtime, "createRuntime", text));
  UniqueFd pidfd = TRY(sys::OpenPidfd(pid));
  constexpr int kTypes =
      sys::kMountNamespace | sys::kNetworkNamespace | sys::kUtsNamespace | sys::kIpcNamespace;
  return RunHooks(config_.hooks.create_container, "createContainer", text,
                  {pidfd.get(), kTypes, plan_.spec.attach_point});
}

Result<> Runner::Start() {
  if (options_.mode == RunMode::kForeground) signals_ = TRY(HoldSignals());
  LaunchFailure failure;
  LaunchCallbacks callbacks{.join_group = [&](pid_t pid) { return cgroup_.Join(pid); },
                            .on_network = [&](pid_t pid) { return MoveDevices(pid); },
                            .before_pivot = [&](pid_t pid) { return BeforePivot(pid); },
                            .on_listener =
                                [&](pid_t pid, UniqueFd listener) {
                                  const std::string& metadata = config_.seccomp->listener_metadata;
                                  return SendListener(
                                      *config_.seccomp,
                                      EncodeProcessState(MakeState("creating", pid), pid, metadata),
                                      listener.get());
                                }};
  Result<Launched> launched = Launch(plan_.spec, cgroup_.get(), &failure, callbacks);
  if (!launched.ok()) {
    if (failure.step == LaunchStep::kExec) *failure_code_ = failure.ExitCode();
    return std::move(launched).error();
  }
  process_ = std::move(launched.value().process);
  cgroup_.Settle();
  gate_.Reset();
  TellSteps(launched.value(), context_, false);
  TRY(directory_->Store(MakeState("running", process_.pid)));
  return WritePidFile(options_.pid_file, process_.pid);
}

Result<int> Runner::Finish() {
  if (options_.mode != RunMode::kCreate) {
    if (plan_.spec.gate >= 0) {
      TRY(StartContainer(context_, options_.id, false));
    } else {
      RunPoststart(context_, config_, MakeState("running", process_.pid));
    }
  }
  // What becomes of them now is the kernel's: virtual ones go with the namespace, others come back
  // to the host's first one.
  move_back_ = nullptr;
  bool is_detached = options_.mode == RunMode::kDetached;
  if (relay_ && is_detached) TRY(relay_->Await(process_.pidfd.get(), process_.pid));
  if (options_.mode != RunMode::kForeground) {
    cgroup_.Keep();
    directory_->Keep();
    process_.pidfd.Reset();
    return 0;
  }
  UniqueFd master;
  if (console_reader_.valid()) {
    console_.Reset();
    master = TRY(sys::ReceiveDescriptor(console_reader_.get()).Context("terminal"));
  }
  int code = TRY(Attend(process_, signals_.get(), master.get(), relay_ ? &*relay_ : nullptr));
  process_.pidfd.Reset();
  if (options_.keeps_state) {
    cgroup_.Keep();
    directory_->Keep();
  }
  return code;
}

// Every step runs; the first cause is told.
Result<> Runner::CleanUp() {
  if (process_.pidfd.valid()) {
    sys::SignalPidfd(process_.pidfd.get(), SIGKILL).Ignore();
    [[maybe_unused]] auto reaped = sys::WaitPidfd(process_.pidfd.get(), true);
  }
  State state = MakeState("stopped", 0);
  Result<> first = move_back_ ? move_back_() : Result<>();
  Result<> removed_group = cgroup_.Remove();
  if (first.ok()) first = std::move(removed_group);
  Result<> detached = DetachRoot(state);
  if (first.ok()) first = std::move(detached);
  Result<> removed = directory_ ? directory_->Remove() : Result<>();
  if (process_.pid > 0) RunPoststop(context_, config_, state);
  return first.ok() ? std::move(removed) : std::move(first);
}

Result<int> Runner::Run() {
  *failure_code_ = kRunFailed;
  auto run = [&]() -> Result<int> {
    TRY(Load());
    TRY(Prepare());
    TRY(Start());
    return Finish();
  };
  Result<int> code = run();
  bool stays = code.ok() && (options_.mode != RunMode::kForeground || options_.keeps_state);
  if (stays) return code;
  Result<> clean = CleanUp();
  if (!clean.ok()) context_.warn("clean up: " + clean.error().message());
  return code;
}

}  // namespace

Result<int> Run(const RunOptions& options, int* failure_code) {
  return Runner(options, failure_code).Run();
}

}  // namespace skiff::isolation::oci
