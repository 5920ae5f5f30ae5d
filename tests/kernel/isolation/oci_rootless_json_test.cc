// skiff-oci for a caller without rights on the host.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "isolation/sys/inode.h"
#include "tests/kernel/isolation/oci_container.h"
#include "tests/kernel/isolation/seccomp_agent.h"

namespace skiff::isolation::oci {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr uid_t kUser = 64'999;  // nobody's

std::string MissingUserNamespaces() {
  for (const char* name : {"user/max_user_namespaces", "kernel/unprivileged_userns_clone"}) {
    Result<std::string> value = sys::ReadFile(AT_FDCWD, std::string("/proc/sys/") + name);
    if (value.ok() && TrimSpace(value.value()) == "0")
      return std::string("user namespaces for everybody: ") + name + " is 0";
  }
  return "";
}

class OciRootlessTest : public OciRunTest {
 protected:
  void SetUp() override {
    OciRunTest::SetUp();
    if (IsSkipped()) return;
    SKIFF_REQUIRE(MissingUserNamespaces());
    fs::copy_file(SKIFF_OCI, bundle_.path() + "/skiff-oci");
    for (const std::string& directory :
         {bundle_.path(), fs::path(busybox_->layer()).parent_path().string()}) {
      Give(directory);
      for (const auto& entry : fs::recursive_directory_iterator(directory)) Give(entry.path());
    }
    json& section = config_["linux"];
    section["namespaces"].push_back({{"type", "user"}});
    section["uidMappings"] =
        section["gidMappings"] = {{{"containerID", 0}, {"hostID", kUser}, {"size", 1}}};
    section.erase("resources");
    json mounts = json::array();
    for (const json& mount : config_["mounts"]) {
      if (mount["type"] == "cgroup") continue;
      mounts.push_back(mount);
      if (mount["type"] == "devpts") mounts.back()["options"] = {"newinstance"};  // 5 has no id
    }
    config_["mounts"] = mounts;
  }
  static void Give(const std::string& path) {
    ASSERT_EQ(lchown(path.c_str(), kUser, kUser), 0) << path;
  }
  // From a group of that name below the delegated one, if any.
  Finished AsUser(const std::vector<std::string>& arguments, const std::string& group = "") {
    std::string number = std::to_string(kUser);
    sys::SpawnSpec spec;
    spec.path = "/usr/bin/setpriv";
    spec.arguments = {"setpriv",        "--reuid=" + number,           "--regid=" + number,
                      "--clear-groups", bundle_.path() + "/skiff-oci", "--root",
                      StateRoot()};
    spec.arguments.insert(spec.arguments.end(), arguments.begin(), arguments.end());
    if (!group.empty()) {
      std::string script = "echo 0 > " + group + "/cgroup.procs; exec \"$@\"";
      spec.arguments.insert(spec.arguments.begin(), {"sh", "-c", script, "sh"});
      spec.path = "/bin/sh";
    }
    UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDWR).value();
    std::string file = bundle_.path() + "/output";
    UniqueFd output =
        sys::Open(AT_FDCWD, file, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600).value();
    spec.fds = {null.get(), output.get(), output.get()};
    sys::Process process = sys::Spawn(spec).value();
    Finished finished;
    finished.code = sys::WaitPidfd(process.pidfd.get(), true).value()->ShellCode();
    finished.output = sys::ReadFile(AT_FDCWD, file).value();
    return finished;
  }
  void GiveCapability(const char* name) {
    for (const char* set : {"bounding", "effective", "permitted"})
      config_["process"]["capabilities"][set].push_back(name);
  }
  void Write(const std::string& script) {
    config_["process"]["args"] = {"/bin/busybox", "sh", "-c", script};
    WriteConfig();
    Give(bundle_.path() + "/config.json");
    ASSERT_EQ(chmod((bundle_.path() + "/config.json").c_str(), 0644), 0);
  }
};

