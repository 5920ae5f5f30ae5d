// What a task may write into its root file systems, by a quota and by an image file.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/loop.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/quota.h"
#include "isolation/sys/user_namespace.h"
#include "runtime/supervisor/cleanup.h"
#include "runtime/supervisor/control.h"
#include "runtime/supervisor/task_storage.h"
#include "tests/support/capability.h"
#include "tests/support/supervised_task.h"

namespace skiff::runtime {
namespace {

using skiff::test::LogBytes;
using skiff::test::RemainsOf;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Bytes kLimit = Bytes::MiB(16);
// What goes in, one MiB at a time, and whether the rest of the task still works.
constexpr const char* kFill =
    "i=0; while [ $i -lt 40 ] && dd if=/dev/zero of=/fill$i bs=1M count=1 2>/tmp/why; do "
    "i=$((i+1)); done; echo wrote $i; cat /tmp/why; rm /fill*; echo again > /fill && cat /fill";

std::string MissingLoop() {
  // Where no static device node makes the kernel load it.
  static const bool kLoaded = system("modprobe -q loop 2>/dev/null") == 0;
  static_cast<void>(kLoaded);
  if (!sys::Exists(AT_FDCWD, "/dev/loop-control")) return "loop devices";
  return sys::Exists(AT_FDCWD, "/sbin/mke2fs") ? "" : "mke2fs";
}

class StorageTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(skiff::test::MissingRoot());
    SKIFF_REQUIRE(skiff::test::MissingBusybox());
    SKIFF_REQUIRE(MissingLoop());
    installation_ = std::make_unique<skiff::test::Installation>();
  }

  TaskPlan Plan(const std::string& script, bool is_asked = true) {
    TaskPlan plan = installation_->Plan({script}, NetworkMode::kNone);
    plan.storage = {kLimit, is_asked};
    return plan;
  }
  // Fills a volume of the image, and the root beside it is read-only.
  TaskPlan PlanWithVolumes() {
    std::string fill = kFill;
    for (size_t at = 0; (at = fill.find("/fill", at)) != std::string::npos; at += 10) {
      fill.replace(at, 5, "/data/fill");
    }
    TaskPlan plan = Plan(fill);
    plan.containers[0].volumes = {"/data", "/tmp"};
    plan.containers[0].is_readonly_root = true;
    return plan;
  }
  std::string ImageOf(const TaskPlan& plan) {
    return installation_->TaskDirectory(plan) + "/storage.img";
  }
  // Loop devices whose file is of the task.
  std::vector<std::string> LoopsOf(const TaskPlan& plan) {
    std::vector<std::string> loops;
    for (const auto& entry : std::filesystem::directory_iterator("/sys/block")) {
      Result<std::string> file =
          sys::ReadFile(AT_FDCWD, entry.path().string() + "/loop/backing_file");
      if (file.ok() && file.value().find(plan.id.text()) != std::string::npos) {
        loops.push_back(entry.path().filename());
      }
    }
    return loops;
  }
  bool HasStep(const Task& task) {
    for (const LatencyStep& step : task.latency) {
      if (step.name == kStorageStep) return true;
    }
    return false;
  }
  // MiB that the script wrote.
  int Written(const TaskPlan& plan) {
    std::string log = LogBytes(plan, "c0");
    int count = -1;
    sscanf(log.c_str(), "wrote %d", &count);
    EXPECT_THAT(log, HasSubstr("again\n")) << "room again after rm";
    return count;
  }

  std::unique_ptr<skiff::test::Installation> installation_;
};

TEST_F(StorageTest, ALimitThatIsAskedForHoldsInAnImageFile) {
  TaskPlan plan = Plan(kFill);
  UniqueFd data = sys::OpenDirectory(AT_FDCWD, installation_->roots().data).value();
  if (sys::EnforcesProjects(data.get()))
    GTEST_SKIP() << "missing capability: a file system without project quotas";
  Task task = installation_->Run(plan);
  EXPECT_THAT(task.warnings, IsEmpty());
  EXPECT_TRUE(HasStep(task));
  int written = Written(plan);
  EXPECT_GT(written, 4) << "what the file system takes for itself";
  EXPECT_LE(written, 16);
  EXPECT_THAT(LogBytes(plan, "c0"), HasSubstr("No space left"));
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
  EXPECT_THAT(LoopsOf(plan), IsEmpty());
  EXPECT_FALSE(sys::Exists(AT_FDCWD, ImageOf(plan)));
}

