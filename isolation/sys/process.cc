#include "isolation/sys/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "isolation/base/text.h"
#include "isolation/sys/call.h"
#include "isolation/sys/file.h"

namespace skiff::sys {

Result<Pipe> MakePipe(int flags) {
  int fds[2];
  TRY(CallVoid("pipe", "", [&] { return pipe2(fds, flags | O_CLOEXEC); }));
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<UniqueFd> OpenPidfd(pid_t pid) {
  int fd = TRY(Call("pidfd_open", std::to_string(pid),
                    [&] { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }));
  return UniqueFd(fd);
}

Result<pid_t> PidOf(int pidfd) {
  std::string path = "/proc/self/fdinfo/" + std::to_string(pidfd);
  std::string text = TRY(ReadFile(AT_FDCWD, path));
  for (std::string_view line : Split(text, '\n')) {
    if (line.rfind("Pid:\t", 0) != 0) continue;
    std::optional<uint64_t> pid = ParseUint(line.substr(5), INT32_MAX);
    if (pid) return static_cast<pid_t>(*pid);
  }
  return Error(Code::kInternal, path + ": names no process of this pid namespace");
}

Result<UniqueFd> CopyDescriptor(int pidfd, int number) {
  int fd = TRY(Call("pidfd_getfd", std::to_string(number),
                    [&] { return static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, number, 0)); }));
  return UniqueFd(fd);
}

Result<> SignalPidfd(int pidfd, int signal) {
  return CallVoid("pidfd_send_signal", "", [&] {
    return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
  });
}

Result<std::optional<ExitStatus>> WaitPidfd(int pidfd, bool is_blocking) {
  siginfo_t info{};
  TRY(CallVoid("waitid", "", [&] {
    return waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | (is_blocking ? 0 : WNOHANG));
  }));
  if (info.si_pid == 0) return std::optional<ExitStatus>();
  ExitStatus status;
  (info.si_code == CLD_EXITED ? status.exit_code : status.signal) = info.si_status;
  return std::optional<ExitStatus>(status);
}

namespace {
Result<bool> PollFor(int fd, int16_t events, std::chrono::milliseconds timeout) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  int count =
      TRY(Call("poll", "", [&] { return poll(&entry, 1, static_cast<int>(timeout.count())); }));
  return count > 0;
}
}  // namespace

Result<bool> PollReadable(int fd, std::chrono::milliseconds timeout) {
  return PollFor(fd, POLLIN, timeout);
}

Result<bool> PollPriority(int fd, std::chrono::milliseconds timeout) {
  return PollFor(fd, POLLPRI, timeout);
}

namespace {

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Only a child is in the pid namespace that was entered: this process waits for it, and ends as it
// did.
void ContinueAsChild() {
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    return;
  }
  close_range(0, ~0U, 0);
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (child > 0 && WIFSIGNALED(status)) kill(getpid(), WTERMSIG(status));
  _exit(child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 127);
}

// Between fork and exec: system calls only, and nothing of a sanitizer's, which may take this for
// the parent (see StartSpawned).
[[noreturn]] __attribute__((no_sanitize("address", "thread"))) void ExecSpawned(
    const SpawnSpec& spec, char* const* argv, char* const* envp, int error_pipe) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (spec.new_session) setsid();
  // A copy of its parent until the exec: nobody in there may look into it (CVE-2016-9962).
  bool is_joined = spec.namespaces < 0 || (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                                           setns(spec.namespaces, spec.namespace_types) == 0);
  if (is_joined && (spec.namespace_types & CLONE_NEWPID) != 0) ContinueAsChild();
  is_joined = is_joined && (spec.directory.empty() || chdir(spec.directory.c_str()) == 0);
  int count = static_cast<int>(spec.fds.size());
  // Two passes: first out of the way of the target numbers, then onto them.
  int moved[16];
  bool is_fine = is_joined && count <= 16;
  int error_high = fcntl(error_pipe, F_DUPFD_CLOEXEC, count);
  for (int i = 0; is_fine && i < count; ++i) {
    moved[i] = fcntl(spec.fds[static_cast<size_t>(i)], F_DUPFD_CLOEXEC, count);
    is_fine = moved[i] >= 0;
  }
  for (int i = 0; is_fine && i < count; ++i) is_fine = dup2(moved[i], i) == i;
  if (is_fine) {
    close_range(static_cast<unsigned>(count), ~0U, CLOSE_RANGE_CLOEXEC);
    sock_fprog filter{.len = spec.filter_size,
                      .filter = static_cast<sock_filter*>(const_cast<void*>(spec.filter))};
    is_fine =
        spec.filter == nullptr || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
  }
  if (is_fine) {
    if (spec.program >= 0) syscall(SYS_execveat, spec.program, "", argv, envp, AT_EMPTY_PATH);
    if (spec.program < 0) execve(spec.path.c_str(), argv, envp);
  }
  int error_number = errno;
  [[maybe_unused]] ssize_t written = write(error_high, &error_number, sizeof(error_number));
  _exit(127);
}

struct SpawnChild {
  const SpawnSpec* spec;
  char* const* argv;
  char* const* envp;
  int error_pipe;
};

int RunSpawned(void* argument) {
  const auto* child = static_cast<const SpawnChild*>(argument);
  ExecSpawned(*child->spec, child->argv, child->envp, child->error_pipe);
}

