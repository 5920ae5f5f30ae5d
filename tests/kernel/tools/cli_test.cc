// The built skiff, called as a person calls it: in an installation of its own, with a busybox image
// that it imported. Every test ends with nothing left of any task.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "isolation/base/text.h"
#include "isolation/cgroup.h"
#include "isolation/sys/directory_watch.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "networking/network.h"
#include "tests/support/capability.h"
#include "tests/support/layout_builder.h"
#include "tests/support/supervised_task.h"
#include "tests/support/tar_builder.h"

namespace skiff::tools {
namespace {

using test::Installation;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr std::chrono::seconds kPatience{60};

struct Outcome {
  int status = -1;  // 128 + signal
  std::string output;
  std::string error;
};

// A process of skiff whose streams are files, so that nothing waits for a pipe.
class Skiff {
 public:
  Skiff(const Installation& installation, const std::string& directory,
        std::vector<std::string> arguments, std::vector<std::string> environment = {})
      : output_(directory + "/out-" + RandomHex(4)), error_(output_ + "-err") {
    UniqueFd input = sys::Open(AT_FDCWD, "/dev/null", O_RDONLY).value();
    UniqueFd output = sys::Open(AT_FDCWD, output_, O_WRONLY | O_CREAT | O_APPEND, 0600).value();
    UniqueFd error = sys::Open(AT_FDCWD, error_, O_WRONLY | O_CREAT | O_APPEND, 0600).value();
    sys::SpawnSpec spec;
    spec.path = SKIFF_PROGRAM;
    spec.arguments = {"skiff", "--data-root", installation.roots().data, "--run-root",
                      installation.roots().run};
    spec.arguments.insert(spec.arguments.end(), arguments.begin(), arguments.end());
    spec.environment = std::move(environment);
    spec.environment.emplace_back("PATH=/usr/bin:/bin");
    spec.fds = {input.get(), output.get(), error.get()};
    process_ = sys::Spawn(spec).value();
  }

  std::string output() const { return sys::ReadFile(AT_FDCWD, output_).value(); }
  const sys::Process& process() const { return process_; }
  void Signal(int signal) { sys::SignalPidfd(process_.pidfd.get(), signal).value(); }

  // False when it ended or the time was over first.
  bool WaitForOutput(const std::string& text) {
    UniqueFd directory =
        sys::OpenDirectory(AT_FDCWD, std::filesystem::path(output_).parent_path()).value();
    sys::DirectoryWatch watch = sys::DirectoryWatch::Open(directory.get()).value();
    for (;;) {
      watch.Clear().value();
      if (output().find(text) != std::string::npos) return true;
      if (sys::PollReadable(process_.pidfd.get(), std::chrono::seconds(0)).value()) return false;
      if (!sys::PollReadable(watch.fd(), kPatience).value()) return false;
    }
  }

  Outcome Wait() {
    EXPECT_TRUE(sys::PollReadable(process_.pidfd.get(), kPatience).value()) << "skiff hangs";
    auto status = sys::WaitPidfd(process_.pidfd.get(), false).value();
    if (!status) {
      Signal(SIGKILL);
      status = sys::WaitPidfd(process_.pidfd.get(), true).value();
    }
    return {status->ShellCode(), output(), sys::ReadFile(AT_FDCWD, error_).value()};
  }

 private:
  std::string output_;
  std::string error_;
  sys::Process process_;
};

// The busybox of this host as an image; its applets are run as `busybox NAME`.
void WriteBusyboxImage(const std::string& directory) {
  std::string program = sys::ReadFile(AT_FDCWD, "/bin/busybox").value();
  test::TarBuilder tar;
  tar.Directory("bin").Directory("etc").Directory("tmp", 01777);
  tar.Add({.name = "bin/busybox", .content = program, .mode = 0755});
  for (const char* name : {"sh", "cat", "id", "wget", "httpd", "true", "sleep", "env", "pwd"}) {
    tar.Symlink(std::string("bin/") + name, "busybox");
  }
  tar.File("etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/tmp:/bin/sh\n");
  tar.File("etc/group", "root:x:0:\nweb:x:33:\n");
  test::TestImage image;
  image.name = "busybox:latest";
  image.layers = {{tar.Finish(), ""}};
  image.config_members = R"("config":{"Env":["PATH=/bin"],"Cmd":["sh","-c","echo default"]})";
  test::WriteLayout(directory, image);
}

class CliTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(test::MissingRoot());
    SKIFF_REQUIRE(test::MissingBusybox());
    WriteBusyboxImage(scratch_.path() + "/image");
    Outcome imported = Run({"image", "import", scratch_.path() + "/image", "--name", "busybox"});
    ASSERT_EQ(imported.status, 0) << imported.error;
  }