TEST_F(OciRootlessTest, RunIsRootInsideAndTheCallerOutside) {
  std::string shared = SharedDirectory();
  Give(shared);
  Write("busybox id -u; touch /shared/file; echo x > /dev/null && echo fine; exit 6");
  Finished finished = AsUser({"run", "-b", bundle_.path(), id_});
  EXPECT_EQ(finished.output, "0\nfine\n");
  EXPECT_EQ(finished.code, 6);
  EXPECT_EQ(sys::Stat(AT_FDCWD, shared + "/file").value().st_uid, kUser);
}

TEST_F(OciRootlessTest, LifeFromCreateToDelete) {
  Write("exec busybox sleep 1000");
  ASSERT_EQ(AsUser({"create", "-b", bundle_.path(), id_}).output, "");
  EXPECT_EQ(AsUser({"start", id_}).output, "");
  Finished inside = AsUser({"exec", id_, "/bin/busybox", "sh", "-c",
                            "busybox id -u; busybox hostname; busybox ps; exit 4"});
  EXPECT_THAT(inside.output, ContainsRegex("^0\nbundle\n.*\n +1 root +busybox sleep 1000\n"));
  EXPECT_EQ(inside.code, 4);
  EXPECT_THAT(AsUser({"exec", "--tty", id_, "/bin/busybox", "tty"}).output, HasSubstr("/dev/pts/"));
  EXPECT_THAT(AsUser({"pause", id_}).output, HasSubstr("has no cgroup"));
  EXPECT_EQ(AsUser({"kill", id_, "KILL"}).output, "");
  EXPECT_EQ(AsUser({"delete", "--force", id_}).output, "");
}

TEST_F(OciRootlessTest, AContainerWithoutAGroupIsForWhoAllowsIt) {
  Write("exit 6");
  Finished refused = AsUser({"--rootless", "false", "run", "-b", bundle_.path(), id_});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.output, HasSubstr("cgroup"));
  EXPECT_EQ(AsUser({"--rootless=true", "run", "-b", bundle_.path(), id_}).code, 6);
  EXPECT_EQ(AsUser({"--rootless", "auto", "run", "-b", bundle_.path(), id_}).code, 6);
}

// Who waits for the start is a copy of the runtime, and its owner may look into it where nobody of
// the container may, whatever capability he has there (CVE-2016-9962).
TEST_F(OciRootlessTest, ExecEntersAContainerThatIsOnlyCreatedAndDoesNotSeeTheRuntime) {
  GiveCapability("CAP_SYS_PTRACE");
  Write("exec busybox sleep 1000");
  ASSERT_EQ(AsUser({"create", "-b", bundle_.path(), id_}).output, "");
  EXPECT_EQ(AsUser({"exec", id_, "/bin/busybox", "hostname"}).output, "bundle\n");
  std::string look =
      "exec 2> /dev/null;"
      "for f in exe root cwd ns/mnt fd/0; do busybox readlink /proc/1/$f && echo seen $f; done;"
      "for f in environ maps mem; do busybox head -c 1 /proc/1/$f && echo seen $f; done;"
      "busybox readlink /proc/self/exe";
  EXPECT_EQ(AsUser({"exec", id_, "/bin/busybox", "sh", "-c", look}).output, "/bin/busybox\n");
  EXPECT_EQ(AsUser({"start", id_}).output, "");
  EXPECT_EQ(AsUser({"exec", id_, "/bin/busybox", "readlink", "/proc/1/exe"}).output,
            "/bin/busybox\n");
  EXPECT_EQ(AsUser({"delete", "--force", id_}).output, "");
}

TEST_F(OciRootlessTest, HooksOfTheStartRunInsideTheContainer) {
  std::string shared = SharedDirectory();
  Give(shared);
  config_["hooks"]["startContainer"] = {
      {{"path", "/bin/busybox"},
       {"args", {"sh", "-c", "busybox id -u >> /shared/hook; busybox cat >> /shared/hook"}}}};
  Write("exec busybox sleep 1000");
  ASSERT_EQ(AsUser({"create", "-b", bundle_.path(), id_}).output, "");
  EXPECT_FALSE(sys::Exists(AT_FDCWD, shared + "/hook"));
  EXPECT_EQ(AsUser({"start", id_}).output, "");
  EXPECT_THAT(sys::ReadFile(AT_FDCWD, shared + "/hook").value(),
              ContainsRegex("^0\n.*\"status\" *: *\"created\""));
  EXPECT_EQ(AsUser({"delete", "--force", id_}).output, "");
  Write("busybox head -n 1 /shared/hook; exit 6");
  Finished finished = AsUser({"run", "-b", bundle_.path(), id_});
  EXPECT_EQ(finished.output, "0\n");
  EXPECT_EQ(finished.code, 6);
}

