// Processes, namespaces, resource limits and the descriptors a supervisor waits on. Processes are
// named by pidfd, never by number, so that no recycled pid is ever signalled. Any thread, unless a
// function says otherwise.
#pragma once

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::sys {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};
Result<Pipe> MakePipe(int flags = 0);  // O_CLOEXEC is added

// A process by pidfd. Destroying it neither kills nor reaps.
struct Process {
  pid_t pid = -1;  // for people to read; act through pidfd
  UniqueFd pidfd;
};
// How a process ended: an exit status, or the signal that killed it.
struct ExitStatus {
  int exit_code = 0;  // meaningful when signal is 0
  int signal = 0;
  // As shells and Docker count: 128 + signal.
  int ShellCode() const { return signal != 0 ? 128 + signal : exit_code; }
};

Result<UniqueFd> OpenPidfd(pid_t pid);
Result<pid_t> PidOf(int pidfd);  // in this process's pid namespace
// A copy of another process's descriptor (pidfd_getfd(2)): needs the right to trace it.
Result<UniqueFd> CopyDescriptor(int pidfd, int number);
Result<> SignalPidfd(int pidfd, int signal);
// Reaps a child through its pidfd; nullopt when it still runs and `is_blocking` is false.
Result<std::optional<ExitStatus>> WaitPidfd(int pidfd, bool is_blocking);
// True when `pidfd` became readable (the process ended) within the timeout.
Result<bool> PollReadable(int fd, std::chrono::milliseconds timeout);
// The same for POLLPRI: a change of a kernel file such as cgroup.events.
Result<bool> PollPriority(int fd, std::chrono::milliseconds timeout);

// Starts a program with exactly these arguments and environment; fds[i] becomes descriptor i, every
// other descriptor is closed. With `new_session` it is a session leader. For host programs only,
// never for what a container runs.
struct SpawnSpec {
  std::string path;
  std::vector<std::string> arguments;    // including argv[0]
  std::vector<std::string> environment;  // NAME=value
  std::vector<int> fds;                  // borrowed
  int program = -1;                      // borrowed: executed instead of `path`, if not negative
  bool new_session = false;
  int namespaces = -1;      // borrowed pidfd: the program starts in namespaces of that process,
  int namespace_types = 0;  // these ones (CLONE_NEW*); `path` is resolved there
  std::string directory;    // working directory, in those namespaces; "": as it is
  // Borrowed: a seccomp filter's instructions, that the program runs under, and their number.
  const void* filter = nullptr;
  uint16_t filter_size = 0;
};
Result<Process> Spawn(const SpawnSpec& spec);

// Becomes the program behind `program` (execveat(2)), with this process's environment. Returns only
// when that cannot be.
Result<> BecomeProgram(int program, char* const* arguments);

// A network namespace of its own; the calling thread is back in its old one afterwards.
// Single-threaded callers.
Result<UniqueFd> MakeNetworkNamespace();
// A time namespace for this process's children: until it enters its own one again.
Result<> UnshareTime();
// Runs `function` inside the network namespace `netns` and comes back. If coming back fails the
// process aborts: running on in a task's network would be worse. Single-threaded callers.
template <typename Function>
auto InNetworkNamespace(int netns, Function function) -> decltype(function());

Result<UniqueFd> OpenOwnNamespace(
    const std::string& type);                     // "net", "mnt", ...: /proc/self/ns/TYPE
Result<> EnterNamespace(int fd, int clone_flag);  // setns(2)
void EnterNamespaceOrAbort(int fd, int clone_flag);

Result<struct rlimit> GetLimit(int resource);
bool IsRoot();                 // with root's group: the effective ids
mode_t SetUmask(mode_t mask);  // of the whole process; answers the one before
Result<> SetLimit(int resource, const struct rlimit& limit);
// Where this thread, and what it starts, may run.
Result<> SetProcessors(const std::vector<int>& processors);
Result<> SetNonDumpable();

// Blocks `signals` and returns a descriptor that reads them (signalfd(2), non-blocking).
Result<UniqueFd> MakeSignalFd(const std::vector<int>& signals);
// The next signal such a descriptor holds; nullopt when there is none.
Result<std::optional<int>> ReadSignal(int signal_fd);
Result<UniqueFd> MakeEventFd();

// "6.12.0-1-cloud-amd64"
std::string KernelRelease();

template <typename Function>
auto InNetworkNamespace(int netns, Function function) -> decltype(function()) {
  UniqueFd own = TRY(OpenOwnNamespace("net"));
  constexpr int kNewNet = 0x40000000;  // CLONE_NEWNET
  TRY(EnterNamespace(netns, kNewNet));
  auto result = function();
  EnterNamespaceOrAbort(own.get(), kNewNet);
  return result;
}

}  // namespace skiff::sys