TEST_F(StorageTest, VolumesCountAsWell) {
  TaskPlan plan = PlanWithVolumes();
  Task task = installation_->Run(plan);
  EXPECT_THAT(task.warnings, IsEmpty());
  EXPECT_TRUE(HasStep(task));
  int written = Written(plan);
  EXPECT_GT(written, 4);
  EXPECT_LE(written, 16);
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
  EXPECT_THAT(LoopsOf(plan), IsEmpty());
}

// Its neighbour, with a storage of its own, never fails to write, to its file or to its log.
TEST_F(StorageTest, ATaskThatFillsItsStorageDisturbsNoOther) {
  TaskPlan neighbour = Plan(
      "i=0; trap 'echo end $i $(cat /own); exit 0' TERM; while :; do i=$((i+1)); "
      "echo $i > /own || echo lost; sync /own; sleep 0.05; done");
  sys::Process other = installation_->Start(neighbour).value();
  ASSERT_TRUE(installation_->WaitFor(
      neighbour, other, [](const Task& task) { return task.last_status == TaskStatus::kRunning; }));
  TaskPlan plan = Plan(kFill);
  installation_->Run(plan);
  EXPECT_LE(Written(plan), 16);
  EXPECT_EQ(installation_->Observe(neighbour).last_status, TaskStatus::kRunning);
  ASSERT_TRUE(SendRequest(neighbour.roots.ControlSocket(neighbour.id), {}).ok());
  sys::WaitPidfd(other.pidfd.get(), true).value();
  EXPECT_EQ(installation_->Observe(neighbour).containers.at(0).exit_code, 0);
  int count = 0, written = -1;
  std::string log = LogBytes(neighbour, "c0");
  EXPECT_EQ(sscanf(log.c_str(), "end %d %d", &count, &written), 2) << log;
  EXPECT_EQ(count, written);
}

TEST_F(StorageTest, TheDefaultMakesNoImageFile) {
  TaskPlan plan = Plan("dd if=/dev/zero of=/fill bs=1M count=20 2>/dev/null && echo wrote", false);
  UniqueFd data = sys::OpenDirectory(AT_FDCWD, installation_->roots().data).value();
  if (sys::EnforcesProjects(data.get()))
    GTEST_SKIP() << "missing capability: a file system without project quotas";
  Task task = installation_->Run(plan);
  EXPECT_FALSE(HasStep(task));
  EXPECT_EQ(LogBytes(plan, "c0"), "wrote\n");
}

TEST_F(StorageTest, ASupervisorThatIsKilledLeavesNeitherLoopNorFile) {
  TaskPlan plan = Plan("echo up; exec sleep 600");
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(
      plan, supervisor, [](const Task& task) { return task.last_status == TaskStatus::kRunning; }));
  StorageFacts facts = LookAtStorage(plan).value();
  if (facts.keeper == StorageKeeper::kImage) {
    EXPECT_EQ(LoopsOf(plan).size(), 1u);
    EXPECT_LT(facts.used, kLimit.count()) << "sparse";
  }
  EXPECT_NE(facts.keeper, StorageKeeper::kNobody);
  sys::SignalPidfd(supervisor.pidfd.get(), SIGKILL).value();
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  UniqueFd lock = TryLockTask(installation_->TaskDirectory(plan)).value();
  ASSERT_TRUE(lock.valid());
  Result<> recovered = RecoverDeadTask(plan);
  EXPECT_TRUE(recovered.ok()) << recovered.error().message();
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
  EXPECT_FALSE(sys::Exists(AT_FDCWD, ImageOf(plan)));
}

