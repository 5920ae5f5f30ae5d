// skiff-oci with systemd as the manager of cgroups. Runs where systemd does (tools/vm/run
// --systemd).
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "isolation/launch_steps.h"
#include "tests/kernel/isolation/oci_container.h"

namespace skiff::isolation::oci {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class OciSystemdTest : public OciRunTest {
 protected:
  void SetUp() override {
    OciRunTest::SetUp();
    if (IsSkipped()) return;
    SKIFF_REQUIRE(sys::Exists(AT_FDCWD, "/run/systemd/system") ? "" : "systemd as process 1");
    config_["linux"]["cgroupsPath"] = "skifftest-pod.slice:box:" + id_;
  }
  void TearDown() override {
    OciRunTest::TearDown();
    if (id_.empty() || IsSkipped()) return;
    EXPECT_THAT(Host({"systemctl", "list-units", "--all", "--plain", "--no-legend", "*.scope"}),
                Not(HasSubstr(id_)));
    EXPECT_FALSE(sys::Exists(AT_FDCWD, Group()));
  }
  std::string Unit() const { return "box-" + id_ + ".scope"; }
  std::string Group() const {
    return host_->unified_mount() + "/skifftest.slice/skifftest-pod.slice/" + Unit();
  }
  std::string File(const std::string& name) const {
    return std::string(
        TrimSpace(sys::ReadFile(AT_FDCWD, Group() + "/" + name).ValueOr(std::string("missing"))));
  }
  // A program of the host's: its output and errors.
  static std::string Host(const std::vector<std::string>& arguments) {
    sys::Pipe pipe = sys::MakePipe().value();
    UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDONLY).value();
    sys::SpawnSpec spec;
    spec.path = "/usr/bin/" + arguments[0];
    spec.arguments = arguments;
    spec.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER=", "LANG=C"};
    spec.fds = {null.get(), pipe.write_end.get(), pipe.write_end.get()};
    sys::Process process = sys::Spawn(spec).value();
    pipe.write_end.Reset();
    std::string output = sys::ReadAll(pipe.read_end.get(), arguments[0]).value();
    [[maybe_unused]] auto status = sys::WaitPidfd(process.pidfd.get(), true);
    return output;
  }
  std::string Show(const std::string& properties) const {
    return Host({"systemctl", "show", Unit(), "-p", properties});
  }
  Finished Systemd(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "--systemd-cgroup");
    return Command(arguments);
  }
};

