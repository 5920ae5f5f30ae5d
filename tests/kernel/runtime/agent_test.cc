// The agent between a store and real tasks: what is desired comes true, what happens is written
// down, whoever dies in between.
#include "runtime/agent/agent.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <functional>

#include "isolation/base/clock.h"
#include "isolation/base/text.h"
#include "isolation/sys/failpoint.h"
#include "isolation/sys/file.h"
#include "runtime/agent/host_record.h"
#include "runtime/agent/task_directory.h"
#include "runtime/control/keys.h"
#include "runtime/control/records.h"
#include "runtime/control/task_change.h"
#include "runtime/store/sqlite_store.h"
#include "tests/support/busybox_image.h"
#include "tests/support/capability.h"
#include "tests/support/supervised_task.h"

namespace skiff::runtime {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::chrono::seconds kPatience{60};

// A store, and the agent on it as a daemon has it: in a thread of its own.
class Daemon {
 public:
  Daemon(const Roots& roots, const std::string& state, std::chrono::nanoseconds retention)
      : store_(OpenSqliteStore(state).value()),
        agent_(Agent::Create(*store_, {roots, retention}).value()) {
    watch_ = store_->WatchPrefix("", [this](const Store::Changes&) {
      std::lock_guard lock(mutex_);
      ++changes_;
      changed_.notify_all();
    });
    thread_ = std::thread([this] { agent_->Run().value(); });
  }
  ~Daemon() {
    agent_->Stop();
    thread_.join();
  }

  Store& store() { return *store_; }
  Agent& agent() { return *agent_; }

  std::optional<TaskRecord> Find(const TaskId& id) {
    std::optional<StoredRecord> stored = store_->Get(keys::Task(id)).value();
    if (!stored) return std::nullopt;
    return DecodeTask(stored->value).value();
  }

  bool WaitFor(const std::function<bool()>& condition) {
    auto deadline = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
      uint64_t seen = 0;
      {
        std::lock_guard lock(mutex_);
        seen = changes_;
      }
      if (condition()) return true;
      std::unique_lock lock(mutex_);
      if (!changed_.wait_until(lock, deadline, [&] { return changes_ != seen; })) return false;
    }
  }
  TaskRecord WaitForStatus(const TaskId& id, TaskStatus status) {
    EXPECT_TRUE(WaitFor([&] { return Find(id)->observed.last_status >= status; }));
    return *Find(id);
  }

  // As RunTask and StopTask do.
  TaskId Run(const std::string& family) {
    TaskRecord record(TaskId::Generate());
    record.cluster = "default";
    record.family = family;
    record.created_at = WallNanoseconds();
    record.observed.version = 1;
    store_->Commit(CreateTask(record, TaskShare{}), Durability::kAccepted).value();
    return record.observed.id;
  }
  void Stop(const TaskId& id, const std::string& reason) {
    for (;;) {
      StoredRecord stored = *store_->Get(keys::Task(id)).value();
      TaskRecord before = DecodeTask(stored.value).value();
      TaskRecord after = before;
      after.desired_status = DesiredStatus::kStopped;
      after.stop_code = StopCode::kUserInitiated;
      after.stop_reason = reason;
      auto done = store_->Commit(ChangeTask(before, stored.version, after), Durability::kAccepted);
      if (done.ok()) return;
      ASSERT_EQ(done.error().code(), Code::kConflict);
    }
  }

 private:
  std::unique_ptr<Store> store_;
  std::unique_ptr<Agent> agent_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t changes_ = 0;
  std::unique_ptr<Store::Watch> watch_;
  std::thread thread_;
};

class AgentTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(test::MissingRoot());
    SKIFF_REQUIRE(test::MissingBusybox());
#ifndef SKIFF_FAILPOINTS
    GTEST_SKIP() << "missing capability: failpoints (a build with SKIFF_FAILPOINTS)";
