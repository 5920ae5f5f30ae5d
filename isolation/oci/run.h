// Making a container from a bundle: `create`, which leaves it waiting for `start`, and `run`, in
// the foreground or detached.
//
// A single-threaded process. The container inherits the three standard streams. In the foreground
// it dies with the caller, and signals that reach the caller are passed on. Whatever step fails, no
// process, cgroup or state directory is left behind.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "isolation/base/result.h"
#include "isolation/container_spec.h"
#include "isolation/launch.h"
#include "isolation/oci/config.h"

namespace skiff::isolation::oci {

// Who makes a container's group. kNone: no limits and no device rules; a config with limits is
// refused.
enum class CgroupSource { kFiles, kSystemd, kNone };

// What every command is told.
struct CommandContext {
  std::string root;  // directory of all state
  CgroupSource cgroups = CgroupSource::kFiles;
  std::string systemd_program;  // skiff-oci-systemd (isolation/systemd/scope.h)
  // Whether a container that asks for nothing in a cgroup goes without one where none may be made;
  // not said: where the caller is not the host's root.
  std::optional<bool> may_lack_cgroup;
  // Who the caller is on the host, when this process is root of a user namespace that it made for
  // him (isolation/oci/rootless.h).
  std::optional<uid_t> caller;
  // Executes this program again from its beginning, with `caller` set. Returns when that fails.
  std::function<Result<>()> begin_again;
  // Executes it again from a copy that nobody can write, unless it runs from one.
  std::function<Result<>()> begin_sealed;
  std::function<void(std::string_view)> warn;
  std::function<void(std::string_view)> debug;  // how long each step of the start took
  // Called before this program is inside a container where no command line says that it will be;
  // it may begin anew in here.
  std::function<void()> protect_program;
};

enum class RunMode { kForeground, kDetached, kCreate };

// Moves network devices of this process's namespace into `network_namespace` (borrowed), all or
// none, and answers what moves them back, as they were. Who calls Run supplies it: networking,
// which stands to the right of this folder, does it.
using MoveBack = std::function<Result<>()>;
using MoveNetDevices =
    std::function<Result<MoveBack>(const std::vector<NetDevice>& devices, int network_namespace)>;

struct RunOptions {
  CommandContext context;
  RunMode mode = RunMode::kForeground;
  std::string bundle;  // directory with config.json
  std::string config = "config.json";
  std::string id;
  std::string pid_file;        // "": none
  std::string console_socket;  // "": none
  unsigned preserved_descriptors = 0;
  MoveNetDevices move_net_devices;  // for configurations with linux.netDevices
  bool new_keyring = true;
  bool moves_root = false;   // see ContainerSpec
  bool keeps_state = false;  // of a foreground run
};

// How a run ended that never began: 126 or 127 when the program could not be executed, else 1.
inline constexpr int kRunFailed = 1;

// The container's exit code, 128 + signal when one killed it; 0 when it was created or detached. On
// an error nothing is left behind and `failure_code` is what to exit with.
Result<int> Run(const RunOptions& options, int* failure_code);

// Shared with exec. What this process itself does not hold is left out with a warning, as the
// specification wants.
Result<> LimitCapabilities(ContainerSpec* spec, const CommandContext& context);
// Programs expect HOME; runc and crun set it, too. The image's own passwd file says where.
void SetHome(int rootfs, ContainerSpec* spec);
// Descriptors that a service manager passed (LISTEN_FDS of sd_listen_fds(3)) go on to the
// container.
void PassListeners(unsigned preserved, ContainerSpec* spec);
// How long the steps of a start took, to context.debug.
void TellSteps(const Launched& launched, const CommandContext& context, bool is_exec);
Result<> WritePidFile(const std::string& path, pid_t pid);

}  // namespace skiff::isolation::oci
