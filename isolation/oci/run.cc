#include "isolation/oci/run.h"

#include <fcntl.h>
#include <poll.h>

#include <climits>
#include <cstdlib>
#include <memory>

#include "isolation/base/clock.h"
#include "isolation/cgroup.h"
#include "isolation/device_filter.h"
#include "isolation/launch.h"
#include "isolation/oci/config.h"
#include "isolation/oci/container.h"
#include "isolation/oci/limits.h"
#include "isolation/oci/seccomp.h"
#include "isolation/oci/state.h"
#include "isolation/sys/file.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/process.h"

namespace skiff::isolation::oci {
namespace {

Result<std::string> AbsoluteDirectory(const std::string& path) {
  std::unique_ptr<char, decltype(&free)> resolved(realpath(path.c_str(), nullptr), &free);
  if (!resolved) return Error::FromErrno(errno, path);
  return std::string(resolved.get());
}

// A group of this run's own, removed with it. Null host: none is wanted.
class OwnCgroup {
 public:
  OwnCgroup() = default;
  OwnCgroup(OwnCgroup&&) = delete;
  ~OwnCgroup() { Remove().Ignore(); }

  Result<> Create(const std::string& path, const Config& config,
                  const std::function<void(std::string_view)>& warn) {
    CgroupHost host = TRY(CgroupHost::Discover());
    // Removing kills what is inside: only a group that was not there before may be ours.
    for (const std::string& directory : host.Directories(path)) {
      if (sys::Exists(AT_FDCWD, directory))
        return Error(Code::kConflict, "linux.cgroupsPath: " + directory + " exists already");
    }
    std::vector<std::string> warnings;
    cgroup_ = TRY(host.Create(path, config.resources.limits, &warnings));
    host_ = std::move(host);
    for (const std::string& warning : warnings) warn(warning);
    std::vector<DeviceRule> rules = WithDefaultRules(config.resources.device_rules);
    if (rules.empty()) return {};
    return ApplyDeviceRules(rules, cgroup_->unified_fd()).Context("linux.resources.devices");
  }

  Result<> Remove() {
    if (!host_) return {};
    std::string path = cgroup_->path();
    Result<> removed = host_->Remove(path);
    host_.reset();
    cgroup_.reset();
    return removed;
  }

  const Cgroup* get() const { return cgroup_ ? &*cgroup_ : nullptr; }
  std::string path() const { return cgroup_ ? cgroup_->path() : ""; }
  std::string directory() const { return host_->unified_mount() + "/" + cgroup_->path(); }

 private:
  std::optional<CgroupHost> host_;
  std::optional<Cgroup> cgroup_;
};

// Without a cgroup namespace a new cgroup2 mount would show the host's whole tree: the container
// gets its own group instead.
void BindOwnCgroup(const OwnCgroup& cgroup, ContainerSpec* spec) {
  if (spec->namespaces.new_cgroup || cgroup.get() == nullptr) return;
  for (MountSpec& mount : spec->mounts) {
    if (mount.kind != MountSpec::Kind::kCgroup) continue;
    mount.kind = MountSpec::Kind::kBind;
    mount.source = cgroup.directory();
    mount.options.clear();
  }
}

// Programs expect HOME; runc and crun set it, too. The image's own passwd file says where.
void SetHome(int rootfs, ContainerSpec* spec) {
  for (const std::string& entry : spec->environment) {
    if (entry.rfind("HOME=", 0) == 0) return;
  }
  Result<ContainerUser> user = ResolveUserIn(rootfs, std::to_string(spec->user.uid));
  spec->environment.push_back("HOME=" + (user.ok() ? user.value().home : "/"));
}

// What cannot be granted is left out with a warning, as the specification wants.
Result<> LimitCapabilities(ContainerSpec* spec, const RunOptions& options) {
  CapabilityMask own = TRY(OwnEffectiveCapabilities());
  CapabilitySets& sets = spec->capabilities;
  CapabilityMask missing = (sets.bounding | sets.permitted | sets.inheritable) & ~own;
  for (const std::string& name : CapabilityNames(missing))
    options.warn("capability " + name + " cannot be granted: this process does not hold it");
  for (CapabilityMask* set : {&sets.bounding, &sets.permitted, &sets.inheritable}) *set &= own;
  sets.effective &= sets.permitted;
  // The kernel's condition for the ambient set: capabilities(7).
  sets.ambient &= sets.permitted & sets.inheritable;
  return {};
}

void TellSteps(const Launched& launched, const RunOptions& options) {
  for (size_t i = 0; i < launched.step_nanoseconds.size(); ++i) {
    int64_t nanoseconds = launched.step_nanoseconds[i];
    if (nanoseconds == 0) continue;
    options.debug(std::string(LaunchStepName(static_cast<LaunchStep>(i))) + ": " +
                  std::to_string(nanoseconds / 1000) + " us");
  }
}

class Runner {
 public:
  Runner(const RunOptions& options, int* failure_code)
      : options_(options), failure_code_(failure_code) {}
  Result<int> Run();

 private:
  Result<> Load();
  Result<> Prepare();
  Result<> Start();
  Result<int> Supervise();
  Result<> CleanUp();
  State MakeState(const std::string& status, pid_t pid) const;