// One life, for each look at systemd costs a process: create, start, exec, update, reload, kill,
// delete.
TEST_F(OciSystemdTest, AScopeHoldsTheContainerAndItsLimitsFromCreateToDelete) {
  config_["linux"]["resources"] = json::parse(R"({
    "devices": [{"allow": false, "access": "rwm"},
                {"allow": true, "type": "c", "major": 10, "minor": 183, "access": "r"}],
    "memory": {"limit": 67108864, "swap": 100663296, "reservation": 1048576},
    "cpu": {"quota": 12345, "period": 50000, "shares": 512, "cpus": "0", "mems": "0"},
    "pids": {"limit": 50}, "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}],
    "unified": {"memory.high": "60002304"}})");
  config_["annotations"] = {{"org.systemd.property.TimeoutStopSec", "7"}};
  config_["process"]["args"] = {"/bin/busybox", "sleep", "1000"};
  config_["process"]["capabilities"]["bounding"].push_back("CAP_MKNOD");
  WriteConfig();
  ASSERT_EQ(
      Systemd({"create", "-b", bundle_.path(), "--pid-file", bundle_.path() + "/pid", id_}).output,
      "");
  EXPECT_THAT(
      Show("Slice,Delegate,MemoryMax,MemoryHigh,MemoryLow,MemorySwapMax,CPUQuotaPerSecUSec,"
           "CPUQuotaPeriodUSec,CPUWeight,TasksMax,AllowedCPUs,AllowedMemoryNodes,DevicePolicy,"
           "DeviceAllow,TimeoutStopUSec,CollectMode,Description"),
      AllOf(HasSubstr("Slice=skifftest-pod.slice\n"), HasSubstr("Delegate=yes\n"),
            HasSubstr("MemoryMax=67108864\n"), HasSubstr("MemoryHigh=60002304\n"),
            HasSubstr("MemoryLow=1048576\n"), HasSubstr("MemorySwapMax=33554432\n"),
            HasSubstr("CPUQuotaPerSecUSec=250ms\n"), HasSubstr("CPUQuotaPeriodUSec=50ms\n"),
            HasSubstr("CPUWeight=20\n"), HasSubstr("TasksMax=50\n"), HasSubstr("AllowedCPUs=0\n"),
            HasSubstr("AllowedMemoryNodes=0\n"), HasSubstr("DevicePolicy=strict\n"),
            HasSubstr("DeviceAllow=/dev/char/10:183 r\n"), HasSubstr("TimeoutStopUSec=7s\n"),
            HasSubstr("CollectMode=inactive-or-failed\n"),
            HasSubstr("Description=skiff-oci container " + id_ + "\n")));
  std::string pid = sys::ReadFile(AT_FDCWD, bundle_.path() + "/pid").value();
  EXPECT_EQ(File("cgroup.procs"), pid);  // and no other program's

  EXPECT_EQ(Command({"start", id_}).output, "");
  std::string inside = Command({"exec", id_, "/bin/busybox", "cat", "/proc/self/cgroup"}).output;
  EXPECT_EQ(inside, "0::/skifftest.slice/skifftest-pod.slice/" + Unit() + "\n");
  EXPECT_EQ(Command({"update", "--pids-limit", "60", "--memory", "32M", "--cpu-quota", "5000",
                     "--memory-swap", "-1", id_})
                .output,
            "");
  EXPECT_THAT(Show("MemoryMax,MemorySwapMax,CPUQuotaPerSecUSec,CPUQuotaPeriodUSec,TasksMax"),
              AllOf(HasSubstr("MemoryMax=33554432\n"), HasSubstr("MemorySwapMax=infinity\n"),
                    HasSubstr("CPUQuotaPerSecUSec=100ms\n"), HasSubstr("CPUQuotaPeriodUSec=50ms\n"),
                    HasSubstr("TasksMax=60\n")));
  Host({"systemctl", "daemon-reload"});
  // A property that changes makes systemd write all that it knows of.
  Host({"systemctl", "set-property", "--runtime", Unit(), "CPUWeight=33"});
  for (auto [file, value] : {std::pair{"memory.max", "33554432"},
                             {"memory.swap.max", "max"},
                             {"memory.high", "60002304"},
                             {"memory.low", "1048576"},
                             {"cpu.max", "5000 50000"},
                             {"cpu.weight", "33"},
                             {"pids.max", "60"},
                             {"cpuset.cpus", "0"},
                             {"cpuset.mems", "0"},
                             {"hugetlb.2MB.max", "4194304"}}) {
    EXPECT_EQ(File(file), value) << file;
  }
  // 1:11 is the kernel's log, 10:183 a random number generator that may have no hardware.
  std::string script =
      "cd /dev; busybox mknod log c 1 11; busybox mknod hw c 10 183;"
      "busybox cat log; busybox dd if=hw bs=1 count=1; busybox dd if=/dev/zero of=hw count=1";
  std::string devices =
      Command({"exec", "--cap", "CAP_MKNOD", id_, "/bin/busybox", "sh", "-c", script}).output;
  EXPECT_THAT(devices, HasSubstr("can't open 'log': Operation not permitted"));
  EXPECT_THAT(devices, HasSubstr("dd: hw: No such device"));  // it may be read
  EXPECT_THAT(devices, HasSubstr("can't open 'hw': Operation not permitted"));

  EXPECT_EQ(Command({"pause", id_}).output, "");
  EXPECT_EQ(Status(), "paused");
  EXPECT_EQ(Command({"resume", id_}).output, "");
  EXPECT_EQ(Command({"kill", id_, "KILL"}).output, "");
  EXPECT_EQ(Command({"delete", "--force", id_}).output, "");
}

