#include "tools/skiff/doctor_checks.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>

#include "isolation/base/scope_exit.h"
#include "isolation/base/text.h"
#include "isolation/cgroup.h"
#include "isolation/erofs.h"
#include "isolation/overlay.h"
#include "isolation/seccomp.h"
#include "isolation/sys/event_loop.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "networking/netlink.h"
#include "networking/network.h"
#include "networking/nftables.h"
#include "runtime/supervisor/task_user_namespace.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

using isolation::CgroupHost;
using isolation::Controller;

constexpr uint32_t kAnyAddress = 0x0a000001;
constexpr Bytes kWantedSpace = Bytes::GiB(2);

Finding Ok(std::string name, std::string text) {
  return {std::move(name), Verdict::kOk, std::move(text)};
}
Finding Warn(std::string name, std::string text) {
  return {std::move(name), Verdict::kWarning, std::move(text)};
}
Finding Missing(std::string name, std::string text) {
  return {std::move(name), Verdict::kMissing, std::move(text)};
}

Finding Of(std::string name, const Result<>& result, std::string fine, const std::string& advice) {
  if (result.ok()) return Ok(std::move(name), std::move(fine));
  return Missing(std::move(name), result.error().message() + "; " + advice);
}

Finding CheckRoot() {
  if (geteuid() == 0) return Ok("root", "running as root");
  return Missing("root",
                 "skiff needs root to make namespaces, cgroups and interfaces: use sudo; "
                 "checks below may say more then");
}

Finding CheckKernel() {
  std::string release = sys::KernelRelease();
  if (!IsKernelAtLeast(release, 5, 14)) {
    return Missing("kernel", release +
                                 ": 5.14 or later is needed (cgroup.kill, mount_setattr, "
                                 "clone3 into a cgroup)");
  }
  if (!IsKernelAtLeast(release, 6, 0)) {
    return Ok("kernel", release + ", enough; 6.0 or later makes log and network work cheaper");
  }
  return Ok("kernel", release);
}

Finding CheckController(const CgroupHost& host, Controller controller) {
  std::string name = "cgroup " + ControllerName(controller);
  switch (host.PlacementOf(controller)) {
    case CgroupHost::Placement::kUnified:
      return Ok(name, "cgroup v2");
    case CgroupHost::Placement::kLegacy:
      return Ok(name, "cgroup v1 (hybrid): limits hold there");
    case CgroupHost::Placement::kMissing:
      break;
  }
  return Warn(name,
              "no controller: this limit cannot be enforced; boot with "
              "systemd.unified_cgroup_hierarchy=1 (and cgroup_enable=memory where it is off)");
}

void CheckCgroups(std::vector<Finding>* findings) {
  Result<CgroupHost> host = CgroupHost::Discover();
  if (!host.ok()) {
    findings->push_back(Missing(
        "cgroup2", host.error().message() + "; mount one: mount -t cgroup2 none /sys/fs/cgroup"));
    return;
  }
  findings->push_back(Ok("cgroup2", "mounted at " + host.value().unified_mount()));
  for (Controller controller : {Controller::kCpu, Controller::kMemory, Controller::kPids}) {
    findings->push_back(CheckController(host.value(), controller));
  }
}

Finding CheckNamespaces() {
  std::string missing;
  for (const char* type : {"pid", "mnt", "uts", "ipc", "net", "cgroup"}) {
    if (!sys::Exists(AT_FDCWD, std::string("/proc/self/ns/") + type)) {
      missing += (missing.empty() ? "" : ", ") + std::string(type);
    }
  }
  if (missing.empty()) return Ok("namespaces", "pid, mount, uts, ipc, net, cgroup");
  return Missing("namespaces", "this kernel is built without: " + missing);
}

// The data root, or the directory in which it would be made.
std::string ExistingPart(const std::string& data_root) {
  std::filesystem::path path = data_root;
  while (path.has_relative_path() && !sys::Exists(AT_FDCWD, path.string())) {
    path = path.parent_path();
  }
  return path.string();
}

// As a task would ask whose layers lie there.
Finding CheckUserNamespaces(const std::string& where) {
  runtime::TaskPlan plan(runtime::TaskId::Generate());
  plan.containers.emplace_back().layers = {where};
  Result<> checked = runtime::CheckUserNamespace(plan);
  if (checked.ok()) return Ok("user namespaces", "one per task, with layers id-mapped");
  return Warn("user namespaces", "tasks go without: " + checked.error().message() +
                                     "; needed are Linux 5.19, sysctl user.max_user_namespaces "
                                     "above 0, and ext4, xfs or btrfs");
}

Result<> TryOverlay(const std::string& directory) {
  TRY(sys::MakeDirectory(AT_FDCWD, directory, 0700));
  ScopeExit remove([&] { sys::RemoveTree(AT_FDCWD, directory).Ignore(); });
  for (const char* name : {"/lower", "/upper", "/work"}) {
    TRY(sys::MakeDirectory(AT_FDCWD, directory + name, 0700));
  }
  isolation::OverlaySpec spec{{directory + "/lower"}, directory + "/upper", directory + "/work"};
  UniqueFd mount = TRY(isolation::MountOverlay(spec));
  return {};
}

Finding CheckOverlay(const std::string& where) {
  return Of("overlay", TryOverlay(where + "/.skiff-doctor-" + RandomHex(4)),
            "mounts with its writable layer below " + where,
            "modprobe overlay, and put --data-root on ext4, xfs or btrfs (no overlay, no NFS)");
}

