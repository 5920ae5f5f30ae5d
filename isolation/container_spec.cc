#include "isolation/container_spec.h"

#include <linux/mount.h>

#include <array>

#include "isolation/base/text.h"

namespace skiff::isolation {
namespace {

constexpr uint64_t kNoSuidExecDev = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV;

MountSpec Filesystem(std::string type, std::string target, uint64_t attributes,
                     std::vector<std::pair<std::string, std::string>> options = {}) {
  MountSpec mount;
  mount.type = std::move(type);
  mount.target = std::move(target);
  mount.attributes = attributes;
  mount.options = std::move(options);
  return mount;
}

}  // namespace

void AddStandardFilesystems(ContainerSpec* spec) {
  auto add = [&](MountSpec mount) { spec->mounts.push_back(std::move(mount)); };
  add(Filesystem("proc", "/proc", kNoSuidExecDev));
  add(Filesystem("tmpfs", "/dev", MOUNT_ATTR_NOSUID, {{"mode", "755"}, {"size", "65536k"}}));
  add(Filesystem("devpts", "/dev/pts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                 {{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}}));
  add(Filesystem("tmpfs", "/dev/shm", kNoSuidExecDev, {{"mode", "1777"}, {"size", "65536k"}}));
  add(Filesystem("mqueue", "/dev/mqueue", kNoSuidExecDev));
  add(Filesystem("sysfs", "/sys", kNoSuidExecDev | MOUNT_ATTR_RDONLY));
  MountSpec cgroup = Filesystem("cgroup2", "/sys/fs/cgroup", kNoSuidExecDev | MOUNT_ATTR_RDONLY);
  cgroup.kind = MountSpec::Kind::kCgroup;
  add(std::move(cgroup));

  constexpr uint32_t kMemoryMajor = 1;
  constexpr uint32_t kTerminalMajor = 5;
  spec->devices = {{"/dev/null", 'c', kMemoryMajor, 3},    {"/dev/zero", 'c', kMemoryMajor, 5},
                   {"/dev/full", 'c', kMemoryMajor, 7},    {"/dev/random", 'c', kMemoryMajor, 8},
                   {"/dev/urandom", 'c', kMemoryMajor, 9}, {"/dev/tty", 'c', kTerminalMajor, 0}};
  spec->symlinks = {{"/dev/fd", "/proc/self/fd"},
                    {"/dev/stdin", "/proc/self/fd/0"},
                    {"/dev/stdout", "/proc/self/fd/1"},
                    {"/dev/stderr", "/proc/self/fd/2"},
                    {"/dev/ptmx", "pts/ptmx"}};
  // dynamic_debug: what the whole machine's kernel logs, and no capability is asked for.
  spec->readonly_paths = {"/proc/bus", "/proc/dynamic_debug", "/proc/fs",
                          "/proc/irq", "/proc/sys",           "/proc/sysrq-trigger"};
  spec->masked_paths = {"/proc/acpi",        "/proc/asound",  "/proc/interrupts",
                        "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
                        "/proc/sched_debug", "/proc/scsi",    "/proc/timer_list",
                        "/proc/timer_stats", "/sys/firmware", "/sys/devices/virtual/powercap"};
}

namespace {

void ShiftId(const std::string& key, uint32_t first_id, MountSpec* mount) {
  for (auto& [name, value] : mount->options) {
    if (name != key) continue;
    value = std::to_string(first_id + ParseUint(value, UINT32_MAX).value_or(0));
    return;
  }
  // A tmpfs would be the host's root's, and its own root could make nothing in it.
  if (mount->type == "tmpfs") mount->options.emplace_back(key, std::to_string(first_id));
}

}  // namespace

void GiveToIdBlock(uint32_t first_id, ContainerSpec* spec) {
  spec->first_id = first_id;
  for (MountSpec& mount : spec->mounts) {
    if (mount.kind != MountSpec::Kind::kFilesystem) continue;
    for (const char* key : {"uid", "gid"}) ShiftId(key, first_id, &mount);
  }
  for (DeviceSpec& device : spec->devices) {
    device.uid += first_id;
    device.gid += first_id;
  }
}

std::string MapText(const std::vector<IdMapping>& mappings) {
  std::string text;
  for (const IdMapping& each : mappings) {
    text += std::to_string(each.inside) + " " + std::to_string(each.outside) + " " +
            std::to_string(each.size) + "\n";
  }
  return text;
}

}  // namespace skiff::isolation
