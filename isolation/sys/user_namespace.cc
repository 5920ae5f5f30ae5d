#include "isolation/sys/user_namespace.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "isolation/base/scope_exit.h"
#include "isolation/base/text.h"
#include "isolation/sys/call.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"

namespace skiff::sys {
namespace {

int WaitForEnd(void* parent) {
  bool is_bound = prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
  if (!is_bound || getppid() != *static_cast<pid_t*>(parent)) _exit(1);
  for (;;) pause();
}

// Whoever holds the namespaces until there are descriptors of them. It shares our memory, for a
// copy would cost more than all the rest, and does nothing with it.
Result<Process> StartHolder(int flags) {
  alignas(16) static char stack[8192];
  static pid_t parent;
  parent = getpid();
  int pidfd = -1;
  pid_t pid = TRY(Call("clone", "user namespace", [&] {
    return clone(WaitForEnd, stack + sizeof(stack), flags | CLONE_VM | CLONE_PIDFD | SIGCHLD,
                 &parent, &pidfd);
  }));
  Process holder;
  holder.pid = pid;
  holder.pidfd = UniqueFd(pidfd);
  return holder;
}

// Its memory is ours and its end must be certain, so no failpoint is asked.
void End(const Process& holder) {
  syscall(SYS_pidfd_send_signal, holder.pidfd.get(), SIGKILL, nullptr, 0);
  siginfo_t info{};
  while (waitid(P_PIDFD, static_cast<id_t>(holder.pidfd.get()), &info, WEXITED) != 0 &&
         errno == EINTR) {
  }
}

Result<> WriteMaps(const std::string& process, uint32_t first_id) {
  std::string map = "0 " + std::to_string(first_id) + " " + std::to_string(kIdBlockSize);
  TRY(WriteControl(AT_FDCWD, process + "/uid_map", map));
  return WriteControl(AT_FDCWD, process + "/gid_map", map);
}

// `program` is to be set-user-id root, and knows what /etc/subuid lets its caller have.
Result<> MapWith(const std::string& program, pid_t pid, const std::string& map) {
  SpawnSpec spec;
  spec.path = "/usr/bin/" + program;
  spec.arguments = {program, std::to_string(pid)};
  for (std::string_view line : Split(TrimSpace(map), '\n')) {
    for (std::string_view number : Split(line, ' ')) spec.arguments.emplace_back(number);
  }
  if (!Exists(AT_FDCWD, spec.path)) {
    return Error(Code::kDenied,
                 "only the caller's own id can be mapped without " + spec.path + " (uidmap)");
  }
  UniqueFd null = TRY(Open(AT_FDCWD, "/dev/null", O_RDWR));
  spec.fds = {null.get(), null.get(), STDERR_FILENO};
  Process process = TRY(Spawn(spec));
  std::optional<ExitStatus> status = TRY(WaitPidfd(process.pidfd.get(), true));
  if (status->ShellCode() == 0) return {};
  return Error(Code::kDenied, program + ": exit status " + std::to_string(status->ShellCode()) +
                                  ": see /etc/subuid and /etc/subgid");
}

bool IsDenied(const Result<>& result) {
  return !result.ok() && result.error().sys_errno() == EPERM;
}

Result<> MapUsers(pid_t pid, const std::string& map) {
  Result<> written = WriteControl(AT_FDCWD, "/proc/" + std::to_string(pid) + "/uid_map", map);
  return IsDenied(written) ? MapWith("newuidmap", pid, map) : std::move(written);
}

Result<> MapGroups(pid_t pid, const std::string& map) {
  std::string process = "/proc/" + std::to_string(pid);
  Result<> written = WriteControl(AT_FDCWD, process + "/gid_map", map);
  if (!IsDenied(written)) return written;
  std::string own = " " + std::to_string(getegid()) + " 1\n";
  bool is_own = map.find('\n') == map.size() - 1 && map.ends_with(own);
  if (!is_own) return MapWith("newgidmap", pid, map);
  // Who maps only himself has to give up setgroups(2) first: user_namespaces(7).
  TRY(WriteControl(AT_FDCWD, process + "/setgroups", "deny"));
  return WriteControl(AT_FDCWD, process + "/gid_map", map);
}

}  // namespace

Result<UserNamespace> MakeUserNamespace(uint32_t first_id, bool with_network) {
  Process holder = TRY(StartHolder(CLONE_NEWUSER | (with_network ? CLONE_NEWNET : 0)));
  ScopeExit end([&] { End(holder); });
  std::string process = "/proc/" + std::to_string(holder.pid);
  TRY(WriteMaps(process, first_id));
  UserNamespace made;
  made.user = TRY(Open(AT_FDCWD, process + "/ns/user", O_RDONLY));
  if (with_network) made.network = TRY(Open(AT_FDCWD, process + "/ns/net", O_RDONLY));
  return made;
}

Result<UserNamespace> MakeUserNamespace(const std::string& uid_map, const std::string& gid_map) {
  Process holder = TRY(StartHolder(CLONE_NEWUSER));
  ScopeExit end([&] { End(holder); });
  std::string process = "/proc/" + std::to_string(holder.pid);
  TRY(MapGroups(holder.pid, gid_map));
  TRY(MapUsers(holder.pid, uid_map));
  UserNamespace made;
  made.user = TRY(Open(AT_FDCWD, process + "/ns/user", O_RDONLY));
  return made;
}

namespace {

// Only of a process inside can the maps be read.
[[noreturn]] void ShowMaps(int user_namespace, int ready) {
  bool is_hidden =
      prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
  int error_number = is_hidden && setns(user_namespace, CLONE_NEWUSER) == 0 ? 0 : errno;
  bool is_told = write(ready, &error_number, sizeof(error_number)) == sizeof(error_number);
  while (is_told && error_number == 0) pause();
  _exit(1);
}

}  // namespace

Result<IdMapTexts> ReadIdMaps(int user_namespace) {
  Pipe ready = TRY(MakePipe());
  pid_t pid = TRY(Call("fork", "user namespace", [] { return fork(); }));
  if (pid == 0) ShowMaps(user_namespace, ready.write_end.get());
  ScopeExit end([pid] {
    kill(pid, SIGKILL);  // our own unreaped child
    waitpid(pid, nullptr, 0);
  });
  ready.write_end.Reset();
  int error_number = 0;
  size_t count = TRY(Read(ready.read_end.get(), &error_number, sizeof(error_number)));
  if (count != sizeof(error_number)) return Error(Code::kInternal, "user namespace: helper ended");
  if (error_number != 0) return Error::FromErrno(error_number, "join user namespace");
  std::string process = "/proc/" + std::to_string(pid);
  IdMapTexts maps;
  maps.users = TRY(ReadFile(AT_FDCWD, process + "/uid_map"));
  maps.groups = TRY(ReadFile(AT_FDCWD, process + "/gid_map"));
  return maps;
}

Result<UniqueFd> ParentOf(int user_namespace) {
  int fd =
      TRY(Call("NS_GET_PARENT", "", [&] { return ioctl(user_namespace, NS_GET_PARENT, nullptr); }));
  return UniqueFd(fd);
}

namespace {

// An exec by another user than 0 takes away all but what is ambient: capabilities(7).
Result<> KeepRightsAcrossExec() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  TRY(CallVoid("capget", "", [&] { return static_cast<int>(syscall(SYS_capget, &header, data)); }));
  for (__user_cap_data_struct& half : data) half.inheritable = half.permitted;
  TRY(CallVoid("capset", "", [&] { return static_cast<int>(syscall(SYS_capset, &header, data)); }));
  for (unsigned number = 0; number < 64; ++number) {
    if ((data[number / 32].permitted >> number % 32 & 1) == 0) continue;
    TRY(CallVoid("prctl", "ambient capability " + std::to_string(number),
                 [&] { return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0); }));
  }
  return {};
}

}  // namespace

