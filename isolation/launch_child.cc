#include "isolation/launch_child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "isolation/launch_label.h"
#include "isolation/launch_limits.h"
#include "isolation/launch_mount.h"
#include "isolation/launch_protect.h"
#include "isolation/launch_root.h"
#include "isolation/launch_terminal.h"

namespace skiff::isolation {
namespace {

// sys/mount.h and linux/mount.h cannot be included together with glibc 2.36.
constexpr size_t kPathSize = 4096;

class Child {
 public:
  explicit Child(const ChildPlan& plan)
      : plan_(plan), report_(*plan.report), root_(plan.root_mount, plan.owner) {}
  [[noreturn]] void Run();

 private:
  // Each returns true, or false with errno set.
  bool JoinCgroup();
  bool JoinNamespaces();
  bool AttachRoot();
  bool MountAll();
  bool MakeDevices();
  bool OpenConsole();
  bool SetSysctls();
  bool ProtectPaths();
  bool PivotRoot();
  bool SetIdentity();
  bool ConnectStreams();
  bool EnterDirectory();
  bool EnterDirectoryIfAllowed();
  bool SetLimits();
  bool JoinUser();
  bool SetCredentials();
  bool SetLabels();
  bool Confine();
  bool LoadFilter();
  bool Exec();

  using Step = bool (Child::*)();
  void Do(LaunchStep step, Step function);
  [[noreturn]] void Fail();
  bool AskParent(char what) const;
  bool IsProgramThere() const;
  void AwaitStart();

  bool MoveRoot() const;
  bool SpreadRoot() const;
  bool RaiseAmbient() const;
  bool DropBounding() const;
  bool DieWithParent() const;

