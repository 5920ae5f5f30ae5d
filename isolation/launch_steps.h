// The steps of a container's start between clone and exec. The same list names the failed step in
// an error, stands in the start-up latency breakdown, and is what the leak test makes fail one by
// one.
#pragma once

#include <cstdint>
#include <string_view>

namespace skiff::isolation {

enum class LaunchStep : uint8_t {
  kNone,
  kCgroup,      // joins the v1 groups, unshares the cgroup namespace
  kNamespaces,  // has its ids mapped, joins namespaces
  kRoot,        // attaches the root file system in the private mount namespace
  kMounts,      // file systems and binds inside it
  kDevices,     // nodes and links in /dev
  kConsole,     // a terminal of the container's own devpts
  kSysctl,
  kProtect,      // read-only and masked paths, read-only root
  kPivot,        // pivot_root, the host's tree goes
  kIdentity,     // host name, session
  kDirectory,    // working directory
  kStreams,      // standard input, output, error
  kLimits,       // rlimits, oom_score_adj
  kUser,         // joins the task's user namespace
  kCredentials,  // capabilities, groups, user
  kLabel,        // profile of AppArmor, label of SELinux for the exec
  kConfine,      // no_new_privs, seccomp
  kExec,
  kDone,
};
inline constexpr int kLaunchStepCount = static_cast<int>(LaunchStep::kDone) + 1;

constexpr std::string_view LaunchStepName(LaunchStep step) {
  constexpr std::string_view kNames[kLaunchStepCount] = {"clone",
                                                         "join cgroup",
                                                         "join namespaces",
                                                         "attach root",
                                                         "mount",
                                                         "make devices",
                                                         "open terminal",
                                                         "sysctl",
                                                         "protect paths",
                                                         "pivot root",
                                                         "set host name",
                                                         "enter working directory",
                                                         "connect streams",
                                                         "set limits",
                                                         "join user namespace",
                                                         "set credentials",
                                                         "set security label",
                                                         "confine",
                                                         "exec",
                                                         "done"};
  return kNames[static_cast<int>(step)];
}

}  // namespace skiff::isolation
