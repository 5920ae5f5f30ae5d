#include "runtime/control/task_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skiff::runtime {
namespace {

using ::testing::HasSubstr;

constexpr const char* kId = "0123456789abcdef0123456789abcdef";

Task FullTask() {
  Task task(TaskId::Parse(kId).value());
  task.family = "web";
  task.containers.push_back({.name = "web",
                             .image = "nginx:1",
                             .digest = "sha256:00",
                             .runtime_id = "r-1",
                             .last_status = ContainerStatus::kStopped,
                             .exit_code = 137,
                             .signal = 9,
                             .reason = "quote \" and \xc3\xa4",
                             .oom_killed = true,
                             .pid = 7,
                             .started_at = 1,
                             .stop_signalled_at = 2,
                             .kill_sent_at = 3,
                             .finished_at = 4});
  task.containers.push_back({.name = "sidecar", .exit_code = 0});
  task.last_status = TaskStatus::kStopping;
  task.desired_status = DesiredStatus::kStopped;
  task.stop_code = StopCode::kEssentialContainerExited;
  task.stopped_reason = "Essential container in task exited";
  task.attachments.push_back({"eni-1", "DELETED", "10.0.0.2", "02:00:00:00:00:01"});
  task.created_at = 11;
  task.connectivity_at = 12;
  task.pull_started_at = 13;
  task.pull_stopped_at = 14;
  task.started_at = 15;
  task.stopping_at = 16;
  task.execution_stopped_at = 17;
  task.stopped_at = 18;
  task.version = 9;
  task.latency = {{"mount", "web", 1000}};
  task.warnings = {"web: something"};
  task.cleanup_failures = {"cgroup"};
  task.dropped_notes = 2;
  task.last_event = 12;
  return task;
}

TaskRecord FullRecord() {
  TaskRecord record(TaskId::Parse(kId).value());
  record.cluster = "default";
  record.family = "web";
  record.revision = 3;
  record.overrides.containers = {{.name = "web",
                                  .command = std::vector<std::string>{},
                                  .environment = {{"A", ""}},
                                  .cpu = 10,
                                  .memory = 20,
                                  .memory_reservation = 5}};
  record.overrides.cpu = "512";
  record.overrides.memory = "1 GB";
  record.overrides.task_role_arn = "arn:aws:iam::123456789012:role/a";
  record.overrides.execution_role_arn = "arn:aws:iam::123456789012:role/b";
  record.overrides.ephemeral_storage = EphemeralStorage{30};
  record.desired_status = DesiredStatus::kStopped;
  record.stop_code = StopCode::kUserInitiated;
  record.stop_reason = "done";
  record.tags = {{"k", "v"}, {"empty", ""}};
  record.started_by = "me";
  record.group = "family:web";
  record.launch_type = "FARGATE";
  record.capacity_provider = "FARGATE_SPOT";
  record.platform_version = "1.4.0";
  record.cpu = "256";
  record.memory = "512";
  record.subnets = {"subnet-default"};
  record.security_groups = {"sg-default"};
  record.assign_public_ip = true;
  record.enable_execute_command = true;
  record.host_id = "ffff";
  record.created_at = 1234567890123456789;
  record.protected_until = 99;
  record.observed = FullTask();
  return record;
}

TEST(TaskRecordTest, EveryMemberSurvivesTheStore) {
  TaskRecord record = FullRecord();
  Result<TaskRecord> decoded = DecodeTask(Encode(record));
  ASSERT_TRUE(decoded.ok()) << decoded.error().message();
  EXPECT_EQ(decoded.value(), record);
}

TEST(TaskRecordTest, ARecordOfDefaultsSurvivesTheStore) {
  TaskRecord record(TaskId::Parse(kId).value());
  Result<TaskRecord> decoded = DecodeTask(Encode(record));
  ASSERT_TRUE(decoded.ok()) << decoded.error().message();
  EXPECT_EQ(decoded.value(), record);
}

TEST(TaskRecordTest, AnotherSchemaIsRefused) {
  std::string text = Encode(FullRecord());
  text.replace(text.find("\"schema\":1"), 10, "\"schema\":2");
  EXPECT_THAT(DecodeTask(text).error().message(), HasSubstr("schema 2"));
}

TEST(TaskRecordTest, DamageIsNamed) {
  std::string text = Encode(FullRecord());
  EXPECT_FALSE(DecodeTask(text.substr(0, text.size() / 2)).ok());
  std::string unknown = text;
  unknown.replace(unknown.find("STOPPING"), 8, "SLEEPING");
  EXPECT_THAT(DecodeTask(unknown).error().message(),
              HasSubstr("observed.lastStatus: unknown value \"SLEEPING\""));
  std::string stranger = text;
  stranger.replace(stranger.find(kId), 4, "zzzz");
  EXPECT_THAT(DecodeTask(stranger).error().message(), HasSubstr("task record: task id"));
}

TEST(TaskRecordTest, SharesAndIndexEntriesSurviveTheStore) {
  TaskShare share{.cpu = 256, .memory = 512, .has_eni = true};
  EXPECT_EQ(DecodeShare(Encode(share)).value(), share);
  TaskIndexEntry entry{"web", "me", "family:web", "FARGATE", "ffff"};
  EXPECT_EQ(DecodeIndexEntry(Encode(entry)).value(), entry);
  EXPECT_FALSE(DecodeShare("{}").ok());
}

}  // namespace
}  // namespace skiff::runtime
