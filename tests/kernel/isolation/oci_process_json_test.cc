// What a process runs with beside its rights: see oci_container.h.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "isolation/sys/inode.h"
#include "isolation/sys/socket.h"
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

TEST_F(OciProcessTest, ATimeNamespaceHasItsClocksAheadForExecAsWell) {
  if (!sys::Exists(AT_FDCWD, "/proc/self/ns/time")) GTEST_SKIP() << "no time namespaces";
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

TEST_F(OciProcessTest, EventsTellWhatIsUsedUntilTheEnd) {
  Begin("sleep 1000");
  json once = json::parse(Command({"events", "--stats", id_}).output);
  EXPECT_EQ(once["type"], "stats");
  EXPECT_EQ(once["id"], id_);
  EXPECT_GT(once["data"]["cpu"]["usage"]["total"], 0);
  sys::SpawnSpec spec;
  spec.path = SKIFF_OCI;
  spec.arguments = {"skiff-oci", "--root", StateRoot(), "events", "--interval", "10ms", id_};
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
