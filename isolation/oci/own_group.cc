#include "isolation/oci/own_group.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "isolation/oci/container.h"
#include "isolation/oci/rootless.h"
#include "isolation/sys/file.h"

namespace skiff::isolation::oci {

bool HasOwnManager() { return geteuid() != 0 || IsInUserNamespace(); }

Result<> OwnGroup::MakeFiles(const std::string& path, const Config& config, const Warn& warn) {
  std::vector<std::string> warnings;
  CgroupLimits limits = config.resources.limits;
  limits.has_every_controller = true;
  cgroup_ = TRY(host_->Create(path, limits, &warnings));
  for (const std::string& warning : warnings) warn(warning);
  std::vector<DeviceRule> rules = WithDefaultRules(config.resources.device_rules);
  if (rules.empty()) return {};
  return ApplyDeviceRules(rules, cgroup_->unified_fd()).Context("linux.resources.devices");
}

Result<> OwnGroup::Create(const std::string& path, const Config& config, const Warn& warn) {
  CgroupHost host = TRY(CgroupHost::Discover(CgroupHost::Hierarchies::kEvery));
  if (host.IsFrozen(path))
    return Error(Code::kConflict,
                 "linux.cgroupsPath: " + path + ": container's cgroup unexpectedly frozen");
  Result<std::string> events =
      sys::ReadFile(AT_FDCWD, host.unified_mount() + "/" + path + "/cgroup.events");
  is_shared_ = events.ok() && events.value().find("populated 1") != std::string::npos;
  if (is_shared_) warn("linux.cgroupsPath: " + path + ": container's cgroup is not empty");
  host_ = std::move(host);
  has_own_parents_ = HasOwnParentGroups(config);
  Result<> made = MakeFiles(path, config, warn);
  if (!cgroup_) host_.reset();  // nothing is left of it
  return made;
}

Result<> OwnGroup::CreateScope(const SystemdBus& bus, const ScopeName& name, const std::string& id,
                               const Config& config, const Warn& warn) {
  CgroupHost host = TRY(CgroupHost::Discover(CgroupHost::Hierarchies::kEvery));
  if (host.Directories("").size() > 1) {
    return Error(Code::kUnavailable,
                 "cgroup manager systemd: this host has cgroup v1, and only v2 alone is supported: "
                 "use cgroupfs");
  }
  std::vector<DeviceRule> rules = WithDefaultRules(config.resources.device_rules);
  // A user's own manager has no right to filter.
  if (bus.is_user) rules.clear();
  std::vector<UnitProperty> properties =
      TRY(ScopeProperties(name, id, config.resources.limits, rules, config.annotations));
  SystemdScope scope = TRY(SystemdScope::Start(bus, name.unit, properties));
  scope_.emplace(std::move(scope));
  bus_ = bus;
  unit_ = name.unit;
  must_be_joined_ = bus.is_user || config.resources.limits.pids_max == 1;
  host_ = std::move(host);
  Result<> made = MakeFiles(scope_->group(), config, warn);
  if (made.ok()) return made;
  Remove().Ignore();
  return made;
}

Result<> OwnGroup::Join(pid_t pid) {
  std::string file = host_->unified_mount() + "/" + path() + "/cgroup.procs";
  Result<> written = sys::WriteControl(AT_FDCWD, file, std::to_string(pid));
  // From a group that is not below the user's own he may not move a process; systemd may.
  bool is_denied = !written.ok() && written.error().code() == Code::kDenied;
  if (is_denied && !unit_.empty()) written = AttachToScope(bus_, unit_, pid);
  TRY(std::move(written));
  Settle();
  return {};
}

void OwnGroup::Settle() { scope_.reset(); }

Result<> OwnGroup::Remove() {
  if (!host_) return {};
  Result<> removed;
  if (cgroup_) {
    std::string path = cgroup_->path();
    // Removing kills what is inside, and that is not ours alone.
    removed = is_shared_ ? host_->RemoveIfEmpty(path) : host_->Remove(path);
    if (has_own_parents_) host_->RemoveEmptyParents(path);
  }
  scope_.reset();
  if (!unit_.empty()) {
    Result<> stopped = StopScope(bus_, unit_);
    if (removed.ok()) removed = std::move(stopped);
  }
  host_.reset();
  cgroup_.reset();
  return removed;
}

}  // namespace skiff::isolation::oci
