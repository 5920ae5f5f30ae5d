// What a process runs with beside its rights: see oci_container.h.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>

#include <nlohmann/json.hpp>

#include "isolation/sys/inode.h"
#include "isolation/sys/socket.h"
#include "isolation/sys/user_namespace.h"
#include "tests/kernel/isolation/oci_container.h"

namespace skiff::isolation::oci {
namespace {

using nlohmann::json;
using testing::HasSubstr;

using OciProcessTest = OciRunTest;

TEST_F(OciProcessTest, SchedulerIoPriorityAndPersonalityAreTheConfigs) {
  config_["process"]["scheduler"] = {{"policy", "SCHED_BATCH"}, {"nice", 7}};
  config_["process"]["ioPriority"] = {{"class", "IOPRIO_CLASS_IDLE"}, {"priority", 0}};
  config_["linux"]["personality"] = {{"domain", "LINUX32"}};
  // Fields 19 (nice) and 41 (policy, 3 is batch) of proc_pid_stat(5).
  Finished run = Script(
      "busybox awk '{print $19, $41}' /proc/self/stat; busybox ionice -p $$; "
      "busybox uname -m; cat /proc/self/personality");
  EXPECT_THAT(run.output, HasSubstr("7 3\n"));
  EXPECT_THAT(run.output, HasSubstr("idle"));
  EXPECT_THAT(run.output, HasSubstr("00000008"));
}

TEST_F(OciProcessTest, AnExecRunsWhereItsAffinitySays) {
  Begin("sleep 1000");
  std::string file = bundle_.path() + "/process.json";
  json process = config_["process"];
  process["args"] = {"/bin/busybox", "grep", "Cpus_allowed_list", "/proc/self/status"};
  process["execCPUAffinity"] = {{"initial", "0"}, {"final", "0"}};
  sys::WriteFile(AT_FDCWD, file, process.dump()).value();
  EXPECT_EQ(Command({"exec", "--process", file, id_}).output, "Cpus_allowed_list:\t0\n");
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciProcessTest, AMemoryPolicyHoldsForWhatIsExecutedAsWell) {
  json& policy = config_["linux"]["memoryPolicy"];
  policy = {{"mode", "MPOL_BIND"}, {"nodes", "0"}, {"flags", {"MPOL_F_STATIC_NODES"}}};
  const std::string look = "busybox head -n 1 /proc/self/numa_maps | busybox cut -d ' ' -f 2";
  if (!sys::Exists(AT_FDCWD, "/proc/self/numa_maps")) {
    EXPECT_THAT(Script(look).output,
                HasSubstr("linux.memoryPolicy: set_mempolicy: this kernel has no NUMA"));
    GTEST_SKIP() << "missing capability: NUMA memory policies";
  }
  Begin("sleep 1000");
  EXPECT_EQ(Command({"exec", id_, "/bin/busybox", "sh", "-c", look}).output, "bind=static:0\n");
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
  policy = {{"mode", "MPOL_INTERLEAVE"}, {"nodes", "0"}};
  EXPECT_EQ(Script(look).output, "interleave:0\n");
  // Before the filter, which may not know the call.
  config_["linux"]["seccomp"] = {
      {"defaultAction", "SCMP_ACT_ALLOW"},
      {"syscalls", {{{"names", {"set_mempolicy"}}, {"action", "SCMP_ACT_KILL_PROCESS"}}}}};
  EXPECT_EQ(Script(look).output, "interleave:0\n");
  policy = {{"mode", "MPOL_DEFAULT"}, {"nodes", "0"}};
  Finished refused = Script(look);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.output, HasSubstr("linux.memoryPolicy: set_mempolicy: invalid argument"));
}

TEST_F(OciProcessTest, ATimeNamespaceHasItsClocksAheadForExecAsWell) {
  if (!sys::Exists(AT_FDCWD, "/proc/self/ns/time"))
    GTEST_SKIP() << "missing capability: time namespaces";
  config_["linux"]["namespaces"].push_back({{"type", "time"}});
  config_["linux"]["timeOffsets"] = {{"boottime", {{"secs", 864'000'000}}}};
  Begin("sleep 1000");
  Finished exec = Command({"exec", id_, "/bin/busybox", "cat", "/proc/uptime"});
  EXPECT_GE(std::stod(exec.output), 864e6);
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
  EXPECT_LT(std::stod(sys::ReadFile(AT_FDCWD, "/proc/uptime").value()), 864e6);
}

TEST_F(OciProcessTest, AMountNamespaceIsJoinedByPath) {
  sys::SpawnSpec spec;
  spec.path = "/usr/bin/unshare";
  spec.arguments = {"unshare", "--mount", "sh", "-c", "echo ready; exec sleep 1000"};
  spec.environment = {"PATH=/usr/bin:/bin"};
  sys::Pipe ready = sys::MakePipe().value();
  spec.fds = {ready.write_end.get(), ready.write_end.get(), ready.write_end.get()};
  sys::Process holder = sys::Spawn(spec).value();
  ready.write_end.Reset();
  char byte = 0;
  sys::Read(ready.read_end.get(), &byte, 1).value();
  std::string path = "/proc/" + std::to_string(holder.pid) + "/ns/mnt";
  for (json& entry : config_["linux"]["namespaces"]) {
    if (entry["type"] == "mount") entry["path"] = path;
  }
  std::string theirs = sys::ReadLink(AT_FDCWD, path).value();
  EXPECT_EQ(Script("busybox readlink /proc/self/ns/mnt; exec true").output, theirs + "\n");
  sys::SignalPidfd(holder.pidfd.get(), SIGKILL).value();
  sys::WaitPidfd(holder.pidfd.get(), true).value();
}

class OciJoinedUserTest : public OciRunTest {
 protected:
  void SetUp() override {
    OciRunTest::SetUp();
    if (IsSkipped()) return;
    user_ = sys::MakeUserNamespace(100'000, false).value().user;
    path_ = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(user_.get());
    number_ = sys::StatFd(user_.get()).value().st_ino;
    config_["linux"]["namespaces"].push_back({{"type", "user"}, {"path", path_}});
  }
  UniqueFd user_;
  std::string path_;
  ino_t number_ = 0;
};

TEST_F(OciJoinedUserTest, WhatIsNewBelongsToTheNamespaceThatIsJoined) {
  config_["linux"]["namespaces"].push_back({{"type", "cgroup"}});
  config_["linux"]["sysctl"] = {{"net.ipv4.ip_forward", "1"}};
  Begin("sleep 1000");
  std::string pid = std::to_string(json::parse(Command({"state", id_}).output)["pid"].get<int>());
  for (const char* type : {"net", "ipc", "uts", "mnt", "pid", "cgroup"}) {
    UniqueFd fd = sys::Open(AT_FDCWD, "/proc/" + pid + "/ns/" + type, O_RDONLY).value();
    UniqueFd owner(ioctl(fd.get(), NS_GET_USERNS));
    ASSERT_TRUE(owner.valid()) << type;
    EXPECT_EQ(sys::StatFd(owner.get()).value().st_ino, number_) << type;
  }
  std::string script =
      "busybox readlink /proc/self/ns/user; busybox id -u; cat /proc/sys/net/ipv4/ip_forward;"
      "echo x > /dev/null && echo null; busybox grep CapEff /proc/1/status";
  Finished inside = Command({"exec", id_, "/bin/busybox", "sh", "-c", script});
  EXPECT_EQ(inside.output,
            "user:[" + std::to_string(number_) + "]\n0\n1\nnull\nCapEff:\t0000000020000420\n");
  EXPECT_THAT(sys::ReadFile(AT_FDCWD, "/proc/" + pid + "/status").value(),
              HasSubstr("Uid:\t100000\t100000\t100000\t100000\n"));
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciJoinedUserTest, EveryOtherNamespaceIsJoinedWithIt) {
  sys::SpawnSpec spec;
  spec.path = "/usr/bin/nsenter";
  spec.arguments = {"nsenter",
                    "--user=" + path_,
                    "unshare",
                    "--mount",
                    "--net",
                    "--ipc",
                    "--uts",
                    "--pid",
                    "--kill-child",
                    "--cgroup",
                    "sh",
                    "-c",
                    "echo ready; exec sleep 1000"};
  spec.environment = {"PATH=/usr/bin:/bin"};
  sys::Pipe ready = sys::MakePipe().value();
  spec.fds = {ready.write_end.get(), ready.write_end.get(), ready.write_end.get()};
  sys::Process holder = sys::Spawn(spec).value();
  ready.write_end.Reset();
  char byte = 0;
  ASSERT_EQ(sys::Read(ready.read_end.get(), &byte, 1).value(), 1U);
  ASSERT_EQ(byte, 'r');
  std::string theirs = "/proc/" + std::to_string(holder.pid) + "/ns/";
  std::string script;
  std::string expected;
  config_["linux"]["namespaces"] = {{{"type", "user"}, {"path", path_}}};
  for (auto [type, file] : {std::pair{"pid", "pid_for_children"},
                            {"network", "net"},
                            {"ipc", "ipc"},
                            {"uts", "uts"},
                            {"mount", "mnt"},
                            {"cgroup", "cgroup"}}) {
    config_["linux"]["namespaces"].push_back({{"type", type}, {"path", theirs + file}});
    std::string own = std::string(type) == "pid" ? "pid" : file;
    script += "busybox readlink /proc/self/ns/" + own + ";";
    expected += sys::ReadLink(AT_FDCWD, theirs + file).value() + "\n";
  }
  Finished run = Script(script + "exit 7");
  EXPECT_EQ(run.output, expected);
  EXPECT_EQ(run.code, 7);
  sys::SignalPidfd(holder.pidfd.get(), SIGKILL).value();
  sys::WaitPidfd(holder.pidfd.get(), true).value();
}

TEST_F(OciJoinedUserTest, ItsMappingsAreTheNamespacesOwn) {
  json mapping = {{{"containerID", 0}, {"hostID", 100'000}, {"size", 65'536}}};
  config_["linux"]["uidMappings"] = config_["linux"]["gidMappings"] = mapping;
  EXPECT_EQ(Script("exit 3").code, 3);
  config_["linux"]["gidMappings"][0]["hostID"] = 0;
  EXPECT_THAT(Script("exit 3").output,
              HasSubstr("linux.gidMappings: differ from those of the user namespace"));
  config_["linux"].erase("gidMappings");
  config_["process"]["user"]["uid"] = 65'536;
  EXPECT_THAT(Script("exit 3").output, HasSubstr("process.user.uid: 65536 is not mapped"));
}

// A service manager's socket.
class NotifySocketEnd {
 public:
  explicit NotifySocketEnd(const std::string& path) : socket_(sys::ListenDatagrams(path).value()) {}
  std::string Next() {
    if (!sys::PollReadable(socket_.get(), std::chrono::seconds(20)).value()) return "nothing";
    char text[100];
    return {text, sys::Read(socket_.get(), text, sizeof(text)).value()};
  }

