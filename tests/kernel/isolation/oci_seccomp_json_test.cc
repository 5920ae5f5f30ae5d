// Seccomp listeners and what else a profile asks for beyond its rules: see oci_container.h.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "isolation/sys/socket.h"
#include "tests/kernel/isolation/oci_container.h"

namespace skiff::isolation::oci {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// Serves one listener: tells what came with it, and answers every call with ENOMEDIUM.
class Agent {
 public:
  explicit Agent(const std::string& path) : socket_(sys::ListenUnix(path, 1).value()) {
    thread_ = std::thread([this] { Serve(); });
  }
  Agent(const Agent&) = delete;
  ~Agent() { thread_.join(); }
  json WaitForState() {
    thread_.join();
    thread_ = std::thread([] {});
    return state_;
  }

 private:
  void Serve() {
    if (!sys::PollReadable(socket_.get(), std::chrono::seconds(20)).ValueOr(false)) return;
    UniqueFd connection(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char text[8192];
    iovec data{.iov_base = text, .iov_len = sizeof(text)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    ssize_t size = recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC);
    if (size <= 0 || CMSG_FIRSTHDR(&message) == nullptr) return;
    int number = -1;
    memcpy(&number, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(number));
    UniqueFd listener(number);
    state_ = json::parse(std::string(text, static_cast<size_t>(size)), nullptr, false);
    // Until nobody is left under the filter.
    while (sys::PollReadable(listener.get(), std::chrono::seconds(20)).ValueOr(false)) {
      seccomp_notif call{};
      if (ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) return;
      seccomp_notif_resp answer{.id = call.id, .val = 0, .error = -ENOMEDIUM, .flags = 0};
      ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
  }

  UniqueFd socket_;
  json state_;
  std::thread thread_;
};

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
    Agent agent(SocketPath());
    EXPECT_THAT(Script("exec busybox mkdir /dev/x").output, HasSubstr("No medium found"));
    json state = agent.WaitForState();
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
    Agent agent(SocketPath());
    Begin("sleep 1000");
    Agent second(SocketPath());
    EXPECT_THAT(Command({"exec", id_, "/bin/busybox", "mkdir", "/dev/x"}).output,
                HasSubstr("No medium found"));
    EXPECT_EQ(second.WaitForState()["state"]["status"], "running");
    EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
  }
}

TEST_F(OciSeccompTest, CreateGivesTheListenerAwayBeforeStart) {
  Listen("mkdir");
  config_["process"]["args"] = {"/bin/busybox", "mkdir", "/dev/x"};
  WriteConfig();
  Agent agent(SocketPath());
  EXPECT_EQ(Command({"create", "-b", bundle_.path(), id_}).code, 0);
  EXPECT_EQ(Command({"start", id_}).code, 0);
  EXPECT_EQ(agent.WaitForState()["state"]["status"], "creating");
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciSeccompTest, WithoutAnAgentNothingStarts) {
  Listen("mkdir");
  Finished run = Script("exit 0");
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.output, HasSubstr("to connect with seccomp agent"));
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
