#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <seccomp.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "isolation/oci/config.h"

namespace skiff::isolation::oci {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

json MinimalConfig() {
  return json::parse(R"({
    "ociVersion": "1.0.2-dev",
    "process": {"terminal": false, "user": {"uid": 0, "gid": 0}, "args": ["sh"],
                "env": ["PATH=/bin"], "cwd": "/"},
    "root": {"path": "rootfs"},
    "linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "ipc"},
                             {"type": "network"}]}
  })");
}

Result<Config> Parse(const json& config) { return ParseConfig(config.dump()); }

TEST(OciConfigTest, NetworkDevicesNeedANetworkNamespace) {
  json config = MinimalConfig();
  config["linux"]["netDevices"] = {{"eth0", {{"name", "in%d"}}}, {"eth1", {{"name", ""}}}};
  std::vector<NetDevice> devices = Parse(config).value().net_devices;
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].new_name, "in%d");
  EXPECT_EQ(devices[1].name, "eth1");
  config["linux"]["namespaces"] = {{{"type", "mount"}}};
  EXPECT_THAT(Parse(config).error().message(),
              HasSubstr("linux.netDevices: needs one of type network in linux.namespaces"));
  config["linux"]["netDevices"] = json::object();
  EXPECT_TRUE(Parse(config).ok());
}

TEST(OciConfigTest, AMemoryPolicyIsModeFlagsAndNodes) {
  json config = MinimalConfig();
  EXPECT_FALSE(Parse(config).value().memory_policy);
  config["linux"]["memoryPolicy"] = {
      {"mode", "MPOL_INTERLEAVE"}, {"nodes", "1,3-5"}, {"flags", {"MPOL_F_STATIC_NODES"}}};
  MemoryPolicySpec policy = Parse(config).value().memory_policy.value();
  EXPECT_EQ(policy.mode, 3 | 1 << 15);
  EXPECT_THAT(policy.nodes, ElementsAre(1U, 3U, 4U, 5U));
  config["linux"]["memoryPolicy"] = {{"mode", "MPOL_LOCAL"}};
  EXPECT_THAT(Parse(config).value().memory_policy.value().nodes, IsEmpty());
  config["linux"]["memoryPolicy"] = json::object();
  EXPECT_FALSE(Parse(config).value().memory_policy);
}

TEST(OciConfigTest, MinimalConfigIsTaken) {
  Result<Config> config = Parse(MinimalConfig());
  ASSERT_TRUE(config.ok()) << config.error().message();
  EXPECT_THAT(config.value().process.arguments, ElementsAre("sh"));
  EXPECT_EQ(config.value().process.umask, 022U);
  EXPECT_FALSE(config.value().process.no_new_privileges);
  EXPECT_TRUE(config.value().namespaces.contains(NamespaceType::kMount));
  EXPECT_FALSE(config.value().seccomp.has_value());
}

struct BadCase {
  const char* pointer;  // JSON pointer of the member to set
  const char* value;
  const char* error;  // a part of the message
};

class BadConfigTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadConfigTest, ErrorNamesTheMember) {
  json config = MinimalConfig();
  config[json::json_pointer(GetParam().pointer)] = json::parse(GetParam().value);
  Result<Config> parsed = Parse(config);
  ASSERT_FALSE(parsed.ok()) << GetParam().pointer;
  EXPECT_THAT(parsed.error().message(), HasSubstr(GetParam().error));
  EXPECT_EQ(parsed.error().code(), Code::kInvalid);
}