  void TearDown() override {
    if (IsSkipped()) return;
    EXPECT_THAT(Leftovers(), IsEmpty());
  }

  Skiff Start(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    return Skiff(installation_, scratch_.path(), std::move(arguments), std::move(environment));
  }
  Outcome Run(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    return Start(std::move(arguments), std::move(environment)).Wait();
  }
  // `script` in the default network mode none, which is the quickest.
  Outcome Script(const std::string& script) {
    return Run({"run", "--network", "none", "busybox", "--", "sh", "-c", script});
  }
  std::string Detached(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"run", "--detach"});
    Outcome started = Run(std::move(arguments));
    EXPECT_EQ(started.status, 0) << started.error;
    return std::string(TrimSpace(started.output));
  }
  std::string WriteDefinition(const std::string& json) {
    std::string path = scratch_.path() + "/task-" + RandomHex(4) + ".json";
    test::WriteTestFile(path, json);
    return path;
  }
  std::string AddressOf(const std::string& task) {
    std::string text = Run({"inspect", task}).output;
    constexpr std::string_view kMember = "\"privateIPv4Address\": \"";
    size_t start = text.find(kMember);
    if (start == std::string::npos) return "";
    start += kMember.size();
    return text.substr(start, text.find('"', start) - start);
  }

  // Of any task of this installation.
  std::vector<std::string> Leftovers() {
    const runtime::Roots& roots = installation_.roots();
    std::vector<std::string> left;
    for (const std::string& directory : {roots.TasksDirectory(), roots.run + "/tasks"}) {
      Result<std::vector<std::string>> names = sys::ListDirectory(AT_FDCWD, directory);
      if (!names.ok()) continue;
      for (const std::string& name : names.value()) left.push_back(directory + "/" + name);
    }
    isolation::CgroupHost host = isolation::CgroupHost::Discover().value();
    for (const std::string& group : host.Directories(roots.CgroupRoot())) {
      if (!sys::Exists(AT_FDCWD, group)) continue;
      for (const auto& entry : std::filesystem::directory_iterator(group)) {
        if (entry.is_directory()) left.push_back(entry.path());
      }
    }
    networking::Network network = networking::Network::Open(roots.data).value();
    Result<std::vector<std::string>> elements = network.ListElements();
    if (elements.ok()) left.insert(left.end(), elements.value().begin(), elements.value().end());
    return left;
  }

  Installation installation_;
  test::TempDir scratch_;
};

TEST_F(CliTest, EveryTaskHasIdsOfItsOwnAndGivesThemBack) {
  auto run = [&](const std::string& isolation) {
    return Run({"run", "--network", "none", "--isolation", isolation, "busybox", "--", "sh", "-c",
                "cat /proc/self/uid_map; echo $$"});
  };
  Outcome required = run("userns=on");
  if (required.status != 0) GTEST_SKIP() << "missing capability: " << required.error;
  Outcome one = run("nnp=on");
  Outcome two = run("pidns=shared,landlock=off");
  EXPECT_THAT(one.output, AllOf(HasSubstr("65536"), testing::EndsWith("\n1\n")));
  EXPECT_THAT(two.output, AllOf(HasSubstr("65536"), Not(testing::EndsWith("\n1\n"))));
  EXPECT_NE(one.output.substr(0, one.output.find('\n')),
            two.output.substr(0, two.output.find('\n')));
  EXPECT_EQ(one.error + two.error, "");
  std::string task = Detached({"--network", "none", "busybox", "--", "sleep", "60"});
  EXPECT_EQ(Run({"stop", "--timeout", "0", task}).status, 0);
  EXPECT_THAT(Run({"inspect", task}).output, HasSubstr("\"userIds\": {\n    \"first\": 1"));
  EXPECT_EQ(Run({"rm", task}).status, 0);
  Outcome off = run("userns=off");
  EXPECT_THAT(off.output, Not(HasSubstr("65536")));
  EXPECT_THAT(off.error, HasSubstr("warning: --isolation userns=off: no user namespace"));
  EXPECT_THAT(sys::ListDirectory(AT_FDCWD, installation_.roots().IdBlocksDirectory()).value(),
              IsEmpty());
}