// A file system of ours with quotas, in a mount namespace that this test stays in.
class QuotaTest : public StorageTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(skiff::test::MissingRoot());
    SKIFF_REQUIRE(skiff::test::MissingBusybox());
    SKIFF_REQUIRE(MissingLoop());
    std::string image = disk_.path() + "/disk", point = disk_.path() + "/mnt";
    UniqueFd file = sys::Open(AT_FDCWD, image, O_RDWR | O_CREAT, 0600).value();
    sys::Truncate(file.get(), 400 << 20).value();
    std::string kind = GetParam();
    bool is_xfs = kind == "xfs";
    if (is_xfs && !sys::Exists(AT_FDCWD, "/sbin/mkfs.xfs")) {
      GTEST_SKIP() << "missing capability: mkfs.xfs";
    }
    // With xfs the mount option makes the quota.
    std::string make = is_xfs
                           ? "/sbin/mkfs.xfs -q "
                           : "/sbin/mke2fs -q -F -t ext4 -O quota,project -E quotatype=prjquota ";
    ASSERT_EQ(system((make + image).c_str()), 0);
    sys::LoopDevice loop = sys::AttachLoop(file.get()).value();
    Result<sys::FilesystemContext> opened = sys::FilesystemContext::Open(kind);
    if (!opened.ok()) {
      GTEST_SKIP() << "missing capability: " << kind << ": " << opened.error().message();
    }
    sys::FilesystemContext context = std::move(opened).value();
    context.SetString("source", loop.path).value();
    context.SetFlag("prjquota").value();
    Result<> made = context.Create();
    if (!made.ok())
      GTEST_SKIP() << "missing capability: " << kind << " with quotas: " << made.error().message();
    UniqueFd mount = context.Mount(0).value();
    sys::EnterFollowingMountNamespace().value();
    sys::MakeDirectory(AT_FDCWD, point, 0755).value();
    sys::AttachMount(mount.get(), AT_FDCWD, point).value();
    setenv("TMPDIR", point.c_str(), 1);
    installation_ = std::make_unique<skiff::test::Installation>();
    unsetenv("TMPDIR");
    is_mounted_ = true;
  }
  void TearDown() override {
    installation_.reset();
    if (is_mounted_) sys::DetachMount(disk_.path() + "/mnt").Ignore();
  }

  skiff::test::TempDir disk_;
  bool is_mounted_ = false;
};

TEST_P(QuotaTest, TheDefaultHoldsAndNothingOfItStays) {
  TaskPlan plan = Plan(kFill, false);
  Task task = installation_->Run(plan);
  EXPECT_THAT(task.warnings, IsEmpty());
  EXPECT_TRUE(HasStep(task));
  int written = Written(plan);
  EXPECT_GE(written, 14);
  EXPECT_LE(written, 16);
  // xfs has projects look like small disks.
  bool is_xfs = std::string(GetParam()) == "xfs";
  EXPECT_THAT(LogBytes(plan, "c0"), HasSubstr(is_xfs ? "No space left" : "quota exceeded"));
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
  EXPECT_FALSE(sys::Exists(AT_FDCWD, ImageOf(plan)));
}

TEST_P(QuotaTest, VolumesCountAsWell) {
  TaskPlan plan = PlanWithVolumes();
  Task task = installation_->Run(plan);
  EXPECT_THAT(task.warnings, IsEmpty());
  int written = Written(plan);
  EXPECT_GE(written, 14);
  EXPECT_LE(written, 16);
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
}

TEST_P(QuotaTest, WhatIsUsedIsCountedAndTheLimitGoesWithTheTask) {
  // RUNNING says nothing of what is written: the end of the one who writes does. xfs keeps an empty
  // tree in inodes, so that nothing at all may be in use before.
  TaskPlan plan = installation_->Plan(
      {"dd if=/dev/zero of=/f bs=1M count=3 2>/dev/null; sync", "exec sleep 600"},
      NetworkMode::kNone);
  plan.storage = {kLimit, true};
  plan.containers[0].essential = false;
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(plan, supervisor, [](const Task& task) {
    const TaskContainer* writer = task.Find("c0");
    return writer != nullptr && writer->last_status == ContainerStatus::kStopped;
  }));
  StorageFacts facts = LookAtStorage(plan).value();
  EXPECT_EQ(facts.keeper, StorageKeeper::kQuota);
  sys::SignalPidfd(supervisor.pidfd.get(), SIGKILL).value();
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  EXPECT_GE(LookAtStorage(plan).value().used, 3u << 20);
  UniqueFd lock = TryLockTask(installation_->TaskDirectory(plan)).value();
  Result<> recovered = RecoverDeadTask(plan);
  EXPECT_TRUE(recovered.ok()) << recovered.error().message();
  UniqueFd data = sys::OpenDirectory(AT_FDCWD, installation_->roots().data).value();
  // xfs gives removed files back in the background.
  auto usage = [&] {
    return sys::ProjectUsage(data.get(), plan.user_namespace.first_id).ValueOr(0);
  };
  for (int i = 0; i < 1000 && usage() > 0; ++i) sys::SyncFilesystem(data.get()).value();
  EXPECT_EQ(usage(), 0u);
}