INSTANTIATE_TEST_SUITE_P(
    Members, BadConfigTest,
    testing::Values(
        BadCase{"/ociVersion", R"("2.0.0")", "ociVersion: version '2.0.0' is not 1.x"},
        BadCase{"/ociVersion", "1", "ociVersion: expected string, got integer"},
        BadCase{"/process/terminal", "1", "process.terminal: expected boolean, got integer"},
        BadCase{"/process/consoleSize", R"({"height": 70000})",
                "process.consoleSize.height: 70000 is not between"},
        BadCase{"/process/args", "[]", "process: args: missing or empty"},
        BadCase{"/process/args", "[true]", "process.args[0]: expected string, got boolean"},
        BadCase{"/process/env", R"(["X"])", "process: env[0]: not of the form NAME=value"},
        BadCase{"/process/cwd", R"("tmp")", "process.cwd: 'tmp' is not absolute"},
        BadCase{"/process/user/uid", "4294967295", "process.user.uid: 4294967295 is not between"},
        BadCase{"/process/user/uid", "-1", "process.user.uid: -1 is not between"},
        BadCase{"/process/user/umask", "512", "process.user.umask: 512 is not between 0 and 511"},
        BadCase{"/process/user/additionalGids", R"(["x"])",
                "process.user.additionalGids[0]: expected integer"},
        BadCase{"/process/rlimits", R"([{"type": "RLIMIT_X", "soft": 1, "hard": 1}])",
                "process.rlimits[0].type: unknown resource limit 'RLIMIT_X'"},
        BadCase{"/process/rlimits", R"([{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}])",
                "process.rlimits[0]: the soft limit is above the hard limit"},
        BadCase{"/process/oomScoreAdj", "1001", "process.oomScoreAdj: 1001 is not between"},
        BadCase{"/process/apparmorProfile", "7", "process.apparmorProfile: "},
        BadCase{"/process/selinuxLabel", R"("a\u0000b")", "process.selinuxLabel: holds a NUL"},
        BadCase{"/linux/mountLabel", R"(["x"])", "linux.mountLabel: "},
        BadCase{"/process/scheduler", R"({"policy": "SCHED_X"})",
                "process.scheduler.policy: 'SCHED_X' is unknown"},
        BadCase{"/process/ioPriority", R"({"class": "IOPRIO_CLASS_BE", "priority": 8})",
                "process.ioPriority.priority: 8 is not between"},
        BadCase{"/process/execCPUAffinity", R"({"initial": "3-1"})",
                "process.execCPUAffinity.initial: invalid processors: '3-1' is not a list"},
        BadCase{"/linux/personality", R"({"domain": "BSD"})", "'BSD' is not LINUX or LINUX32"},
        BadCase{"/linux/timeOffsets", R"({"boottime": {"secs": 1}})",
                "linux.timeOffsets: needs a new namespace of type time"},
        BadCase{"/linux/timeOffsets", R"({"realtime": {"secs": 1}})",
                "linux.timeOffsets.realtime: only boottime and monotonic"},
        BadCase{"/linux/resources", R"({"network": {"classID": -1}})",
                "linux.resources.network.classID: -1 is not between"},
        BadCase{"/linux/resources", R"({"network": {"priorities": [{"name": "a b"}]}})",
                "linux.resources.network.priorities[0].name: not the name of an interface"},
        BadCase{"/root/path", R"("")", "root.path: must not be empty"},
        BadCase{"/hooks", R"({"prestart": [{"path": "x"}]})", "hooks.prestart[0].path: 'x' is not"},
        BadCase{"/hooks", R"({"poststop": [{"path": "/x", "timeout": 0}]})",
                "hooks.poststop[0].timeout: 0 is not between"},
        BadCase{"/mounts", R"([{"source": "x"}])", "mounts[0].destination: missing"},
        BadCase{"/mounts", R"([{"destination": "/x", "uidMappings": [{}]}])",
                "mounts[0].uidMappings[0].containerID: missing"},
        BadCase{"/linux/namespaces", R"([{"type": "mount"}, {"type": "mount"}])",
                "linux.namespaces[1].type: mount twice"},
        BadCase{"/linux/namespaces", R"([{"type": "user", "path": "/x"}])",
                "one of type mount is required beside that of type user"},
        BadCase{"/linux/namespaces", R"([{"type": "mount"}, {"type": "user"}])",
                "needs uidMappings and gidMappings"},
        BadCase{"/linux/namespaces", R"([{"type": "user", "path": "proc/1/ns/user"}])",
                "linux.namespaces[0].path: 'proc/1/ns/user' is not"},
        BadCase{"/linux/namespaces", R"([{"type": "moon"}])", "unknown namespace type 'moon'"},
        BadCase{"/linux/uidMappings", R"([{"containerID": 0}])",
                "linux.uidMappings[0].hostID: missing"},
        BadCase{"/linux/memoryPolicy", R"({"mode": "INTERLEAVE", "nodes": "0"})",
                "linux.memoryPolicy.mode: invalid memory policy mode: 'INTERLEAVE' is unknown"},
        BadCase{"/linux/memoryPolicy", R"({"nodes": "0"})", "linux.memoryPolicy.mode: missing"},
        BadCase{"/linux/memoryPolicy", R"({"mode": "MPOL_BIND", "flags": ["x"]})",
                "linux.memoryPolicy.flags[0]: invalid memory policy flag: 'x' is unknown"},
        BadCase{
            "/linux/memoryPolicy", R"({"mode": "MPOL_BIND", "nodes": "0-1024"})",
            "linux.memoryPolicy.nodes: invalid memory policy nodes: '0-1024' is not a list such "
            "as 0-3,7 of numbers below 1024"},
        BadCase{"/linux/memoryPolicy", R"("MPOL_BIND")", "linux.memoryPolicy: expected object"},
        BadCase{"/linux/netDevices", R"({"a/b": {}})",
                "linux.netDevices.a/b: is not the name of a network device"},
        BadCase{"/linux/netDevices", R"({"sixteen-letters-": {}})", "is not the name of"},
        BadCase{"/linux/netDevices", R"({"eth%d": {}})", "is not the name of"},
        BadCase{"/linux/netDevices", R"({"eth0": {"name": "eth%d%d"}})",
                "linux.netDevices.eth0.name: 'eth%d%d' is not a name for"},
        BadCase{"/linux/netDevices", R"({"eth0": {"name": ".."}})", "'..' is not a name for"},
        BadCase{"/linux/netDevices", R"({"eth0": {"name": "a b"}})", "'a b' is not a name for"},
        BadCase{"/linux/netDevices", R"({"eth0": {}, "eth1": {"name": "eth0"}})",
                "linux.netDevices.eth1: another device is to be eth0 as well"},
        BadCase{"/linux/netDevices", R"({"eth0": {"name": 7}})", "linux.netDevices.eth0.name: "},
        BadCase{"/linux/netDevices", R"(["eth0"])", "linux.netDevices: expected object"},
        BadCase{"/linux/intelRdt", "{}", "linux.intelRdt: not supported"},
        BadCase{"/linux/intelRdt", R"({"closID": "x"})", "linux.intelRdt.closID: not supported"},
        BadCase{"/linux/intelRdt", R"({"schemata": ["L3:0=f"]})",
                "linux.intelRdt.schemata: not supported"},
        BadCase{"/linux/intelRdt", R"({"l3CacheSchema": "L3:0=f"})",
                "linux.intelRdt.l3CacheSchema: not supported"},
        BadCase{"/linux/intelRdt", R"({"memBwSchema": "MB:0=20"})",
                "linux.intelRdt.memBwSchema: not supported"},
        BadCase{"/linux/intelRdt", R"({"enableMonitoring": true})",
                "linux.intelRdt.enableMonitoring: not supported"},
        BadCase{"/linux/intelRdt", R"({"enableCMT": true})",
                "linux.intelRdt.enableCMT: not supported"},
        BadCase{"/linux/intelRdt", R"({"enableMBM": true})",
                "linux.intelRdt.enableMBM: not supported"},
        BadCase{"/freebsd", R"({"jail": {}})", "freebsd: not supported"},
        BadCase{"/annotations", R"({"": "x"})", "annotations: a key must not be empty"},
        BadCase{"/linux/sysctl", R"({"kernel.core_pattern": "x"})",
                "linux.sysctl.kernel.core_pattern: belongs to no namespace"},
        BadCase{"/linux/sysctl", R"({"kernel.hostname": "x"})",
                "linux.sysctl.kernel.hostname: belongs to no namespace"},
        BadCase{"/linux/sysctl", R"({"net/../kernel": "x"})", "not a sysctl name"},
        BadCase{"/linux/cgroupsPath", R"("/a/../../b")", "linux.cgroupsPath: must not hold '..'"},
        BadCase{"/linux/resources", R"({"memory": {"limit": "1g"}})",
                "linux.resources.memory.limit: expected integer, got string"},
        BadCase{"/linux/resources", R"({"memory": {"limit": 1000000, "swap": 1000}})",
                "linux.resources.memory.swap: is memory and swap together"},
        BadCase{"/linux/resources", R"({"memory": {"swappiness": 201}})",
                "linux.resources.memory.swappiness: 201 is not between"},
        BadCase{"/linux/resources", R"({"hugepageLimits": [{"pageSize": "../x", "limit": 1}]})",
                "linux.resources.hugepageLimits[0].pageSize: '../x' is not a size"},
        BadCase{"/linux/resources", R"({"blockIO": {"leafWeight": 1001}})",
                "linux.resources.blockIO.leafWeight: 1001 is not between"},
        BadCase{"/linux/resources", R"({"devices": [{"allow": true, "access": "x"}]})",
                "linux.resources.devices[0].access: 'x' has none of r, w and m"},
        BadCase{"/linux/devices", R"([{"path": "/dev/x", "type": "x"}])",
                "linux.devices[0].type: device type 'x' is not c, u, b or p"},
        BadCase{"/linux/rootfsPropagation", R"("wide")", "linux.rootfsPropagation: 'wide'"},
        BadCase{"/linux/maskedPaths", R"(["proc/x"])", "linux.maskedPaths[0]: 'proc/x' is not abs"},
        BadCase{"/linux/seccomp", R"({})", "linux.seccomp.defaultAction: missing"},
        BadCase{"/linux/seccomp", R"({"defaultAction": "SCMP_ACT_MAYBE"})",
                "linux.seccomp.defaultAction: unknown action 'SCMP_ACT_MAYBE'"},
        BadCase{"/linux/seccomp", R"({"defaultAction": "SCMP_ACT_NOTIFY"})",
                "linux.seccomp: defaultAction: SCMP_ACT_NOTIFY cannot be the default"},
        BadCase{"/linux/seccomp",
                R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_Z80"]})",
                "linux.seccomp.architectures[0]: unknown architecture 'SCMP_ARCH_Z80'"},
        BadCase{"/linux/seccomp",
                R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"],
                    "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}]})",
                "linux.seccomp.syscalls[0].args[0].index: 6 is not between 0 and 5"}));