TEST_F(CliTest, ARunPrintsWhatTheContainerWroteAndExitsWithItsCode) {
  Outcome outcome = Script("echo out; echo err >&2; printf end; exit 3");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_EQ(outcome.output, "out\nend");
  EXPECT_THAT(outcome.error, AllOf(HasSubstr("err\n"), HasSubstr("stopped: Essential container")));
  EXPECT_EQ(Run({"run", "busybox"}).output, "default\n");
}

TEST_F(CliTest, ASilentSuccessStaysSilent) {
  Outcome outcome = Script("exit 0");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.output + outcome.error, "");
}

TEST_F(CliTest, TheFlagsReachTheContainer) {
  Outcome outcome =
      Run({"run", "--network", "none", "-e", "GREETING=hello world", "--user", "web", "-w", "/tmp",
           "--ulimit", "nofile=64", "--read-only", "busybox", "--", "sh", "-c",
           "echo $GREETING; id -u; pwd; ulimit -n; echo x 2>/dev/null >/tmp/x || echo read-only"});
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  EXPECT_EQ(outcome.output, "hello world\n33\n/tmp\n64\nread-only\n");
}

TEST_F(CliTest, WhatCannotStartSaysWhyAndExitsAsAShellWould) {
  Outcome missing = Run({"run", "--network", "none", "busybox", "--", "nosuch"});
  EXPECT_EQ(missing.status, 127);
  EXPECT_THAT(missing.error, HasSubstr("exec nosuch: executable file not found"));
  EXPECT_EQ(Run({"run", "--network", "none", "busybox", "--", "/etc/passwd"}).status, 126);
  Outcome user = Run({"run", "--network", "none", "--user", "nobody9", "busybox"});
  EXPECT_EQ(user.status, 125);
  EXPECT_THAT(user.error, HasSubstr("user 'nobody9' is not in the image"));
}

TEST_F(CliTest, BadInputGetsOneLineThatNamesIt) {
  struct Case {
    std::vector<std::string> arguments;
    int status;
    std::string words;
  };
  auto run = [&](const std::string& json) {
    return std::vector<std::string>{"run", WriteDefinition(json)};
  };
  std::string container = R"({"name":"a","image":"busybox","memory":64)";
  for (const Case& c : std::vector<Case>{
           {run("{"), 64, "not valid JSON"},
           {run(R"({"family":"x","containerDefinitions":[{"name":"a","memory":"much"}]})"), 64,
            "containerDefinitions[0].memory: expected integer, got string"},
           {run(R"({"family":"x","requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc",
                    "cpu":"256","memory":"8192","containerDefinitions":[)" +
                container + "}]}"),
            64, "cpu 256 with memory 8192"},
           {run(R"({"family":"x","containerDefinitions":[{"name":"a","image":"sha256:00",)"
                R"("memory":64}]})"),
            66, "containerDefinitions[0].image"},
           {run(R"({"family":"x","containerDefinitions":[)" + container +
                R"(,"privileged":true}]})"),
            69, "containerDefinitions[0].privileged"},
           {{"run", "--pull", "never", "nosuch"}, 66, "skiff image import"},
           {{"run", scratch_.path() + "/none.json"}, 66, "none.json"},
           {{"run", "--bogus", "busybox"}, 2, "--bogus"},
           {{"run", "--network", "host", "-p", "1:1", "busybox"}, 64, "--publish"},
           {{"logs", "0123abcd"}, 66, "task 0123abcd: no such task"},
           {{"stop", "xyz"}, 64, "expected at least 4 digits"},
           {{"image", "import", scratch_.path() + "/nothing"}, 66, "nothing"},
           {{"image", "remove", "nosuch"}, 66, "nosuch"},
       }) {
    Outcome outcome = Run(c.arguments);
    EXPECT_EQ(outcome.status, c.status) << outcome.error;
    EXPECT_THAT(outcome.error, AllOf(HasSubstr(c.words), HasSubstr("skiff: ")));
    std::string last(TrimSpace(outcome.error));
    last = last.substr(last.find_last_of('\n') + 1);
    EXPECT_THAT(last, HasSubstr(c.words)) << "the error is the last line, and one line";
    EXPECT_THAT(outcome.output, IsEmpty());
  }
}