#endif
    // It stands beside the programs that ship, not beside a test.
    setenv("SKIFF_SUPERVISOR", SKIFF_SUPERVISOR_PROGRAM, 0);
    test::ImportBusybox(roots().data, scratch_.path() + "/image");
  }
  const Roots& roots() const { return installation_.roots(); }
  std::string state() const { return scratch_.path() + "/state"; }
  std::unique_ptr<Daemon> Begin(std::chrono::nanoseconds retention = kStoppedTaskRetention) {
    return std::make_unique<Daemon>(roots(), state(), retention);
  }

  static void Register(Store& store, const std::string& family, const std::string& script,
                       const std::string& more = "", const std::string& mode = "awsvpc") {
    TaskDefinitionRecord record;
    record.definition =
        ParseTaskDefinition(R"({"family":")" + family + R"(","networkMode":")" + mode +
                                R"(","containerDefinitions":[{"name":"main","image":"busybox",)"
                                R"("memory":64,"stopTimeout":2,"command":["sh","-c",")" +
                                script + R"("])" + more + "}]}",
                            "test")
            .value()
            .definition;
    store
        .Commit({{keys::TaskDefinition(family, 1), Encode(record), std::nullopt}},
                Durability::kAccepted)
        .value();
  }

  // A container runs before its shell has set its trap.
  bool WaitForOutput(const TaskId& id, const std::string& text) const {
    TaskPlan plan = LoadPlan(roots(), id).value();
    UniqueFd directory = sys::OpenDirectory(AT_FDCWD, plan.containers.at(0).log_directory).value();
    sys::DirectoryWatch watch = sys::DirectoryWatch::Open(directory.get()).value();
    for (;;) {
      watch.Clear().value();
      if (test::LogBytes(plan, "main").find(text) != std::string::npos) return true;
      if (!sys::PollReadable(watch.fd(), kPatience).value()) return false;
    }
  }

  test::TempDir scratch_;
  test::Installation installation_;
};

constexpr const char* kForever = "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done";

TEST_F(AgentTest, ATaskRunsUntilItIsToldToStopAndLeavesNothing) {
  auto daemon = Begin();
  Register(daemon->store(), "web", kForever);
  TaskId id = daemon->Run("web");
  TaskRecord running = daemon->WaitForStatus(id, TaskStatus::kRunning);
  EXPECT_EQ(running.observed.last_status, TaskStatus::kRunning);
  EXPECT_THAT(running.observed.attachments, SizeIs(1));
  EXPECT_THAT(running.observed.containers.at(0).digest, HasSubstr("sha256:"));
  EXPECT_TRUE(running.observed.pull_started_at && running.observed.pull_stopped_at);
  ASSERT_TRUE(WaitForOutput(id, "up"));
  daemon->Stop(id, "enough");
  TaskRecord stopped = daemon->WaitForStatus(id, TaskStatus::kStopped);
  EXPECT_EQ(stopped.observed.stop_code, StopCode::kUserInitiated);
  EXPECT_EQ(stopped.observed.stopped_reason, "enough");
  EXPECT_EQ(stopped.observed.containers.at(0).exit_code, 0);
  EXPECT_GT(stopped.observed.version, running.observed.version);
  EXPECT_FALSE(daemon->store().Get(keys::Active(id)).value().has_value());
  EXPECT_THAT(test::RemainsOf(roots(), id), IsEmpty());
  EXPECT_TRUE(daemon->agent().Reset().ok());
  EXPECT_FALSE(daemon->Find(id).has_value());
  EXPECT_TRUE(daemon->store().Get(keys::kHost).value().has_value());
  EXPECT_FALSE(sys::Exists(AT_FDCWD, roots().TaskDirectory(id)));
}

TEST_F(AgentTest, AResetEndsWhatRunsAndLeavesNothing) {
  auto daemon = Begin();
  Register(daemon->store(), "deaf", "trap '' TERM; echo up; while :; do sleep 0.05; done");
  TaskId running = daemon->Run("deaf");
  daemon->WaitForStatus(running, TaskStatus::kRunning);
  daemon = nullptr;
  daemon = Begin();  // one task is found again, the other one's supervisor is a child
  TaskId own = daemon->Run("deaf");
  daemon->WaitForStatus(own, TaskStatus::kRunning);
  TaskId beginning = daemon->Run("deaf");
  Result<> reset = daemon->agent().Reset();
  EXPECT_TRUE(reset.ok()) << reset.error().message();
  for (const TaskId& id : {running, own, beginning}) {
    EXPECT_FALSE(daemon->Find(id).has_value());
    EXPECT_FALSE(daemon->store().Get(keys::Active(id)).value().has_value());
    EXPECT_THAT(test::RemainsOf(roots(), id), IsEmpty());
    EXPECT_FALSE(sys::Exists(AT_FDCWD, roots().TaskDirectory(id)));
  }
}

