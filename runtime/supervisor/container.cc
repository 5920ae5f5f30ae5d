#include "runtime/supervisor/container.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "isolation/base/clock.h"
#include "isolation/base/log.h"
#include "isolation/base/scope_exit.h"
#include "isolation/sys/confine.h"
#include "isolation/sys/file.h"
#include "isolation/sys/user_namespace.h"
#include "runtime/plan/container_spec.h"
#include "runtime/supervisor/container_root.h"
#include "runtime/supervisor/limits.h"

namespace skiff::runtime {
namespace {

bool HasVariable(const std::vector<std::string>& environment, std::string_view prefix) {
  for (const std::string& entry : environment) {
    if (entry.compare(0, prefix.size(), prefix) == 0) return true;
  }
  return false;
}

Error OutOfBlock(const char* what, uint32_t id) {
  return Error(Code::kInvalid, std::string(what) + " " + std::to_string(id) +
                                   ": the task's user namespace has the ids 0 to " +
                                   std::to_string(sys::kIdBlockSize - 1));
}

}  // namespace

Container::Container(const ContainerPlan* plan, const TaskContext* context, Observer observer)
    : plan_(plan), context_(context), observer_(std::move(observer)) {}

Container::~Container() = default;

Result<> Container::OpenStreams() {
  stream_ends_[0] = TRY(sys::Open(AT_FDCWD, "/dev/null", O_RDONLY));
  if (!plan_->keep_logs) {
    stream_ends_[1] = TRY(sys::Open(AT_FDCWD, "/dev/null", O_WRONLY));
    stream_ends_[2] = TRY(sys::Open(AT_FDCWD, "/dev/null", O_WRONLY));
    return {};
  }
  LogWriterOptions options;
  options.mode = plan_->is_log_blocking ? LogMode::kBlocking : LogMode::kNonBlocking;
  options.max_bytes = plan_->log_limit;
  options.max_backlog = plan_->log_buffer;
  TRY(sys::MakeDirectories(plan_->log_directory, 0700));
  UniqueFd directory = TRY(sys::OpenDirectory(AT_FDCWD, plan_->log_directory));
  logs_ = TRY(LogWriter::Open(*context_->loop, std::move(directory), options, &logs_drained_));
  sys::Pipe output = TRY(sys::MakePipe());
  sys::Pipe errors = TRY(sys::MakePipe());
  stream_ends_[1] = std::move(output.write_end);
  stream_ends_[2] = std::move(errors.write_end);
  TRY(logs_->AddStream(std::move(output.read_end), LogStream::kStdout));
  is_drained_ = false;
  Result<> added = logs_->AddStream(std::move(errors.read_end), LogStream::kStderr);
  if (!added.ok()) stream_ends_[1].Reset();
  TRY(std::move(added));
  return {};
}

Result<> Container::SetSeccomp(isolation::ContainerSpec* spec) {
  const ConfinementPlan& plan = plan_->confinement;
  if (plan.seccomp == SeccompChoice::kNone) return {};
  if (plan.seccomp == SeccompChoice::kProfile) {
    spec->seccomp = &plan.seccomp_program;
    return {};
  }
  isolation::DefaultSeccompOptions options{.allow_ptrace = plan_->allow_ptrace};
  seccomp_ = TRY(isolation::LoadDefaultSeccomp(options, context_->plan->roots.CacheDirectory()));
  spec->seccomp = &seccomp_;
  return {};
}

// What is 0 inside is this outside.
uint32_t Container::first_id() const {
  return context_->user_namespace < 0 ? 0 : context_->plan->user_namespace.first_id;
}

// Programs open /dev/stdout and /dev/stderr by name: the pipes behind them are their user's.
Result<> Container::GiveStreams(const isolation::ContainerUser& user) {
  if (!logs_) return {};  // the host's /dev/null
  for (int i : {1, 2}) {
    TRY(sys::ChownFd(stream_ends_[i].get(), first_id() + user.uid, first_id() + user.gid, "pipe"));
  }
  return {};
}

Result<> CheckIds(const isolation::ContainerUser& user) {
  for (uint32_t id : user.groups) {
    if (id >= sys::kIdBlockSize) return OutOfBlock("group", id);
  }
  if (user.uid >= sys::kIdBlockSize) return OutOfBlock("user", user.uid);
  return user.gid >= sys::kIdBlockSize ? OutOfBlock("group", user.gid) : Result<>();
}

Result<isolation::ContainerSpec> Container::MakeSpec(isolation::ContainerSpec spec,
                                                     int root_mount) {
  spec.user = TRY(isolation::ResolveUserIn(root_mount, plan_->user));
  if (!HasVariable(spec.environment, "HOME=")) spec.environment.push_back("HOME=" + spec.user.home);
  spec.capabilities = isolation::SetsForUser(plan_->capabilities, spec.user.uid == 0);
  TRY(SetSeccomp(&spec));
  spec.namespaces.join_network = context_->netns;
  spec.namespaces.join_pid = context_->pid_namespace;
  if (plan_->confinement.landlock) {
    landlock_ = TRY(sys::MakeContainerRuleset(root_mount).Context("--isolation landlock"));
    spec.landlock = landlock_.get();
  }
  TRY(GiveStreams(spec.user));
  if (context_->user_namespace >= 0) {
    TRY(CheckIds(spec.user));
    spec.namespaces.join_user = context_->user_namespace;
    GiveToIdBlock(first_id(), &spec);
  }
  spec.root_mount = root_mount;
  for (int i = 0; i < 3; ++i) spec.standard_fds[i] = stream_ends_[i].get();
  return spec;
}

Result<isolation::Launched> Container::Launch(const isolation::ContainerSpec& spec,
                                              isolation::LaunchFailure* failure) {
  if (!plan_->confinement.trace_syscalls) return isolation::Launch(spec, &*cgroup_, failure);
  trace_ = TRY(isolation::SeccompTrace::Create());
  return trace_->LaunchTraced(spec, &*cgroup_, failure);
}

// For `skiff trace-syscalls`.
Result<> Container::KeepTrace() {
  std::string directory = context_->plan->roots.TracedCallsDirectory(context_->plan->id);
  TRY(sys::MakeDirectories(directory, 0700));
  return sys::WriteFile(AT_FDCWD, directory + "/" + plan_->name,
                        EncodeTracedCalls(trace_->Finish()));
}

Result<StartedContainer> Container::Start(isolation::LaunchFailure* failure) {
  StartedContainer started;
  int64_t last = MonotonicNanoseconds();
  auto mark = [&](const char* step) {
    int64_t now = MonotonicNanoseconds();
    started.steps.emplace_back(step, now - last);
    last = now;
  };
  isolation::ContainerSpec planned = SpecOf(*context_->plan, *plan_, context_->hostname);
  ContainerRoot root = TRY(
      MakeContainerRoot({context_->plan, plan_, context_->user_namespace, first_id()}, &planned));
  started.warnings = std::move(root.warnings);
  looked_up_root_ = std::move(root.looked_up);
  mark("mount root");
  cgroup_ = TRY(context_->cgroups->Create(context_->plan->cgroup + "/" + plan_->name,
                                          CgroupLimitsOf(plan_->limits), &started.warnings));
  mark("make cgroup");
  TRY(OpenStreams());
  // Whatever comes, the process's ends must not stay open here: the logs end when their pipes do.
  ScopeExit close_ends([&] {
    for (UniqueFd& end : stream_ends_) end.Reset();
  });
  isolation::ContainerSpec spec = TRY(MakeSpec(std::move(planned), root.mount.get()));
  mark("prepare");
  isolation::Launched launched = TRY(Launch(spec, failure));
  for (size_t step = 0; step < static_cast<size_t>(isolation::LaunchStep::kDone); ++step) {
    started.steps.emplace_back(isolation::LaunchStepName(static_cast<isolation::LaunchStep>(step)),
                               launched.step_nanoseconds[step]);
  }
  landlock_.Reset();
  process_ = std::move(launched.process);
  started.pid = process_.pid;
  context_->loop->Poll(process_.pidfd.get(), POLLIN, sys::Repeat::kOnce, pidfd_ready_);
  return started;
}

ContainerExit Container::DescribeExit(const sys::ExitStatus& status) const {
  ContainerExit ended;
  ended.code = status.ShellCode();
  if (status.signal != 0) ended.signal = status.signal;
  // A shell reports its killed child as 137 too; the kernel's count says whether memory was the
  // cause.
  ended.oom_killed = ended.code == kOutOfMemoryExitCode && cgroup_->Usage().oom_kills > 0;
  if (ended.oom_killed) ended.reason = kOutOfMemoryReason;
  return ended;
}

void Container::OnPidfd(int /*result*/, unsigned /*flags*/) {
  Result<std::optional<sys::ExitStatus>> status = sys::WaitPidfd(process_.pidfd.get(), false);
  if (status.ok() && !status.value().has_value()) {  // woken early: wait again
    context_->loop->Poll(process_.pidfd.get(), POLLIN, sys::Repeat::kOnce, pidfd_ready_);
    return;
  }
  ContainerExit ended;
  if (status.ok()) {
    ended = DescribeExit(*status.value());
  } else {
    ended.code = 255;
    ended.reason = status.error().message();
  }
  process_.pidfd.Reset();
  if (is_kill_pending_) context_->loop->Cancel(stop_timeout_);
  // Processes that joined the cgroup from outside the pid namespace do not die with its init.
  cgroup_->Kill().Ignore();
  if (trace_) {
    Result<> kept = KeepTrace();
    if (!kept.ok()) Log(LogLevel::kError, kept.error().message());
    trace_.reset();
  }
  if (logs_ && !is_drained_) logs_->Drain(kDrainTimeout);
  observer_.on_exit(*this, ended);
}

void Container::OnLogsDrained(int /*result*/, unsigned /*flags*/) {
  is_drained_ = true;
  observer_.on_drained(*this);
}

Result<> Container::Signal(int signal) {
  if (!is_running()) return Error(Code::kConflict, "container " + plan_->name + " is not running");
  return sys::SignalPidfd(process_.pidfd.get(), signal).Context("container " + plan_->name);
}

Result<> Container::Kill() {
  if (!is_running()) return {};
  return cgroup_->Kill();
}

void Container::Stop(std::chrono::seconds timeout) {
  if (!is_running()) return;
  if (timeout.count() == 0) {
    observer_.on_kill(*this);
    Kill().Ignore();
    return;
  }
  sys::SignalPidfd(process_.pidfd.get(), plan_->stop_signal)
      .Ignore();  // gone already: its exit is on the way
  if (is_kill_pending_) return;
  is_kill_pending_ = true;
  context_->loop->Timeout(timeout, stop_timeout_);
}

void Container::OnStopTimeout(int result, unsigned /*flags*/) {
  is_kill_pending_ = false;
  if (result == -ECANCELED || !is_running()) return;
  observer_.on_kill(*this);
  Result<> killed = Kill();
  if (!killed.ok()) Log(LogLevel::kError, killed.error().message());
}

}  // namespace skiff::runtime
