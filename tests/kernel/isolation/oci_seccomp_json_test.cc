// Seccomp listeners and what else a profile asks for beyond its rules: see oci_container.h.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/kernel/isolation/oci_container.h"
#include "tests/kernel/isolation/seccomp_agent.h"

namespace skiff::isolation::oci {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

class OciSeccompTest : public OciRunTest {
 protected:
  std::string SocketPath() const { return bundle_.path() + "/agent.sock"; }
  void Listen(const char* call) {
    config_["linux"]["seccomp"] = {
        {"defaultAction", "SCMP_ACT_ALLOW"},
        {"listenerPath", SocketPath()},
        {"listenerMetadata", "tag"},
        {"syscalls", {{{"names", {call}}, {"action", "SCMP_ACT_NOTIFY"}}}}};
  }
};

TEST_F(OciSeccompTest, AnAgentAnswersForTheContainerWithAndWithoutNewPrivileges) {
  for (bool no_new_privileges : {true, false}) {
    Listen("mkdir");
    config_["process"]["noNewPrivileges"] = no_new_privileges;
    SeccompAgent agent(SocketPath());
    EXPECT_THAT(Script("exec busybox mkdir /dev/x").output, HasSubstr("No medium found"));
    json state = json::parse(agent.WaitForState());
    EXPECT_EQ(state["fds"], json({"seccompFd"}));
    EXPECT_EQ(state["metadata"], "tag");
    EXPECT_EQ(state["state"]["id"], id_);
    EXPECT_EQ(state["state"]["status"], "creating");
    EXPECT_EQ(state["state"]["pid"], state["pid"]);
  }
}

TEST_F(OciSeccompTest, ExecHasAListenerOfItsOwn) {
  Listen("mkdir");
  {
    SeccompAgent agent(SocketPath());
    Begin("sleep 1000");
    SeccompAgent second(SocketPath());
    EXPECT_THAT(Command({"exec", id_, "/bin/busybox", "mkdir", "/dev/x"}).output,
                HasSubstr("No medium found"));
    EXPECT_EQ(json::parse(second.WaitForState())["state"]["status"], "running");
    EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
  }
}

TEST_F(OciSeccompTest, CreateGivesTheListenerAwayBeforeStart) {
  Listen("mkdir");
  config_["process"]["args"] = {"/bin/busybox", "mkdir", "/dev/x"};
  WriteConfig();
  SeccompAgent agent(SocketPath());
  EXPECT_EQ(Command({"create", "-b", bundle_.path(), id_}).code, 0);
  EXPECT_EQ(Command({"start", id_}).code, 0);
  EXPECT_EQ(json::parse(agent.WaitForState())["state"]["status"], "creating");
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciSeccompTest, WithoutAnAgentNothingStarts) {
  Listen("mkdir");
  Finished run = Script("exit 0");
  EXPECT_EQ(run.code, 1);
  for (bool no_new_privileges : {true, false}) {
    config_["process"]["noNewPrivileges"] = no_new_privileges;
    EXPECT_THAT(Script("exit 0").output,
                StartsWith("skiff-oci: confine: linux.seccomp.listenerPath: "));
  }
  config_["linux"]["seccomp"].erase("listenerPath");
  config_["linux"]["seccomp"].erase("listenerMetadata");
  EXPECT_THAT(Script("exit 0").output, HasSubstr("SCMP_ACT_NOTIFY needs a listenerPath"));
  Listen("write");
  EXPECT_THAT(Script("exit 0").output, HasSubstr("cannot be used for the write syscall"));
}

TEST_F(OciSeccompTest, AStartHookRunsUnderTheContainersFilter) {
  config_["linux"]["seccomp"] = {
      {"defaultAction", "SCMP_ACT_ALLOW"},
      {"syscalls", {{{"names", {"mkdir"}}, {"action", "SCMP_ACT_KILL_PROCESS"}}}}};
  config_["hooks"]["startContainer"] = {
      {{"path", "/bin/busybox"}, {"args", {"busybox", "mkdir", "/dev/x"}}}};
  EXPECT_THAT(Script("exit 0").output, HasSubstr("bad system call"));
}

}  // namespace
}  // namespace skiff::isolation::oci