TEST_F(OciSystemdTest, ForegroundRunHasDefaultsAndOneProcessWhereOneIsAllowed) {
  config_["linux"].erase("cgroupsPath");
  config_["linux"]["resources"]["pids"]["limit"] = 1;
  config_["process"]["args"] = {"/bin/busybox", "cat", "/proc/self/cgroup"};
  Finished finished = Run({"--cgroup-manager", "systemd"});
  EXPECT_EQ(finished.output, "0::/system.slice/skiff-oci-" + id_ + ".scope\n");
  EXPECT_EQ(finished.code, 0);
  EXPECT_FALSE(
      sys::Exists(AT_FDCWD, host_->unified_mount() + "/system.slice/skiff-oci-" + id_ + ".scope"));
}

TEST_F(OciSystemdTest, AContainerSeesItsOwnGroup) {
  config_["linux"]["namespaces"].push_back({{"type", "cgroup"}});
  config_["linux"]["resources"]["memory"]["limit"] = 64 << 20;
  Finished finished = Script(
      "busybox cat /proc/self/cgroup /sys/fs/cgroup/memory.max /sys/fs/cgroup/cgroup.controllers; "
      "exit 9",
      {"--systemd-cgroup"});
  EXPECT_THAT(finished.output, HasSubstr("0::/\n67108864\n"));
  EXPECT_THAT(finished.output, AllOf(HasSubstr("hugetlb"), HasSubstr("pids")));
  EXPECT_EQ(finished.code, 9);
}

TEST_F(OciSystemdTest, AStartThatFailsLeavesNoUnit) {
  config_["process"]["args"] = {"/bin/absent"};
  EXPECT_EQ(Run({"--systemd-cgroup"}).code, 127);
  EXPECT_FALSE(sys::Exists(AT_FDCWD, Group()));
  config_["annotations"] = {{"org.systemd.property.NoSuchThing", "true"}};
  EXPECT_THAT(Run({"--systemd-cgroup"}).output,
              AllOf(HasSubstr("cgroup manager systemd"), HasSubstr("NoSuchThing")));
  config_["annotations"] = json::object();
  config_["linux"]["resources"]["unified"] = {{"memory.max", "nonsense"}};
  EXPECT_THAT(Run({"--systemd-cgroup"}).output, HasSubstr("memory.max"));
}

// Not every call, for each run takes half a second here: the steps in between are those of any
// other container, which LeakTest has.
TEST_F(OciSystemdTest, ASystemCallThatFailsLeavesNoUnit) {
  constexpr int kStride = 7;
  constexpr int kMoreCallsThanAnyRunMakes = 5000;
  config_["process"]["args"] = {"/bin/busybox", "true"};
  WriteConfig();
  std::string marker = bundle_.path() + "/marker";
  int n = 3;
  for (; n < kMoreCallsThanAnyRunMakes && !HasFailure(); n += kStride) {
    std::string failpoint = "*:" + std::to_string(n) + ":5:" + marker;
    environment_ = {"SKIFF_FAILPOINT=" + failpoint, "SKIFF_FAILPOINT_PROGRAM=skiff-oci"};
    Finished finished = Systemd({"run", "-b", bundle_.path(), id_});
    environment_.clear();
    bool was_reached = sys::Exists(AT_FDCWD, marker);
    if (!was_reached) break;
    sys::Unlink(AT_FDCWD, marker).value();
    Finished cleaned = Command({"delete", "--force", id_});  // what an engine does
    EXPECT_EQ(cleaned.code, 0) << failpoint << cleaned.output;
    // Whose last process went with its holder is taken away by systemd, in its own time.
    Host({"systemctl", "stop", Unit()});
    EXPECT_FALSE(sys::Exists(AT_FDCWD, Group())) << failpoint << finished.output;
    EXPECT_FALSE(sys::Exists(AT_FDCWD, StateRoot() + "/" + id_)) << failpoint;
  }
  EXPECT_GT(n, 100) << "the sweep ended early";
}

// What keeps the scope while it is made ends with who makes it.
TEST_F(OciSystemdTest, AStartWhoseRuntimeIsKilledLeavesNoProcess) {
  config_["process"]["args"] = {"/bin/busybox", "sleep", "1000"};
  WriteConfig();
  constexpr auto kStep = static_cast<int>(LaunchStep::kMounts);
  environment_ = {"SKIFF_LAUNCH_FAILPOINT=" + std::to_string(kStep) + ":kill"};
  EXPECT_EQ(Systemd({"run", "-b", bundle_.path(), id_}).code, 128 + SIGKILL);
  environment_.clear();
  Result<Cgroup> group =
      host_->Open("skifftest.slice/skifftest-pod.slice/" + Unit());  // or it is gone already
  if (group.ok()) {
    EXPECT_TRUE(group.value().WaitEmpty(std::chrono::seconds(30)).value());
  }
  Host({"systemctl", "stop", Unit()});  // waits until systemd has seen it, too
  EXPECT_EQ(Command({"delete", "--force", id_}).output, "");
}