// CVE-2016-9962: on its way into the container a hook's process is a copy of the runtime.
TEST_F(OciRootlessTest, NobodyLooksIntoAHookThatEnters) {
  fs::copy_file(SKIFF_PROBE, busybox_->layer() + "/bin/probe");
  std::string shared = SharedDirectory();
  Give(shared);
  GiveCapability("CAP_SYS_PTRACE");
  config_["hooks"]["startContainer"] =
      std::vector<json>(60, {{"path", "/bin/busybox"}, {"args", {"busybox", "true"}}});
  Write("busybox killall probe; exec busybox sleep 1000");
  ASSERT_EQ(AsUser({"create", "-b", bundle_.path(), id_}).output, "");
  std::string file = shared + "/pry";
  ASSERT_EQ(AsUser({"exec", "--detach", id_, "/bin/busybox", "sh", "-c",
                    "/bin/probe pry > /shared/pry; echo end >> /shared/pry"})
                .output,
            "");
  auto await = [&](const std::string& text) {
    for (;;) {
      std::string found = sys::ReadFile(AT_FDCWD, file).ValueOr(std::string());
      if (found.find(text) != std::string::npos) return found;
    }
  };
  await("ready\n");
  EXPECT_EQ(AsUser({"start", id_}).output, "");
  EXPECT_THAT(await("end\n"), testing::AllOf(HasSubstr("met"), Not(HasSubstr("looked into"))));
  EXPECT_EQ(AsUser({"delete", "--force", id_}).output, "");
}

// CVE-2019-5736: here the program is the caller's own, whose rights the container's root has.
TEST_F(OciRootlessTest, TheCallersOwnProgramCannotBeWrittenThroughItsProcess) {
  config_["hooks"]["createRuntime"] = {
      {{"path", "/bin/sh"},
       {"args",
        {"sh", "-c", "test -w /proc/$PPID/exe && echo writable; test -x /proc/$PPID/exe"}}}};
  Write("echo fine");
  EXPECT_EQ(AsUser({"run", "-b", bundle_.path(), id_}).output, "fine\n");
}

TEST_F(OciRootlessTest, AnAgentAnswersForTheContainerAndForExec) {
  std::string socket = bundle_.path() + "/agent.sock";
  for (bool no_new_privileges : {true, false}) {
    config_["process"]["noNewPrivileges"] = no_new_privileges;
    config_["linux"]["seccomp"] = {
        {"defaultAction", "SCMP_ACT_ALLOW"},
        {"listenerPath", socket},
        {"syscalls", {{{"names", {"mkdir"}}, {"action", "SCMP_ACT_NOTIFY"}}}}};
    {
      Write("exec busybox mkdir /dev/x");
      SeccompAgent agent(socket);
      Give(socket);
      EXPECT_THAT(AsUser({"run", "-b", bundle_.path(), id_}).output, HasSubstr("No medium found"));
      EXPECT_EQ(json::parse(agent.WaitForState())["state"]["status"], "creating");
    }
    Write("exec busybox sleep 1000");
    SeccompAgent first(socket);  // until the container's end
    Give(socket);
    ASSERT_EQ(AsUser({"create", "-b", bundle_.path(), id_}).output, "");
    fs::remove(socket);
    {
      SeccompAgent agent(socket);
      Give(socket);
      EXPECT_THAT(AsUser({"exec", id_, "/bin/busybox", "mkdir", "/dev/x"}).output,
                  HasSubstr("No medium found"));
      EXPECT_EQ(json::parse(agent.WaitForState())["state"]["status"], "created");
    }
    EXPECT_EQ(AsUser({"delete", "--force", id_}).output, "");
  }
}