TEST_F(CliTest, UnknownMembersAreWarnedAboutAndIgnored) {
  Outcome outcome = Run({"run", WriteDefinition(R"({"family":"x","networkMode":"none","colour":1,
      "containerDefinitions":[{"name":"main","image":"busybox","memory":64,"cpuu":2,
      "command":["sh","-c","echo hi"]}]})")});
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  EXPECT_EQ(outcome.output, "main | hi\n");
  EXPECT_THAT(outcome.error, AllOf(HasSubstr("warning: ignored unknown member colour"),
                                   HasSubstr("containerDefinitions[0].cpuu")));
}

// An image that says all that an image may say: each word has its effect, and is shown.
TEST_F(CliTest, WhatTheImageSaysHoldsAndIsShown) {
  test::TarBuilder tar;
  tar.Directory("bin").Directory("etc").Directory("data", 01777);
  std::string program = sys::ReadFile(AT_FDCWD, "/bin/busybox").value();
  tar.Add({.name = "bin/busybox", .content = program, .mode = 0755});
  tar.Symlink("bin/sh", "busybox");
  tar.File("data/file", "of the image");
  tar.File("etc/passwd", "web:x:33:44::/srv:/bin/sh\n");
  test::TestImage image;
  image.name = "all:latest";
  image.layers = {{tar.Finish(), ""}};
  image.config_members =
      R"("config":{"Env":["A=image","B=image"],"Entrypoint":["/bin/busybox","sh","-c"],
      "Cmd":["id -u; id -g; pwd; echo $A $B $HOME $PATH; busybox cat /data/file; echo; )"
      R"(busybox touch /data/new; trap 'echo stopped; exit 0' 36; echo up; while :; do busybox sleep 1; done"],
      "User":"web","WorkingDir":"/srv/made","StopSignal":"sigrtmin+2","Volumes":{"/data":{}},
      "ExposedPorts":{"80/tcp":{}},"Labels":{"team":"blue"},"Shell":["/bin/moon"],
      "Healthcheck":{"Test":["CMD","/bin/moon"],"Interval":1},"ArgsEscaped":true})";
  test::WriteLayout(scratch_.path() + "/all", image);
  ASSERT_EQ(Run({"image", "import", scratch_.path() + "/all", "--name", "all"}).status, 0);
  EXPECT_THAT(Run({"explain", "--network", "none", "all"}).output,
              AllOf(HasSubstr("/data  [the image]"), HasSubstr("80/tcp  [the image]"),
                    HasSubstr("36, then after 30 s SIGKILL  [the image]"),
                    HasSubstr("web  [the image]"), HasSubstr("/srv/made  [the image]")));
  std::string task = Detached({"--network", "none", "--read-only", "-e", "B=own", "all"});
  Skiff follower = Start({"logs", "-f", task});
  EXPECT_TRUE(follower.WaitForOutput("up\n"));
  EXPECT_THAT(Run({"inspect", task}).output,
              AllOf(HasSubstr(R"("containerPath": "/data")"), HasSubstr("containers/all/volumes/0"),
                    HasSubstr("\"80/tcp\"")));
  EXPECT_EQ(Run({"stop", task}).status, 0);
  EXPECT_EQ(follower.Wait().output,
            "33\n44\n/srv/made\nimage own /srv "
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nof the image\nup\n"
            "stopped\n");
  EXPECT_EQ(Run({"rm", task}).status, 0);
  EXPECT_THAT(Run({"image", "inspect", "all"}).output, HasSubstr(R"("team": "blue")"));
}

TEST_F(CliTest, ADetachedTaskIsSeenReadStoppedAndRemoved) {
  std::string task =
      Detached({"busybox", "--", "sh", "-c",
                "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done"});
  ASSERT_EQ(task.size(), 32U);
  std::string address = AddressOf(task);
  EXPECT_THAT(Run({"ps"}).output, AllOf(HasSubstr(task.substr(0, 8)), HasSubstr("RUNNING"),
                                        HasSubstr(address), HasSubstr("busybox=RUNNING")));
  EXPECT_EQ(Run({"rm", task}).status, 73);
  Skiff follower = Start({"logs", "-f", task.substr(0, 6)});
  EXPECT_TRUE(follower.WaitForOutput("up\n"));
  EXPECT_EQ(Run({"stop", task, "--reason", "enough"}).status, 0);
  Outcome followed = follower.Wait();
  EXPECT_EQ(followed.status, 0) << followed.error;
  EXPECT_EQ(followed.output, "up\nbye\n");
  EXPECT_THAT(Run({"ps"}).output, Not(HasSubstr(task.substr(0, 8))));
  EXPECT_THAT(Run({"ps", "-a"}).output, AllOf(HasSubstr("STOPPED(5)"), HasSubstr("enough")));
  EXPECT_THAT(Run({"inspect", task}).output,
              AllOf(HasSubstr(R"("stopCode": "UserInitiated")"), HasSubstr(R"("exitCode": 5)"),
                    HasSubstr(R"("enforcement")"), HasSubstr(R"("microseconds")")));
  EXPECT_THAT(Run({"inspect", "--latency", task}).output, HasSubstr("all steps"));
  EXPECT_EQ(Run({"logs", "--tail", "1", task}).output, "bye\n");
  EXPECT_EQ(Run({"logs", task, "nosuch"}).status, 66);
  EXPECT_EQ(Run({"stop", task}).status, 0) << "a second stop is fine";
  EXPECT_EQ(Run({"rm", task}).status, 0);
  EXPECT_EQ(Run({"inspect", task}).status, 66);
}