  const ChildPlan& plan_;
  LaunchReport& report_;
  LaunchRoot root_;
  LaunchProtection protection_{root_};
  int console_ = -1;     // its side of the terminal
  int connection_ = -1;  // of whoever opened the gate
  int procfs_ = -1;      // the caller's, when there are labels to write
  bool is_directory_entered_ = false;
};

int64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

bool WriteText(int fd, const char* text) {
  size_t size = strlen(text);
  return write(fd, text, size) == static_cast<ssize_t>(size);
}

void Child::Do(LaunchStep step, Step function) {
  report_.step = step;
  report_.item = -1;
#ifdef SKIFF_FAILPOINTS
  if (plan_.failpoint_step == static_cast<int>(step)) {
    errno = EIO;
    if (!plan_.is_failpoint_kill) Fail();
    // No number in this pid namespace names the parent: ask it to kill itself, and wait to die with
    // it.
    char byte = kLaunchKillParent;
    [[maybe_unused]] ssize_t written = write(plan_.error_pipe, &byte, 1);
    for (;;) pause();
  }
#endif
  if (!(this->*function)()) Fail();
  report_.finished_at[static_cast<int>(step)] = Now();
}

void Child::Fail() {
  if (connection_ >= 0) {
    int32_t answer[2] = {static_cast<int32_t>(report_.step), errno};
    [[maybe_unused]] ssize_t sent = send(connection_, answer, sizeof(answer), MSG_NOSIGNAL);
    _exit(127);
  }
  report_.error_number = errno;
  char byte = kLaunchFailed;
  [[maybe_unused]] ssize_t written = write(plan_.error_pipe, &byte, 1);
  _exit(127);
}

bool Child::JoinCgroup() {
  if (plan_.asks_for_group && !AskParent(kLaunchWantsGroup)) return false;
  for (size_t i = 0; i < plan_.legacy_tasks_count; ++i) {
    report_.item = static_cast<int>(i);
    if (!WriteText(plan_.legacy_tasks[i], "0")) return false;  // "0" is the writer itself
  }
  // clone3 would root the namespace at the parent's group even with CLONE_INTO_CGROUP.
  return !plan_.new_cgroup_namespace || unshare(CLONE_NEWCGROUP) == 0;
}

bool Child::AskParent(char what) const {
  char answer = 0;
  return write(plan_.error_pipe, &what, 1) == 1 && read(plan_.resume, &answer, 1) == 1;
}

bool BecomeMappedRoot() {
  // EINVAL: the namespace has no such id.
  bool is_settled = syscall(SYS_setresgid, 0, 0, 0) == 0 || errno == EINVAL;
  return is_settled && (syscall(SYS_setresuid, 0, 0, 0) == 0 || errno == EINVAL);
}

bool BecomeRoot(int directory) {
  return fchdir(directory) == 0 && chroot(".") == 0 && chdir("/") == 0;
}

bool HideFromOthers() { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0; }

// As runc and crun have it. The request is the same on a socket of any family, and a kernel without
// IPv4 has this one.
bool BringLoopbackUp() {
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq loopback{};
  loopback.ifr_name[0] = 'l';
  loopback.ifr_name[1] = 'o';
  loopback.ifr_flags = IFF_UP;
  bool is_up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &loopback) == 0;
  CloseQuietly(fd);
  return is_up;
}

bool Child::JoinNamespaces() {
  if (plan_.new_user_namespace && !(AskParent(kLaunchWantsIds) && BecomeMappedRoot())) return false;
  if (plan_.is_user_namespace_entered && !BecomeMappedRoot()) return false;
  // A change of user may have shown it again.
  bool is_shown = plan_.is_rootless || plan_.is_user_namespace_entered;
  if (is_shown && !HideFromOthers()) return false;
  if (plan_.network_namespace >= 0 && setns(plan_.network_namespace, CLONE_NEWNET) != 0)
    return false;
  // Not before the clone: from inside one, the kernel knows no group outside it to leave.
  bool joins_cgroup = plan_.join_cgroup >= 0 && !plan_.is_user_namespace_entered;
  if (joins_cgroup && setns(plan_.join_cgroup, CLONE_NEWCGROUP) != 0) return false;
  // The mount namespace before the user's: its descriptor is of use only while rights over it are
  // held.
  if (plan_.join_mount >= 0 && setns(plan_.join_mount, CLONE_NEWNS) != 0) return false;
  if (plan_.join_user >= 0 && !(setns(plan_.join_user, CLONE_NEWUSER) == 0 && BecomeMappedRoot()))
    return false;
  if (plan_.new_network_namespace && !BringLoopbackUp()) return false;
  if (plan_.asks_for_links && !AskParent(kLaunchWantsLinks)) return false;
  if (plan_.root_mount >= 0) return true;
  if (plan_.kept_root >= 0 && !BecomeRoot(plan_.kept_root)) return false;
  int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  root_ = LaunchRoot(root, plan_.owner);
  return root >= 0;
}

bool Child::AttachRoot() {
  struct mount_attr attributes {};
  attributes.propagation = kPrivate;  // nothing done here is seen outside, nor the reverse
  if (!plan_.shares_mounts &&
      syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof(attributes)) != 0)
    return false;
  return syscall(SYS_move_mount, plan_.root_mount, "", AT_FDCWD, plan_.attach_point,
                 MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
         SetPropagation(plan_.root_mount, plan_.root_propagation == kSlave ? kSlave : kPrivate,
                        true);
}

bool Child::MountAll() {
  Mounter mounter(root_, &protection_, !plan_.may_make_nodes);
  for (size_t i = 0; i < plan_.mount_count; ++i) {
    report_.item = static_cast<int>(i);
    if (!mounter.Mount(&plan_.mounts[i])) return false;
  }
  // Made now, before the root may become read-only. What is in its way is told when it is entered.
  CloseQuietly(root_.OpenDirectory(plan_.working_directory));
  return true;
}

bool Child::MakeDevices() {
  umask(0);
  for (size_t i = 0; i < plan_.device_count; ++i) {
    const ChildDevice& device = plan_.devices[i];
    report_.item = static_cast<int>(i);
    const char* name = nullptr;
    int parent = root_.OpenParent(device.path, &name);
    bool is_fine = parent >= 0 && MakeNode(parent, name, device.mode, device.device) &&
                   (device.uid + device.gid == 0 ||
                    fchownat(parent, name, device.uid, device.gid, AT_SYMLINK_NOFOLLOW) == 0);
    CloseQuietly(parent);
    if (!is_fine) return false;
  }
  for (size_t i = 0; i < plan_.link_count; ++i) {
    report_.item = static_cast<int>(plan_.device_count + i);
    const char* name = nullptr;
    int parent = root_.OpenParent(plan_.links[i].path, &name);
    bool is_fine =
        parent >= 0 && MakeLink(parent, name, plan_.links[i].target) && root_.Own(parent, name);
    CloseQuietly(parent);
    if (!is_fine) return false;
  }
  return true;
}

bool Child::OpenConsole() {
  if (plan_.console_socket < 0) return true;
  int master = -1;
  console_ = OpenTerminal(root_, plan_, &master);
  if (console_ < 0) return false;
  if (plan_.root_mount >= 0) {
    int target = root_.OpenFile("/dev/console");
    int clone = target < 0 ? -1 : CloneMountOf(console_, false);
    bool is_fine = clone >= 0 && Attach(clone, target);
    CloseQuietly(clone);
    CloseQuietly(target);
    if (!is_fine) return false;
  }
  bool is_sent = SendTerminal(plan_.console_socket, master);
  CloseQuietly(master);
  CloseQuietly(plan_.console_socket);
  return is_sent;
}

bool Child::SetSysctls() {
  for (size_t i = 0; i < plan_.sysctl_count; ++i) {
    report_.item = static_cast<int>(i);
    if (!protection_.SetSysctl(plan_.sysctls[i])) return false;
  }
  return true;
}

bool Child::ProtectPaths() {
  for (size_t i = 0; i < plan_.readonly_count; ++i) {
    report_.item = static_cast<int>(i);
    if (!protection_.MakeReadonly(plan_.readonly_paths[i])) return false;
  }
  for (size_t i = 0; i < plan_.masked_count; ++i) {
    report_.item = static_cast<int>(plan_.readonly_count + i);
    if (!protection_.Mask(plan_.masked_paths[i])) return false;
  }
  for (size_t i = 0; i < plan_.mount_count; ++i) {
    const ChildMount& mount = plan_.mounts[i];
    if (mount.made >= 0 && !SetAttributes(mount.made, MOUNT_ATTR_RDONLY, 0, false)) return false;
    CloseQuietly(mount.made);
  }
  return !plan_.is_root_readonly || SetAttributes(plan_.root_mount, MOUNT_ATTR_RDONLY, 0, false);
}

// Of the host's, in the container's mount namespace. A user namespace may not take it off: an empty
// file system covers it then.
bool TakeAway(const char* path) {
  if (syscall(SYS_umount2, path, kMntDetach) == 0 || errno == ENOENT) return true;
  ChildMount cover{};
  cover.type = "tmpfs";
  cover.attributes = MOUNT_ATTR_RDONLY;
  int target = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int made = target < 0 ? -1 : MakeFilesystem(cover);
  bool is_covered = made >= 0 && Attach(made, target);
  CloseQuietly(made);
  CloseQuietly(target);
  return is_covered;
}

bool Child::PivotRoot() {
  if (plan_.pauses_before_pivot && !AskParent(kLaunchWantsHooks)) return false;
  if (plan_.shares_mounts) return BecomeRoot(plan_.root_mount) && SpreadRoot();
  if (plan_.moves_root) return MoveRoot() && SpreadRoot();
  // Old and new root on the same directory: the old one ends up on top and is taken off
  // (pivot_root(2), NOTES).
  return fchdir(plan_.root_mount) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
         syscall(SYS_umount2, ".", kMntDetach) == 0 && chdir("/") == 0 && SpreadRoot();
}

// The host's mounts stay below, out of sight of every path. Its procfs and sysfs go, for a program
// with rights over mounts would find them under its own root.
bool Child::MoveRoot() const {
  return TakeAway("/proc") && TakeAway("/sys") &&
         syscall(SYS_move_mount, plan_.root_mount, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) ==
             0 &&
         BecomeRoot(plan_.root_mount);
}

// Not before the pivot, which takes no shared root.
bool Child::SpreadRoot() const {
  bool is_settled = plan_.root_propagation == 0 || plan_.root_propagation == kSlave;
  return is_settled || SetPropagation(plan_.root_mount, plan_.root_propagation,
                                      plan_.is_root_propagation_recursive);
}

bool Child::SetIdentity() {
  if (plan_.hostname_size > 0 && sethostname(plan_.hostname, plan_.hostname_size) != 0)
    return false;
  if (plan_.domainname_size > 0 && setdomainname(plan_.domainname, plan_.domainname_size) != 0)
    return false;
  // Its keys, and what programs leave in it, would be the supervisor's and every container's
  // (CVE-2016-0728 began there). A kernel without keys has nothing to share.
  bool has_keyring = !plan_.new_keyring ||
                     syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) >= 0 ||
                     errno == ENOSYS;
  if (!has_keyring) return false;
  return !plan_.new_session || setsid() >= 0 || errno == EPERM;  // EPERM: already a leader
}