TEST_F(AgentTest, WhatCannotStartStopsWithItsReason) {
  auto daemon = Begin();
  Register(daemon->store(), "lost", "true", R"(,"logConfiguration":{"logDriver":"awslogs",
      "options":{"awslogs-group":"nosuch","awslogs-region":"us-east-1"}})",
           "none");
  TaskRecord lost = daemon->WaitForStatus(daemon->Run("lost"), TaskStatus::kStopped);
  EXPECT_EQ(lost.observed.stop_code, StopCode::kTaskFailedToStart);
  EXPECT_THAT(lost.observed.stopped_reason, HasSubstr("ResourceInitializationError: "));
  EXPECT_THAT(lost.observed.stopped_reason, HasSubstr("The specified log group does not exist."));
  EXPECT_FALSE(sys::Exists(AT_FDCWD, roots().TaskDirectory(lost.observed.id)));
  images::ImageStore::Open(roots().data).value().Remove("busybox").value();
  Register(daemon->store(), "web", "true", "", "none");
  TaskRecord web = daemon->WaitForStatus(daemon->Run("web"), TaskStatus::kStopped);
  EXPECT_EQ(web.observed.stop_code, StopCode::kTaskFailedToStart);
  EXPECT_THAT(web.observed.stopped_reason, HasSubstr("CannotPullContainerError: "));
  EXPECT_THAT(web.observed.stopped_reason, HasSubstr("skiff: no such program"));
}

// In place of `skiff image pull`: notes its process and waits for a line of a FIFO; "well" imports
// the image, anything else is its last word.
class PullingAgentTest : public AgentTest {
 protected:
  void SetUp() override {
    AgentTest::SetUp();
    if (IsSkipped()) return;
    std::string program = scratch_.path() + "/skiff";
    gate_ = scratch_.path() + "/gate";
    ASSERT_EQ(mkfifo(gate_.c_str(), 0600), 0);
    sys::WriteFile(
        AT_FDCWD, program,
        "#!/bin/sh\necho \"$$ $*\" >> " + scratch_.path() + "/pulls\nread word < " + gate_ +
            "\n[ \"$word\" = well ] && exec " SKIFF_PROGRAM " --data-root \"$2\" image import " +
            scratch_.path() +
            "/image --name busybox\necho \"skiff: image pull: $word\" >&2\nexit 1\n")
        .value();
    ASSERT_EQ(chmod(program.c_str(), 0700), 0);
    setenv("SKIFF_PROGRAM", program.c_str(), 1);
    images::ImageStore::Open(roots().data).value().Remove("busybox").value();
  }
  void TearDown() override { unsetenv("SKIFF_PROGRAM"); }

  // Waits for a pull that has begun.
  void Answer(const std::string& word) const {
    UniqueFd gate = sys::Open(AT_FDCWD, gate_, O_WRONLY).value();
    sys::WriteAll(gate.get(), word + "\n", "the gate").value();
  }
  std::vector<std::string> Pulls() const {
    std::vector<std::string> lines;
    std::string text = sys::ReadFile(AT_FDCWD, scratch_.path() + "/pulls").value();
    for (std::string_view line : Split(TrimSpace(text), '\n')) lines.emplace_back(line);
    return lines;
  }
  bool WaitForPull(Daemon& daemon, const TaskId& id) const {
    return daemon.WaitFor([&] { return daemon.Find(id)->observed.pull_started_at.has_value(); });
  }

  std::string gate_;
};