TEST_F(CliTest, ADetachedTaskThatCannotStartSaysSoAndIsGone) {
  Outcome outcome = Run({"run", "-d", "--network", "none", "busybox", "--", "nosuch"});
  EXPECT_EQ(outcome.status, 127);
  EXPECT_THAT(outcome.output, IsEmpty());
  EXPECT_THAT(outcome.error, HasSubstr("CannotStartContainerError"));
}

TEST_F(CliTest, KeepLeavesTheRecordOfAForegroundTask) {
  EXPECT_EQ(Run({"run", "--keep", "--network", "none", "busybox"}).status, 0);
  std::string listed = Run({"ps", "--all", "--json"}).output;
  size_t at = listed.find("\"taskId\": \"");
  ASSERT_NE(at, std::string::npos) << listed;
  std::string task = listed.substr(at + 11, 32);
  EXPECT_EQ(Run({"logs", task}).output, "default\n");
  EXPECT_EQ(Run({"rm", task}).status, 0);
}

TEST_F(CliTest, TwoTasksOnPort80CoexistAndAPublishedPortClashIsNamed) {
  std::vector<std::string> server = {"busybox", "--", "sh", "-c",
                                     "echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp"};
  std::string first = Detached(server);
  server.insert(server.begin(), {"-p", "18473:80"});
  std::string second = Detached(server);
  std::string address[2] = {AddressOf(first), AddressOf(second)};
  EXPECT_NE(address[0], address[1]);
  for (const std::string& each : address) {
    Outcome page = Run({"run", "--network", "host", "busybox", "--", "sh", "-c",
                        "until wget -q -O - http://" + each + "/; do sleep 0.05; done"});
    EXPECT_EQ(page.output, "page\n") << page.error;
  }
  Outcome clash = Run({"run", "-p", "18473:81", "busybox"});
  EXPECT_EQ(clash.status, 125);
  EXPECT_THAT(clash.error, HasSubstr("host port 18473/tcp is already published"));
  for (const std::string& task : {first, second}) {
    EXPECT_EQ(Run({"stop", "--timeout", "0", task}).status, 0);
  }
  EXPECT_EQ(Run({"rm", first, second}).status, 0);
}

TEST_F(CliTest, SignalsReachTheContainersAndTermStopsTheTask) {
  const std::string script =
      "trap 'echo usr1' USR1; trap 'echo term; exit 9' TERM; echo up; "
      "while :; do sleep 0.05; done";
  Skiff run = Start({"run", "--network", "none", "busybox", "--", "sh", "-c", script});
  ASSERT_TRUE(run.WaitForOutput("up\n"));
  run.Signal(SIGUSR1);
  EXPECT_TRUE(run.WaitForOutput("usr1\n"));
  run.Signal(SIGTERM);
  Outcome outcome = run.Wait();
  EXPECT_EQ(outcome.status, 9);
  EXPECT_EQ(outcome.output, "up\nusr1\nterm\n");
}

TEST_F(CliTest, ASecondInterruptKillsWhatIgnoresTheFirst) {
  Skiff run = Start({"run", "--network", "none", "busybox", "--", "sh", "-c",
                     "trap 'echo no' TERM; echo up; while :; do sleep 0.05; done"});
  ASSERT_TRUE(run.WaitForOutput("up\n"));
  run.Signal(SIGINT);
  ASSERT_TRUE(run.WaitForOutput("no\n"));
  run.Signal(SIGINT);
  EXPECT_EQ(run.Wait().status, 137);
}

