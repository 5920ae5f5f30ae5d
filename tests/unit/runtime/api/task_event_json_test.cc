#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/api/task_event.h"
#include "tests/unit/runtime/api/ecs_test_service.h"

namespace skiff::runtime::api {
namespace {

using nlohmann::json;

TEST(TaskEventTest, AChangeIsToldInEventBridgesShape) {
  TaskRecord record(TaskId::Parse("0123456789abcdef0123456789abcdef").value());
  record.cluster = "default";
  record.family = "web";
  record.created_at = 1'700'000'000'123'456'789;
  record.observed.version = 3;
  record.observed.last_status = TaskStatus::kRunning;
  std::string text = TaskEventText(record, nullptr, ControlSettings(), 1'700'000'001'000'000'000);
  json event = json::parse(text);
  const char* arn =
      "arn:aws:ecs:us-east-1:123456789012:task/default/0123456789abcdef0123456789abcdef";
  EXPECT_EQ(event["version"], "0");
  EXPECT_EQ(event["detail-type"], "ECS Task State Change");
  EXPECT_EQ(event["source"], "aws.ecs");
  EXPECT_EQ(event["account"], "123456789012");
  EXPECT_EQ(event["region"], "us-east-1");
  EXPECT_EQ(event["time"], "2023-11-14T22:13:21Z");
  EXPECT_EQ(event["resources"], json(std::vector<std::string>{arn}));
  EXPECT_EQ(event["detail"]["taskArn"], arn);
  EXPECT_EQ(event["detail"]["lastStatus"], "RUNNING");
  EXPECT_EQ(event["detail"]["version"], 3);
  EXPECT_EQ(event["detail"]["createdAt"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(event["detail"]["updatedAt"], "2023-11-14T22:13:21.000Z");
  record.observed.version = 4;
  json next = json::parse(TaskEventText(record, nullptr, ControlSettings(), 0));
  EXPECT_NE(next["id"], event["id"]);
  record.observed.version = 3;
  EXPECT_EQ(json::parse(TaskEventText(record, nullptr, ControlSettings(), 0))["id"], event["id"]);
}

TEST_F(EcsTasksTest, WhatACallTouchesIsNamedForPolicies) {
  auto resources = [&](const char* operation, const char* input) {
    JsonDocument document = JsonDocument::Parse(input, "test").value();
    Call call{operation, JsonCursor(&document.root().value(), ""), Caller(), ""};
    return table_.operations.find(operation)->second.resources(call);
  };
  using Arns = std::vector<std::string>;
  const std::string ecs = "arn:aws:ecs:us-east-1:123456789012:";
  EXPECT_EQ(resources("RunTask", R"({"taskDefinition": "web"})"),
            Arns{ecs + "task-definition/web:1"});
  EXPECT_EQ(resources("RunTask", R"({"taskDefinition": "web:1"})"),
            Arns{ecs + "task-definition/web:1"});
  EXPECT_EQ(resources("RunTask", R"({"taskDefinition": "absent"})"), Arns{});
  EXPECT_EQ(resources("StopTask", R"({"task": "ab", "cluster": "c"})"), Arns{ecs + "task/c/ab"});
  EXPECT_EQ(resources("DescribeTasks", R"({"tasks": ["a", "b"]})"),
            (Arns{ecs + "task/default/a", ecs + "task/default/b"}));
  EXPECT_EQ(resources("ListTasks", "{}"), Arns{ecs + "cluster/default"});
  EXPECT_EQ(resources("DescribeTasks", R"({"tasks": 1})"), Arns{});
}

}  // namespace
}  // namespace skiff::runtime::api
