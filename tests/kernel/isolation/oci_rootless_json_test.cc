// skiff-oci for a caller without rights on the host.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/kernel/isolation/oci_container.h"
#include "tests/kernel/isolation/seccomp_agent.h"

namespace skiff::isolation::oci {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ContainsRegex;
using testing::HasSubstr;

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

// The runtime is shown the process for as long as it takes the listener, and no longer.
TEST_F(OciRootlessTest, AnAgentAnswersForTheContainerWithAndWithoutNewPrivileges) {
  std::string socket = bundle_.path() + "/agent.sock";
  for (bool no_new_privileges : {true, false}) {
    config_["process"]["noNewPrivileges"] = no_new_privileges;
    config_["linux"]["seccomp"] = {
        {"defaultAction", "SCMP_ACT_ALLOW"},
        {"listenerPath", socket},
        {"syscalls", {{{"names", {"mkdir"}}, {"action", "SCMP_ACT_NOTIFY"}}}}};
    Write("exec busybox mkdir /dev/x");
    SeccompAgent agent(socket);
    Give(socket);
    EXPECT_THAT(AsUser({"run", "-b", bundle_.path(), id_}).output, HasSubstr("No medium found"));
    EXPECT_EQ(json::parse(agent.WaitForState())["state"]["status"], "creating");
  }
  SeccompAgent agent(socket);
  Give(socket);
  ASSERT_EQ(AsUser({"create", "-b", bundle_.path(), id_}).output, "");
  json state = json::parse(AsUser({"state", id_}).output);
  std::string process = "/proc/" + std::to_string(state["pid"].get<int>());
  // What belongs to the host's root there is what nobody else may look into: proc(5).
  EXPECT_EQ(sys::Stat(AT_FDCWD, process + "/environ").value().st_uid, 0U);
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

TEST_F(OciRootlessTest, WhatNeedsRootIsRefusedByName) {
  config_["linux"]["resources"]["pids"] = {{"limit", 5}};
  Write("true");
  EXPECT_THAT(AsUser({"run", "-b", bundle_.path(), id_}).output, HasSubstr("permission denied"));
  config_["linux"].erase("resources");
  config_["linux"]["uidMappings"].push_back(
      {{"containerID", 1}, {"hostID", 1'000'000}, {"size", 10}});
  Write("true");
  EXPECT_THAT(AsUser({"run", "-b", bundle_.path(), id_}).output,
              HasSubstr("linux.uidMappings and gidMappings: "));
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