TEST(OciConfigTest, MembersTheSpecificationDoesNotKnowAreIgnored) {
  json config = MinimalConfig();
  config["fromTheFuture"] = {{"x", 1}};
  config["linux"]["newThing"] = true;
  EXPECT_TRUE(Parse(config).ok());
}

TEST(OciConfigTest, MembersThatSayNothingAreNotRefused) {
  json config = MinimalConfig();
  config["process"]["apparmorProfile"] = "";
  config["hooks"] = json::object();
  config["linux"]["uidMappings"] = json::array();
  config["linux"]["resources"] = {{"blockIO", json::object()},
                                  {"memory", {{"disableOOMKiller", false}, {"swappiness", 0}}}};
  EXPECT_TRUE(Parse(config).ok());
}

TEST(OciConfigTest, SecurityLabelsAreTaken) {
  json config = MinimalConfig();
  config["process"]["apparmorProfile"] = "box";
  config["process"]["selinuxLabel"] = "u:r:box_t";
  config["linux"]["mountLabel"] = "u:object_r:files_t";
  Config parsed = Parse(config).value();
  EXPECT_EQ(parsed.process.apparmor_profile, "box");
  EXPECT_EQ(parsed.process.selinux_label, "u:r:box_t");
  EXPECT_EQ(parsed.mount_label, "u:object_r:files_t");
}