TEST_F(OciRootlessTest, AContainerNeedsNoRoot) {
  json& section = config_["linux"];
  section["uidMappings"][0]["containerID"] = section["gidMappings"][0]["containerID"] = 1000;
  config_["process"]["user"] = {{"uid", 1000}, {"gid", 1000}};
  Write("exec busybox sleep 1000");
  ASSERT_EQ(AsUser({"create", "-b", bundle_.path(), id_}).output, "");
  EXPECT_EQ(AsUser({"exec", id_, "/bin/busybox", "id", "-u"}).output, "1000\n");
  EXPECT_EQ(AsUser({"start", id_}).output, "");
  EXPECT_EQ(AsUser({"delete", "--force", id_}).output, "");
}

// The program begins again as root of a namespace: neither is to be seen from outside.
TEST_F(OciRootlessTest, TheCallerStaysWhoHeIs) {
  config_["hooks"]["createRuntime"] = {
      {{"path", "/bin/sh"}, {"args", {"sh", "-c", "env | grep -c _SKIFF_OCI; true"}}}};
  Write("true");
  ASSERT_EQ(AsUser({"create", "-b", bundle_.path(), id_}).output, "0\n");
  EXPECT_EQ(json::parse(AsUser({"state", id_}).output)["owner"], std::to_string(kUser));
  EXPECT_EQ(AsUser({"delete", "--force", id_}).output, "");
}

TEST_F(OciRootlessTest, LimitsHoldInADelegatedSubtree) {
  if (host_->PlacementOf(Controller::kPids) != CgroupHost::Placement::kUnified)
    GTEST_SKIP() << "missing capability: the pids controller in cgroup v2";
  std::string name = "skiff-delegated-" + RandomHex(4);
  std::string top = host_->unified_mount() + "/" + name;
  std::vector<std::string> warnings;
  for (const char* below : {"", "/own"}) {
    host_->Create(name + below, {}, &warnings).value();
    Give(top + below);
    for (const char* file : {"cgroup.procs", "cgroup.subtree_control"})
      Give(top + below + "/" + file);
  }
  config_["linux"]["cgroupsPath"] = "/" + name + "/container";
  config_["linux"]["resources"]["pids"] = {{"limit", 9}};
  Write("for i in 1 2 3 4 5 6 7 8 9 10 11; do busybox sleep 100 & done; echo started");
  Finished finished = AsUser({"run", "-b", bundle_.path(), id_}, top + "/own");
  EXPECT_THAT(finished.output, HasSubstr("can't fork"));
  EXPECT_FALSE(sys::Exists(AT_FDCWD, top + "/container"));
  EXPECT_TRUE(host_->Remove(name).ok());
}

TEST_F(OciRootlessTest, ATimeNamespaceHasItsClocksAhead) {
  if (!sys::Exists(AT_FDCWD, "/proc/self/ns/time"))
    GTEST_SKIP() << "missing capability: time namespaces";
  config_["linux"]["namespaces"].push_back({{"type", "time"}});
  config_["linux"]["timeOffsets"] = {{"boottime", {{"secs", 864'000'000}}}};
  Write("cat /proc/uptime");
  Finished finished = AsUser({"run", "-b", bundle_.path(), id_});
  EXPECT_EQ(finished.code, 0);
  EXPECT_THAT(finished.output, testing::StartsWith("864"));
}

TEST_F(OciRootlessTest, WhatNeedsRootIsRefusedByName) {
  config_["linux"]["resources"]["pids"] = {{"limit", 5}};
  Write("true");
  EXPECT_THAT(AsUser({"run", "-b", bundle_.path(), id_}).output, HasSubstr("permission denied"));
  config_["linux"].erase("resources");
  config_["linux"]["netDevices"] = {{"lo", {{"name", "lo7"}}}};
  Write("true");
  EXPECT_THAT(AsUser({"run", "-b", bundle_.path(), id_}).output,
              HasSubstr("linux.netDevices: whoever is not root may not take devices out"));
  config_["linux"].erase("netDevices");
  config_["linux"]["uidMappings"].push_back(
      {{"containerID", 1}, {"hostID", 1'000'000}, {"size", 10}});
  Write("true");
  EXPECT_THAT(AsUser({"run", "-b", bundle_.path(), id_}).output,
              HasSubstr("linux.uidMappings and gidMappings: "));
}