TEST_F(CliTest, TheSecondContainersLinesCarryItsName) {
  Outcome outcome = Run({"run", WriteDefinition(R"({"family":"pair","networkMode":"awsvpc",
      "containerDefinitions":[
        {"name":"web","image":"busybox","memory":64,"command":["sh","-c",
          "echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp"],"essential":false,"stopTimeout":2},
        {"name":"client","image":"busybox","memory":64,
          "dependsOn":[{"containerName":"web","condition":"START"}],"command":["sh","-c",
          "until wget -q -O - http://127.0.0.1/; do sleep 0.05; done; exit 7"]}]})")});
  EXPECT_EQ(outcome.status, 7) << outcome.error;
  EXPECT_EQ(outcome.output, "client | page\n");
}

#ifdef SKIFF_FAILPOINTS
TEST_F(CliTest, ALostSupervisorIsReportedAndCleanedUpAfter) {
  // The 30th call comes in the middle of the set-up.
  Outcome outcome = Run({"run", "busybox"},
                        {"SKIFF_FAILPOINT=*:30:kill", "SKIFF_FAILPOINT_PROGRAM=skiff-supervisor"});
  EXPECT_EQ(outcome.status, 125);
  EXPECT_THAT(outcome.error, HasSubstr("The task's supervisor was lost"));
}

TEST_F(CliTest, AStartThatFailsBeforeTheSupervisorLeavesNothing) {
  Outcome outcome =
      Run({"run", "busybox"}, {"SKIFF_SUPERVISOR=" + scratch_.path() + "/no-such-program"});
  EXPECT_EQ(outcome.status, 66);
  EXPECT_THAT(outcome.error, HasSubstr("no-such-program"));
}
#endif

TEST_F(CliTest, ADeadTaskIsSweptByTheNextCommand) {
  std::string task = Detached({"busybox", "--", "sleep", "1000"});
  // The supervisor by what only it holds: the lock on its task. Its session leader is its parent.
  std::string needle = installation_.roots().TasksDirectory() + "/" + task;
  for (const std::string& name : sys::ListDirectory(AT_FDCWD, "/proc").value()) {
    Result<std::string> line = sys::ReadFile(AT_FDCWD, "/proc/" + name + "/cmdline");
    if (!line.ok() || line.value() != std::string("skiff-supervisor") + '\0' + needle + '\0') {
      continue;
    }
    pid_t pid = static_cast<pid_t>(ParseUint(name).value());
    UniqueFd pidfd = sys::OpenPidfd(pid).value();
    sys::SignalPidfd(pidfd.get(), SIGKILL).value();
    ASSERT_TRUE(sys::PollReadable(pidfd.get(), kPatience).value());
  }
  EXPECT_THAT(Run({"ps", "-a"}).output,
              AllOf(HasSubstr("STOPPED"), HasSubstr("The task's supervisor was lost")));
  EXPECT_EQ(Run({"rm", task}).status, 0);
}

TEST_F(CliTest, ImagesAreListedInspectedAndRemoved) {
  EXPECT_THAT(Run({"image", "list"}).output, HasSubstr("busybox:latest"));
  EXPECT_THAT(Run({"image", "list", "--json"}).output, HasSubstr("\"diffId\""));
  EXPECT_THAT(Run({"image", "list", "--quiet"}).output, StartsWith("sha256:"));
  EXPECT_THAT(Run({"image", "inspect", "busybox"}).output, HasSubstr("\"manifest\""));
  std::string task = Detached({"--network", "none", "--stop-timeout", "2", "busybox", "--", "sh",
                               "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"});
  Outcome busy = Run({"image", "rm", "busybox"});
  EXPECT_EQ(busy.status, 73) << busy.error;
  EXPECT_EQ(Run({"rm", "--force", task}).status, 0);
  EXPECT_EQ(Run({"image", "rm", "busybox"}).status, 0);
  EXPECT_EQ(Run({"run", "--pull=never", "busybox"}).status, 66);
}

TEST_F(CliTest, TheDoctorFindsThisHostUsableAndChangesNothing) {
  Outcome outcome = Run({"doctor"});
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("nftables"), HasSubstr("overlay"),
                                    HasSubstr("bridge and veth"), Not(HasSubstr("MISSING"))));
  EXPECT_THAT(Run({"doctor", "--json"}).output, HasSubstr("\"usable\": true"));
}

}  // namespace
}  // namespace skiff::tools
