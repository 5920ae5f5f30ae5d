#include "isolation/oci/container.h"

#include <algorithm>

#include "isolation/base/text.h"
#include "isolation/oci/limits.h"
#include "isolation/oci/mount_options.h"
#include "isolation/sys/namespace_types.h"

namespace skiff::isolation::oci {

uint32_t OutsideId(const std::vector<IdMapping>& mappings, uint32_t inside) {
  constexpr uint32_t kNobody = 65534;
  for (const IdMapping& mapping : mappings) {
    if (inside >= mapping.inside && inside - mapping.inside < mapping.size)
      return mapping.outside + (inside - mapping.inside);
  }
  return kNobody;
}

void PlanProcess(const Process& process, ContainerSpec* spec) {
  spec->arguments = process.arguments;
  spec->environment = process.environment;
  spec->working_directory = process.working_directory;
  spec->user.uid = process.uid;
  spec->user.gid = process.gid;
  spec->user.groups = process.additional_gids;
  spec->umask = process.umask;
  spec->capabilities = process.capabilities;
  spec->no_new_privileges = process.no_new_privileges;
  spec->apparmor_profile = process.apparmor_profile;
  spec->selinux_label = process.selinux_label;
  spec->rlimits = process.rlimits;
  spec->oom_score_adj = process.oom_score_adj;
  spec->scheduling = process.scheduling;
  spec->io_priority = process.io_priority;
  spec->console_rows = process.console_rows;
  spec->console_columns = process.console_columns;
}

namespace {

void PlanNamespaces(const Config& config, ContainerPlan* plan) {
  NamespaceSpec& namespaces = plan->spec.namespaces;
  struct Place {
    NamespaceType type;
    int flag;
    bool NamespaceSpec::*is_new;
  };
  constexpr Place kPlaces[] = {
      {NamespaceType::kPid, sys::kPidNamespace, &NamespaceSpec::new_pid},
      {NamespaceType::kMount, sys::kMountNamespace, &NamespaceSpec::new_mount},
      {NamespaceType::kUts, sys::kUtsNamespace, &NamespaceSpec::new_uts},
      {NamespaceType::kIpc, sys::kIpcNamespace, &NamespaceSpec::new_ipc},
      {NamespaceType::kCgroup, sys::kCgroupNamespace, &NamespaceSpec::new_cgroup},
      {NamespaceType::kNetwork, sys::kNetworkNamespace, &NamespaceSpec::new_network},
      {NamespaceType::kTime, sys::kTimeNamespace, &NamespaceSpec::new_time},
      {NamespaceType::kUser, sys::kUserNamespace, &NamespaceSpec::new_user}};
  namespaces.clock_offsets = config.clock_offsets;
  for (const Place& place : kPlaces) {
    auto found = config.namespaces.find(place.type);
    bool is_listed = found != config.namespaces.end();
    namespaces.*place.is_new = is_listed && found->second.empty();
    if (is_listed && !found->second.empty()) plan->joins.emplace_back(place.flag, found->second);
  }
  namespaces.uid_mappings = config.uid_mappings;
  namespaces.gid_mappings = config.gid_mappings;
}

bool IsDev(const std::string& destination) {
  return destination == "/dev" || destination == "/dev/";
}

// runtime-spec, config-linux.md, "Default Devices". /dev/console goes with a terminal.
void AddDefaultDevices(ContainerSpec* spec) {
  spec->devices = {{"/dev/null", 'c', 1, 3},    {"/dev/zero", 'c', 1, 5},
                   {"/dev/full", 'c', 1, 7},    {"/dev/random", 'c', 1, 8},
                   {"/dev/urandom", 'c', 1, 9}, {"/dev/tty", 'c', 5, 0}};
  spec->symlinks = {{"/dev/fd", "/proc/self/fd"},
                    {"/dev/stdin", "/proc/self/fd/0"},
                    {"/dev/stdout", "/proc/self/fd/1"},
                    {"/dev/stderr", "/proc/self/fd/2"},
                    {"/dev/ptmx", "pts/ptmx"}};
}

Result<> PlanDevices(const Config& config, ContainerSpec* spec) {
  bool is_host_dev = false;
  for (size_t i = 0; i < config.mounts.size(); ++i) {
    bool is_bind = spec->mounts[i].kind == MountSpec::Kind::kBind;
    is_host_dev = is_host_dev || (is_bind && IsDev(config.mounts[i].destination));
  }
  if (is_host_dev && !config.devices.empty())
    return Error(Code::kInvalid,
                 "linux.devices: /dev is a bind, nodes would be made in its source");
  if (is_host_dev) return {};
  AddDefaultDevices(spec);
  for (const DeviceSpec& device : config.devices) {
    // The link to the container's own devpts, which some list as the node that it is on a host.
    if (device.path == "/dev/ptmx") continue;
    std::erase_if(spec->devices, [&](const DeviceSpec& d) { return d.path == device.path; });
    std::erase_if(spec->symlinks, [&](const SymlinkSpec& s) { return s.path == device.path; });
    spec->devices.push_back(device);
  }
  return {};
}

// The rules a runtime adds so that the devices it supplies itself work (pseudo-terminals with
// them), and that nodes may be made where the capability allows.
void AddDefaultRules(std::vector<DeviceRule>* rules) {
  for (char type : {'c', 'b'})
    rules->push_back({.is_allowed = true, .type = type, .access = kDeviceMake});
  struct Node {
    uint32_t major;
    std::optional<uint32_t> minor;
  };
  for (const Node& node : {Node{1, 3},
                           {1, 5},
                           {1, 7},
                           {1, 8},
                           {1, 9},
                           {5, 0},
                           {5, 1},
                           {5, 2},
                           Node{136, std::nullopt}}) {
    rules->push_back({.is_allowed = true, .type = 'c', .major = node.major, .minor = node.minor});
  }
}

}  // namespace

Result<> CheckContainerId(const std::string& id) {
  bool is_fine = !id.empty() && id[0] != '.' && id.size() <= kMaxContainerId &&
                 std::all_of(id.begin(), id.end(), [](char c) {
                   return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-' || c == '.';
                 });
  if (is_fine) return {};
  return Error(Code::kInvalid, "container id '" + id +
                                   "': 1 to 128 letters, digits, '_', '+', '-' or '.' (not first)");
}

// Absolute: from the hierarchies' roots. Anything else is ours to place.
Result<std::string> PlanCgroupPath(const std::string& cgroups_path, const std::string& id) {
  if (cgroups_path.find(':') != std::string::npos) {
    return Error(Code::kInvalid, "linux.cgroupsPath: '" + cgroups_path +
                                     "': slice:prefix:name is for the cgroup manager systemd "
                                     "(--systemd-cgroup), cgroupfs wants a path");
  }
  std::string path;
  for (std::string_view part : Split(cgroups_path, '/')) {
    if (part.empty() || part == ".") continue;
    path.append(path.empty() ? "" : "/").append(part);
  }
  return path.empty() ? id : path;
}

std::vector<DeviceRule> WithDefaultRules(std::vector<DeviceRule> rules) {
  if (!rules.empty()) AddDefaultRules(&rules);
  return rules;
}

bool HasOwnParentGroups(const Config& config) {
  const std::string& path = config.cgroups_path;
  // slice:prefix:name are systemd's.
  return !path.empty() && path[0] != '/' && path.find(':') == std::string::npos;
}

Result<ContainerPlan> PlanContainer(const Config& config, const std::string& bundle,
                                    const std::string& id) {
  TRY(CheckContainerId(id));
  ContainerPlan plan;
  ContainerSpec& spec = plan.spec;
  PlanProcess(config.process, &spec);
  PlanNamespaces(config, &plan);
  auto keep = config.annotations.find("run.oci.keep_original_groups");
  spec.keeps_groups = keep != config.annotations.end() && keep->second == "1";
  spec.personality = config.personality;
  spec.memory_policy = config.memory_policy;
  spec.hostname = config.hostname;
  spec.domainname = config.domainname;
  plan.rootfs = config.root_path[0] == '/' ? config.root_path : bundle + "/" + config.root_path;
  spec.attach_point = plan.rootfs;
  spec.is_root_readonly = config.is_root_readonly;
  std::optional<Propagation> propagation = PropagationByName(config.root_propagation);
  if (propagation) {
    spec.root_propagation = propagation->value;
    spec.is_root_propagation_recursive = propagation->is_recursive;
  }
  for (const Mount& mount : config.mounts) {
    MountSpec each = TRY(ParseMountOptions(mount, bundle, config));
    spec.mounts.push_back(std::move(each));
  }
  TRY(PlanDevices(config, &spec));
  spec.sysctls = config.sysctls;
  spec.readonly_paths = config.readonly_paths;
  spec.masked_paths = config.masked_paths;
  return plan;
}

}  // namespace skiff::isolation::oci
