// The built skiffd as a service manager runs it: in an installation of its own, spoken to over its
// sockets.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "isolation/base/text.h"
#include "isolation/sys/directory_watch.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "isolation/sys/socket.h"
#include "runtime/agent/task_directory.h"
#include "runtime/control/keys.h"
#include "runtime/control/records.h"
#include "runtime/store/sqlite_store.h"
#include "tests/support/busybox_image.h"
#include "tests/support/capability.h"
#include "tests/support/supervised_task.h"

namespace skiff::tools {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::chrono::seconds kPatience{60};

class SkiffdTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(test::MissingRoot());
    notify_path_ = scratch_.path() + "/notify";
    notify_ = UniqueFd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    notify_path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(bind(notify_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  void TearDown() override {
    for (const sys::Process& process : started_) {
      sys::SignalPidfd(process.pidfd.get(), SIGKILL).Ignore();
    }
  }

  sys::Process Start(std::vector<std::string> arguments) {
    UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDWR).value();
    UniqueFd log = sys::Open(AT_FDCWD, log_path(), O_WRONLY | O_CREAT | O_APPEND, 0600).value();
    sys::SpawnSpec spec;
    spec.path = SKIFFD_PROGRAM;
    const runtime::Roots& roots = installation_.roots();
    spec.arguments = {"skiffd",  "--data-root", roots.data,    "--run-root",
                      roots.run, "--listen",    "127.0.0.1:0", "--anonymous"};
    spec.arguments.insert(spec.arguments.end(), arguments.begin(), arguments.end());
    spec.environment = {"PATH=/usr/bin:/bin", "NOTIFY_SOCKET=" + notify_path_};
    spec.fds = {null.get(), log.get(), log.get()};
    sys::Process process = sys::Spawn(spec).value();
    started_.push_back({process.pid, sys::OpenPidfd(process.pid).value()});
    return process;
  }
  std::string log_path() const { return scratch_.path() + "/log"; }
  std::string Logged() const { return sys::ReadFile(AT_FDCWD, log_path()).value(); }

  // The next thing the daemon tells its service manager; "" when nothing comes.
  std::string Notified() {
    if (!sys::PollReadable(notify_.get(), kPatience).value()) return "";
    char text[64];
    ssize_t size = recv(notify_.get(), text, sizeof(text), 0);
    return {text, static_cast<size_t>(std::max<ssize_t>(size, 0))};
  }
  int Wait(const sys::Process& process) {
    EXPECT_TRUE(sys::PollReadable(process.pidfd.get(), kPatience).value()) << Logged();
    auto status = sys::WaitPidfd(process.pidfd.get(), false).value();
    return status ? status->ShellCode() : -1;
  }
  // What RunTask needs, as its operations would have written it.
  void Seed() {
    const runtime::Roots& roots = installation_.roots();
    test::ImportBusybox(roots.data, scratch_.path() + "/image");
    std::unique_ptr<runtime::Store> store = runtime::OpenSqliteStore(roots.data + "/state").value();
    runtime::ClusterRecord cluster;
    cluster.name = "default";
    runtime::TaskDefinitionRecord definition;
    definition.definition =
        runtime::ParseTaskDefinition(R"({"family":"web","networkMode":"awsvpc","cpu":"256",
            "memory":"512","requiresCompatibilities":["FARGATE"],"containerDefinitions":[{
            "name":"main","image":"busybox","stopTimeout":2,
            "command":["sh","-c","while :; do sleep 0.05; done"]}]})",
                                     "test")
            .value()
            .definition;
    store
        ->Commit({{runtime::keys::Cluster("default"), Encode(cluster), 0},
                  {runtime::keys::Family("web"), "1", 0},
                  {runtime::keys::TaskDefinition("web", 1), Encode(definition), 0}},
                 runtime::Durability::kAccepted)
        .value();
  }
  std::string Call(const std::string& operation, const std::string& body) {
    UniqueFd fd = sys::ConnectUnix(installation_.roots().run + "/skiffd.sock").value();
    std::string text =
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        "Content-Type: application/x-amz-json-1.1\r\n"
        "X-Amz-Target: AmazonEC2ContainerServiceV20141113." +
        operation + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    sys::WriteAll(fd.get(), text, "request").value();
    return sys::ReadAll(fd.get(), "answer").value();
  }
  // Looks again whenever the daemon's state was written.
  std::string DescribeUntil(const std::string& task, const std::string& words) {
    UniqueFd directory =
        sys::OpenDirectory(AT_FDCWD, installation_.roots().data + "/state").value();
    sys::DirectoryWatch watch = sys::DirectoryWatch::Open(directory.get()).value();
    for (;;) {
      watch.Clear().value();
      std::string answer = Call("DescribeTasks", R"({"tasks":[")" + task + R"("]})");
      if (answer.find(words) != std::string::npos) return answer;
      if (!sys::PollReadable(watch.fd(), kPatience).value()) return answer;
    }
  }

  // Over the Unix socket.
  std::string Ask(const std::string& request) {
    UniqueFd fd = sys::ConnectUnix(installation_.roots().run + "/skiffd.sock").value();
    std::string text =
        request + "Host: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    sys::WriteAll(fd.get(), text, "request").value();
    return sys::ReadAll(fd.get(), "answer").value();
  }

  test::TempDir scratch_;
  test::Installation installation_;
  std::string notify_path_;
  UniqueFd notify_;
  std::vector<sys::Process> started_;
};