bool Child::ConnectStreams() {
  int moved[3];
  if (console_ >= 0 && ioctl(console_, TIOCSCTTY, 0) != 0) return false;
  for (int i = 0; i < 3; ++i) {
    int from = console_ >= 0 ? console_ : plan_.standard_fds[i];
    moved[i] = fcntl(from, F_DUPFD_CLOEXEC, 3 + static_cast<int>(plan_.kept_descriptors));
    if (moved[i] < 0) return false;
  }
  for (int i = 0; i < 3; ++i) {
    if (dup2(moved[i], i) != i) return false;
  }
  // From here on every other descriptor closes at exec (CVE-2024-21626).
  return close_range(3 + plan_.kept_descriptors, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

bool Child::EnterDirectory() {
  // Not through /proc/self/fd/N, which may lead outside (CVE-2024-21626).
  int fd =
      OpenResolved(AT_FDCWD, plan_.working_directory, O_PATH | O_DIRECTORY, RESOLVE_NO_MAGICLINKS);
  bool is_entered = fd >= 0 && fchdir(fd) == 0;
  CloseQuietly(fd);
  if (!is_entered) return false;
  char where[kPathSize];
  // The kernel answers "(unreachable)/..." for a directory outside the root.
  long size = syscall(SYS_getcwd, where, sizeof(where));
  if (size <= 0) return false;
  if (where[0] == '/') return true;
  errno = EXDEV;
  return false;
}

// One that is closed to root of a user namespace may be open to the container's user.
bool Child::EnterDirectoryIfAllowed() {
  is_directory_entered_ = EnterDirectory();
  return is_directory_entered_ || errno == EACCES;
}

bool Child::SetLimits() { return SetProcessLimits(plan_, &report_); }

bool Child::JoinUser() {
  if (plan_.user_namespace >= 0 && setns(plan_.user_namespace, CLONE_NEWUSER) != 0) return false;
  // While there is a CAP_SYS_ADMIN: it would ask for no_new_privs otherwise.
  return plan_.landlock < 0 || syscall(SYS_landlock_restrict_self, plan_.landlock, 0) == 0;
}

bool Child::DropBounding() const {
  for (int number = 0; number < 64; ++number) {
    if ((plan_.bounding >> number & 1) != 0) continue;
    if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) return errno == EINVAL;  // past the last one
  }
  return true;
}

bool Child::RaiseAmbient() const {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return false;
  for (unsigned long number = 0; number < 64; ++number) {
    if ((plan_.ambient >> number & 1) == 0) continue;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) != 0) return false;
  }
  return true;
}

