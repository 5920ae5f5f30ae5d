// A task whose disk an image's import fills, with blocks or with inodes, and gives back.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/statvfs.h>

#include <filesystem>

#include "images/store.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/user_namespace.h"
#include "runtime/supervisor/control.h"
#include "tests/support/capability.h"
#include "tests/support/layout_builder.h"
#include "tests/support/supervised_task.h"
#include "tests/support/tar_builder.h"

namespace skiff::runtime {
namespace {

using skiff::test::LogBytes;
using skiff::test::RemainsOf;
using skiff::test::TarBuilder;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kDisk = 32 << 20;
constexpr uint64_t kInodes = 2000;

// Logs and writes a file of its own without end; at its end it says whether both still work.
constexpr const char* kWorks =
    "i=0; trap '(echo $i > /own) && echo end $i $(cat /own); exit 0' TERM; "
    "while :; do i=$((i+1)); echo line $i; (echo $i > /own) 2>/dev/null; sleep 0.05; done";

class FullTaskDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(skiff::test::MissingRoot());
    SKIFF_REQUIRE(skiff::test::MissingBusybox());
    sys::EnterFollowingMountNamespace().value();
    sys::MakeDirectory(AT_FDCWD, disk_, 0755).value();
    sys::FilesystemContext context = sys::FilesystemContext::Open("tmpfs").value();
    context.SetString("size", std::to_string(kDisk)).value();
    context.SetString("nr_inodes", std::to_string(kInodes)).value();
    context.Create().value();
    sys::AttachMount(context.Mount(0).value().get(), AT_FDCWD, disk_).value();
    setenv("TMPDIR", disk_.c_str(), 1);
    installation_ = std::make_unique<skiff::test::Installation>();
    unsetenv("TMPDIR");
  }
  void TearDown() override {
    if (installation_ == nullptr) return;
    installation_.reset();
    sys::DetachMount(disk_).Ignore();
  }

  std::string Layout(int files, size_t size) {
    skiff::test::TestImage image;
    image.name = "big:latest";
    for (const char* layer : {"a", "b"}) {
      TarBuilder tar;
      for (int i = 0; i < files; ++i) {
        tar.File(std::string(layer) + "/" + std::to_string(i), std::string(size, layer[0]));
      }
      image.layers.push_back({tar.Finish(), ""});
    }
    return skiff::test::WriteLayout(beside_.path() + "/big", image);
  }
  struct statvfs Room() const {
    struct statvfs info {};
    EXPECT_EQ(statvfs(disk_.c_str(), &info), 0);
    return info;
  }
  // Waits until the task logged so many lines more; false when it ended.
  bool LogsOn(const TaskPlan& plan, const sys::Process& supervisor, int lines) {
    auto count = [&] {
      std::string log = LogBytes(plan, "c0");
      return std::count(log.begin(), log.end(), '\n');
    };
    for (auto first = count(); count() < first + lines;) {
      if (sys::PollReadable(supervisor.pidfd.get(), std::chrono::milliseconds(20)).value()) {
        return false;
      }
    }
    return true;
  }
  void RunsOnBesideAnImportOf(const std::string& layout) {
    TaskPlan plan = installation_->Plan({kWorks}, NetworkMode::kNone);
    sys::Process supervisor = installation_->Start(plan).value();
    ASSERT_TRUE(installation_->WaitFor(plan, supervisor, [](const Task& task) {
      return task.last_status == TaskStatus::kRunning;
    }));
    ASSERT_TRUE(LogsOn(plan, supervisor, 3));
    images::ImageStore store =
        std::move(images::ImageStore::Open(installation_->roots().data).value());
    struct statvfs before = Room();
    Result<images::Image> image = store.Import(layout);
    ASSERT_FALSE(image.ok());
    EXPECT_EQ(image.error().code(), Code::kExhausted);
    EXPECT_THAT(image.error().message(), HasSubstr("no space left on device"));
    struct statvfs after = Room();
    // What the task itself wrote meanwhile.
    EXPECT_LT(before.f_bfree - after.f_bfree + 64, 128u);
    EXPECT_LT(before.f_ffree - after.f_ffree + 16, 32u);

    EXPECT_TRUE(LogsOn(plan, supervisor, 3));
    EXPECT_EQ(installation_->Observe(plan).last_status, TaskStatus::kRunning);
    ASSERT_TRUE(SendRequest(plan.roots.ControlSocket(plan.id), {}).ok());
    sys::WaitPidfd(supervisor.pidfd.get(), true).value();
    EXPECT_EQ(installation_->Observe(plan).containers.at(0).exit_code, 0);
    int logged = 0, written = 0;
    std::string log = LogBytes(plan, "c0");
    size_t end = log.rfind("end ");
    ASSERT_NE(end, std::string::npos) << log;
    EXPECT_EQ(sscanf(log.c_str() + end, "end %d %d", &logged, &written), 2) << log.substr(end);
    EXPECT_EQ(logged, written);
    EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
  }

  skiff::test::TempDir beside_;
  std::string disk_ = beside_.path() + "/disk";
  std::unique_ptr<skiff::test::Installation> installation_;
};

TEST_F(FullTaskDiskTest, ATaskRunsOnWhileAnImportFindsNoBlocks) {
  RunsOnBesideAnImportOf(Layout(100, 256 << 10));
}

TEST_F(FullTaskDiskTest, ATaskRunsOnWhileAnImportFindsNoInodes) {
  RunsOnBesideAnImportOf(Layout(kInodes, 0));
}

}  // namespace
}  // namespace skiff::runtime
