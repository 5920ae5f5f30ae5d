// Life and limits of a container: see oci_container.h.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <nlohmann/json.hpp>

#include "isolation/sys/inode.h"
#include "tests/kernel/isolation/oci_container.h"

namespace skiff::isolation::oci {
namespace {

using nlohmann::json;
using skiff::test::TempDir;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST_F(OciRunTest, ExitCodeAndOutputComeBack) {
  Finished finished = Script("echo hello; exit 9");
  EXPECT_EQ(finished.output, "hello\n");
  EXPECT_EQ(finished.code, 9);
}

TEST_F(OciRunTest, SignalBecomes128AndItsNumber) {
  // Process 1 cannot kill itself; the kernel does it from outside.
  config_["linux"]["seccomp"] = {
      {"defaultAction", "SCMP_ACT_ALLOW"},
      {"syscalls", {{{"names", {"mkdir"}}, {"action", "SCMP_ACT_KILL_PROCESS"}}}}};
  EXPECT_EQ(Script("exec busybox mkdir /dev/x").code, 128 + SIGSYS);
}

TEST_F(OciRunTest, ProcessHasTheIdentityOfTheConfig) {
  config_["process"]["user"] = {{"uid", 33}, {"gid", 34}, {"umask", 077}, {"additionalGids", {7}}};
  config_["process"]["cwd"] = "/tmp";
  Finished finished = Script("id; hostname; pwd; umask; echo $$ $HOME; ulimit -Sn; ulimit -Hn");
  EXPECT_THAT(finished.output, HasSubstr("uid=33(web) gid=34 groups=7\n"));
  EXPECT_THAT(finished.output, HasSubstr("bundle\n/tmp\n0077\n1 /tmp\n256\n512\n"));
}

TEST_F(OciRunTest, CapabilitiesAreTheSetsOfTheConfig) {
  Finished finished = Script("grep -E 'Cap|NoNewPrivs' /proc/self/status");
  for (const char* set : {"CapPrm", "CapEff", "CapBnd"}) {
    EXPECT_THAT(finished.output, HasSubstr(std::string(set) + ":\t0000000020000420"));
  }
  // Ambient needs inheritable: the kernel grants neither here, and runc leaves it at that, too.
  EXPECT_THAT(finished.output, HasSubstr("CapAmb:\t0000000000000000"));
  EXPECT_THAT(finished.output, HasSubstr("NoNewPrivs:\t1"));
}

TEST_F(OciRunTest, AmbientCapabilitiesReachAnotherUser) {
  config_["process"]["user"]["uid"] = 33;
  config_["process"]["capabilities"]["inheritable"] = {"CAP_NET_BIND_SERVICE"};
  EXPECT_THAT(Script("grep CapEff /proc/self/status").output,
              HasSubstr("CapEff:\t0000000000000400"));
}

TEST_F(OciRunTest, SeccompAnswersWithTheErrnoOfTheRule) {
  config_["linux"]["seccomp"] = json::parse(R"({
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
                 {"names": ["sethostname"], "action": "SCMP_ACT_ERRNO"}]})");
  for (int round = 0; round < 2; ++round) {  // the second time out of the cache
    Finished finished = Script("busybox mkdir /dev/x; grep Seccomp: /proc/self/status");
    EXPECT_THAT(finished.output, HasSubstr("No space left on device"));
    EXPECT_THAT(finished.output, HasSubstr("Seccomp:\t2"));
  }
  EXPECT_EQ(sys::ListDirectory(AT_FDCWD, StateRoot() + "/.cache").value().size(), 1U);
}