bool Child::DieWithParent() const {
  if (!plan_.dies_with_caller) return true;
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return false;
  // Behind the gate nobody holds the pipe any more.
  if (connection_ >= 0) return true;
  // A parent that died before the line above sends no signal any more.
  pollfd parent{.fd = plan_.error_pipe, .events = 0, .revents = 0};
  if (poll(&parent, 1, 0) != 0) _exit(127);
  return true;
}

bool Child::SetCredentials() {
  if (!DropBounding()) return false;
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return false;
  // By number: glibc's wrappers talk to other threads, and there are none in a fresh clone.
  bool has_groups = plan_.keeps_groups ||
                    syscall(SYS_setgroups, plan_.group_count, plan_.groups) == 0 ||
                    // A user namespace that may not set them, and none to set: user_namespaces(7).
                    (plan_.may_keep_groups && plan_.group_count == 0 && errno == EPERM);
  if (!has_groups) return false;
  if (syscall(SYS_setresgid, plan_.gid, plan_.gid, plan_.gid) != 0) return false;
  if (syscall(SYS_setresuid, plan_.uid, plan_.uid, plan_.uid) != 0) return false;
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {
      {static_cast<uint32_t>(plan_.effective), static_cast<uint32_t>(plan_.permitted),
       static_cast<uint32_t>(plan_.inheritable)},
      {static_cast<uint32_t>(plan_.effective >> 32), static_cast<uint32_t>(plan_.permitted >> 32),
       static_cast<uint32_t>(plan_.inheritable >> 32)}};
  if (syscall(SYS_capset, &header, data) != 0) return false;
  if (!RaiseAmbient()) return false;
  umask(plan_.umask);
  return DieWithParent();  // again: a change of user clears it, prctl(2)
}