// A user namespace of the caller's that is there already, with the namespaces beside it.
class OciRootlessJoinedUserTest : public OciRootlessTest {
 protected:
  void SetUp() override {
    OciRootlessTest::SetUp();
    if (IsSkipped()) return;
    holder_ = Hold(kUser);
    config_["linux"].erase("uidMappings");
    config_["linux"].erase("gidMappings");
    Join("user", "user");
  }
  void TearDown() override {
    OciRootlessTest::TearDown();
    if (!holder_.pidfd.valid()) return;
    sys::SignalPidfd(holder_.pidfd.get(), SIGKILL).value();
    sys::WaitPidfd(holder_.pidfd.get(), true).value();
  }
  // Somebody's process with new namespaces of every kind: the first of its pid namespace.
  static sys::Process Hold(uid_t user) {
    std::string number = std::to_string(user);
    sys::SpawnSpec spec;
    spec.path = "/usr/bin/setpriv";
    spec.arguments = {"setpriv",
                      "--reuid=" + number,
                      "--regid=" + number,
                      "--clear-groups",
                      "unshare",
                      "--user",
                      "--map-root-user",
                      "--net",
                      "--ipc",
                      "--uts",
                      "--pid",
                      "--fork",
                      "--kill-child",
                      "--mount-proc",
                      "sh",
                      "-c",
                      "echo ready; exec sleep 1000"};
    spec.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
    sys::Pipe ready = sys::MakePipe().value();
    spec.fds = {ready.write_end.get(), ready.write_end.get(), ready.write_end.get()};
    sys::Process holder = sys::Spawn(spec).value();
    ready.write_end.Reset();
    char byte = 0;
    EXPECT_EQ(sys::Read(ready.read_end.get(), &byte, 1).value(), 1U);
    EXPECT_EQ(byte, 'r');
    return holder;
  }
  // Where the holder's namespace is, by the name of /proc.
  std::string Path(const std::string& file) const {
    std::string name = file == "pid" ? "pid_for_children" : file;
    return "/proc/" + std::to_string(holder_.pid) + "/ns/" + name;
  }
  void Join(const std::string& type, const std::string& file) {
    for (json& entry : config_["linux"]["namespaces"]) {
      if (entry["type"] == type) entry["path"] = Path(file);
    }
  }
  std::string Number(const std::string& file) const {
    return sys::ReadLink(AT_FDCWD, Path(file)).value();
  }

  sys::Process holder_;
};

TEST_F(OciRootlessJoinedUserTest, WhatIsNewBelongsToTheNamespaceThatIsJoined) {
  std::string shared = SharedDirectory();
  Give(shared);
  config_["linux"]["sysctl"] = {{"net.ipv4.ip_forward", "1"}};
  config_["linux"]["namespaces"].push_back({{"type", "cgroup"}});
  config_["hooks"]["createContainer"] = {
      {{"path", "/bin/sh"}, {"args", {"sh", "-c", "echo hook > " + shared + "/hook"}}}};
  config_["hooks"]["startContainer"] = {
      {{"path", "/bin/busybox"}, {"args", {"busybox", "touch", "/shared/start"}}}};
  Write(
      "busybox id -u; cat /proc/sys/net/ipv4/ip_forward; touch /shared/file; "
      "echo x > /dev/null && busybox readlink /proc/self/ns/user; exit 6");
  Finished finished = AsUser({"run", "-b", bundle_.path(), id_});
  EXPECT_EQ(finished.output, "0\n1\n" + Number("user") + "\n");
  EXPECT_EQ(finished.code, 6);
  for (const char* name : {"/file", "/hook", "/start"})
    EXPECT_EQ(sys::Stat(AT_FDCWD, shared + name).value().st_uid, kUser) << name;
}

