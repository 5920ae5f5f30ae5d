#include "isolation/sys/pid_namespace.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "isolation/sys/call.h"
#include "isolation/sys/file.h"

namespace skiff::sys {
namespace {

constexpr size_t kMaxReason = 512;
constexpr int kReadyEnd = 3;

[[noreturn]] void ReapForGood() {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  for (;;) {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    siginfo_t info;
    sigwaitinfo(&children, &info);  // one that came meanwhile is pending: it is blocked
  }
}

// What the parent hears: nothing, and the end of the pipe, when all is well.
[[noreturn]] void RunInit(int ready, Result<> (*confine)(void*), void* argument) {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, nullptr);
  bool is_alone = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
                  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && dup2(ready, kReadyEnd) == kReadyEnd &&
                  close_range(kReadyEnd + 1, ~0U, 0) == 0;
  for (int fd = 0; fd < kReadyEnd; ++fd) close(fd);
  pollfd parent{.fd = kReadyEnd, .events = 0, .revents = 0};
  if (!is_alone || poll(&parent, 1, 0) != 0) _exit(1);  // the parent has died
  Result<> confined = confine(argument);
  if (!confined.ok()) {
    std::string reason = confined.error().message();
    size_t size = std::min(reason.size(), kMaxReason);
    [[maybe_unused]] ssize_t written = write(kReadyEnd, reason.data(), size);
    _exit(1);
  }
  close(kReadyEnd);
  ReapForGood();
}

Result<Process> ForkIntoPidNamespace() {
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_NEWPID | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  pid_t pid = TRY(Call("clone3", "pid namespace", [&] {
    return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof(arguments)));
  }));
  Process process;
  process.pid = pid;
  process.pidfd = UniqueFd(pidfd);
  return process;
}

void KillAndReap(const Process& process) {
  syscall(SYS_pidfd_send_signal, process.pidfd.get(), SIGKILL, nullptr, 0);
  siginfo_t info{};
  while (waitid(P_PIDFD, static_cast<id_t>(process.pidfd.get()), &info, WEXITED) != 0 &&
         errno == EINTR) {
  }
}

Result<UniqueFd> AwaitReady(const Process& init, int ready) {
  std::string reason = TRY(ReadAll(ready, "pid namespace", Bytes(kMaxReason)));
  if (!reason.empty()) return Error(Code::kInternal, "pid namespace: " + reason);
  std::optional<ExitStatus> ended = TRY(WaitPidfd(init.pidfd.get(), false));
  if (ended) return Error(Code::kInternal, "pid namespace: its init ended");
  return Open(AT_FDCWD, "/proc/" + std::to_string(init.pid) + "/ns/pid", O_RDONLY);
}

}  // namespace

Result<PidNamespace> MakePidNamespace(Result<> (*confine)(void*), void* argument) {
  Pipe ready = TRY(MakePipe());
  PidNamespace made;
  made.init = TRY(ForkIntoPidNamespace());
  if (made.init.pid == 0) {
    close(ready.read_end.get());
    RunInit(ready.write_end.get(), confine, argument);
  }
  ready.write_end.Reset();
  Result<UniqueFd> fd = AwaitReady(made.init, ready.read_end.get());
  if (!fd.ok()) {
    KillAndReap(made.init);
    return std::move(fd).error();
  }
  made.fd = std::move(fd).value();
  return made;
}

}  // namespace skiff::sys