TEST_F(SkiffdTest, ItSaysWhenItIsReadyAndEndsWhenTold) {
  sys::Process daemon = Start({"--allow-reset"});
  ASSERT_EQ(Notified(), "READY=1") << Logged();
  EXPECT_THAT(Ask("GET /healthz HTTP/1.1\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask("POST /_skiff/reset HTTP/1.1\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask("POST /_skiff/reset HTTP/1.1\r\nOrigin: http://example.com\r\n"),
              StartsWith("HTTP/1.1 403"));
  sys::SignalPidfd(daemon.pidfd.get(), SIGTERM).value();
  EXPECT_EQ(Notified(), "STOPPING=1");
  EXPECT_EQ(Wait(daemon), 0) << Logged();
  EXPECT_FALSE(sys::Exists(AT_FDCWD, installation_.roots().run + "/skiffd.sock"));
}

TEST_F(SkiffdTest, ASecondDaemonOnTheSameDirectoryIsRefused) {
  sys::Process first = Start({});
  ASSERT_EQ(Notified(), "READY=1") << Logged();
  EXPECT_EQ(Wait(Start({"--ephemeral"})), 1);
  EXPECT_THAT(Logged(), HasSubstr("another skiffd works on it"));
  EXPECT_THAT(Ask("GET /healthz HTTP/1.1\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask("POST /_skiff/reset HTTP/1.1\r\n"), StartsWith("HTTP/1.1 403"));
  // Killed, it leaves a socket and locks that do not stop the next one.
  sys::SignalPidfd(first.pidfd.get(), SIGKILL).value();
  EXPECT_EQ(Wait(first), 137);
  sys::Process next = Start({});
  EXPECT_EQ(Notified(), "READY=1") << Logged();
  sys::SignalPidfd(next.pidfd.get(), SIGINT).value();
  EXPECT_EQ(Wait(next), 0);
}

TEST_F(SkiffdTest, ATaskOutlivesADaemonThatIsKilledAndEndsWhenToldByTheNext) {
  SKIFF_REQUIRE(test::MissingBusybox());
  Seed();
  sys::Process first = Start({});
  ASSERT_EQ(Notified(), "READY=1") << Logged();
  std::string started = Call("RunTask", R"({"taskDefinition":"web","launchType":"FARGATE",
      "networkConfiguration":{"awsvpcConfiguration":{"subnets":["subnet-default"]}}})");
  constexpr std::string_view kMember = ":task/default/";
  size_t at = started.find(kMember);
  ASSERT_NE(at, std::string::npos) << started;
  std::string task = started.substr(at + kMember.size(), 32);
  runtime::TaskId id = runtime::TaskId::Parse(task).value();
  EXPECT_THAT(DescribeUntil(task, R"("lastStatus":"RUNNING")"),
              HasSubstr(R"("lastStatus":"RUNNING")"));
  const runtime::Roots& roots = installation_.roots();
  int64_t pid = runtime::LoadRecord(roots, id).value().task.containers.at(0).pid;
  sys::SignalPidfd(first.pidfd.get(), SIGKILL).value();
  EXPECT_EQ(Wait(first), 137);
  sys::Process next = Start({});
  ASSERT_EQ(Notified(), "READY=1") << Logged();
  EXPECT_THAT(DescribeUntil(task, R"("lastStatus":"RUNNING")"),
              HasSubstr(R"("lastStatus":"RUNNING")"));
  EXPECT_EQ(runtime::LoadRecord(roots, id).value().task.containers.at(0).pid, pid);
  EXPECT_EQ(kill(static_cast<pid_t>(pid), 0), 0);
  EXPECT_THAT(Call("StopTask", R"({"task":")" + task + R"(","reason":"enough"})"),
              StartsWith("HTTP/1.1 200"));
  std::string stopped = DescribeUntil(task, R"("stoppedAt":)");
  EXPECT_THAT(stopped, HasSubstr(R"("stoppedReason":"enough")"));
  EXPECT_THAT(test::RemainsOf(roots, id), testing::IsEmpty());
  sys::SignalPidfd(next.pidfd.get(), SIGTERM).value();
  EXPECT_EQ(Wait(next), 0) << Logged();
}

}  // namespace
}  // namespace skiff::tools