// How layers that are EROFS images are mounted; without them layers are unpacked.
Finding CheckErofs(const std::string& where) {
  Result<isolation::ErofsBacking> backing = isolation::FindErofsBacking(where);
  if (backing.ok()) {
    return Ok("erofs", "layers can be mounted, from " +
                           std::string(isolation::NameOfBacking(backing.value())));
  }
  return Ok("erofs", "layers are unpacked: " + backing.error().message());
}

Result<> TryLinks(int netns) {
  return sys::InNetworkNamespace(netns, [&]() -> Result<> {
    networking::Netlink netlink = TRY(networking::Netlink::Open());
    networking::Ipv4Address address = networking::Ipv4Address::FromBits(kAnyAddress);
    networking::MacAddress mac = networking::MacAddress::ForAddress(address);
    TRY(netlink.CreateBridge({"doctor0", mac, networking::kEthernetMtu}));
    return netlink.CreatePlainVeth("doctor1", "doctor2", netns);
  });
}

Result<> TryFirewall(int netns) {
  return sys::InNetworkNamespace(netns, [&]() -> Result<> {
    return networking::RunNftCommands(
        "add table inet doctor\n"
        "add chain inet doctor nat { type nat hook postrouting priority 100; }\n"
        "add rule inet doctor nat masquerade\n"
        "add table bridge doctor\n"
        "add chain bridge doctor in { type filter hook prerouting priority 0; }\n");
  });
}

// In a namespace of their own, which takes everything with it.
void CheckNetwork(std::vector<Finding>* findings) {
  Result<UniqueFd> netns = sys::MakeNetworkNamespace();
  if (!netns.ok()) {
    findings->push_back(Missing("network", netns.error().message() + "; needs root"));
    return;
  }
  int fd = netns.value().get();
  findings->push_back(Of("bridge and veth", TryLinks(fd), "can be made",
                         "modprobe bridge veth, or run with --network host or none"));
  findings->push_back(
      Of("nftables", TryFirewall(fd), "tables, nat and bridge chains can be made",
         "modprobe nf_tables nft_masq nf_tables_bridge, or --network host or none"));
}

Finding CheckForwarding() {
  Result<std::string> value = sys::ReadFile(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward");
  if (!value.ok()) return Warn("ip_forward", value.error().message());
  if (TrimSpace(value.value()) == "1") return Ok("ip_forward", "on");
  return Ok("ip_forward", "off: skiff switches it on with the first task of its own address");
}

Finding CheckIoUring() {
  Result<std::unique_ptr<sys::EventLoop>> loop = sys::EventLoop::Create();
  if (!loop.ok()) return Missing("io_uring", loop.error().message());
  if (loop.value()->fallback_reason().empty()) return Ok("io_uring", "available");
  return Warn("io_uring", loop.value()->fallback_reason() +
                              "; logs are written with poll instead (sysctl "
                              "kernel.io_uring_disabled=0 allows it)");
}

Finding CheckSeccomp() {
  if (!sys::Exists(AT_FDCWD, "/proc/sys/kernel/seccomp/actions_avail")) {
    return Missing("seccomp", "this kernel is built without CONFIG_SECCOMP_FILTER");
  }
  Result<isolation::SeccompProgram> program = isolation::CompileDefaultSeccomp({});
  if (!program.ok()) return Missing("seccomp", program.error().message());
  return Ok("seccomp", "the default profile compiles to " + std::to_string(program.value().size()) +
                           " instructions");
}

Finding CheckSpace(const std::string& where) {
  struct statvfs space {};
  if (statvfs(where.c_str(), &space) != 0) return Warn("disk space", where + ": not known");
  uint64_t free = static_cast<uint64_t>(space.f_bavail) * space.f_frsize;
  std::string text = FormatSize(free) + " free in " + where;
  if (free >= kWantedSpace.count()) return Ok("disk space", text);
  return Warn("disk space", text + ": images and logs may fill it; move --data-root");
}

}  // namespace

bool IsKernelAtLeast(const std::string& release, unsigned major, unsigned minor) {
  size_t dot = release.find('.');
  if (dot == std::string::npos) return false;
  size_t end = release.find_first_not_of("0123456789", dot + 1);
  std::optional<uint64_t> own_major = ParseUint(release.substr(0, dot), UINT32_MAX);
  std::optional<uint64_t> own_minor = ParseUint(release.substr(dot + 1, end - dot - 1), UINT32_MAX);
  if (!own_major || !own_minor) return false;
  return *own_major != major ? *own_major > major : *own_minor >= minor;
}

std::vector<Finding> CheckHost(const runtime::Roots& roots) {
  std::string where = ExistingPart(roots.data);
  std::vector<Finding> findings = {CheckRoot(), CheckKernel()};
  CheckCgroups(&findings);
  findings.push_back(CheckNamespaces());
  findings.push_back(CheckUserNamespaces(where));
  findings.push_back(CheckOverlay(where));
  findings.push_back(CheckErofs(where));
  CheckNetwork(&findings);
  findings.push_back(CheckForwarding());
  findings.push_back(CheckIoUring());
  findings.push_back(CheckSeccomp());
  findings.push_back(CheckSpace(where));
  return findings;
}

}  // namespace skiff::tools
