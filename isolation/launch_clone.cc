#include "isolation/launch_clone.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isolation/sys/file.h"
#include "isolation/sys/namespace_types.h"

namespace skiff::isolation {
namespace {

uint64_t CloneFlags(const NamespaceSpec& namespaces) {
  uint64_t flags = 0;
  if (namespaces.new_pid) flags |= CLONE_NEWPID;
  if (namespaces.new_mount) flags |= CLONE_NEWNS;
  if (namespaces.new_uts) flags |= CLONE_NEWUTS;
  if (namespaces.new_ipc) flags |= CLONE_NEWIPC;
  if (namespaces.new_network) flags |= CLONE_NEWNET;
  if (namespaces.new_user) flags |= CLONE_NEWUSER;
  return flags;
}

pid_t CloneInto(uint64_t flags, const Cgroup* cgroup, int* pidfd) {
  clone_args arguments{};
  arguments.flags = flags | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<uint64_t>(pidfd);
  // A sibling's is its maker's.
  arguments.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
  if (cgroup != nullptr) {
    arguments.flags |= CLONE_INTO_CGROUP;  // Linux 5.7
    arguments.cgroup = static_cast<uint64_t>(cgroup->unified_fd());
  }
  return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

// The namespaces that a process can enter for its children: entered for the clone, and left after
// it. Whoever cannot come back must not go on.
class JoinedAround {
 public:
  JoinedAround() = default;
  JoinedAround(JoinedAround&&) = delete;
  ~JoinedAround() {
    for (auto& [fd, type] : left_) sys::EnterNamespaceOrAbort(fd.get(), type);
  }

  Result<> Enter(const NamespaceSpec& namespaces) {
    std::vector<NamespaceJoin> joins = namespaces.joins;
    if (namespaces.join_pid >= 0) joins.push_back({namespaces.join_pid, CLONE_NEWPID});
    for (const NamespaceJoin& join : joins) {
      const char* name = NameOf(join.type);
      if (name == nullptr) continue;
      UniqueFd own = TRY(sys::OpenOwnNamespace(name));
      TRY(sys::EnterNamespace(join.fd, join.type).Context(name));
      if (namespaces.MayComeBack()) left_.emplace_back(std::move(own), join.type);
    }
    if (!namespaces.new_time) return {};
    // Only a child enters it, and the clocks are set before the first one does: time_namespaces(7).
    UniqueFd own = TRY(sys::OpenOwnNamespace("time"));
    TRY(sys::UnshareTime());
    // Whoever stays shares its clocks with the hooks that he starts, and with nothing else.
    if (namespaces.MayComeBack()) left_.emplace_back(std::move(own), sys::kTimeNamespace);
    std::string offsets;
    for (const ClockOffset& clock : namespaces.clock_offsets) {
      offsets += std::string(clock.is_boottime ? "boottime " : "monotonic ") +
                 std::to_string(clock.seconds) + " " + std::to_string(clock.nanoseconds) + "\n";
    }
    if (!offsets.empty()) TRY(sys::WriteControl(AT_FDCWD, "/proc/self/timens_offsets", offsets));
    return {};
  }

 private:
  static const char* NameOf(int type) {
    switch (type) {
      case CLONE_NEWPID:
        return "pid";
      case CLONE_NEWNET:
        return "net";
      case CLONE_NEWIPC:
        return "ipc";
      case CLONE_NEWUTS:
        return "uts";
      case sys::kTimeNamespace:
        return "time";
      default:
        return nullptr;  // the child's to enter
    }
  }
  std::vector<std::pair<UniqueFd, int>> left_;
};

// What a process between this one and the child does: only who is inside a user namespace makes
// others that belong to it, and from there is no way back. The child becomes its sibling; the
// table of descriptors is shared with this process, which so gets the child's pidfd.
[[noreturn]] void EnterUserAndClone(const NamespaceSpec& namespaces, const ChildPlan& plan) {
  LaunchReport& report = *plan.report;
  // A copy of this process: nobody of that namespace may look into it (CVE-2016-9962).
  bool is_inside = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
  report.step = LaunchStep::kNamespaces;
  // While there are rights over it.
  if (is_inside && plan.join_cgroup >= 0) is_inside = setns(plan.join_cgroup, CLONE_NEWCGROUP) == 0;
  if (!is_inside || setns(namespaces.enter_user, CLONE_NEWUSER) != 0) {
    report.error_number = errno;
    _exit(1);
  }
  report.step = LaunchStep::kNone;
  int pidfd = -1;
  pid_t child = CloneInto(CloneFlags(namespaces) | CLONE_PARENT, nullptr, &pidfd);
  if (child == 0) RunChild(plan);
  if (child < 0) {
    report.error_number = errno;
    _exit(1);
  }
  report.child = pidfd;
  _exit(0);
}

Result<sys::Process> CloneInEnteredUser(const NamespaceSpec& namespaces, const Cgroup* cgroup,
                                        const ChildPlan& plan) {
  int pidfd = -1;
  pid_t pid = CloneInto(CLONE_FILES, cgroup, &pidfd);
  if (pid == 0) EnterUserAndClone(namespaces, plan);
  if (pid < 0) return Error::FromErrno(errno, "clone3");
  UniqueFd between(pidfd);
  std::optional<sys::ExitStatus> status = TRY(sys::WaitPidfd(between.get(), true));
  sys::Process child;
  child.pidfd = UniqueFd(plan.report->child);
  if (!child.pidfd.valid()) {
    if (status->signal != 0) return Error(Code::kInternal, "join user namespace: killed");
    bool is_joined = plan.report->step == LaunchStep::kNone;
    return Error::FromErrno(plan.report->error_number,
                            is_joined ? "clone3" : "join user namespace");
  }
  // Its number where it was made may be that of another pid namespace.
  Result<pid_t> number = sys::PidOf(child.pidfd.get());
  if (!number.ok()) {
    sys::SignalPidfd(child.pidfd.get(), SIGKILL).Ignore();
    [[maybe_unused]] auto reaped = sys::WaitPidfd(child.pidfd.get(), true);
    return std::move(number).error();
  }
  child.pid = number.value();
  return child;
}

}  // namespace

Result<sys::Process> CloneChild(const NamespaceSpec& namespaces, const Cgroup* cgroup,
                                const ChildPlan& plan) {
  JoinedAround joined;
  TRY(joined.Enter(namespaces).Context("join namespaces"));
  if (namespaces.enter_user >= 0) return CloneInEnteredUser(namespaces, cgroup, plan);
  sys::Process child;
  int pidfd = -1;
  child.pid = CloneInto(CloneFlags(namespaces), cgroup, &pidfd);
  if (child.pid == 0) RunChild(plan);
  if (child.pid < 0) return Error::FromErrno(errno, "clone3");
  child.pidfd = UniqueFd(pidfd);
  return child;
}

}  // namespace skiff::isolation