TEST_F(OciRootlessJoinedUserTest, LifeFromCreateToDelete) {
  Write("exec busybox sleep 1000");
  ASSERT_EQ(AsUser({"create", "-b", bundle_.path(), id_}).output, "");
  EXPECT_EQ(AsUser({"exec", id_, "/bin/busybox", "hostname"}).output, "bundle\n");
  EXPECT_EQ(AsUser({"start", id_}).output, "");
  Finished inside = AsUser({"exec", id_, "/bin/busybox", "sh", "-c",
                            "busybox id -u; busybox readlink /proc/self/ns/user; exit 4"});
  EXPECT_EQ(inside.output, "0\n" + Number("user") + "\n");
  EXPECT_EQ(inside.code, 4);
  EXPECT_EQ(AsUser({"kill", id_, "KILL"}).output, "");
  EXPECT_EQ(AsUser({"delete", "--force", id_}).output, "");
}

TEST_F(OciRootlessJoinedUserTest, EveryOtherNamespaceIsJoinedBesideIt) {
  for (auto [type, file] :
       {std::pair{"network", "net"}, {"ipc", "ipc"}, {"uts", "uts"}, {"pid", "pid"}})
    Join(type, file);
  config_.erase("hostname");
  Write(
      "for i in net ipc uts pid; do busybox readlink /proc/self/ns/$i; done; "
      "busybox ps | busybox grep -c '[s]leep 1000'");
  EXPECT_EQ(
      AsUser({"run", "-b", bundle_.path(), id_}).output,
      Number("net") + "\n" + Number("ipc") + "\n" + Number("uts") + "\n" + Number("pid") + "\n1\n");
  // Into a process that others may meet nobody looks, the runtime that started it neither.
  config_["hooks"]["createContainer"] = {{{"path", "/bin/true"}}};
  Write("true");
  Finished refused = AsUser({"run", "-b", bundle_.path(), id_});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.output, HasSubstr("hook createContainer[0] /bin/true: start /bin/true: "));
}

// CVE-2019-5736: the program that a process inside may be made to execute is the caller's own file,
// whose owner root inside is.
TEST_F(OciRootlessJoinedUserTest, TheCallersProgramCannotBeWrittenByWhatIsExecuted) {
  std::string shared = SharedDirectory();
  Give(shared);
  ASSERT_EQ(mkfifo((shared + "/wait").c_str(), 0600), 0);
  Give(shared + "/wait");
  Write("exec busybox sleep 1000");
  ASSERT_EQ(AsUser({"run", "--detach", "-b", bundle_.path(), id_}).output, "");
  // Reads its configuration, and so waits, until somebody writes it.
  ASSERT_EQ(AsUser({"exec", "--detach", id_, "/proc/self/exe", "--root", "/shared", "run", "-b",
                    "/shared", "-f", "/shared/wait", "x"})
                .output,
            "");
  // Until nobody executes the file any more; the one that is told is the one that was found.
  std::string attack =
      "for p in /proc/[0-9]*; do case $(busybox tr '\\0' ' ' < $p/cmdline) in */shared/wait*) "
      "exec 3< $p/exe; busybox kill -9 ${p#/proc/}; i=0; "
      "until echo x >> /proc/self/fd/3 || [ $i = 5000 ]; do i=$((i+1)); done 2> /dev/null; "
      "echo tried > /shared/result;; esac; done";
  int64_t size = sys::Stat(AT_FDCWD, bundle_.path() + "/skiff-oci").value().st_size;
  ASSERT_EQ(AsUser({"exec", "--detach", id_, "/bin/busybox", "sh", "-c", attack}).output, "");
  while (sys::ReadFile(AT_FDCWD, shared + "/result").ValueOr(std::string()) != "tried\n") {
  }
  EXPECT_EQ(sys::Stat(AT_FDCWD, bundle_.path() + "/skiff-oci").value().st_size, size);
  EXPECT_EQ(AsUser({"delete", "--force", id_}).output, "");
}

