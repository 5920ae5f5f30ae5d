// The leak test: every step of a start is made to fail in turn, and the supervisor is killed at
// each; afterwards no process, mount, cgroup, interface, rule, lease or directory of the task
// remains.
#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "isolation/base/clock.h"
#include "isolation/base/text.h"
#include "isolation/launch_steps.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "runtime/supervisor/cleanup.h"
#include "tests/support/busybox_image.h"
#include "tests/support/capability.h"
#include "tests/support/supervised_task.h"

namespace skiff::runtime {
namespace {

using skiff::test::RemainsOf;
using testing::IsEmpty;

class LeakTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(skiff::test::MissingRoot());
    SKIFF_REQUIRE(skiff::test::MissingBusybox());
#ifndef SKIFF_FAILPOINTS
    GTEST_SKIP() << "missing capability: failpoints (a build with SKIFF_FAILPOINTS)";
#endif
    installation_ = std::make_unique<skiff::test::Installation>();
    // The bridge and the base rules are the installation's, made by its first task.
    TaskPlan first = installation_->Plan({"true"}, NetworkMode::kAwsvpc);
    installation_->Run(first);
    ASSERT_THAT(RemainsOf(first.roots, first.id), IsEmpty());
    FillVolume(installation_->busybox().layer() + "/data");
  }

  // One of each kind that is copied: a file of two names, a link, a directory, an attribute.
  static void FillVolume(const std::string& data) {
    sys::MakeDirectories(data + "/sub", 0750).value();
    sys::WriteFile(AT_FDCWD, data + "/file", "x", 0644).value();
    sys::SetXattr(AT_FDCWD, data + "/file", "trusted.note", "x").value();
    sys::Link(AT_FDCWD, data + "/file", AT_FDCWD, data + "/sub/again").value();
    sys::Symlink("/etc/passwd", AT_FDCWD, data + "/link").value();
  }

  // Runs a task with one failpoint armed and checks what is left. False when the failpoint was not
  // reached.
  bool RunWith(const std::string& failpoint, const std::string& extra = "") {
    TaskPlan plan = installation_->Plan({"true", "true"}, NetworkMode::kAwsvpc);
    plan.containers[0].volumes = {"/data"};
    plan.containers[1].is_readonly_root = true;
    if (!layer_.empty()) plan.containers[0].layers = {layer_};
    std::string marker = installation_->TaskDirectory(plan) + "/marker";
    std::vector<std::string> environment = {"SKIFF_FAILPOINT=" + failpoint + ":" + marker};
    if (!extra.empty()) environment = {extra};
    Task task = installation_->Run(plan, environment);
    bool was_reached = !extra.empty() || sys::Exists(AT_FDCWD, marker);
    if (was_reached) Settle(plan, task);
    EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty()) << failpoint << extra;
    EXPECT_EQ(installation_->Observe(plan).last_status, TaskStatus::kStopped) << failpoint << extra;
    sys::RemoveTree(AT_FDCWD, installation_->TaskDirectory(plan)).value();
    return was_reached;
  }

  // What the next command of anybody does for a task whose supervisor died or could not finish.
  void Settle(const TaskPlan& plan, const Task& task) {
    bool is_clean = task.last_status == TaskStatus::kStopped && task.cleanup_failures.empty();
    if (is_clean) return;
    UniqueFd lock = TryLockTask(installation_->TaskDirectory(plan)).value();
    ASSERT_TRUE(lock.valid());
    Result<> recovered = RecoverDeadTask(plan);
    EXPECT_TRUE(recovered.ok()) << recovered.error().message();
  }

  std::unique_ptr<skiff::test::Installation> installation_;
  std::string layer_;  // of the first container, instead of a directory
};

constexpr int kMoreCallsThanAnyTaskMakes = 3000;

// Under emulation a task takes seconds: the test command has the VM look at every
// SKIFF_TEST_STRIDE-th call only.
int Stride() {
  const char* text = getenv("SKIFF_TEST_STRIDE");
  return text == nullptr ? 1 : static_cast<int>(ParseUint(text, 1000).value_or(1));
}

TEST_F(LeakTest, EverySystemCallFailingInTurnLeavesNothing) {
  int n = 1;
  // 5 is EIO: no caller treats it as harmless.
  while (n < kMoreCallsThanAnyTaskMakes && RunWith("*:" + std::to_string(n) + ":5") &&
         !HasFailure())
    n += Stride();
  EXPECT_GT(n, 100) << "the sweep ended early";
  EXPECT_LT(n, kMoreCallsThanAnyTaskMakes);
  RecordProperty("calls", n - 1);
}