 private:
  UniqueFd socket_;
};

TEST_F(OciProcessTest, AServiceManagerHearsThatAContainerIsReady) {
  NotifySocketEnd manager(bundle_.path() + "/manager");
  environment_ = {"NOTIFY_SOCKET=" + bundle_.path() + "/manager"};
  config_["root"]["readonly"] = false;
  config_["mounts"].push_back({{"destination", "/bin/probe"},
                               {"type", "bind"},
                               {"source", SKIFF_PROBE},
                               {"options", {"bind"}}});
  config_["process"]["args"] = {"/bin/probe", "notify"};
  WriteConfig();
  EXPECT_EQ(Command({"create", "-b", bundle_.path(), id_}).output, "");
  EXPECT_EQ(Command({"start", id_}).output, "");
  EXPECT_EQ(manager.Next(), "READY=1");
  EXPECT_THAT(manager.Next(), HasSubstr("MAINPID="));
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciProcessTest, LabelsThatNobodyEnforcesAreAWarning) {
  bool has_apparmor =
      sys::ReadFile(AT_FDCWD, "/sys/module/apparmor/parameters/enabled").ValueOr("N")[0] == 'Y';
  if (has_apparmor || sys::Exists(AT_FDCWD, "/sys/fs/selinux/policyvers"))
    GTEST_SKIP() << "missing capability: a kernel without AppArmor and SELinux";
  std::string apparmor =
      "skiff-oci: process.apparmorProfile: 'a:b' has no effect: AppArmor is not enabled in this "
      "host's kernel\n";
  std::string selinux = "'a:b' has no effect: SELinux is not enabled in this host's kernel\n";
  config_["process"]["apparmorProfile"] = "a:b";
  config_["process"]["selinuxLabel"] = "a:b";
  config_["linux"]["mountLabel"] = "a:b";
  Finished finished = Script("exit 7");
  EXPECT_EQ(finished.code, 7);
  EXPECT_EQ(finished.output, apparmor + "skiff-oci: process.selinuxLabel: " + selinux +
                                 "skiff-oci: linux.mountLabel: " + selinux);
  config_["process"]["args"] = {"/bin/busybox", "sleep", "1000"};
  WriteConfig();
  ASSERT_EQ(Command({"run", "--detach", "-b", bundle_.path(), id_}).code, 0);
  auto enter = [&](const std::string& flag, const std::string& label) {
    return Command({"exec", flag, label, id_, "/bin/busybox", "true"});
  };
  EXPECT_EQ(enter("--apparmor", "a:b").output, apparmor);
  EXPECT_EQ(enter("--process-label", "a:b").output, "skiff-oci: process.selinuxLabel: " + selinux);
  finished = enter("--apparmor", "unconfined");  // as it is without; the container's own was said
  EXPECT_EQ(finished.output, "");
  EXPECT_EQ(finished.code, 0);
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciProcessTest, WithoutSystemdTheCgroupSourceSystemdIsRefused) {
  if (sys::Exists(AT_FDCWD, "/run/systemd/system"))
    GTEST_SKIP() << "missing capability: a host without systemd";
  for (const char* flag : {"--systemd-cgroup", "--cgroup-manager=systemd"}) {
    config_["linux"]["cgroupsPath"] = "a.slice:b:" + id_;
    Finished finished = Script("busybox true", {flag});
    EXPECT_EQ(finished.code, 1);
    bool is_hybrid = host_->Directories("").size() > 1;
    EXPECT_THAT(finished.output,
                HasSubstr(is_hybrid ? "cgroup manager systemd: this host has cgroup v1"
                                    : "cgroup manager systemd: this host does not run systemd"));
    config_["linux"]["cgroupsPath"] = "/a/b";
    EXPECT_THAT(Script("busybox true", {flag}).output, HasSubstr("slice:prefix:name"));
  }
  config_["linux"]["cgroupsPath"] = "a.slice:b:" + id_;
  EXPECT_THAT(Script("busybox true").output,
              HasSubstr("linux.cgroupsPath: 'a.slice:b:" + id_ + "': slice:prefix:name is for"));
}

TEST_F(OciProcessTest, EventsTellWhatIsUsedUntilTheEnd) {
  Begin("sleep 1000");
  json once = json::parse(Command({"events", "--stats", id_}).output);
  EXPECT_EQ(once["type"], "stats");
  EXPECT_EQ(once["id"], id_);
  EXPECT_GT(once["data"]["cpu"]["usage"]["total"], 0);
  sys::SpawnSpec spec;
  spec.path = SKIFF_OCI;
  spec.arguments = {"skiff-oci", "--root", StateRoot(), "events", "--interval", "1ms", id_};
  sys::Pipe pipe = sys::MakePipe().value();
  spec.fds = {pipe.write_end.get(), pipe.write_end.get(), pipe.write_end.get()};
  sys::Process watcher = sys::Spawn(spec).value();
  pipe.write_end.Reset();
  char begin[15];
  ASSERT_EQ(sys::Read(pipe.read_end.get(), begin, sizeof(begin)).value(), sizeof(begin));
  EXPECT_EQ(std::string(begin, sizeof(begin)), "{\"type\":\"stats\"");
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
  EXPECT_EQ(sys::WaitPidfd(watcher.pidfd.get(), true).value()->ShellCode(), 0);
  EXPECT_THAT(Command({"events", id_}).output, HasSubstr("does not exist"));
}

}  // namespace
}  // namespace skiff::isolation::oci