TEST_F(OciRunTest, SeccompHoldsWithoutNoNewPrivileges) {
  config_["process"]["noNewPrivileges"] = false;
  config_["linux"]["seccomp"] = {
      {"defaultAction", "SCMP_ACT_ALLOW"},
      {"syscalls", {{{"names", {"mkdir", "mkdirat"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
  EXPECT_THAT(Script("busybox mkdir /dev/x").output, HasSubstr("Operation not permitted"));
}

TEST_F(OciRunTest, RootAndPathsAreProtected) {
  Finished finished = Script(
      "touch /x; echo 1 > /proc/sys/vm/overcommit_memory; ls /sys/firmware | wc -l;"
      "wc -c < /proc/keys; touch /dev/shm/y && echo fine");
  EXPECT_THAT(finished.output, HasSubstr("/x: Read-only file system"));
  EXPECT_THAT(finished.output, HasSubstr("overcommit_memory: Read-only file system"));
  EXPECT_THAT(finished.output, HasSubstr("0\n0\nfine\n"));
}

TEST_F(OciRunTest, DefaultDevicesAreSupplied) {
  Finished finished = Script("ls /dev | tr '\\n' ' '; echo x > /dev/null && echo fine");
  EXPECT_THAT(
      finished.output,
      HasSubstr("fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "));
  EXPECT_THAT(finished.output, HasSubstr("fine"));
}

TEST_F(OciRunTest, DeviceRulesHold) {
  for (const char* set : {"bounding", "permitted", "effective"}) {
    config_["process"]["capabilities"][set].push_back("CAP_MKNOD");
  }
  // No driver has this number: an open that the rules let through meets ENXIO instead of EPERM.
  std::string script =
      "busybox mknod /dev/k c 511 77 && busybox head -c 1 /dev/k;"
      "busybox head -c 1 /dev/random | wc -c";
  Finished denied = Script(script);
  EXPECT_EQ(denied.output, "head: /dev/k: Operation not permitted\n1\n");
  config_["linux"]["resources"]["devices"].push_back(
      {{"allow", true}, {"type", "c"}, {"major", 511}, {"minor", 77}, {"access", "r"}});
  EXPECT_EQ(Script(script).output, "head: /dev/k: No such device or address\n1\n");
  EXPECT_EQ(Script("busybox mknod /dev/k c 511 77; echo > /dev/k").output,
            "sh: can't create /dev/k: Operation not permitted\n");
}

TEST_F(OciRunTest, DevicesAndBindsOfTheConfigAppear) {
  TempDir host;
  sys::WriteFile(AT_FDCWD, host.path() + "/data", "from the host\n", 0644).value();
  config_["mounts"].push_back({{"destination", "/tmp/data"},
                               {"type", "bind"},
                               {"source", host.path() + "/data"},
                               {"options", {"rbind", "rprivate", "ro", "noatime"}}});
  config_["linux"]["devices"] = {{{"path", "/dev/mine"},
                                  {"type", "c"},
                                  {"major", 1},
                                  {"minor", 5},
                                  {"fileMode", 0600},
                                  {"uid", 33},
                                  {"gid", 33}}};
  Finished finished = Script(
      "cat /tmp/data; echo x > /tmp/data; ls -ln /dev/mine;"
      "grep /tmp/data /proc/self/mountinfo");
  EXPECT_THAT(finished.output, HasSubstr("from the host\n"));
  EXPECT_THAT(finished.output, HasSubstr("/tmp/data: Read-only file system"));
  EXPECT_THAT(finished.output, HasSubstr("crw-------    1 33       33          1,   5"));
  EXPECT_THAT(finished.output, ContainsRegex("/tmp/data ro,([a-z]+,)*noatime "));
}

TEST_F(OciRunTest, SysctlsOfItsNamespacesAreSet) {
  config_["linux"]["sysctl"] = {{"net.ipv4.ip_forward", "1"}, {"kernel.shm_rmid_forced", "1"}};
  EXPECT_EQ(Script("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced").output,
            "1\n1\n");
}

TEST_F(OciRunTest, NetworkNamespaceIsJoinedByPath) {
  UniqueFd network = sys::MakeNetworkNamespace().value();
  std::string path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(network.get());
  struct stat expected = sys::StatFd(network.get()).value();
  config_["linux"]["namespaces"][1]["path"] = path;
  EXPECT_EQ(Script("readlink /proc/self/ns/net").output,
            "net:[" + std::to_string(expected.st_ino) + "]\n");
}

TEST_F(OciRunTest, LimitsHoldInTheCgroup) {
  SKIFF_REQUIRE(skiff::test::MissingMemoryController());
  config_["linux"]["resources"]["memory"] = {{"limit", 16 << 20}};
  config_["linux"]["resources"]["pids"] = {{"limit", 5}};
  Finished finished = Script(
      "for i in 1 2 3 4 5 6 7 8; do busybox sleep 100 & done; echo started;"
      "exec busybox awk 'BEGIN { s = \"x\"; while (1) s = s s }'");
  EXPECT_THAT(finished.output, HasSubstr("can't fork: Resource temporarily unavailable"));
  config_["linux"]["resources"].erase("pids");
  EXPECT_EQ(Script("exec busybox awk 'BEGIN { s = \"x\"; while (1) s = s s }'").code, 137);
}

TEST_F(OciRunTest, OwnCgroupIsAllThatIsSeen) {
  for (bool has_namespace : {false, true}) {
    if (has_namespace) config_["linux"]["namespaces"].push_back({{"type", "cgroup"}});
    // A host with cgroup v1 shows a directory for each hierarchy.
    bool is_hybrid = host_->Directories("x").size() > 1;
    std::string group = is_hybrid ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";
    Finished finished = Script("cat " + group + "/cgroup.procs; touch " + group + "/x");
    EXPECT_THAT(finished.output, HasSubstr("1\n")) << has_namespace;
    EXPECT_THAT(finished.output, HasSubstr("Read-only file system"));
  }
}

TEST_F(OciRunTest, WithoutCgroupLimitsAreRefused) {
  EXPECT_EQ(Script("exit 3", {"--cgroup-manager", "disabled"}).code, 3);
  config_["linux"]["resources"]["pids"] = {{"limit", 5}};
  Finished finished = Script("exit 3", {"--cgroup-manager", "disabled"});
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.output, HasSubstr("linux.resources.pids.limit: cannot be enforced"));
}

TEST_F(OciRunTest, MissingProgramIs127AndUnusableOne126) {
  config_["process"]["args"] = {"nonesuch"};
  Finished missing = Run();
  EXPECT_EQ(missing.code, 127);
  EXPECT_EQ(missing.output, "skiff-oci: exec nonesuch: executable file not found in $PATH\n");
  config_["process"]["args"] = {"/etc/passwd"};
  EXPECT_EQ(Run().code, 126);
}

TEST_F(OciRunTest, FailedMountNamesItAndLeavesNothing) {
  config_["mounts"].push_back({{"destination", "/tmp"}, {"type", "nosuchfs"}});
  Finished finished = Script("true");
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.output, HasSubstr("skiff-oci: mount /tmp: no such device"));
}

TEST_F(OciRunTest, SignalsArePassedOnAndTheIdIsTakenMeanwhile) {
  config_["process"]["args"] = {"/bin/busybox", "sh", "-c",
                                "trap 'echo got it; exit 5' TERM; echo ready; "
                                "while :; do busybox sleep 1000 & wait; done"};
  sys::Pipe pipe = sys::MakePipe().value();
  sys::Process process = Start({}, pipe.write_end.get());
  pipe.write_end.Reset();
  char text[6] = {};
  for (size_t got = 0; got < sizeof(text);) {
    size_t size = sys::Read(pipe.read_end.get(), text + got, sizeof(text) - got).value();
    ASSERT_GT(size, 0U);
    got += size;
  }
  EXPECT_EQ(std::string(text, sizeof(text)), "ready\n");
  Finished second = Run();
  EXPECT_EQ(second.code, 1);
  EXPECT_THAT(second.output, HasSubstr("container id '" + id_ + "' is in use"));
  sys::SignalPidfd(process.pidfd.get(), SIGTERM).value();
  EXPECT_EQ(sys::ReadAll(pipe.read_end.get(), "output").value(), "got it\n");
  EXPECT_EQ(sys::WaitPidfd(process.pidfd.get(), true).value()->ShellCode(), 5);
}

TEST_F(OciRunTest, AGroupWithProcessesOfOthersIsSharedAndTheyAreLeftAlone) {
  config_["linux"]["cgroupsPath"] = "/" + id_;
  Begin("sleep 1000");
  Finished second = Command({"run", "--detach", "-b", bundle_.path(), id_ + "-second"});
  EXPECT_EQ(second.code, 0);
  EXPECT_THAT(second.output, HasSubstr("container's cgroup is not empty"));
  EXPECT_EQ(Command({"delete", "--force", id_ + "-second"}).output, "");
  EXPECT_EQ(Status(), "running");
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciRunTest, AFrozenGroupIsRefused) {
  config_["linux"]["cgroupsPath"] = "/" + id_;
  std::string group = host_->unified_mount() + "/" + id_;
  sys::MakeDirectory(AT_FDCWD, group, 0755).value();
  sys::WriteControl(AT_FDCWD, group + "/cgroup.freeze", "1").value();
  Finished run = Script("exit 3");
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.output, HasSubstr("container's cgroup unexpectedly frozen"));
  sys::RemoveDirectory(AT_FDCWD, group).value();
}

TEST_F(OciRunTest, LifeFromCreateToDelete) {
  std::string mark = SharedDirectory() + "/mark";
  config_["process"]["args"] = {"/bin/busybox", "sh", "-c",
                                "echo ran > /shared/mark; busybox sleep 1000"};
  WriteConfig();
  EXPECT_EQ(Command({"create", "-b", bundle_.path(), id_}).output, "");
  EXPECT_EQ(Status(), "created");
  EXPECT_FALSE(sys::Exists(AT_FDCWD, mark));
  EXPECT_THAT(Command({"resume", id_}).output, HasSubstr("is created, not paused"));
  EXPECT_EQ(Command({"start", id_}).output, "");
  EXPECT_EQ(Status(), "running");
  EXPECT_THAT(Command({"start", id_}).output, HasSubstr("is running, not created"));
  EXPECT_EQ(Command({"pause", id_}).code, 0);
  EXPECT_EQ(Status(), "paused");
  EXPECT_THAT(Command({"exec", id_, "/bin/busybox", "true"}).output, HasSubstr("is paused"));
  EXPECT_EQ(Command({"resume", id_}).code, 0);
  EXPECT_EQ(Status(), "running");
  EXPECT_EQ(Command({"list", "-q"}).output, id_ + "\n");
  EXPECT_THAT(Command({"delete", id_}).output, HasSubstr("is running: cannot delete"));
  UniqueFd process = sys::OpenPidfd(json::parse(Command({"state", id_}).output)["pid"]).value();
  EXPECT_EQ(Command({"kill", id_, "KILL"}).code, 0);
  EXPECT_TRUE(sys::PollReadable(process.get(), std::chrono::seconds(30)).value());
  EXPECT_EQ(Status(), "stopped");
  EXPECT_THAT(Command({"kill", id_}).output, HasSubstr("container not running"));
  EXPECT_EQ(Command({"delete", id_}).output, "");
  EXPECT_THAT(Command({"delete", id_}).output, HasSubstr("does not exist"));
}

TEST_F(OciRunTest, CreateTellsOfAMissingProgramAndLeavesNothing) {
  config_["process"]["args"] = {"nonesuch"};
  WriteConfig();
  Finished created = Command({"create", "-b", bundle_.path(), id_});
  EXPECT_EQ(created.code, 127);
  EXPECT_EQ(created.output, "skiff-oci: exec nonesuch: executable file not found in $PATH\n");
  EXPECT_THAT(Command({"state", id_}).output, HasSubstr("does not exist"));
}

// The filter is loaded early then, and what follows happens behind the gate, its creator gone.
TEST_F(OciRunTest, AFilterWithoutNoNewPrivilegesStartsAsWell) {
  config_["process"]["noNewPrivileges"] = false;
  config_["linux"]["seccomp"] = {
      {"defaultAction", "SCMP_ACT_ALLOW"},
      {"syscalls", {{{"names", {"mkdir"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
  config_["process"]["args"] = {"/bin/busybox", "sleep", "1000"};
  WriteConfig();
  ASSERT_EQ(Command({"create", "-b", bundle_.path(), id_}).output, "");
  EXPECT_EQ(Command({"delete", id_}).output, "");  // a created one needs no --force
  ASSERT_EQ(Command({"create", "-b", bundle_.path(), id_}).output, "");
  EXPECT_EQ(Command({"start", id_}).output, "");
  EXPECT_EQ(Status(), "running");
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
  config_["hooks"]["startContainer"] = {{{"path", "/bin/busybox"}, {"args", {"busybox", "true"}}}};
  EXPECT_EQ(Script("exit 6").code, 6);
}

TEST_F(OciRunTest, ExecRunsInsideWithNothingOfTheCaller) {
  Begin("sleep 1000");
  const char* script =
      "echo $A $(busybox id -u):$(busybox id -g) $(busybox pwd) $(busybox hostname); "
      "busybox ls /proc/self/fd | busybox wc -l; exit 5";
  Finished inside = Command({"exec", "--env", "A=b", "--user", "7:8", "--cwd", "/tmp", id_,
                             "/bin/busybox", "sh", "-c", script});
  // ls has its three streams and the directory.
  EXPECT_EQ(inside.output, "b 7:8 /tmp bundle\n4\n");
  EXPECT_EQ(inside.code, 5);
  EXPECT_THAT(Command({"exec", id_, "/bin/busybox", "cat", "/proc/self/status"}).output,
              HasSubstr("CapInh:\t0000000000000000"));
  EXPECT_EQ(Command({"exec", id_, "/nonesuch"}).code, 255);
  EXPECT_THAT(Command({"exec", "--cgroup", "../x", id_, "/bin/busybox", "true"}).output,
              HasSubstr(".. is not a sub cgroup path"));
  // CVE-2024-21626: no directory of the host is reached through a descriptor left open.
  EXPECT_NE(Command({"exec", "--cwd", "/proc/self/fd/7", id_, "/bin/busybox", "pwd"}).code, 0);
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciRunTest, ExecSeesTheContainersCgroupAsItsRoot) {
  config_["linux"]["namespaces"].push_back({{"type", "cgroup"}});
  Begin("sleep 1000");
  EXPECT_THAT(Command({"exec", id_, "/bin/busybox", "cat", "/proc/self/cgroup"}).output,
              HasSubstr("0::/\n"));
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciRunTest, HooksAreToldTheStateInTheirOrder) {
  std::string order = SharedDirectory() + "/order";
  auto hook = [&](const std::string& name, const std::string& file) -> json {
    std::string script = "echo " + name + " $(grep -o '\"status\": \"[a-z]*\"') >> " + file;
    return {{{"path", "/bin/sh"}, {"args", {"sh", "-c", script}}}};
  };
  json start = {{{"path", "/bin/busybox"},
                 {"args", {"busybox", "sh", "-c", "echo startContainer >> /shared/order"}}}};
  config_["hooks"] = {{"prestart", hook("prestart", order)},
                      {"createRuntime", hook("createRuntime", order)},
                      {"createContainer", hook("createContainer", order)},
                      {"startContainer", start},
                      {"poststart", hook("poststart", order)},
                      {"poststop", hook("poststop", order)}};
  EXPECT_EQ(Script("true").output, "");
  EXPECT_EQ(sys::ReadFile(AT_FDCWD, order).value(),
            "prestart \"status\": \"created\"\ncreateRuntime \"status\": \"creating\"\n"
            "createContainer \"status\": \"creating\"\nstartContainer\n"
            "poststart \"status\": \"running\"\npoststop \"status\": \"stopped\"\n");
}

TEST_F(OciRunTest, AHookThatFailsOrTakesTooLongEndsTheStart) {
  config_["hooks"]["createRuntime"] = {{{"path", "/bin/false"}}};
  Finished failed = Script("true");
  EXPECT_EQ(failed.code, 1);
  EXPECT_THAT(failed.output,
              HasSubstr("error running hook createRuntime[0] /bin/false: exit status 1"));
  config_["hooks"]["createRuntime"] = {
      {{"path", "/bin/sleep"}, {"args", {"sleep", "1000"}}, {"timeout", 1}}};
  EXPECT_THAT(Script("true").output, HasSubstr("took longer than its timeout of 1 s"));
}

TEST_F(OciRunTest, AHookAfterTheStartThatFailsStopsNoOther) {
  for (const char* kind : {"poststart", "poststop"}) {
    std::string mark = bundle_.path() + "/" + kind;
    config_["hooks"][kind] = {
        {{"path", "/bin/false"}},
        {{"path", "/bin/sh"}, {"args", {"sh", "-c", "exit 3"}}},
        {{"path", "/bin/sh"}, {"args", {"sh", "-c", "echo called > " + mark}}}};
  }
  Finished finished = Script("true");
  EXPECT_EQ(finished.code, 0);
  for (const char* kind : {"poststart", "poststop"}) {
    std::string text = std::string("error running hook ") + kind;
    EXPECT_THAT(finished.output, HasSubstr(text + "[0] /bin/false: exit status 1"));
    EXPECT_THAT(finished.output, HasSubstr(text + "[1] /bin/sh: exit status 3"));
    EXPECT_EQ(sys::ReadFile(AT_FDCWD, bundle_.path() + "/" + kind).ValueOr(""), "called\n");
  }
}

TEST_F(OciRunTest, ADeviceCanBeANamedPipe) {
  config_["linux"]["devices"] = {
      {{"path", "/dev/pipe"}, {"type", "p"}, {"fileMode", 0640}, {"uid", 10}, {"gid", 11}}};
  const char* look = "busybox stat -c '%F %a %u:%g' /dev/pipe";
  EXPECT_EQ(Script(look).output, "fifo 640 10:11\n");
  config_["linux"]["namespaces"].push_back({{"type", "user"}});
  json mapping = {{{"containerID", 0}, {"hostID", 100000}, {"size", 65536}}};
  config_["linux"]["uidMappings"] = config_["linux"]["gidMappings"] = mapping;
  EXPECT_EQ(Script(look).output, "fifo 640 10:11\n");
}

TEST_F(OciRunTest, UserNamespaceMapsIdsAndBindsDevices) {
  config_["linux"]["namespaces"].push_back({{"type", "user"}});
  json mapping = {{{"containerID", 0}, {"hostID", 100000}, {"size", 65536}}};
  config_["linux"]["uidMappings"] = config_["linux"]["gidMappings"] = mapping;
  Finished finished = Script("busybox cat /proc/self/uid_map; echo x > /dev/null && busybox id -u");
  EXPECT_THAT(finished.output, ContainsRegex("0 +100000 +65536\n0\n"));
  EXPECT_EQ(finished.code, 0);
}

TEST_F(OciRunTest, AUserNamespacesDeviceBelongsToWhomItShould) {
  config_["linux"]["namespaces"].push_back({{"type", "user"}});
  json mapping = {{{"containerID", 0}, {"hostID", 100000}, {"size", 65536}}};
  config_["linux"]["uidMappings"] = config_["linux"]["gidMappings"] = mapping;
  config_["linux"]["devices"] = {{{"path", "/dev/own-null"},
                                  {"type", "c"},
                                  {"major", 1},
                                  {"minor", 3},
                                  {"uid", 10},
                                  {"gid", 11}}};
  Finished finished = Script("busybox stat -c '%u:%g %t,%T' /dev/own-null; echo > /dev/own-null");
  EXPECT_EQ(finished.output, "10:11 1,3\n");
  EXPECT_EQ(finished.code, 0);
}

TEST_F(OciRunTest, UpdateChangesOneLimitAndRefusesWhatItCannotDo) {
  config_["linux"]["resources"]["pids"] = {{"limit", 20}};
  Begin("sleep 1000");
  EXPECT_EQ(Command({"update", "--pids-limit", "33", id_}).output, "");
  bool is_found = false;
  for (const std::string& directory : host_->Directories(id_)) {
    Result<std::string> max = sys::ReadFile(AT_FDCWD, directory + "/pids.max");
    if (!max.ok()) continue;
    is_found = true;
    EXPECT_EQ(max.value(), "33\n");
  }
  EXPECT_TRUE(is_found);
  EXPECT_EQ(Command({"update", "--memory", "50M", "--pids-limit", "-1", id_}).output, "");
  std::string memory;
  for (const std::string& directory : host_->Directories(id_)) {
    for (const char* file : {"/memory.max", "/memory.limit_in_bytes"})
      memory += sys::ReadFile(AT_FDCWD, directory + file).ValueOr("");
    Result<std::string> max = sys::ReadFile(AT_FDCWD, directory + "/pids.max");
    if (max.ok()) {
      EXPECT_EQ(max.value(), "max\n");
    }
  }
  EXPECT_EQ(memory, "52428800\n");
  sys::WriteFile(AT_FDCWD, bundle_.path() + "/limits",
                 R"({"memory": {"limit": 1, "checkBeforeUpdate": true}})")
      .value();
  EXPECT_THAT(Command({"update", "--resources", bundle_.path() + "/limits", id_}).output,
              HasSubstr("memory.limit: 1 bytes are less than the "));
  EXPECT_THAT(Command({"update", "--memory", "50X", id_}).output, HasSubstr("--memory"));
  sys::WriteFile(AT_FDCWD, bundle_.path() + "/limits", R"({"unified": {"nonesuch.max": "1"}})")
      .value();
  EXPECT_THAT(Command({"update", "--resources", bundle_.path() + "/limits", id_}).output,
              HasSubstr("the requested cgroup controller `nonesuch` is not available"));
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciRunTest, TheMultiplexerOfTerminalsIsAlwaysTheContainersOwn) {
  config_["linux"]["devices"] = {
      {{"path", "/dev/ptmx"}, {"type", "c"}, {"major", 5}, {"minor", 2}}};
  EXPECT_EQ(Script("busybox readlink /dev/ptmx").output, "pts/ptmx\n");
}

TEST_F(OciRunTest, AllOfAContainerThatHasEndedAreSignalled) {
  config_["process"]["args"] = {"/bin/busybox", "true"};
  WriteConfig();
  Finished ran =
      Command({"--cgroup-manager", "disabled", "run", "--keep", "-b", bundle_.path(), id_});
  EXPECT_EQ(ran.code, 0) << ran.output;
  EXPECT_EQ(Command({"kill", "--all", id_, "KILL"}).output, "");
  EXPECT_THAT(Command({"kill", id_, "KILL"}).output, HasSubstr("container not running"));
  EXPECT_EQ(Command({"delete", id_}).code, 0);
}

// Its group is not mapped, so that no right of root's inside reaches it.
TEST_F(OciRunTest, ADirectoryThatOnlyTheUserMayEnterIsEntered) {
  std::string shared = SharedDirectory();
  sys::MakeDirectories(busybox_->layer() + "/shared", 0755).value();
  ASSERT_EQ(chown(shared.c_str(), 100'000 + 1024, 0), 0);
  ASSERT_EQ(chmod(shared.c_str(), 0700), 0);
  config_["linux"]["namespaces"].push_back({{"type", "user"}});
  json mapping = {{{"containerID", 0}, {"hostID", 100000}, {"size", 65536}}};
  config_["linux"]["uidMappings"] = config_["linux"]["gidMappings"] = mapping;
  config_["process"]["user"] = {{"uid", 1024}, {"gid", 0}};
  config_["process"]["cwd"] = "/shared";
  EXPECT_EQ(Script("busybox pwd").output, "/shared\n");
  config_["process"]["user"] = {{"uid", 1025}, {"gid", 0}};
  EXPECT_THAT(Script("busybox pwd").output, HasSubstr("enter working directory /shared"));
}

// Its mounts are then everybody's, until it is deleted.
TEST_F(OciRunTest, WithoutNamespacesTheCallersAreKeptAndLeftClean) {
  config_.erase("linux");
  config_.erase("hostname");
  Begin("sleep 1000");
  std::string pid = std::to_string(json::parse(Command({"state", id_}).output)["pid"].get<int>());
  for (const char* type : {"mnt", "net", "ipc", "uts", "pid", "cgroup", "user"}) {
    std::string ns = "/ns/" + std::string(type);
    EXPECT_EQ(sys::ReadLink(AT_FDCWD, "/proc/" + pid + ns).value(),
              sys::ReadLink(AT_FDCWD, "/proc/self" + ns).value());
  }
  std::string look = "busybox test -e " + bundle_.path() + " || echo inside";
  EXPECT_EQ(Command({"exec", id_, "/bin/busybox", "sh", "-c", look}).output, "inside\n");
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
  // A start that fails takes its mounts along.
  config_["mounts"].push_back(
      {{"destination", "/x"}, {"type", "bind"}, {"source", "/nonesuch"}, {"options", {"bind"}}});
  EXPECT_NE(Script("busybox true").code, 0);
  config_["mounts"].back() = {{"destination", "/x"}, {"type", "nonesuch"}};
  EXPECT_NE(Script("busybox true").code, 0);
}

TEST_F(OciRunTest, ATerminalIsTheContainersOwn) {
  config_["process"]["terminal"] = true;
  config_["process"]["consoleSize"] = {{"height", 33}, {"width", 77}};
  Finished finished = Script("busybox tty; busybox stty size; busybox test -c /dev/console");
  EXPECT_EQ(finished.output, "/dev/pts/0\r\n33 77\r\n");
  EXPECT_EQ(finished.code, 0);
  EXPECT_THAT(Command({"run", "--detach", "-b", bundle_.path(), id_}).output,
              HasSubstr("use --console-socket"));
}

// CVE-2025-52565: /dev/console was bound from a path below /dev/pts, where a neighbour that shares
// a volume there puts a link to a file of the kernel's, and gets it writable.
TEST_F(OciRunTest, ATerminalIsNeverFoundByItsName) {
  skiff::test::TempDir volume;
  config_["process"]["terminal"] = true;
  config_["mounts"].push_back({{"destination", "/dev/pts"},
                               {"type", "bind"},
                               {"source", volume.path()},
                               {"options", {"bind"}}});
  // A multiplexer that works, with the link where the other side's name would be.
  config_["mounts"].push_back({{"destination", "/dev/pts/pts"},
                               {"type", "devpts"},
                               {"source", "devpts"},
                               {"options", {"newinstance", "ptmxmode=0666"}}});
  std::filesystem::create_directory(volume.path() + "/pts");
  ASSERT_EQ(mknod((volume.path() + "/ptmx").c_str(), S_IFCHR | 0666, makedev(5, 2)), 0);
  std::filesystem::create_symlink("/proc/sysrq-trigger", volume.path() + "/0");
  Finished finished = Script("busybox test -w /dev/console && busybox echo started");
  EXPECT_NE(finished.code, 0);
  EXPECT_THAT(finished.output, testing::AllOf(HasSubstr("terminal"), Not(HasSubstr("started"))));
}

// CVE-2019-5736: what a container executes may turn out to be this very program. It has to come
// from a mount that nobody can write.
TEST_F(OciRunTest, TheProgramItselfCannotBeWrittenFromInside) {
  config_["process"]["args"] = {"/proc/self/exe", "features"};
  Finished itself = Run();
  EXPECT_THAT(itself.output, HasSubstr("ociVersionMax")) << "the program did run inside";
  // While it runs its own file is a read-only mount: seen from outside by its process. Opened for
  // writing it would be busy, on whatever mount.
  config_["process"]["args"] = {"/bin/busybox", "true"};
  config_["hooks"]["createRuntime"] = {
      {{"path", "/bin/sh"}, {"args", {"sh", "-c", "touch -c /proc/$PPID/exe || true"}}}};
  EXPECT_THAT(Run().output, HasSubstr("Read-only file system"));
}

// CVE-2019-5736: `start` is inside only for the sake of a hook, which is told by its poststart
// hook.
TEST_F(OciRunTest, AHookOfTheContainerIsStartedByAProgramThatCannotBeWritten) {
  config_["hooks"]["startContainer"] = {{{"path", "/bin/busybox"}, {"args", {"busybox", "true"}}}};
  config_["hooks"]["poststart"] = {
      {{"path", "/bin/sh"}, {"args", {"sh", "-c", "touch -c /proc/$PPID/exe || true"}}}};
  config_["process"]["args"] = {"/bin/busybox", "true"};
  WriteConfig();
  ASSERT_EQ(Command({"create", "-b", bundle_.path(), id_}).output, "");
  EXPECT_THAT(Command({"start", id_}).output, HasSubstr("Read-only file system"));
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

}  // namespace
}  // namespace skiff::isolation::oci