TEST_F(PullingAgentTest, TasksOfOneImagePullItOnce) {
  auto daemon = Begin();
  Register(daemon->store(), "web", "true", "", "none");
  TaskId first = daemon->Run("web");
  TaskId second = daemon->Run("web");
  ASSERT_TRUE(WaitForPull(*daemon, first));
  ASSERT_TRUE(WaitForPull(*daemon, second));
  EXPECT_FALSE(daemon->Find(first)->observed.pull_stopped_at.has_value());
  EXPECT_EQ(daemon->Find(first)->observed.last_status, TaskStatus::kProvisioning);
  Answer("well");
  for (const TaskId& id : {first, second}) {
    TaskRecord stopped = daemon->WaitForStatus(id, TaskStatus::kStopped);
    EXPECT_EQ(stopped.observed.stop_code, StopCode::kEssentialContainerExited)
        << stopped.observed.stopped_reason;
    EXPECT_LT(*stopped.observed.pull_started_at, *stopped.observed.pull_stopped_at);
  }
  ASSERT_THAT(Pulls(), SizeIs(1));
  EXPECT_THAT(Pulls().at(0),
              HasSubstr("--data-root " + roots().data + " image pull --quiet busybox"));
}

TEST_F(PullingAgentTest, APullThatFailsEndsTheTasksThatWaited) {
  auto daemon = Begin();
  Register(daemon->store(), "web", "true", "", "none");
  TaskId id = daemon->Run("web");
  Answer("pull image docker.io/library/busybox:latest: denied");
  TaskRecord stopped = daemon->WaitForStatus(id, TaskStatus::kStopped);
  EXPECT_EQ(stopped.observed.stop_code, StopCode::kTaskFailedToStart);
  EXPECT_EQ(stopped.observed.stopped_reason,
            "CannotPullContainerError: pull image docker.io/library/busybox:latest: denied");
  EXPECT_FALSE(sys::Exists(AT_FDCWD, roots().TaskDirectory(id)));
  // The next task asks again.
  TaskId next = daemon->Run("web");
  Answer("well");
  EXPECT_EQ(daemon->WaitForStatus(next, TaskStatus::kStopped).observed.stop_code,
            StopCode::kEssentialContainerExited);
}

TEST_F(PullingAgentTest, APullEndsWithTheLastTaskThatWaitsAndWithTheDaemon) {
  auto daemon = Begin();
  Register(daemon->store(), "web", "true", "", "none");
  TaskId first = daemon->Run("web");
  TaskId second = daemon->Run("web");
  ASSERT_TRUE(WaitForPull(*daemon, second));
  UniqueFd gate = sys::Open(AT_FDCWD, gate_, O_WRONLY).value();  // it reads: it has begun
  UniqueFd pull = sys::OpenPidfd(std::stoi(Pulls().at(0))).value();
  daemon->Stop(first, "enough");
  EXPECT_EQ(daemon->WaitForStatus(first, TaskStatus::kStopped).observed.stopped_reason, "enough");
  EXPECT_FALSE(sys::PollReadable(pull.get(), std::chrono::milliseconds(0)).value());
  daemon->Stop(second, "enough");
  EXPECT_EQ(daemon->WaitForStatus(second, TaskStatus::kStopped).observed.stopped_reason, "enough");
  EXPECT_TRUE(sys::PollReadable(pull.get(), kPatience).value());
  gate.Reset();
  TaskId third = daemon->Run("web");
  ASSERT_TRUE(WaitForPull(*daemon, third));
  gate = sys::Open(AT_FDCWD, gate_, O_WRONLY).value();
  pull = sys::OpenPidfd(std::stoi(Pulls().at(1))).value();
  daemon.reset();
  EXPECT_TRUE(sys::PollReadable(pull.get(), std::chrono::milliseconds(0)).value());
  gate.Reset();
  daemon = Begin();
  Answer("well");
  EXPECT_EQ(daemon->WaitForStatus(third, TaskStatus::kStopped).observed.stop_code,
            StopCode::kEssentialContainerExited);
}

