// What is known of a container while it exists: <root>/<id>/status, in the form of the
// specification's `state`, with what later commands (state, start, kill, exec, delete) need beside
// it. What may change without a command (it runs, it is frozen, it has ended) is not in the file:
// CurrentStatus looks.
//
//   <root>/               0700, --root
//     .cache/             compiled seccomp programs
//     <id>/status
//     <id>/config.json    as it was when the container was made
//     <id>/start.sock     while the container waits for `start` (isolation/launch.h, the gate)
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/container_spec.h"

namespace skiff::isolation::oci {

struct State {
  std::string version;  // ociVersion of the config
  std::string id;
  std::string status;  // "creating", "created", "running", "paused", "stopped"
  pid_t pid = 0;
  uint64_t pid_start = 0;  // ticks since boot: tells a recycled number
  std::string bundle;
  std::string rootfs;
  std::string cgroup_path;        // "": no group of its own
  bool is_cgroup_shared = false;  // it held processes of others before
  std::string systemd_unit;       // that the group belongs to; "": it was made without systemd
  bool is_systemd_user = false;   // the unit is of its owner's manager
  uint64_t root_mount = 0;  // the mount on `rootfs` that is the container's; 0: in its namespace
  std::string created;
  std::string owner;
  std::map<std::string, std::string> annotations;
};

std::string EncodeState(const State& state);        // as the file has it
std::string EncodePublicState(const State& state);  // as `state` and hooks have it
// What a seccomp agent is told of the process `pid`: runtime-spec, "container process state".
std::string EncodeProcessState(const State& state, pid_t pid, const std::string& metadata);
std::string EncodeStates(const std::vector<State>& states);
Result<State> DecodeState(std::string_view text);

// When the process was started, in ticks since boot; an error when there is none.
Result<uint64_t> ProcessStart(pid_t pid);
// The process itself, if it is still the one that was started: invalid when it has ended.
UniqueFd OpenContainerProcess(const State& state);

// A container's directory: making it claims the id, so two containers never share one.
class StateDirectory {
 public:
  static Result<StateDirectory> Create(const std::string& root, const std::string& id);
  // Destroying it leaves the container alone.
  static Result<StateDirectory> Open(const std::string& root, const std::string& id);
  StateDirectory(StateDirectory&& other) noexcept;
  StateDirectory& operator=(StateDirectory&&) = delete;
  ~StateDirectory();  // removes it when made here, if Keep or Remove was not called

  Result<> Store(const State& state) const;
  Result<State> Load() const;  // with the status of this moment
  // A device node in the directory, and its path.
  Result<std::string> MakeDevice(const DeviceSpec& device, uid_t uid, gid_t gid) const;
  Result<> StoreConfig(std::string_view text) const;
  Result<std::string> LoadConfig() const;
  std::string notify_directory() const { return path_ + "/notify"; }
  std::string gate_path() const { return path_ + "/start.sock"; }
  // Takes the gate away from every other `start`: false when it is gone.
  Result<bool> ClaimGate() const;
  std::string claimed_gate_path() const { return path_ + "/starting.sock"; }
  void Keep() { is_owned_ = false; }
  Result<> Remove();

 private:
  StateDirectory(std::string path, bool is_owned) : path_(std::move(path)), is_owned_(is_owned) {}
  std::string path_;  // "": moved from or removed
  bool is_owned_;
};

// The ids there are, sorted; none when `root` does not exist.
Result<std::vector<std::string>> ListContainers(const std::string& root);

}  // namespace skiff::isolation::oci
