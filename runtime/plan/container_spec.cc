#include "runtime/plan/container_spec.h"

#include <algorithm>

namespace skiff::runtime {
namespace {

constexpr uint64_t kReadOnly = 1;   // MOUNT_ATTR_RDONLY
constexpr uint64_t kNoDevices = 4;  // MOUNT_ATTR_NODEV

bool HasVariable(const std::vector<std::string>& environment, std::string_view prefix) {
  return std::any_of(environment.begin(), environment.end(),
                     [&](const std::string& entry) { return entry.starts_with(prefix); });
}

// At the paths that the image names; where those lead, the start finds out. Their files lie under
// the container's ids already, and no device works in them.
void AddVolumes(const TaskPlan& task, const ContainerPlan& container,
                isolation::ContainerSpec* spec) {
  for (size_t i = 0; i < container.volumes.size(); ++i) {
    isolation::MountSpec mount;
    mount.kind = isolation::MountSpec::Kind::kBind;
    mount.source = task.roots.VolumeDirectory(task.id, container.name, i);
    mount.target = container.volumes[i];
    mount.attributes = kNoDevices;
    spec->mounts.push_back(std::move(mount));
  }
}

void AddResolverMounts(const TaskPlan& task, bool is_readonly, isolation::ContainerSpec* spec) {
  std::string directory = task.roots.TaskDirectory(task.id) + "/etc/";
  for (const char* name : {"hosts", "resolv.conf", "hostname"}) {
    isolation::MountSpec mount;
    mount.kind = isolation::MountSpec::Kind::kBind;
    mount.source = directory + name;
    mount.target = std::string("/etc/") + name;
    mount.is_id_mapped = true;
    // Writable as with Docker and Fargate, unless the whole root is read-only.
    mount.attributes = is_readonly ? kReadOnly : 0;
    spec->mounts.push_back(std::move(mount));
  }
}

}  // namespace

isolation::ContainerSpec SpecOf(const TaskPlan& task, const ContainerPlan& container,
                                const std::string& hostname) {
  isolation::ContainerSpec spec;
  spec.arguments = container.arguments;
  spec.environment = container.environment;
  if (!hostname.empty() && !HasVariable(spec.environment, "HOSTNAME=")) {
    spec.environment.push_back("HOSTNAME=" + hostname);
  }
  spec.working_directory = container.working_directory;
  spec.capabilities = isolation::SetsForUser(container.capabilities, true);
  spec.no_new_privileges = container.confinement.no_new_privileges;
  spec.namespaces.new_pid = !task.share_pids;
  spec.seccomp_flags = container.confinement.seccomp_flags;
  for (const RlimitPlan& limit : container.rlimits) {
    spec.rlimits.push_back({limit.resource, limit.soft, limit.hard});
  }
  spec.oom_score_adj = 0;  // not the supervisor's
  spec.hostname = hostname;
  spec.attach_point = task.roots.AttachPoint();
  spec.is_root_readonly = container.is_readonly_root;
  AddStandardFilesystems(&spec);
  if (!container.confinement.mask_paths) {
    spec.masked_paths.clear();
    spec.readonly_paths.clear();
  }
  AddVolumes(task, container, &spec);
  AddResolverMounts(task, container.is_readonly_root, &spec);
  return spec;
}

isolation::CgroupLimits CgroupLimitsOf(const LimitsPlan& plan) {
  isolation::CgroupLimits limits;
  limits.memory_max = plan.memory_max;
  limits.memory_low = plan.memory_low;
  limits.cpu_quota_us = plan.cpu_quota_us;
  limits.cpu_shares = plan.cpu_shares;
  limits.pids_max = plan.pids_max;
  return limits;
}

}  // namespace skiff::runtime