TEST(OciConfigTest, UnknownCapabilitiesAreWarnedAbout) {
  json config = MinimalConfig();
  config["process"]["capabilities"] = {{"bounding", {"CAP_KILL", "CAP_FLY"}}};
  Result<Config> parsed = Parse(config);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_EQ(parsed.value().process.capabilities.bounding, uint64_t{1} << 5);
  EXPECT_THAT(parsed.value().warnings,
              ElementsAre("process.capabilities.bounding[1]: unknown capability 'CAP_FLY'"));
}

TEST(OciConfigTest, ANumberAmongTheArgumentsIsTakenAsItIsWritten) {
  json config = MinimalConfig();
  config["process"]["args"] = {"/bin/isatty", 0};
  Config parsed = Parse(config).value();
  EXPECT_THAT(parsed.process.arguments, ElementsAre("/bin/isatty", "0"));
  EXPECT_THAT(parsed.warnings, ElementsAre("process.args[1]: is a number, not a string"));
}

TEST(OciConfigTest, HostNameNeedsItsNamespace) {
  json config = MinimalConfig();
  config["hostname"] = "web";
  config["linux"]["namespaces"] = {{{"type", "mount"}}};
  EXPECT_EQ(Parse(config).error().message(),
            "hostname: needs a namespace of type uts in linux.namespaces");
}