bool Child::LoadFilter() {
  if (!plan_.seccomp_listens)
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, plan_.seccomp_flags, plan_.seccomp) == 0;
  char listens = kLaunchListens;
  if (write(plan_.error_pipe, &listens, 1) != 1) return false;
  unsigned flags = plan_.seccomp_flags | unsigned{SECCOMP_FILTER_FLAG_NEW_LISTENER};
  long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, plan_.seccomp);
  if (listener < 0) return false;
  report_.listener = static_cast<int>(listener);
  // Any system call might wait for an answer now, and nobody gives one before the parent has the
  // listener: the wait is for memory to change. The clock is read without a call.
  constexpr int64_t kPatience = 60'000'000'000;
  for (int64_t end = Now() + kPatience; report_.listener_answer == 0;) {
    if (Now() > end) _exit(127);
  }
  if (report_.listener_answer != kListenerTaken) _exit(127);
  syscall(SYS_close, static_cast<int>(listener));
  return true;
}

bool Child::SetLabels() {
  report_.item = 0;
  if (plan_.apparmor_command != nullptr && !SetAppArmorProfile(procfs_, plan_.apparmor_command))
    return false;
  report_.item = 1;
  if (plan_.selinux_label != nullptr && !SetSelinuxLabel(procfs_, plan_.selinux_label))
    return false;
  // Who waits for the start may be looked into where a caller without rights has joined a user
  // namespace (CVE-2016-9962): nothing of the runtime's is left in it.
  return plan_.gate < 0 || CloseAllBut(3 + plan_.kept_descriptors, plan_.gate, plan_.error_pipe);
}