// A copy of the memory, and the faults when both write to theirs, would be most of what a start
// costs a daemon: the child has a stack in the caller's memory instead, and this thread stands
// still until it has exec'd or ended. A child that forks again must not hold it up.
Result<pid_t> StartSpawned(const SpawnChild& child) {
  if (child.spec->namespaces >= 0) {
    pid_t pid = TRY(Call("fork", child.spec->path, [] { return fork(); }));
    if (pid == 0) ExecSpawned(*child.spec, child.argv, child.envp, child.error_pipe);
    return pid;
  }
  struct alignas(16) Stack {
    char bytes[32 << 10];
  };
  auto stack = std::make_unique<Stack>();
  return Call("clone", child.spec->path, [&] {
    return clone(RunSpawned, stack.get() + 1, CLONE_VM | CLONE_VFORK | SIGCHLD,
                 const_cast<SpawnChild*>(&child));
  });
}

}  // namespace

Result<Process> Spawn(const SpawnSpec& spec) {
  std::vector<char*> argv = Pointers(spec.arguments);
  std::vector<char*> envp = Pointers(spec.environment);
  Pipe errors = TRY(MakePipe());
  pid_t pid = TRY(StartSpawned({&spec, argv.data(), envp.data(), errors.write_end.get()}));
  errors.write_end.Reset();
  Process process;
  process.pid = pid;
  Result<UniqueFd> pidfd = OpenPidfd(pid);
  int error_number = 0;
  Result<size_t> count = Read(errors.read_end.get(), &error_number, sizeof(error_number));
  bool is_started = pidfd.ok() && count.ok() && count.value() == 0;
  if (is_started) {
    process.pidfd = std::move(pidfd).value();
    return process;
  }
  kill(pid, SIGKILL);  // our own unreaped child: the number cannot have been recycled
  waitpid(pid, nullptr, 0);
  if (!pidfd.ok()) return std::move(pidfd).error();
  if (!count.ok()) return std::move(count).error();
  return Error::FromErrno(error_number, "start " + spec.path);
}

Result<> BecomeProgram(int program, char* const* arguments) {
  return CallVoid("execveat", arguments[0], [&] {
    return static_cast<int>(syscall(SYS_execveat, program, "", arguments, environ, AT_EMPTY_PATH));
  });
}

Result<UniqueFd> OpenOwnNamespace(const std::string& type) {
  std::string path = "/proc/thread-self/ns/" + type;
  int fd = TRY(Call("open", path, [&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  return UniqueFd(fd);
}

Result<> EnterNamespace(int fd, int clone_flag) {
  return CallVoid("setns", "", [&] { return setns(fd, clone_flag); });
}

void EnterNamespaceOrAbort(int fd, int clone_flag) {
  if (setns(fd, clone_flag) != 0) abort();
}

Result<> UnshareTime() {
  constexpr int kNewTime = 0x00000080;  // CLONE_NEWTIME, Linux 5.6
  return CallVoid("unshare", "time namespace", [] { return unshare(kNewTime); });
}

Result<UniqueFd> MakeNetworkNamespace() {
  UniqueFd own = TRY(OpenOwnNamespace("net"));
  TRY(CallVoid("unshare", "network namespace", [] { return unshare(CLONE_NEWNET); }));
  Result<UniqueFd> made = OpenOwnNamespace("net");
  EnterNamespaceOrAbort(own.get(), CLONE_NEWNET);
  return made;
}

Result<struct rlimit> GetLimit(int resource) {
  struct rlimit limit {};
  TRY(CallVoid("getrlimit", "", [&] {
    return prlimit(0, static_cast<__rlimit_resource>(resource), nullptr, &limit);
  }));
  return limit;
}

bool IsRoot() { return geteuid() == 0 && getegid() == 0; }

mode_t SetUmask(mode_t mask) { return umask(mask); }

Result<> SetLimit(int resource, const struct rlimit& limit) {
  return CallVoid("setrlimit", "", [&] {
    return prlimit(0, static_cast<__rlimit_resource>(resource), &limit, nullptr);
  });
}

Result<> SetProcessors(const std::vector<int>& processors) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int processor : processors) CPU_SET(static_cast<size_t>(processor), &set);
  return CallVoid("sched_setaffinity", "", [&] { return sched_setaffinity(0, sizeof(set), &set); });
}

Result<> SetNonDumpable() {
  return CallVoid("prctl", "dumpable", [] { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); });
}

Result<UniqueFd> MakeSignalFd(const std::vector<int>& signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  TRY(CallVoid("sigprocmask", "", [&] { return sigprocmask(SIG_BLOCK, &set, nullptr); }));
  int fd =
      TRY(Call("signalfd", "", [&] { return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK); }));
  return UniqueFd(fd);
}

Result<std::optional<int>> ReadSignal(int signal_fd) {
  signalfd_siginfo info{};
  Result<size_t> size = Read(signal_fd, &info, sizeof(info));
  if (!size.ok() && size.error().sys_errno() != EAGAIN) return std::move(size).error();
  if (!size.ok() || size.value() != sizeof(info)) return std::optional<int>();
  return std::optional<int>(static_cast<int>(info.ssi_signo));
}

Result<UniqueFd> MakeEventFd() {
  int fd = TRY(Call("eventfd", "", [] { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }));
  return UniqueFd(fd);
}

std::string KernelRelease() {
  utsname name{};
  uname(&name);
  return name.release;
}

}  // namespace skiff::sys
