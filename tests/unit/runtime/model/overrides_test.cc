#include "runtime/model/overrides.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/model/limits.h"

namespace skiff::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TaskDefinition Web() {
  return ParseTaskDefinition(R"({
    "family": "web", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc",
    "cpu": "256", "memory": "512",
    "containerDefinitions": [
      {"name": "web", "image": "nginx", "command": ["old"], "memory": 100,
       "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]})",
                             "test")
      .value()
      .definition;
}

Result<TaskOverrides> Parse(std::string_view text) {
  JsonDocument document = JsonDocument::Parse(text, "test").value();
  JsonCursor bare(&document.root().value(), "overrides");
  return ParseOverrides(bare);
}

std::string Refusal(std::string_view text) {
  Result<TaskOverrides> overrides = Parse(text);
  if (!overrides.ok()) return overrides.error().message();
  Result<TaskDefinition> applied = ApplyOverrides(Web(), overrides.value());
  return applied.ok() ? "accepted" : applied.error().message();
}

TEST(OverridesTest, WhatIsGivenReplacesTheDefinitions) {
  Result<TaskOverrides> overrides = Parse(R"({
    "cpu": "1 vCPU", "memory": "2 GB", "taskRoleArn": "arn:aws:iam::123456789012:role/r",
    "containerOverrides": [{"name": "web", "command": ["new", "x"], "memory": 200, "cpu": 64,
      "environment": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}]})");
  ASSERT_TRUE(overrides.ok()) << overrides.error().message();
  Result<TaskDefinition> applied = ApplyOverrides(Web(), overrides.value());
  ASSERT_TRUE(applied.ok()) << applied.error().message();
  const ContainerDefinition& web = applied.value().containers.front();
  EXPECT_THAT(web.command, ElementsAre("new", "x"));
  EXPECT_EQ(web.memory, Bytes::MiB(200));
  EXPECT_EQ(web.cpu, 64);
  EXPECT_THAT(web.environment,
              ElementsAre(KeyValue{"A", "1"}, KeyValue{"B", "3"}, KeyValue{"C", "4"}));
  EXPECT_EQ(applied.value().cpu, CpuUnits(1024));
  EXPECT_EQ(applied.value().memory, Bytes::GiB(2));
  EXPECT_EQ(applied.value().task_role_arn, "arn:aws:iam::123456789012:role/r");
}

TEST(OverridesTest, NothingGivenChangesNothing) {
  EXPECT_EQ(ApplyOverrides(Web(), Parse("{}").value()).value(), Web());
}

TEST(OverridesTest, WhatTheDefinitionsRulesRefuseIsRefused) {
  EXPECT_EQ(Refusal(R"({"containerOverrides": [{"name": "db"}]})"),
            "Override for container named db is not a container in the TaskDefinition.");
  EXPECT_THAT(Refusal(R"({"cpu": "4096"})"), HasSubstr("No Fargate configuration exists"));
  EXPECT_THAT(Refusal(R"({"containerOverrides": [{"name": "web", "memory": 600}]})"),
              HasSubstr("the containers ask for 600 MiB, the task has 512"));
  EXPECT_THAT(Refusal(R"({"containerOverrides": [{"name": "web", "memory": -1}]})"),
              HasSubstr("-1 is no amount of MiB"));
}

TEST(OverridesTest, WhatCannotBeCarriedOutIsRefusedByName) {
  EXPECT_EQ(Refusal(R"({"containerOverrides": [{"name": "web", "environmentFiles": [{}]}]})"),
            "overrides.containerOverrides[0].environmentFiles: is not offered by this version");
  EXPECT_EQ(Refusal(R"({"surprise": 1})"), "overrides.surprise: unknown member");
  EXPECT_THAT(Refusal(R"({"containerOverrides": [{"name": "web", "command": "ls"}]})"),
              HasSubstr("overrides.containerOverrides[0].command: expected array"));
  std::string large = R"({"containerOverrides": [{"name": "web", "command": [")" +
                      std::string(kMaxOverridesBytes, 'x') + "\"]}]}";
  EXPECT_EQ(Refusal(large), "Container Overrides length must be at most 8192");
}

TEST(OverridesTest, TheyAreShownAsTheyWereGiven) {
  const char* kText =
      R"({"containerOverrides":[{"name":"web","command":["a\nb"],"environment":[{"name":"A","value":""}],"cpu":1}],"cpu":"512"})";
  EXPECT_EQ(EncodeOverrides(Parse(kText).value()), kText);
  EXPECT_EQ(EncodeOverrides({}), R"({"containerOverrides":[]})");
  EXPECT_EQ(EncodeOverrides(Parse(R"({"cpu":"512"})").value()),
            R"({"containerOverrides":[],"cpu":"512"})");
}

}  // namespace
}  // namespace skiff::runtime