TEST(OciConfigTest, LimitsComeOver) {
  json config = MinimalConfig();
  config["process"]["rlimits"] = {{{"type", "RLIMIT_NOFILE"}, {"soft", 10}, {"hard", UINT64_MAX}}};
  config["linux"]["resources"] = {{"memory", {{"limit", 1 << 20}, {"swap", 3 << 20}}},
                                  {"cpu", {{"quota", 5000}, {"period", 10000}, {"shares", 512}}},
                                  {"pids", {{"limit", 7}}}};
  Config parsed = Parse(config).value();
  EXPECT_EQ(parsed.process.rlimits.at(0).hard, RLIM_INFINITY);
  const CgroupLimits& limits = parsed.resources.limits;
  EXPECT_EQ(limits.memory_max, Bytes::MiB(1));
  EXPECT_EQ(limits.swap_max, Bytes::MiB(2));
  EXPECT_EQ(limits.cpu_quota_us, 5000U);
  EXPECT_EQ(limits.cpu_period_us, 10000U);
  EXPECT_EQ(limits.cpu_shares, 512U);
  EXPECT_EQ(limits.pids_max, 7U);
  EXPECT_THAT(parsed.resources.limit_paths,
              ElementsAre("linux.resources.memory.limit", "linux.resources.cpu.shares",
                          "linux.resources.cpu.quota", "linux.resources.pids.limit"));
}