  const RunOptions& options_;
  int* failure_code_;
  std::string bundle_;
  Config config_;
  ContainerPlan plan_;
  std::optional<StateDirectory> directory_;
  OwnCgroup cgroup_;
  UniqueFd rootfs_;
  UniqueFd network_;
  SeccompProgram seccomp_;
  UniqueFd signals_;
  sys::Process process_;
};

Result<> Runner::Load() {
  TRY(CheckContainerId(options_.id));
  bundle_ = TRY(AbsoluteDirectory(options_.bundle).Context("bundle"));
  std::string text = TRY(sys::ReadFile(AT_FDCWD, bundle_ + "/config.json", kMaxConfigFile));
  config_ = TRY(ParseConfig(text).Context(bundle_ + "/config.json"));
  plan_ = TRY(PlanContainer(config_, bundle_, options_.id).Context(bundle_ + "/config.json"));
  for (const std::string& warning : config_.warnings) options_.warn(warning);
  if (!options_.has_cgroup && !config_.resources.limit_paths.empty()) {
    return Error(Code::kInvalid, config_.resources.limit_paths[0] +
                                     ": cannot be enforced with the cgroup manager disabled");
  }
  return {};
}

Result<> Runner::Prepare() {
  ContainerSpec& spec = plan_.spec;
  StateDirectory directory = TRY(StateDirectory::Create(options_.root, options_.id));
  directory_.emplace(std::move(directory));
  plan_.rootfs = TRY(AbsoluteDirectory(plan_.rootfs).Context("root.path"));
  spec.attach_point = plan_.rootfs;
  rootfs_ = TRY(sys::CloneMount(AT_FDCWD, plan_.rootfs, true).Context("root.path"));
  spec.root_mount = rootfs_.get();
  SetHome(rootfs_.get(), &spec);
  TRY(LimitCapabilities(&spec, options_));
  if (!plan_.join_network.empty()) {
    network_ = TRY(sys::Open(AT_FDCWD, plan_.join_network, O_RDONLY).Context("linux.namespaces"));
    spec.namespaces.join_network = network_.get();
  }
  if (config_.seccomp) {
    seccomp_ =
        TRY(LoadSeccomp(*config_.seccomp, options_.root + "/.cache").Context("linux.seccomp"));
    spec.seccomp = &seccomp_;
    spec.seccomp_flags = config_.seccomp->flags;
  }
  if (options_.has_cgroup) TRY(cgroup_.Create(plan_.cgroup_path, config_, options_.warn));
  BindOwnCgroup(cgroup_, &spec);
  for (int stream = 0; stream < 3; ++stream) spec.standard_fds[stream] = stream;
  return {};
}

State Runner::MakeState(const std::string& status, pid_t pid) const {
  return {.version = config_.version,
          .id = options_.id,
          .status = status,
          .pid = pid,
          .bundle = bundle_,
          .rootfs = plan_.rootfs,
          .cgroup_path = cgroup_.path(),
          .created = FormatRfc3339(WallNanoseconds()),
          .annotations = config_.annotations};
}

Result<> Runner::Start() {
  // Before the launch, so that no signal falls between; the container starts with none blocked.
  signals_ = TRY(sys::MakeSignalFd(
      {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH, SIGTSTP}));
  LaunchFailure failure;
  Result<Launched> launched = Launch(plan_.spec, cgroup_.get(), &failure);
  if (!launched.ok()) {
    if (failure.step == LaunchStep::kExec) *failure_code_ = failure.ExitCode();
    return std::move(launched).error();
  }
  process_ = std::move(launched.value().process);
  TellSteps(launched.value(), options_);
  TRY(directory_->Store(MakeState("running", process_.pid)));
  if (options_.pid_file.empty()) return {};
  return sys::WriteFile(AT_FDCWD, options_.pid_file, std::to_string(process_.pid), 0644)
      .Context("pid file");
}

Result<> PassOn(int signals, int pidfd) {
  std::optional<int> signal = TRY(sys::ReadSignal(signals));
  if (!signal) return {};
  Result<> sent = sys::SignalPidfd(pidfd, *signal);
  // It may just have ended.
  return sent.ok() || sent.error().sys_errno() == ESRCH ? Result<>() : std::move(sent);
}

Result<int> Runner::Supervise() {
  pollfd watched[] = {{.fd = process_.pidfd.get(), .events = POLLIN, .revents = 0},
                      {.fd = signals_.get(), .events = POLLIN, .revents = 0}};
  while ((watched[0].revents & POLLIN) == 0) {
    if (poll(watched, 2, -1) < 0 && errno != EINTR) return Error::FromErrno(errno, "poll");
    if ((watched[1].revents & POLLIN) != 0) TRY(PassOn(signals_.get(), process_.pidfd.get()));
  }
  std::optional<sys::ExitStatus> status = TRY(sys::WaitPidfd(process_.pidfd.get(), true));
  process_.pidfd.Reset();
  return status->ShellCode();
}

// Every step runs; the first cause is told.
Result<> Runner::CleanUp() {
  if (process_.pidfd.valid()) {
    sys::SignalPidfd(process_.pidfd.get(), SIGKILL).Ignore();
    [[maybe_unused]] auto reaped = sys::WaitPidfd(process_.pidfd.get(), true);
  }
  Result<> first = cgroup_.Remove();
  Result<> removed = directory_ ? directory_->Remove() : Result<>();
  return first.ok() ? std::move(removed) : std::move(first);
}

Result<int> Runner::Run() {
  *failure_code_ = kRunFailed;
  auto run = [&]() -> Result<int> {
    TRY(Load());
    TRY(Prepare());
    TRY(Start());
    return Supervise();
  };
  Result<int> code = run();
  Result<> clean = CleanUp();
  if (!clean.ok()) options_.warn("clean up: " + clean.error().message());
  return code;
}

}  // namespace

Result<int> Run(const RunOptions& options, int* failure_code) {
  return Runner(options, failure_code).Run();
}

}  // namespace skiff::isolation::oci