TEST_F(OciSystemdTest, AUnitThatIsThereIsNotTaken) {
  config_["process"]["args"] = {"/bin/busybox", "sleep", "1000"};
  WriteConfig();
  ASSERT_EQ(Systemd({"run", "--detach", "-b", bundle_.path(), id_}).output, "");
  EXPECT_THAT(Systemd({"run", "--detach", "-b", bundle_.path(), id_ + "2"}).output,
              AllOf(HasSubstr(Unit()), HasSubstr("already")));
  EXPECT_EQ(Status(), "running");
  EXPECT_FALSE(sys::Exists(AT_FDCWD, StateRoot() + "/" + id_ + "2"));
  EXPECT_EQ(Command({"delete", "--force", id_}).output, "");
}

TEST_F(OciSystemdTest, PodmanHasItsContainersInScopes) {
  SKIFF_REQUIRE(sys::Exists(AT_FDCWD, "/usr/bin/podman") ? "" : "podman");
  std::string script =
      "busybox cat /proc/self/cgroup /sys/fs/cgroup/memory.max "
      "/sys/fs/cgroup/pids.max; exit 3";
  std::string output = Host({"podman",
                             "--root",
                             bundle_.path() + "/storage",
                             "--runroot",
                             bundle_.path() + "/run",
                             "--tmpdir",
                             bundle_.path() + "/tmp",
                             "--storage-driver",
                             "vfs",
                             "--events-backend",
                             "none",
                             "--cgroup-manager",
                             "systemd",
                             "--runtime",
                             SKIFF_OCI,
                             "run",
                             "--rm",
                             "--network",
                             "none",
                             "--cgroupns",
                             "host",
                             "--memory",
                             "64m",
                             "--pids-limit",
                             "30",
                             "--rootfs",
                             busybox_->layer(),
                             "/bin/busybox",
                             "sh",
                             "-c",
                             script});
  EXPECT_THAT(output,
              testing::ContainsRegex("0::/machine.slice/libpod-[0-9a-f]+.scope\n67108864\n30\n"));
  EXPECT_THAT(Host({"systemctl", "list-units", "--all", "--plain", "--no-legend", "*.scope"}),
              Not(HasSubstr("libpod-")));
}

// Whose program is gone, whose bus is not there: told, and nothing is left.
TEST_F(OciSystemdTest, WithoutABusItSaysSo) {
  config_["process"]["args"] = {"/bin/busybox", "true"};
  WriteConfig();
  environment_ = {"DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/no-such-bus"};
  EXPECT_THAT(Systemd({"run", "-b", bundle_.path(), id_}).output,
              HasSubstr("cgroup manager systemd: the system's D-Bus: no such file or directory"));
  environment_.clear();
  fs::copy_file(SKIFF_OCI, bundle_.path() + "/alone");
  EXPECT_THAT(Host({"env", bundle_.path() + "/alone", "--root", StateRoot(), "--systemd-cgroup",
                    "run", "-b", bundle_.path(), id_}),
              HasSubstr(bundle_.path() + "/skiff-oci-systemd: "));
}