bool Child::Confine() {
  if (plan_.no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (plan_.seccomp == nullptr || !plan_.no_new_privileges) return true;  // else: see Run
  return LoadFilter();
}

// So that who creates is told, not who starts.
bool Child::IsProgramThere() const {
  int answer = ENOENT;
  for (size_t i = 0; i < plan_.candidate_count; ++i) {
    if (faccessat(AT_FDCWD, plan_.candidates[i], X_OK, AT_EACCESS) == 0) return true;
    if (errno != ENOENT && errno != ENOTDIR) answer = errno;
  }
  errno = answer;
  return false;
}

void ResetSignals() {
  sigset_t none;
  sigemptyset(&none);
  struct sigaction ordinary {};
  ordinary.sa_handler = SIG_DFL;
  sigaction(SIGPIPE, &ordinary, nullptr);  // an ignored signal stays ignored across exec
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void Child::AwaitStart() {
  if (plan_.gate < 0) return;
  if (!IsProgramThere()) {
    report_.step = LaunchStep::kExec;
    Fail();
  }
  ResetSignals();
  // Made non-blocking for others' use.
  if (fcntl(plan_.gate, F_SETFL, 0) != 0) _exit(127);
  char ready = kLaunchReady;
  if (write(plan_.error_pipe, &ready, 1) != 1) _exit(127);
  do {
    connection_ = accept4(plan_.gate, nullptr, nullptr, SOCK_CLOEXEC);
  } while (connection_ < 0 && (errno == EINTR || errno == ECONNABORTED));
  if (connection_ < 0) _exit(127);
}

bool Child::Exec() {
  ResetSignals();
  int answer = ENOENT;
  for (size_t i = 0; i < plan_.candidate_count; ++i) {
    execve(plan_.candidates[i], plan_.arguments, plan_.environment);
    // As execvp(3): a file that may not be run is remembered, the search goes on.
    if (errno != ENOENT && errno != ENOTDIR) answer = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  errno = answer;
  return false;
}

void Child::Run() {
  report_.finished_at[static_cast<int>(LaunchStep::kNone)] = Now();
  close(plan_.error_pipe_reader);
  close(plan_.resume_writer);
  // Until the exec this process is a copy of its parent: whoever shares its pid namespace and its
  // user must not look into it (CVE-2016-9962).
  if (!DieWithParent() || !(plan_.is_rootless || HideFromOthers())) Fail();
  if (plan_.oom_score_adj != nullptr) {
    // The host's /proc is still in sight; a host without the right to lower it keeps the old value.
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) WriteText(fd, plan_.oom_score_adj);
    CloseQuietly(fd);
  }
  bool has_labels = plan_.apparmor_command != nullptr || plan_.selinux_label != nullptr;
  if (has_labels && (procfs_ = OpenCallersProcfs()) < 0) {
    report_.step = LaunchStep::kLabel;
    Fail();
  }
  Do(LaunchStep::kCgroup, &Child::JoinCgroup);
  Do(LaunchStep::kNamespaces, &Child::JoinNamespaces);
  bool is_new_root = plan_.root_mount >= 0;
  if (is_new_root) {
    Do(LaunchStep::kRoot, &Child::AttachRoot);
    Do(LaunchStep::kMounts, &Child::MountAll);
    Do(LaunchStep::kDevices, &Child::MakeDevices);
  }
  Do(LaunchStep::kConsole, &Child::OpenConsole);
  if (is_new_root) {
    Do(LaunchStep::kSysctl, &Child::SetSysctls);
    Do(LaunchStep::kProtect, &Child::ProtectPaths);
    umask(022);
    Do(LaunchStep::kPivot, &Child::PivotRoot);
  }
  Do(LaunchStep::kIdentity, &Child::SetIdentity);
  Do(LaunchStep::kDirectory, &Child::EnterDirectoryIfAllowed);
  Do(LaunchStep::kStreams, &Child::ConnectStreams);
  Do(LaunchStep::kLimits, &Child::SetLimits);
  Do(LaunchStep::kUser, &Child::JoinUser);
  bool is_filter_early = plan_.seccomp != nullptr && !plan_.no_new_privileges;
  // A filter may forbid what waiting needs; its listener goes to who creates, not to who starts.
  bool listens = plan_.seccomp_listens;
  // Before a filter, which may not know the calls for it, and before the gate: who creates is told.
  if (is_filter_early) Do(LaunchStep::kLabel, &Child::SetLabels);
  if (is_filter_early && !listens) AwaitStart();
  // Without no_new_privs a filter needs CAP_SYS_ADMIN, which the credentials take away.
  if (is_filter_early) {
    report_.step = LaunchStep::kConfine;  // also for the parent, when it cannot take the listener
    if (!LoadFilter()) Fail();
  }
  Do(LaunchStep::kCredentials, &Child::SetCredentials);
  if (!is_directory_entered_) Do(LaunchStep::kDirectory, &Child::EnterDirectory);
  if (!is_filter_early) Do(LaunchStep::kLabel, &Child::SetLabels);
  if (!is_filter_early && !listens) AwaitStart();
  Do(LaunchStep::kConfine, &Child::Confine);
  if (listens) AwaitStart();
  Do(LaunchStep::kExec, &Child::Exec);
  _exit(127);
}

}  // namespace

void RunChild(const ChildPlan& plan) { Child(plan).Run(); }

}  // namespace skiff::isolation