TEST_P(QuotaTest, AnAdministratorsProjectIsLeftAlone) {
  UniqueFd data = sys::OpenDirectory(AT_FDCWD, installation_->roots().TasksDirectory()).value();
  sys::SetProject(data.get(), 7).value();
  sys::SetProjectLimit(data.get(), 7, 64 << 20).value();
  TaskPlan plan = Plan("echo ran");
  plan.storage = {};
  installation_->Run(plan);
  EXPECT_EQ(LogBytes(plan, "c0"), "ran\n");
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
  EXPECT_EQ(sys::ProjectOf(data.get()).value(), 7u);
  EXPECT_EQ(sys::ProjectLimit(data.get(), 7).value(), 64u << 20);
}

INSTANTIATE_TEST_SUITE_P(Filesystems, QuotaTest, testing::Values("ext4", "xfs"),
                         [](const auto& each) { return std::string(each.param); });

#ifdef SKIFF_FAILPOINTS
// Whatever step of the limit fails, the task runs, says so, and leaves nothing.
TEST_F(StorageTest, AHostThatCannotIsAWarning) {
  for (const char* call : {"LOOP_CONFIGURE:1", "fsopen:1", "ftruncate:1"}) {
    TaskPlan plan = Plan("echo ran");
    UniqueFd data = sys::OpenDirectory(AT_FDCWD, installation_->roots().data).value();
    if (sys::EnforcesProjects(data.get()))
      GTEST_SKIP() << "missing capability: a file system without project quotas";
    std::string marker = installation_->TaskDirectory(plan) + "/marker";
    Task task = installation_->Run(plan, {"SKIFF_FAILPOINT=" + std::string(call) + ":1:" + marker});
    if (!sys::Exists(AT_FDCWD, marker)) ADD_FAILURE() << call << " was not reached";
    EXPECT_EQ(LogBytes(plan, "c0"), "ran\n") << call;
    ASSERT_EQ(task.warnings.size(), 1u) << call;
    EXPECT_THAT(task.warnings[0], HasSubstr("ephemeralStorage is not enforced: ")) << call;
    EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty()) << call;
    EXPECT_THAT(LoopsOf(plan), IsEmpty()) << call;
    EXPECT_FALSE(sys::Exists(AT_FDCWD, ImageOf(plan))) << call;
  }
}

TEST_F(StorageTest, KilledInTheMiddleOfMakingItNothingStays) {
  for (const char* call : {"ftruncate:1", "LOOP_CONFIGURE:1", "fsopen:1", "move_mount:1"}) {
    TaskPlan plan = Plan("echo ran");
    std::string marker = installation_->TaskDirectory(plan) + "/marker";
    installation_->Run(plan, {"SKIFF_FAILPOINT=" + std::string(call) + ":kill:" + marker});
    EXPECT_TRUE(sys::Exists(AT_FDCWD, marker)) << call << " was not reached";
    UniqueFd lock = TryLockTask(installation_->TaskDirectory(plan)).value();
    ASSERT_TRUE(lock.valid());
    Result<> recovered = RecoverDeadTask(plan);
    EXPECT_TRUE(recovered.ok()) << call << ": " << recovered.error().message();
    EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty()) << call;
    EXPECT_THAT(LoopsOf(plan), IsEmpty()) << call;
    EXPECT_FALSE(sys::Exists(AT_FDCWD, ImageOf(plan))) << call;
  }
}
#endif

}  // namespace
}  // namespace skiff::runtime
