#include "runtime/supervisor/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/supervisor/cleanup.h"
#include "runtime/supervisor/control.h"
#include "tests/support/capability.h"
#include "tests/support/supervised_task.h"

namespace skiff::runtime {
namespace {

using skiff::test::LogBytes;
using skiff::test::RemainsOf;
using testing::HasSubstr;
using testing::IsEmpty;

class SupervisorTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(skiff::test::MissingRoot());
    SKIFF_REQUIRE(skiff::test::MissingBusybox());
    installation_ = std::make_unique<skiff::test::Installation>();
  }
  std::unique_ptr<skiff::test::Installation> installation_;
};

TEST_F(SupervisorTest, TaskRunsToItsEndAndLeavesOnlyItsRecord) {
  TaskPlan plan = installation_->Plan({"echo out; echo err >&2; exit 3"}, NetworkMode::kAwsvpc);
  Task task = installation_->Run(plan);
  EXPECT_EQ(task.last_status, TaskStatus::kStopped);
  EXPECT_EQ(task.stop_code, StopCode::kEssentialContainerExited);
  EXPECT_EQ(task.stopped_reason, "Essential container in task exited");
  ASSERT_EQ(task.containers.size(), 1U);
  EXPECT_EQ(task.containers[0].exit_code, 3);
  EXPECT_THAT(task.cleanup_failures, IsEmpty());
  EXPECT_THAT(LogBytes(plan, "c0"), HasSubstr("out\n"));
  EXPECT_THAT(LogBytes(plan, "c0"), HasSubstr("err\n"));
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
}

TEST_F(SupervisorTest, ContainersOfATaskShareAddressAndLoopback) {
  TaskPlan plan = installation_->Plan({"echo hello | nc -l -p 80 127.0.0.1; sleep 600",
                                       "until nc 127.0.0.1 80; do :; done; ip -4 addr show eth0 | "
                                       "grep -o 'inet [0-9.]*'; cat /etc/hostname"},
                                      NetworkMode::kAwsvpc);
  plan.containers[0].essential = false;
  plan.containers[0].stop_timeout = std::chrono::seconds(1);
  Task task = installation_->Run(plan);
  ASSERT_EQ(task.attachments.size(), 1U);
  EXPECT_THAT(LogBytes(plan, "c1"), HasSubstr("hello\ninet " + task.attachments[0].address));
  EXPECT_THAT(LogBytes(plan, "c1"), HasSubstr("ip-"));
  EXPECT_EQ(task.Find("c0")->exit_code, 137);  // sleep as pid 1 does not hear TERM
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
}

TEST_F(SupervisorTest, TwoTasksListenOnTheSamePort) {
  std::vector<TaskPlan> plans;
  std::vector<sys::Process> supervisors;
  for (int i = 0; i < 2; ++i) {
    plans.push_back(installation_->Plan({"httpd -f -p 80 -h /etc"}, NetworkMode::kAwsvpc));
    plans.back().containers[0].arguments = {"/bin/busybox", "httpd", "-f",  "-p",
                                            "80",           "-h",    "/etc"};
    plans.back().containers[0].stop_timeout = std::chrono::seconds(1);
    supervisors.push_back(installation_->Start(plans.back()).value());
  }
  for (size_t i = 0; i < plans.size(); ++i) {
    ASSERT_TRUE(installation_->WaitFor(plans[i], supervisors[i], [](const Task& task) {
      return task.last_status == TaskStatus::kRunning;
    }));
  }
  EXPECT_NE(installation_->Observe(plans[0]).attachments.at(0).address,
            installation_->Observe(plans[1]).attachments.at(0).address);
  for (size_t i = 0; i < plans.size(); ++i) {
    ControlRequest stop;
    ASSERT_TRUE(SendRequest(plans[i].roots.ControlSocket(plans[i].id), stop).ok());
    sys::WaitPidfd(supervisors[i].pidfd.get(), true).value();
    EXPECT_EQ(installation_->Observe(plans[i]).stopped_reason, "Task stopped by user");
  }
  for (const TaskPlan& plan : plans) EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
}

TEST_F(SupervisorTest, MissingProgramIs127AndTheTaskFailedToStart) {
  TaskPlan plan = installation_->Plan({"true"}, NetworkMode::kNone);
  plan.containers[0].arguments = {"nonesuch"};
  Task task = installation_->Run(plan);
  EXPECT_EQ(task.stop_code, StopCode::kTaskFailedToStart);
  EXPECT_EQ(task.containers.at(0).exit_code, 127);
  EXPECT_EQ(task.containers.at(0).reason,
            "CannotStartContainerError: exec nonesuch: executable file not found in $PATH");
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
}

TEST_F(SupervisorTest, UnknownUserIsAClearReason) {
  TaskPlan plan = installation_->Plan({"true"}, NetworkMode::kNone);
  plan.containers[0].user = "nobody";
  Task task = installation_->Run(plan);
  EXPECT_THAT(task.stopped_reason, HasSubstr("user 'nobody' is not in the image's /etc/passwd"));
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
}