TEST(OciConfigTest, ALimitHasItsFileInBothVersionsOfCgroups) {
  json config = MinimalConfig();
  config["linux"]["resources"] = json::parse(R"({
      "memory": {"swappiness": 10, "disableOOMKiller": true, "kernel": 4096},
      "cpu": {"cpus": "0-1", "realtimeRuntime": 9, "realtimePeriod": 10},
      "hugepageLimits": [{"pageSize": "2MB", "limit": 3}],
      "network": {"classID": 7, "priorities": [{"name": "lo", "priority": 4}]},
      "blockIO": {"weight": 10, "leafWeight": 20,
                  "weightDevice": [{"major": 8, "minor": 1, "leafWeight": 30}],
                  "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 5}]}})");
  Resources resources = Parse(config).value().resources;
  std::string both;
  std::string legacy;
  for (const CgroupFile& file : resources.limits.files) {
    if (!file.name.empty()) both += file.name + "=" + file.value + "\n";
    legacy += file.legacy_name + "=" + file.legacy_value + "\n";
  }
  EXPECT_EQ(both,
            "cpuset.cpus=0-1\nhugetlb.2MB.max=3\nhugetlb.2MB.rsvd.max=3\nio.bfq.weight=default "
            "10\nio.max=8:0 rbps=5\n");
  EXPECT_EQ(legacy,
            "memory.swappiness=10\nmemory.oom_control=1\ncpuset.cpus=0-1\n"
            "cpu.rt_period_us=10\ncpu.rt_runtime_us=9\nhugetlb.2MB.limit_in_bytes=3\n"
            "hugetlb.2MB.rsvd.limit_in_bytes=3\n"
            "blkio.weight=10\nblkio.leaf_weight=20\nblkio.leaf_weight_device=8:1 30\n"
            "blkio.throttle.read_bps_device=8:0 5\n"
            "net_cls.classid=7\nnet_prio.ifpriomap=lo 4\n");
  EXPECT_THAT(
      resources.warnings,
      ElementsAre("linux.resources.memory.kernel: is ignored: Linux has no limit of its own "
                  "for it any more, the memory limit holds for both"));
}

TEST(OciConfigTest, WithoutNamespacesTheCallersAreKept) {
  json config = MinimalConfig();
  config.erase("linux");
  Result<Config> parsed = Parse(config);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_THAT(parsed.value().namespaces, IsEmpty());
}

TEST(OciConfigTest, SwapWithoutAWordIsLeftAsItIs) {
  json config = MinimalConfig();
  config["linux"]["resources"] = {{"memory", {{"limit", 1 << 20}}}};
  EXPECT_EQ(Parse(config).value().resources.limits.swap_max, std::nullopt);
}

TEST(OciConfigTest, SwapWithoutALimitOfMemoryIsForCgroupV1) {
  json config = MinimalConfig();
  config["linux"]["resources"] = {{"memory", {{"swap", 4096}}}};
  Resources resources = Parse(config).value().resources;
  EXPECT_EQ(resources.limits.swap_max, std::nullopt);
  const CgroupFile& file = resources.limits.files.at(0);
  EXPECT_EQ(file.name, "");
  EXPECT_EQ(file.legacy_name + "=" + file.legacy_value, "memory.memsw.limit_in_bytes=4096");
  EXPECT_EQ(file.asked_by, "linux.resources.memory.swap");
}

TEST(OciConfigTest, MinusOneTakesALimitAwayAndZeroLeavesIt) {
  json config = MinimalConfig();
  config["linux"]["resources"] = {{"memory", {{"limit", -1}, {"swap", -1}, {"reservation", -1}}},
                                  {"cpu", {{"quota", -1}}},
                                  {"pids", {{"limit", -1}}}};
  Resources resources = Parse(config).value().resources;
  EXPECT_EQ(resources.limits.memory_max, kUnlimitedBytes);
  EXPECT_EQ(resources.limits.memory_low, kUnlimitedBytes);
  EXPECT_EQ(resources.limits.swap_max, kUnlimitedBytes);
  EXPECT_EQ(resources.limits.cpu_quota_us, kUnlimited);
  EXPECT_EQ(resources.limits.cpu_period_us, std::nullopt);
  EXPECT_EQ(resources.limits.pids_max, kUnlimited);
  EXPECT_THAT(resources.limit_paths, IsEmpty());  // nothing that would need a cgroup
  config["linux"]["resources"] = {{"memory", {{"limit", 0}, {"swap", 0}, {"reservation", 0}}},
                                  {"cpu", {{"quota", 0}, {"period", 0}}},
                                  {"pids", {{"limit", 0}}}};
  resources = Parse(config).value().resources;
  EXPECT_EQ(resources.limits.memory_max, std::nullopt);
  EXPECT_EQ(resources.limits.memory_low, std::nullopt);
  EXPECT_EQ(resources.limits.swap_max, std::nullopt);
  EXPECT_EQ(resources.limits.cpu_quota_us, std::nullopt);
  EXPECT_EQ(resources.limits.cpu_period_us, std::nullopt);
  EXPECT_EQ(resources.limits.pids_max, std::nullopt);
}

// runc's own suite has a rule with "rwa".
TEST(OciConfigTest, AnUnknownLetterOfADeviceRuleIsAWarning) {
  json config = MinimalConfig();
  config["linux"]["resources"]["devices"] = {{{"allow", false}, {"access", "rwa"}}};
  Resources resources = Parse(config).value().resources;
  EXPECT_EQ(resources.device_rules.at(0).access, kDeviceRead | kDeviceWrite);
  EXPECT_THAT(resources.warnings,
              ElementsAre("linux.resources.devices[0].access: 'rwa' has letters beside r, w and m, "
                          "which are ignored"));
  config["linux"]["resources"]["devices"] = {{{"allow", false}, {"access", "a"}}};
  EXPECT_EQ(Parse(config).error().message(),
            "linux.resources.devices[0].access: 'a' has none of r, w and m");
}

TEST(OciConfigTest, SeccompProfileComesOver) {
  json config = MinimalConfig();
  config["linux"]["seccomp"] = json::parse(R"({
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
    "architectures": ["SCMP_ARCH_X86_64"], "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_ALLOW",
                  "args": [{"index": 0, "value": 18446744073709551615, "valueTwo": 0,
                            "op": "SCMP_CMP_MASKED_EQ"}]}]})");
  Result<Config> parsed = Parse(config);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  const SeccompProfile& profile = *parsed.value().seccomp;
  EXPECT_EQ(profile.default_action, SCMP_ACT_ERRNO(38));
  EXPECT_THAT(profile.architectures, ElementsAre(uint32_t{SCMP_ARCH_X86_64}));
  EXPECT_EQ(profile.flags, 2U);
  EXPECT_EQ(profile.rules.at(0).arguments.at(0).value, UINT64_MAX);
}

}  // namespace
}  // namespace skiff::isolation::oci
