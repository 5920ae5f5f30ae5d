#include "runtime/control/task_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/control/keys.h"
#include "tests/support/memory_store.h"

namespace skiff::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const char* const kTaskKey = "tasks/0123456789abcdef0123456789abcdef";
const char* const kRunningKey = "task-index/default/RUNNING/0123456789abcdef0123456789abcdef";
const char* const kStoppedKey = "task-index/default/STOPPED/0123456789abcdef0123456789abcdef";
const char* const kActiveKey = "active/0123456789abcdef0123456789abcdef";

class TaskChangeTest : public ::testing::Test {
 protected:
  TaskChangeTest() {
    record_.cluster = "default";
    record_.family = "web";
    record_.launch_type = "FARGATE";
    record_.observed.version = 1;
    Commit(CreateTask(record_, {.cpu = 256, .memory = 512, .has_eni = true}));
  }

  void Commit(const std::vector<RecordWrite>& writes) {
    Result<uint64_t> revision = store_.Commit(writes, Durability::kAccepted);
    ASSERT_TRUE(revision.ok()) << revision.error().message();
  }
  // Changes the stored task as both sides do; gives what is stored then.
  template <typename Edit>
  TaskRecord Change(Edit edit) {
    StoredRecord stored = store_.Get(kTaskKey).value().value();
    TaskRecord before = DecodeTask(stored.value).value();
    TaskRecord after = before;
    edit(after);
    Commit(ChangeTask(before, stored.version, after));
    return DecodeTask(store_.Get(kTaskKey).value()->value).value();
  }
  std::vector<std::string> Keys() const {
    std::vector<std::string> keys;
    for (const auto& [key, record] : store_.records()) keys.push_back(key);
    return keys;
  }

  TaskRecord record_{TaskId::Parse("0123456789abcdef0123456789abcdef").value()};
  MemoryStore store_;
};

TEST_F(TaskChangeTest, ANewTaskIsListedAndTakesItsShare) {
  EXPECT_THAT(Keys(), ElementsAre(kActiveKey, kRunningKey, kTaskKey));
  EXPECT_EQ(DecodeIndexEntry(store_.Get(kRunningKey).value()->value).value(),
            (TaskIndexEntry{"web", "", "", "FARGATE", ""}));
  EXPECT_EQ(DecodeShare(store_.Get(kActiveKey).value()->value).value().cpu, 256);
}

TEST_F(TaskChangeTest, DesiredStoppedMovesTheTaskInTheIndexAndKeepsItsShare) {
  TaskRecord after = Change([](TaskRecord& r) { r.desired_status = DesiredStatus::kStopped; });
  EXPECT_THAT(Keys(), ElementsAre(kActiveKey, kStoppedKey, kTaskKey));
  EXPECT_EQ(after.observed.version, 2U);
}

TEST_F(TaskChangeTest, ATaskThatEndsByItselfIsDesiredStoppedWithItsOwnCause) {
  TaskRecord after = Change([](TaskRecord& r) {
    r.observed.desired_status = DesiredStatus::kStopped;
    r.observed.stop_code = StopCode::kEssentialContainerExited;
    r.observed.stopped_reason = "Essential container in task exited";
    r.observed.last_status = TaskStatus::kStopped;
    r.observed.version = 7;
  });
  EXPECT_THAT(Keys(), ElementsAre(kStoppedKey, kTaskKey));
  EXPECT_EQ(after.desired_status, DesiredStatus::kStopped);
  EXPECT_EQ(after.stop_code, StopCode::kEssentialContainerExited);
  EXPECT_EQ(after.stop_reason, "Essential container in task exited");
  EXPECT_EQ(after.observed.version, 7U);
}

TEST_F(TaskChangeTest, TheVersionCountsOnlyWhatTheApiShows) {
  EXPECT_EQ(Change([](TaskRecord& r) {
              r.observed.latency = {{"mount", "", 5}};
            }).observed.version,
            1U);
  EXPECT_EQ(Change([](TaskRecord& r) { r.tags = {{"k", "v"}}; }).observed.version, 2U);
}

TEST_F(TaskChangeTest, AStaleChangeIsRefused) {
  TaskRecord after = record_;
  Result<uint64_t> late = store_.Commit(ChangeTask(record_, 99, after), Durability::kStatus);
  EXPECT_EQ(late.error().code(), Code::kConflict);
}

TEST_F(TaskChangeTest, ARemovedTaskLeavesNothing) {
  uint64_t version = store_.Get(kTaskKey).value()->version;
  Commit(RemoveTask(record_, version));
  EXPECT_THAT(Keys(), IsEmpty());
}

TEST(ShareOfTest, TheTasksOwnSizesCountElseTheSumsOfItsContainers) {
  TaskDefinition definition;
  definition.network_mode = NetworkMode::kHost;
  definition.containers = {{.cpu = 100, .memory = Bytes::MiB(64)},
                           {.cpu = 20, .memory_reservation = Bytes::MiB(32)}};
  EXPECT_EQ(ShareOf(definition), (TaskShare{120, 96, false}));
  definition.cpu = CpuUnits(256);
  definition.memory = Bytes::GiB(1);
  definition.network_mode = NetworkMode::kAwsvpc;
  EXPECT_EQ(ShareOf(definition), (TaskShare{256, 1024, true}));
}

}  // namespace
}  // namespace skiff::runtime