TEST_F(SupervisorTest, OutOfMemoryIsTheReasonAndTheNeighbourLives) {
  SKIFF_REQUIRE(skiff::test::MissingMemoryController());
  TaskPlan neighbour =
      installation_->Plan({"trap 'exit 0' TERM; while :; do sleep 1; done"}, NetworkMode::kNone);
  sys::Process other = installation_->Start(neighbour).value();
  ASSERT_TRUE(installation_->WaitFor(
      neighbour, other, [](const Task& task) { return task.last_status == TaskStatus::kRunning; }));
  TaskPlan plan = installation_->Plan({"exec busybox awk 'BEGIN { s = \"x\"; while (1) s = s s }'"},
                                      NetworkMode::kNone);
  plan.limits.memory_max = Bytes::MiB(32);
  Task task = installation_->Run(plan);
  EXPECT_EQ(task.containers.at(0).exit_code, 137);
  EXPECT_EQ(task.containers.at(0).reason, "OutOfMemoryError: Container killed due to memory usage");
  EXPECT_EQ(installation_->Observe(neighbour).last_status, TaskStatus::kRunning);
  ControlRequest stop;
  stop.reason = "done";
  ASSERT_TRUE(SendRequest(neighbour.roots.ControlSocket(neighbour.id), stop).ok());
  sys::WaitPidfd(other.pidfd.get(), true).value();
  EXPECT_EQ(installation_->Observe(neighbour).stopped_reason, "done");
  EXPECT_EQ(installation_->Observe(neighbour).containers.at(0).exit_code, 0);
}

TEST_F(SupervisorTest, DeafContainerIsKilledAfterItsStopTimeout) {
  TaskPlan plan = installation_->Plan({"trap '' TERM; echo ready; while :; do sleep 1; done"},
                                      NetworkMode::kNone);
  plan.containers[0].stop_timeout = std::chrono::seconds(1);
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(
      plan, supervisor, [](const Task& task) { return task.last_status == TaskStatus::kRunning; }));
  ASSERT_TRUE(SendRequest(plan.roots.ControlSocket(plan.id), {}).ok());
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  Task task = installation_->Observe(plan);
  EXPECT_EQ(task.containers.at(0).exit_code, 137);
  EXPECT_EQ(task.containers.at(0).reason, "");
  EXPECT_TRUE(task.containers.at(0).kill_sent_at.has_value());
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
}

TEST_F(SupervisorTest, SignalsReachTheNamedContainer) {
  TaskPlan plan =
      installation_->Plan({"trap 'exit 9' USR1; while :; do sleep 1; done"}, NetworkMode::kNone);
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(
      plan, supervisor, [](const Task& task) { return task.last_status == TaskStatus::kRunning; }));
  ControlRequest request;
  request.verb = ControlRequest::Verb::kSignal;
  request.signal = SIGUSR1;
  request.container = "nonesuch";
  EXPECT_EQ(SendRequest(plan.roots.ControlSocket(plan.id), request).error().message(),
            "container nonesuch: not in this task");
  // The shell may not have set its trap yet: asked again until it ends.
  request.container = "c0";
  while (!sys::PollReadable(supervisor.pidfd.get(), std::chrono::milliseconds(100)).value()) {
    [[maybe_unused]] Result<> sent = SendRequest(plan.roots.ControlSocket(plan.id), request);
  }
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  EXPECT_EQ(installation_->Observe(plan).containers.at(0).exit_code, 9);
}

TEST_F(SupervisorTest, KilledSupervisorTakesItsContainersAlongAndRecoveryClosesTheRecord) {
  TaskPlan plan = installation_->Plan({"sleep 600"}, NetworkMode::kAwsvpc);
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(
      plan, supervisor, [](const Task& task) { return task.last_status == TaskStatus::kRunning; }));
  sys::SignalPidfd(supervisor.pidfd.get(), SIGKILL).value();
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  UniqueFd lock = TryLockTask(installation_->TaskDirectory(plan)).value();
  ASSERT_TRUE(lock.valid());
  Result<> recovered = RecoverDeadTask(plan);
  EXPECT_TRUE(recovered.ok()) << recovered.error().message();
  Task task = installation_->Observe(plan);
  EXPECT_EQ(task.last_status, TaskStatus::kStopped);
  EXPECT_EQ(task.stopped_reason, "The task's supervisor was lost");
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
}

TEST_F(SupervisorTest, DependentStartsAfterItsDependencyEnded) {
  TaskPlan plan = installation_->Plan({"echo first; exit 0", "echo second"}, NetworkMode::kNone);
  plan.containers[0].essential = false;
  plan.containers[1].depends_on = {{"c0", DependencyCondition::kSuccess}};
  Task task = installation_->Run(plan);
  EXPECT_EQ(task.containers.at(1).exit_code, 0);
  EXPECT_LT(*task.containers.at(0).finished_at, *task.containers.at(1).started_at);
}

}  // namespace
}  // namespace skiff::runtime