TEST_F(AgentTest, AStoppedTaskIsRemovedWhenItsTimeIsOverAndItsLogStreamStays) {
  auto daemon = Begin(std::chrono::nanoseconds(0));
  Register(daemon->store(), "web", "echo hello", R"(,"logConfiguration":{"logDriver":"awslogs",
      "options":{"awslogs-group":"g","awslogs-region":"us-east-1","awslogs-stream-prefix":"p",
      "awslogs-create-group":"true"}})",
           "none");
  TaskId id = daemon->Run("web");
  EXPECT_TRUE(daemon->WaitFor([&] { return !daemon->Find(id).has_value(); }));
  EXPECT_FALSE(sys::Exists(AT_FDCWD, roots().TaskDirectory(id)));
  std::string key = keys::LogStream("g", "p/main/" + id.text());
  LogStreamRecord stream = DecodeLogStream(daemon->store().Get(key).value()->value).value();
  bool has_log = false;
  for (const std::string& name : sys::ListDirectory(AT_FDCWD, stream.directory).value()) {
    Result<std::string> text = sys::ReadFile(AT_FDCWD, stream.directory + "/" + name);
    has_log = has_log || (text.ok() && text.value() == "hello\n");
  }
  EXPECT_TRUE(has_log);
}

TEST_F(AgentTest, ADaemonThatIsKilledDisturbsNoTask) {
  TaskId id = TaskId::Generate();
  {
    auto daemon = Begin();
    Register(daemon->store(), "web", kForever);
  }
  std::string told = scratch_.path() + "/task";
  pid_t child = fork();
  if (child == 0) {
    auto daemon = Begin();
    TaskId made = daemon->Run("web");
    daemon->WaitForStatus(made, TaskStatus::kRunning);
    sys::WriteFile(AT_FDCWD, told, made.text()).value();
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  id = TaskId::Parse(sys::ReadFile(AT_FDCWD, told).value()).value();
  int64_t pid = LoadRecord(roots(), id).value().task.containers.at(0).pid;
  ASSERT_GT(pid, 0);
  auto daemon = Begin();
  TaskRecord running = *daemon->Find(id);
  EXPECT_EQ(running.observed.last_status, TaskStatus::kRunning);
  EXPECT_EQ(running.observed.containers.at(0).pid, pid);
  EXPECT_EQ(kill(static_cast<pid_t>(pid), 0), 0);
  daemon->Stop(id, "over");
  TaskRecord stopped = daemon->WaitForStatus(id, TaskStatus::kStopped);
  EXPECT_EQ(stopped.observed.stopped_reason, "over");
  EXPECT_EQ(stopped.observed.last_event, LoadRecord(roots(), id).value().events.back().number);
  EXPECT_THAT(test::RemainsOf(roots(), id), IsEmpty());
}

TEST_F(AgentTest, AStartThatADaemonDidNotFinishIsFinishedByTheNext) {
  TaskId id = TaskId::Generate();
  {
    auto daemon = Begin();
    Register(daemon->store(), "web", kForever, "", "none");
    id = daemon->Run("web");
    daemon->WaitForStatus(id, TaskStatus::kRunning);
    // As if it had died when the plan was written: nobody has begun, nothing is observed.
    daemon->Stop(id, "");
    daemon->WaitForStatus(id, TaskStatus::kStopped);
  }
  std::string directory = roots().TaskDirectory(id);
  sys::Unlink(AT_FDCWD, directory + "/events").value();
  {
    auto store = OpenSqliteStore(state()).value();
    StoredRecord stored = *store->Get(keys::Task(id)).value();
    TaskRecord record = DecodeTask(stored.value).value();
    store->Commit(RemoveTask(record, stored.version), Durability::kAccepted).value();
    record.observed = Task(id);
    record.desired_status = DesiredStatus::kRunning;
    store->Commit(CreateTask(record, TaskShare{}), Durability::kAccepted).value();
  }
  auto daemon = Begin();
  TaskRecord running = daemon->WaitForStatus(id, TaskStatus::kRunning);
  EXPECT_EQ(running.observed.last_status, TaskStatus::kRunning);
  daemon->Stop(id, "over");
  EXPECT_EQ(daemon->WaitForStatus(id, TaskStatus::kStopped).observed.stopped_reason, "over");
}

// Every so many system calls of an agent that begins with a task to start.
TEST_F(AgentTest, ADaemonThatIsKilledAnywhereInAStartLeavesItToTheNext) {
  constexpr int kStride = 9;
  { Register(Begin()->store(), "web", kForever, "", "none"); }
  std::string marker = scratch_.path() + "/reached";
  bool is_past = false;
  for (int call = 1; !is_past; call += kStride) {
    SCOPED_TRACE("killed at call " + std::to_string(call));
    TaskRecord record(TaskId::Generate());
    TaskId id = record.observed.id;
    record.cluster = "default";
    record.family = "web";
    record.created_at = WallNanoseconds();
    record.observed.version = 1;
    OpenSqliteStore(state())
        .value()
        ->Commit(CreateTask(record, TaskShare{}), Durability::kAccepted)
        .value();
    pid_t child = fork();
    if (child == 0) {
      failpoint::Arm(("*:" + std::to_string(call) + ":kill:" + marker).c_str());
      auto daemon = Begin();
      daemon->WaitForStatus(id, TaskStatus::kRunning);
      kill(getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    is_past = !sys::Exists(AT_FDCWD, marker);
    if (!is_past) sys::Unlink(AT_FDCWD, marker).value();
    auto daemon = Begin();
    EXPECT_EQ(daemon->WaitForStatus(id, TaskStatus::kRunning).observed.last_status,
              TaskStatus::kRunning);
    daemon->Stop(id, "over");
    EXPECT_EQ(daemon->WaitForStatus(id, TaskStatus::kStopped).observed.stopped_reason, "over");
    EXPECT_THAT(test::RemainsOf(roots(), id), IsEmpty());
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(AgentTest, ALostSupervisorEndsItsTaskWithAReason) {
  auto daemon = Begin();
  Register(daemon->store(), "web", kForever);
  TaskId own = daemon->Run("web");
  TaskId adopted = daemon->Run("web");
  daemon->WaitForStatus(adopted, TaskStatus::kRunning);
  daemon->WaitForStatus(own, TaskStatus::kRunning);
  auto kill_supervisor = [&](const TaskId& id) {
    UniqueFd process = OpenSupervisor(roots().TaskDirectory(id)).value();
    sys::SignalPidfd(process.get(), SIGKILL).value();
    TaskRecord stopped = daemon->WaitForStatus(id, TaskStatus::kStopped);
    EXPECT_EQ(stopped.observed.stop_code, StopCode::kInfrastructureHealth);
    EXPECT_EQ(stopped.observed.stopped_reason, "The task's supervisor was lost");
  };
  kill_supervisor(own);
  daemon.reset();
  daemon = Begin();
  kill_supervisor(adopted);
  EXPECT_THAT(test::RemainsOf(roots(), own), IsEmpty());
  EXPECT_THAT(test::RemainsOf(roots(), adopted), IsEmpty());
}

TEST_F(AgentTest, ARestartOfTheHostEndsItsTasksWithAReason) {
  auto daemon = Begin();
  Register(daemon->store(), "web", kForever);
  TaskId id = daemon->Run("web");
  daemon->WaitForStatus(id, TaskStatus::kRunning);
  UniqueFd process = OpenSupervisor(roots().TaskDirectory(id)).value();
  daemon.reset();
  sys::SignalPidfd(process.get(), SIGKILL).value();
  ASSERT_TRUE(sys::PollReadable(process.get(), kPatience).value());
  sys::RemoveTree(AT_FDCWD, roots().run).value();
  daemon = Begin();
  TaskRecord stopped = daemon->WaitForStatus(id, TaskStatus::kStopped);
  EXPECT_EQ(stopped.observed.stop_code, StopCode::kInfrastructureHealth);
  EXPECT_EQ(stopped.observed.stopped_reason, "The host was restarted");
  EXPECT_THAT(test::RemainsOf(roots(), id), IsEmpty());
}

TEST(HostRecordTest, TheHostKeepsAPartOfItsMemory) {
  EXPECT_EQ(MemoryForTasks(Bytes::GiB(16)), Bytes(Bytes::GiB(16).count() - (512ULL << 20)));
  EXPECT_EQ(MemoryForTasks(Bytes::GiB(1)), Bytes::MiB(896));
}

}  // namespace
}  // namespace skiff::runtime