// A user without rights, with a service manager of his own as a login brings it.
class OciSystemdUserTest : public OciSystemdTest {
 protected:
  void SetUp() override {
    OciSystemdTest::SetUp();
    if (IsSkipped()) return;
    const passwd* user = getpwnam("games");
    SKIFF_REQUIRE(user != nullptr ? "" : "a user named games");
    uid_ = user->pw_uid;
    number_ = std::to_string(uid_);
    runtime_ = "/run/user/" + number_;
    sys::MakeDirectories(runtime_, 0755).value();
    Give(runtime_);
    std::string started =
        Host({"systemd-run", "--quiet", "--unit=skiff-user-manager", "--uid=games",
              "-pDelegate=yes", "-pType=notify", "-pSlice=user.slice", "-pDefaultDependencies=no",
              "-EXDG_RUNTIME_DIR=" + runtime_, "-EHOME=" + runtime_,
              "-EDBUS_SESSION_BUS_ADDRESS=unix:path=" + runtime_ + "/bus", "/lib/systemd/systemd",
              "--user", "--unit=dbus.socket"});
    ASSERT_EQ(started, "");
    Give(bundle_.path());
    for (const char* program : {"skiff-oci", "skiff-oci-systemd"}) {
      fs::copy_file(fs::path(SKIFF_OCI).parent_path() / program, bundle_.path() + "/" + program);
      Give(bundle_.path() + "/" + program);
    }
    std::string layer = fs::path(busybox_->layer()).parent_path();
    Give(layer);
    for (const auto& entry : fs::recursive_directory_iterator(layer)) Give(entry.path());
    json& section = config_["linux"];
    section.erase("cgroupsPath");
    section["namespaces"].push_back({{"type", "user"}});
    section["namespaces"].push_back({{"type", "cgroup"}});
    section["uidMappings"] =
        section["gidMappings"] = {{{"containerID", 0}, {"hostID", uid_}, {"size", 1}}};
    for (json& mount : config_["mounts"]) {
      if (mount["type"] == "devpts") mount["options"] = {"newinstance"};  // 5 has no id
    }
  }
  void TearDown() override {
    if (!runtime_.empty()) {
      Host({"systemctl", "stop", "skiff-user-manager.service"});
      fs::remove_all(runtime_);
    }
    OciSystemdTest::TearDown();
  }
  void Give(const std::string& path) const {
    ASSERT_EQ(lchown(path.c_str(), uid_, uid_), 0) << path;
  }
  // As from a login that systemd's system manager made: not below the user's own.
  std::string AsUser(const std::vector<std::string>& arguments) {
    // What stays behind keeps its streams: only a file does not wait for its end.
    std::string script = "\"$@\" > " + bundle_.path() + "/output 2>&1 < /dev/null";
    std::vector<std::string> words = {"sh", "-c", script, "sh", "setpriv"};
    words.insert(words.end(), {"--reuid=" + number_, "--regid=" + number_, "--clear-groups", "env",
                               "XDG_RUNTIME_DIR=" + runtime_, bundle_.path() + "/skiff-oci",
                               "--root", StateRoot(), "--systemd-cgroup"});
    words.insert(words.end(), arguments.begin(), arguments.end());
    Host(words);
    return sys::ReadFile(AT_FDCWD, bundle_.path() + "/output").value();
  }

  uid_t uid_ = 0;
  std::string number_;
  std::string runtime_;
};

TEST_F(OciSystemdUserTest, HisOwnManagerLimitsHisContainers) {
  config_["linux"]["resources"] =
      json::parse(R"({"memory": {"limit": 67108864}, "pids": {"limit": 50}})");
  config_["process"]["args"] = {"/bin/busybox", "sleep", "1000"};
  WriteConfig();
  ASSERT_EQ(chmod((bundle_.path() + "/config.json").c_str(), 0644), 0);
  ASSERT_EQ(AsUser({"run", "--detach", "-b", bundle_.path(), id_}), "");
  const char* script =
      "busybox cat /proc/self/cgroup /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max";
  std::string inside = AsUser({"exec", id_, "/bin/busybox", "sh", "-c", script});
  EXPECT_EQ(inside, "0::/\n67108864\n50\n");
  std::string group = host_->unified_mount() +
                      "/user.slice/skiff-user-manager.service/user.slice/skiff-oci-" + id_ +
                      ".scope";
  EXPECT_TRUE(sys::Exists(AT_FDCWD, group));
  EXPECT_EQ(AsUser({"update", "--pids-limit", "20", id_}), "");
  EXPECT_EQ(TrimSpace(sys::ReadFile(AT_FDCWD, group + "/pids.max").ValueOr(std::string())), "20");
  EXPECT_EQ(AsUser({"delete", "--force", id_}), "");
  EXPECT_FALSE(sys::Exists(AT_FDCWD, group));
}

}  // namespace
}  // namespace skiff::isolation::oci