Result<> BecomeRootOf(int user_namespace) {
  TRY(EnterNamespace(user_namespace, CLONE_NEWUSER));
  TRY(BecomeMappedRoot());
  TRY(KeepRightsAcrossExec());
  return CallVoid("unshare", "CLONE_NEWNS", [] { return unshare(CLONE_NEWNS); });
}

Result<> BecomeMappedRoot() {
  auto unless_absent = [](Result<> result) -> Result<> {
    bool is_absent = !result.ok() && result.error().sys_errno() == EINVAL;
    return is_absent ? Result<>() : std::move(result);
  };
  TRY(unless_absent(CallVoid("setresgid", "0", [] { return setresgid(0, 0, 0); })));
  return unless_absent(CallVoid("setresuid", "0", [] { return setresuid(0, 0, 0); }));
}

Result<> ShowIdsThrough(int mount_fd, int user_namespace, bool is_recursive,
                        const std::string& what) {
  struct mount_attr attributes {};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<uint64_t>(user_namespace);
  unsigned flags = unsigned{AT_EMPTY_PATH} | (is_recursive ? unsigned{AT_RECURSIVE} : 0U);
  Result<> set = CallVoid("mount_setattr", what, [&] {
    return static_cast<int>(
        syscall(SYS_mount_setattr, mount_fd, "", flags, &attributes, sizeof(attributes)));
  });
  if (!set.ok() && set.error().sys_errno() == EINVAL) {
    return Error(Code::kUnavailable, what + ": its file system has no id-mapped mounts");
  }
  return set;
}

Result<> EnterFollowingMountNamespace() {
  TRY(CallVoid("unshare", "CLONE_NEWNS", [] { return unshare(CLONE_NEWNS); }));
  return CallVoid("mount", "/ as slave",
                  [] { return mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr); });
}

}  // namespace skiff::sys