TEST_F(LeakTest, SupervisorKilledAtEverySystemCallLeavesNothing) {
  int n = 1;
  while (n < kMoreCallsThanAnyTaskMakes && RunWith("*:" + std::to_string(n) + ":kill") &&
         !HasFailure())
    n += Stride();
  EXPECT_GT(n, 100) << "the sweep ended early";
  EXPECT_LT(n, kMoreCallsThanAnyTaskMakes);
  RecordProperty("calls", n - 1);
}

// The loop devices over files beneath `directory`. The last of a device goes a moment after its
// last mount.
std::vector<std::string> LoopsOver(const std::string& directory) {
  std::vector<std::string> found;
  int64_t deadline = MonotonicNanoseconds() + Nanoseconds(std::chrono::seconds(10)).count();
  do {
    found.clear();
    for (const std::string& name : sys::ListDirectory(AT_FDCWD, "/sys/block").value()) {
      Result<std::string> file =
          sys::ReadFile(AT_FDCWD, "/sys/block/" + name + "/loop/backing_file");
      if (file.ok() && file.value().starts_with(directory)) found.push_back(name);
    }
  } while (!found.empty() && MonotonicNanoseconds() < deadline);
  return found;
}

// When mounting from files fails, loop devices are the other way, so both are swept.
TEST_F(LeakTest, EveryStepOfMountingAnImageFailingLeavesNothing) {
  const std::string& data = installation_->roots().data;
  SKIFF_REQUIRE(skiff::test::MissingErofs(data));
  layer_ = skiff::test::ImportBusybox(data, data + "/layout", images::LayerChoice::kErofs);
  int reached = 0;
  for (const char* point :
       {"fsopen", "fsconfig", "fsmount", "LOOP_CTL_GET_FREE", "LOOP_CONFIGURE"}) {
    for (const char* action : {"5", "kill"}) {
      for (int n = 1; RunWith(std::string(point) + ":" + std::to_string(n) + ":" + action);
           n += Stride()) {
        ++reached;
        ASSERT_THAT(LoopsOver(data), IsEmpty()) << point << " " << n << " " << action;
      }
    }
  }
  EXPECT_GT(reached, 10 / Stride());
}

TEST_F(LeakTest, EveryStepBetweenCloneAndExecFailingLeavesNothing) {
  for (int step = 1; step <= static_cast<int>(isolation::LaunchStep::kExec); ++step) {
    for (const char* action : {"errno", "kill"}) {
      RunWith("", "SKIFF_LAUNCH_FAILPOINT=" + std::to_string(step) + ":" + action);
    }
  }
}

struct Counts {
  size_t fds = 0;
  size_t mounts = 0;
  size_t links = 0;
  size_t cgroups = 0;
  bool operator==(const Counts&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Counts& c) {
  return out << c.fds << " fds, " << c.mounts << " mounts, " << c.links << " links, " << c.cgroups
             << " cgroups";
}

Counts CountAll(const Roots& roots) {
  Counts counts;
  counts.fds = sys::ListDirectory(AT_FDCWD, "/proc/self/fd").value().size();
  std::string mounts = sys::ReadFile(AT_FDCWD, "/proc/self/mountinfo").value();
  counts.mounts = static_cast<size_t>(std::count(mounts.begin(), mounts.end(), '\n'));
  counts.links = sys::ListDirectory(AT_FDCWD, "/sys/class/net").value().size();
  for (const std::string& directory :
       isolation::CgroupHost::Discover().value().Directories(roots.CgroupRoot())) {
    Result<std::vector<std::string>> names = sys::ListDirectory(AT_FDCWD, directory);
    if (names.ok()) counts.cgroups += names.value().size();
  }
  return counts;
}

TEST_F(LeakTest, ThreeHundredTasksLeaveEveryCountWhereItBegan) {
  Counts before = CountAll(installation_->roots());
  const int tasks = 300 / Stride();
  for (int i = 0; i < tasks && !HasFailure(); ++i) {
    TaskPlan plan = installation_->Plan({"true"}, NetworkMode::kAwsvpc);
    Task task = installation_->Run(plan);
    EXPECT_EQ(task.containers.at(0).exit_code, 0) << task.stopped_reason;
    EXPECT_THAT(task.cleanup_failures, IsEmpty());
    sys::RemoveTree(AT_FDCWD, installation_->TaskDirectory(plan)).value();
  }
  EXPECT_EQ(CountAll(installation_->roots()), before);
}

}  // namespace
}  // namespace skiff::runtime
