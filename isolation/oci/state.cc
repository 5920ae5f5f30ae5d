#include "isolation/oci/state.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <utility>

#include "isolation/base/text.h"
#include "isolation/cgroup.h"
#include "isolation/oci/container.h"
#include "isolation/oci/limits.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/process.h"

namespace skiff::isolation::oci {
namespace {

bool IsFrozen(const State& state) {
  if (state.cgroup_path.empty()) return false;
  Result<CgroupHost> host = CgroupHost::Discover();
  if (!host.ok()) return false;
  Result<std::string> frozen = sys::ReadFile(
      AT_FDCWD, host.value().unified_mount() + "/" + state.cgroup_path + "/cgroup.freeze");
  return frozen.ok() && TrimSpace(frozen.value()) == "1";
}

}  // namespace

Result<uint64_t> ProcessStart(pid_t pid) {
  std::string path = "/proc/" + std::to_string(pid) + "/stat";
  std::string text = TRY(sys::ReadFile(AT_FDCWD, path));
  // The name in brackets may hold anything; after it come state (field 3) ... start time (22).
  size_t bracket = text.rfind(')');
  if (bracket == std::string::npos) return Error(Code::kInternal, path + ": not understood");
  std::vector<std::string_view> fields = Split(std::string_view(text).substr(bracket + 2), ' ');
  if (fields.size() < 20) return Error(Code::kInternal, path + ": not understood");
  if (fields[0] == "Z" || fields[0] == "X") return Error(Code::kNotFound, path + ": has ended");
  return ParseUint(fields[19]).value_or(0);
}

UniqueFd OpenContainerProcess(const State& state) {
  if (state.pid <= 0) return {};
  Result<UniqueFd> pidfd = sys::OpenPidfd(state.pid);
  if (!pidfd.ok()) return {};
  Result<uint64_t> start = ProcessStart(state.pid);
  bool is_same = start.ok() && start.value() == state.pid_start;
  return is_same ? std::move(pidfd).value() : UniqueFd();
}

Result<StateDirectory> StateDirectory::Create(const std::string& root, const std::string& id) {
  TRY(sys::MakeDirectories(root, 0700));
  std::string path = root + "/" + id;
  Result<> made = sys::MakeDirectory(AT_FDCWD, path, 0700);
  if (!made.ok() && made.error().sys_errno() == EEXIST) {
    return Error(Code::kConflict, "container id '" + id + "' is in use: its state is in " + path);
  }
  if (!made.ok()) return std::move(made).error();
  return StateDirectory(path, true);
}

Result<StateDirectory> StateDirectory::Open(const std::string& root, const std::string& id) {
  TRY(CheckContainerId(id));
  std::string path = root + "/" + id;
  if (!sys::Exists(AT_FDCWD, path))
    return Error(Code::kNotFound, "container '" + id + "' does not exist");
  return StateDirectory(path, false);
}

StateDirectory::StateDirectory(StateDirectory&& other) noexcept
    : path_(std::exchange(other.path_, "")), is_owned_(other.is_owned_) {}

StateDirectory::~StateDirectory() {
  if (is_owned_) Remove().Ignore();
}

// Renamed into place: who reads sees the old or the new one. A reboot may take it, as it takes the
// container.
Result<> StateDirectory::Store(const State& state) const {
  std::string fresh = path_ + "/status.new";
  TRY(sys::WriteFile(AT_FDCWD, fresh, EncodeState(state)));
  return sys::Rename(AT_FDCWD, fresh, AT_FDCWD, path_ + "/status");
}

Result<State> StateDirectory::Load() const {
  std::string text = TRY(sys::ReadFile(AT_FDCWD, path_ + "/status", kMaxConfigFile));
  State state = TRY(DecodeState(text).Context(path_ + "/status"));
  UniqueFd process = OpenContainerProcess(state);
  if (!process.valid()) {
    state.status = state.status == "creating" && state.pid == 0 ? "creating" : "stopped";
    state.pid = 0;
  } else if (state.status != "creating") {
    bool is_waiting = sys::Exists(AT_FDCWD, gate_path());
    state.status = is_waiting ? "created" : IsFrozen(state) ? "paused" : "running";
  }
  return state;
}

Result<std::string> StateDirectory::MakeDevice(const DeviceSpec& device, uid_t uid,
                                               gid_t gid) const {
  std::string path = path_ + "/device-" + device.type + "-" + std::to_string(device.major) + "-" +
                     std::to_string(device.minor) + "-" + std::to_string(uid) + "-" +
                     std::to_string(gid);
  if (sys::Exists(AT_FDCWD, path)) return path;
  mode_t type = device.type == 'b' ? S_IFBLK : S_IFCHR;
  TRY(sys::MakeNode(AT_FDCWD, path, type | 0600, makedev(device.major, device.minor)));
  TRY(sys::Chmod(AT_FDCWD, path, device.mode & 07777));
  TRY(sys::Chown(AT_FDCWD, path, uid, gid));
  return path;
}

Result<> StateDirectory::StoreConfig(std::string_view text) const {
  return sys::WriteFile(AT_FDCWD, path_ + "/config.json", text);
}

Result<std::string> StateDirectory::LoadConfig() const {
  return sys::ReadFile(AT_FDCWD, path_ + "/config.json", kMaxConfigFile);
}

Result<bool> StateDirectory::ClaimGate() const {
  Result<> renamed = sys::Rename(AT_FDCWD, gate_path(), AT_FDCWD, claimed_gate_path());
  if (!renamed.ok() && renamed.error().code() == Code::kNotFound) return false;
  TRY(std::move(renamed));
  return true;
}

Result<> StateDirectory::Remove() {
  if (path_.empty()) return {};
  return sys::RemoveTree(AT_FDCWD, std::exchange(path_, ""));
}

Result<std::vector<std::string>> ListContainers(const std::string& root) {
  if (!sys::Exists(AT_FDCWD, root)) return std::vector<std::string>();
  std::vector<std::string> names = TRY(sys::ListDirectory(AT_FDCWD, root));
  std::erase_if(names, [&](const std::string& name) {
    return !CheckContainerId(name).ok() || !sys::Exists(AT_FDCWD, root + "/" + name + "/status");
  });
  return names;
}

}  // namespace skiff::isolation::oci