// CVE-2016-9962: who has CAP_SYS_PTRACE in the namespace may look into what is executed there.
TEST_F(OciRootlessJoinedUserTest, NobodyLooksIntoAProcessOnItsWayIn) {
  fs::copy_file(SKIFF_PROBE, busybox_->layer() + "/bin/probe");
  std::string shared = SharedDirectory();
  Give(shared);
  GiveCapability("CAP_SYS_PTRACE");
  Write("/bin/probe pry > /shared/pry; echo end >> /shared/pry; exec busybox sleep 1000");
  ASSERT_EQ(AsUser({"run", "--detach", "-b", bundle_.path(), id_}).output, "");
  auto await = [&](const std::string& text) {
    for (;;) {
      std::string found = sys::ReadFile(AT_FDCWD, shared + "/pry").ValueOr(std::string());
      if (found.find(text) != std::string::npos) return found;
    }
  };
  await("ready\n");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(AsUser({"exec", id_, "/bin/busybox", "true"}).output, "");
  EXPECT_EQ(AsUser({"exec", id_, "/bin/busybox", "killall", "probe"}).output, "");
  EXPECT_THAT(await("end\n"), testing::AllOf(HasSubstr("met"), Not(HasSubstr("looked into"))));
  EXPECT_EQ(AsUser({"delete", "--force", id_}).output, "");
}

// CVE-2016-9962: here whoever has CAP_SYS_PTRACE in the container may look into the copy of the
// runtime that waits for the start. No descriptor of the runtime's is left in it.
TEST_F(OciRootlessJoinedUserTest, WhoWaitsForTheStartHoldsNothingOfTheRuntime) {
  GiveCapability("CAP_SYS_PTRACE");
  Write("exec busybox sleep 1000");
  ASSERT_EQ(AsUser({"create", "-b", bundle_.path(), id_}).output, "");
  std::string look =
      "for f in /proc/1/fd/*; do case ${f##*/} in [012]) ;; *) busybox readlink $f;; esac; done";
  EXPECT_THAT(AsUser({"exec", id_, "/bin/busybox", "sh", "-c", look}).output,
              testing::MatchesRegex("((socket|pipe):\\[[0-9]+\\]\n)*"));
  EXPECT_EQ(AsUser({"start", id_}).output, "");
  EXPECT_EQ(AsUser({"delete", "--force", id_}).output, "");
}

TEST_F(OciRootlessJoinedUserTest, SomebodyElsesIsRefused) {
  sys::Process other = Hold(kUser - 1);
  std::swap(other, holder_);
  Join("user", "user");
  Write("true");
  Finished finished = AsUser({"run", "-b", bundle_.path(), id_});
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.output, HasSubstr("linux.namespaces: "));
  std::swap(other, holder_);
  sys::SignalPidfd(other.pidfd.get(), SIGKILL).value();
  sys::WaitPidfd(other.pidfd.get(), true).value();
  config_["linux"]["uidMappings"] = {{{"containerID", 0}, {"hostID", 7}, {"size", 1}}};
  Join("user", "user");
  Write("true");
  EXPECT_THAT(AsUser({"run", "-b", bundle_.path(), id_}).output,
              HasSubstr("linux.uidMappings: differ from those of the user namespace"));
}

// As podman of an ordinary user starts it.
TEST_F(OciRunTest, RootOfAUserNamespaceMakesEntersAndDeletesAContainer) {
  config_["process"]["args"] = {"/bin/busybox", "sleep", "1000"};
  for (json& mount : config_["mounts"]) {
    if (mount["destination"] == "/dev/pts") mount["options"] = {"newinstance", "ptmxmode=0666"};
  }
  WriteConfig();
  std::string oci =
      std::string(SKIFF_OCI) + " --cgroup-manager disabled --root " + StateRoot() + " ";
  std::string script = oci + "run --detach --bundle " + bundle_.path() + " " + id_ +
                       " < /dev/null > /dev/null && " + oci + "exec " + id_ +
                       " /bin/busybox sh -c 'echo > /dev/null && busybox id -u'; " + oci +
                       "delete --force " + id_;
  sys::SpawnSpec spec;
  spec.path = "/usr/bin/unshare";
  spec.arguments = {"unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script};
  spec.environment = {"PATH=/usr/bin:/bin"};
  sys::Pipe output = sys::MakePipe().value();
  UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDONLY).value();
  spec.fds = {null.get(), output.write_end.get(), output.write_end.get()};
  sys::Process process = sys::Spawn(spec).value();
  output.write_end.Reset();
  EXPECT_EQ(sys::ReadAll(output.read_end.get(), "output").value(), "0\n");
  sys::WaitPidfd(process.pidfd.get(), true).value();
}

}  // namespace
}  // namespace skiff::isolation::oci
