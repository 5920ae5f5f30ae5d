#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/runtime/api/ecs_test_service.h"

namespace skiff::runtime::api {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class RunTaskTest : public EcsTasksTest {
 protected:
  json Run(json input) {
    Result<std::string> answer = Try("RunTask", WithNetwork(std::move(input)).dump());
    EXPECT_TRUE(answer.ok()) << answer.error().message();
    return answer.ok() ? json::parse(answer.value()) : json::object();
  }
  std::string Refused(json input) {
    return Refusal("RunTask", WithNetwork(std::move(input)).dump());
  }
  static json WithNetwork(json input) {
    if (!input.contains("taskDefinition")) input["taskDefinition"] = "web";
    if (!input.contains("networkConfiguration")) {
      input["networkConfiguration"]["awsvpcConfiguration"]["subnets"] = {"subnet-default"};
    }
    return input;
  }
  static json Awsvpc(const char* inner) {
    json input;
    input["networkConfiguration"]["awsvpcConfiguration"] = json::parse(inner);
    return input;
  }
  size_t CountOf(const std::string& prefix) {
    return store_->Range({.prefix = prefix, .after = "", .limit = 1000}).value().size();
  }
};

TEST_F(RunTaskTest, ANewTaskIsShownWhole) {
  json answer = Run({{"startedBy", "me"}, {"launchType", "FARGATE"}});
  EXPECT_THAT(answer["failures"], IsEmpty());
  ASSERT_EQ(answer["tasks"].size(), 1U);
  json task = answer["tasks"][0];
  std::string arn = task["taskArn"];
  EXPECT_THAT(arn, StartsWith("arn:aws:ecs:us-east-1:123456789012:task/default/"));
  json expected = json::parse(R"({
    "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
    "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1",
    "lastStatus": "PROVISIONING", "desiredStatus": "RUNNING", "healthStatus": "UNKNOWN",
    "launchType": "FARGATE", "platformVersion": "1.4.0", "platformFamily": "Linux",
    "cpu": "256", "memory": "512", "group": "family:web", "startedBy": "me", "version": 1,
    "availabilityZone": "us-east-1a", "ephemeralStorage": {"sizeInGiB": 20},
    "enableExecuteCommand": false, "tags": [], "inferenceAccelerators": [],
    "overrides": {"containerOverrides": []},
    "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}]})");
  for (const auto& [name, value] : expected.items()) EXPECT_EQ(task[name], value) << name;
  EXPECT_FALSE(task.contains("containerInstanceArn"));
  EXPECT_TRUE(task["createdAt"].is_number_float());
  json eni = task["attachments"][0];
  EXPECT_EQ(eni["type"], "ElasticNetworkInterface");
  EXPECT_EQ(eni["status"], "PRECREATED");
  EXPECT_EQ(eni["details"], json::parse(R"([{"name": "subnetId", "value": "subnet-default"}])"));
  ASSERT_EQ(task["containers"].size(), 2U);
  json web = task["containers"][0];
  EXPECT_THAT(web["containerArn"].get<std::string>(),
              StartsWith("arn:aws:ecs:us-east-1:123456789012:container/default/" +
                         arn.substr(arn.size() - 32) + "/"));
  web.erase("containerArn");
  EXPECT_EQ(web, json({{"taskArn", arn},
                       {"name", "web"},
                       {"image", "nginx:1"},
                       {"lastStatus", "PENDING"},
                       {"healthStatus", "UNKNOWN"},
                       {"networkBindings", json::array()},
                       {"networkInterfaces", json::array()},
                       {"managedAgents", json::array()},
                       {"cpu", "128"},
                       {"memory", "256"}}));
  EXPECT_EQ(task["containers"][1]["memoryReservation"], "64");
  EXPECT_EQ(task["containers"][1]["cpu"], "0");
}

TEST_F(RunTaskTest, AFullHostAnswersFailuresForWhatDoesNotFit) {
  PutHost(600, 4096, 10);
  json answer = Run({{"count", 3}});
  EXPECT_EQ(answer["tasks"].size(), 2U);
  ASSERT_EQ(answer["failures"].size(), 1U);
  EXPECT_EQ(answer["failures"][0]["reason"], "RESOURCE:CPU");
  EXPECT_THAT(answer["failures"][0]["arn"].get<std::string>(),
              HasSubstr(":container-instance/default/ffff"));
  EXPECT_EQ(CountOf("active/"), 2U);
  PutHost(4096, 1100, 10);
  EXPECT_EQ(Run(json::object())["failures"][0]["reason"], "RESOURCE:MEMORY");
  PutHost(4096, 4096, 2);
  EXPECT_EQ(Run(json::object())["failures"][0]["reason"], "RESOURCE:ENI");
}

TEST_F(RunTaskTest, TheSameTokenStartsNothingTwice) {
  json first = Run({{"clientToken", "abc"}, {"count", 2}});
  json second = Run({{"count", 2}, {"clientToken", "abc"}});
  EXPECT_EQ(first, second);
  EXPECT_EQ(CountOf("tasks/"), 2U);
  std::string refusal = Refused({{"clientToken", "abc"}, {"count", 1}});
  EXPECT_THAT(refusal, StartsWith("ConflictException: "));
  EXPECT_THAT(refusal, HasSubstr(first["tasks"][1]["taskArn"].get<std::string>()));
  EXPECT_EQ(CountOf("tasks/"), 2U);
}

TEST_F(RunTaskTest, ARequestThatStartedNothingMayBeRepeatedWithItsToken) {
  PutHost(0, 0, 0);
  EXPECT_EQ(Run({{"clientToken", "abc"}})["failures"].size(), 1U);
  PutHost(1024, 4096, 3);
  EXPECT_EQ(Run({{"clientToken", "abc"}})["tasks"].size(), 1U);
}

TEST_F(RunTaskTest, EveryFormOfATaskDefinitionIsUnderstood) {
  PutDefinition(kWeb, 2);
  PutDefinition(kWeb, 3, TaskDefinitionRecord::Status::kInactive);
  auto used = [&](const char* form) {
    std::string arn = Run({{"taskDefinition", form}})["tasks"][0]["taskDefinitionArn"];
    return arn.substr(arn.rfind('/') + 1);
  };
  EXPECT_EQ(used("web"), "web:2");
  EXPECT_EQ(used("web:1"), "web:1");
  EXPECT_EQ(used("arn:aws:ecs:us-east-1:123456789012:task-definition/web:2"), "web:2");
  EXPECT_EQ(Refused({{"taskDefinition", "web:3"}}), "ClientException: TaskDefinition is inactive");
  EXPECT_EQ(Refused({{"taskDefinition", "api"}}), "ClientException: TaskDefinition not found.");
  EXPECT_EQ(Refused({{"taskDefinition", "web:9"}}), "ClientException: TaskDefinition not found.");
  const char* elsewhere = "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:1";
  EXPECT_THAT(Refused({{"taskDefinition", elsewhere}}),
              StartsWith("InvalidParameterException: Invalid arn syntax"));
}

TEST_F(RunTaskTest, ClustersAreFoundByNameAndArn) {
  PutCluster({.name = "gone", .is_active = false});
  const char* arn = "arn:aws:ecs:us-east-1:123456789012:cluster/default";
  EXPECT_EQ(Run({{"cluster", arn}})["tasks"].size(), 1U);
  EXPECT_EQ(Refused({{"cluster", "other"}}), "ClusterNotFoundException: Cluster not found.");
  EXPECT_EQ(Refused({{"cluster", "gone"}}),
            "ClusterNotFoundException: The referenced cluster was inactive.");
}

TEST_F(RunTaskTest, TagsComeFromTheRequestTheDefinitionAndEcs) {
  json task = Run(json::parse(R"({"tags": [{"key": "team", "value": "request"}],
    "propagateTags": "TASK_DEFINITION", "enableECSManagedTags": true})"))["tasks"][0];
  EXPECT_EQ(task["tags"], json::parse(R"([{"key": "team", "value": "request"},
    {"key": "only", "value": "definition"}, {"key": "aws:ecs:clusterName", "value": "default"}])"));
}

TEST_F(RunTaskTest, OverridesAreAppliedAndShown) {
  json overrides = json::parse(R"({"cpu": "512", "memory": "1024",
    "containerOverrides": [{"name": "web", "memory": 300}]})");
  json task = Run({{"overrides", overrides}})["tasks"][0];
  EXPECT_EQ(task["overrides"], overrides);
  EXPECT_EQ(task["cpu"], "512");
  EXPECT_EQ(task["memory"], "1024");
  EXPECT_EQ(task["containers"][0]["memory"], "300");
  json unknown = json::parse(R"({"overrides": {"containerOverrides": [{"name": "db"}]}})");
  EXPECT_EQ(Refused(unknown),
            "InvalidParameterException: Override for container named db is not a container in the "
            "TaskDefinition.");
}

TEST_F(RunTaskTest, ACapacityProviderStrategyIsSpreadByBaseAndWeight) {
  PutHost(10240, 40960, 30);
  json answer = Run(json::parse(R"({"count": 7, "capacityProviderStrategy": [
    {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
    {"capacityProvider": "FARGATE_SPOT", "weight": 2}]})"));
  int spot = 0;
  for (const json& task : answer["tasks"]) {
    EXPECT_EQ(task["launchType"], "FARGATE");
    spot += task["capacityProviderName"] == "FARGATE_SPOT" ? 1 : 0;
  }
  EXPECT_EQ(answer["tasks"].size(), 7U);
  EXPECT_EQ(spot, 4);
  json unknown = json::parse(R"({"capacityProviderStrategy": [{"capacityProvider": "mine"}]})");
  EXPECT_THAT(Refused(unknown), HasSubstr("not associated with the cluster: mine"));
  json both = json::parse(R"({"launchType": "FARGATE",
    "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]})");
  EXPECT_THAT(Refused(both), HasSubstr("Specifying both a launch type and capacity provider"));
}

TEST_F(RunTaskTest, TheEc2LaunchTypeNamesTheContainerInstance) {
  json task = Run({{"launchType", "EC2"}})["tasks"][0];
  EXPECT_EQ(task["containerInstanceArn"],
            "arn:aws:ecs:us-east-1:123456789012:container-instance/default/"
            "ffffffffffffffffffffffffffffffff");
  EXPECT_FALSE(task.contains("platformVersion"));
}

TEST_F(RunTaskTest, WrongNetworksAreRefused) {
  EXPECT_EQ(Refused({{"networkConfiguration", json::object()}}),
            "InvalidParameterException: Network Configuration must be provided when networkMode "
            "'awsvpc' is specified.");
  EXPECT_THAT(Refused(Awsvpc(R"({"subnets": []})")), HasSubstr("subnets can not be empty."));
  EXPECT_EQ(Refused(Awsvpc(R"({"subnets": ["subnet-1"]})")),
            "InvalidParameterException: Error retrieving subnet information for [subnet-1]: The "
            "subnet ID 'subnet-1' does not exist (ErrorCode: InvalidSubnetID.NotFound)");
  EXPECT_THAT(
      Refused(Awsvpc(R"({"subnets": ["subnet-default"], "securityGroups": ["sg-1"]})")),
      HasSubstr("The security group 'sg-1' does not exist (ErrorCode: InvalidGroup.NotFound)"));
  EXPECT_THAT(Refused(Awsvpc(R"({"subnets": ["subnet-default"], "assignPublicIp": "YES"})")),
              HasSubstr("assignPublicIp: \"YES\" is none of ENABLED, DISABLED"));
}

TEST_F(RunTaskTest, WrongRequestsAreRefusedAndLeaveNothing) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {R"({"count": 0})", "count: is not between 1 and 10"},
      {R"({"count": 11})", "count: is not between 1 and 10"},
      {R"({"count": "2"})", "count: expected integer, got string"},
      {R"({"launchType": "LAMBDA"})", "launchType: \"LAMBDA\" is none of EC2, FARGATE, EXTERNAL"},
      {R"({"launchType": "EXTERNAL"})", "No Container Instances were found in your cluster."},
      {R"({"launchType": "EC2", "platformVersion": "1.4.0"})", "version must be null"},
      {R"({"platformVersion": "9"})", "PlatformUnknownException: The specified platform does not"},
      {R"({"enableExecuteCommand": true})", "enableExecuteCommand: ECS Exec is not offered"},
      {R"({"volumeConfigurations": [{"name": "v"}]})", "volumeConfigurations: not offered"},
      {R"({"placementConstraints": [{}]})", "Placement constraints are not supported"},
      {R"({"placementStrategy": [{}]})", "Placement strategies are not supported"},
      {R"({"propagateTags": "SERVICE"})", "propagateTags: SERVICE is not valid"},
      {R"({"group": "service:web"})", "Invalid namespace for group."},
      {R"({"startedBy": "a b"})", "startedBy: has not up to 128"},
      {R"({"clientToken": "a b"})", "clientToken: has not up to 64"},
      {R"({"tags": [{"key": "aws:x"}]})", "tags[0].key: begins with \"aws:\""},
      {R"({"tags": [{"key": "a"}, {"key": "a"}]})", "tags[1].key: \"a\" is given twice"},
      {R"({"surprise": 1})", "surprise: unknown parameter"},
  };
  for (const auto& [input, words] : cases) {
    EXPECT_THAT(Refused(json::parse(input)), HasSubstr(words));
  }
  for (const char* prefix : {"tasks/", "active/", "client-tokens/", "task-index/"}) {
    EXPECT_EQ(CountOf(prefix), 0U) << prefix;
  }
}

TEST_F(RunTaskTest, ADefinitionThatFargateRefusesDoesNotRunThere) {
  PutDefinition(R"({"family": "host", "networkMode": "host", "memory": "64",
    "containerDefinitions": [{"name": "a", "image": "i", "memory": 64}]})",
                1);
  EXPECT_THAT(Refusal("RunTask", R"({"taskDefinition": "host", "launchType": "FARGATE"})"),
              StartsWith("InvalidParameterException: Task definition does not support "
                         "launch_type FARGATE"));
  json task = json::parse(Try("RunTask", R"({"taskDefinition": "host"})").value())["tasks"][0];
  EXPECT_EQ(task["launchType"], "EC2");
  EXPECT_EQ(task["attachments"], json::array());
  EXPECT_THAT(Refused({{"taskDefinition", "host"}}),
              HasSubstr("Network Configuration is not valid for the given networkMode"));
}

TEST_F(RunTaskTest, ADefinitionWithoutANetworkModeRunsInTheDefaultSubnet) {
  PutDefinition(R"({"family": "plain", "containerDefinitions": [
    {"name": "a", "image": "i", "memory": 64}]})",
                1);
  json answer = json::parse(Try("RunTask", R"({"taskDefinition": "plain"})").value());
  ASSERT_EQ(answer["tasks"].size(), 1U);
  EXPECT_EQ(answer["tasks"][0]["attachments"][0]["details"],
            json::parse(R"([{"name": "subnetId", "value": "subnet-default"}])"));
  EXPECT_THAT(Refused({{"taskDefinition", "web"}, {"networkConfiguration", json::object()}}),
              HasSubstr("Network Configuration must be provided"));
}

TEST_F(RunTaskTest, WhatCannotBeDoneHereIsRefusedByName) {
  PutDefinition(R"({"family": "gpu", "containerDefinitions": [
    {"name": "a", "image": "i", "memory": 64,
     "resourceRequirements": [{"type": "GPU", "value": "1"}]}]})",
                1);
  EXPECT_EQ(Refusal("RunTask", R"({"taskDefinition": "gpu"})"),
            "ClientException: containerDefinitions[0].resourceRequirements: not supported yet");
}

TEST_F(RunTaskTest, WithoutAHostTheClientMayTryAgain) {
  ASSERT_TRUE(store_->Commit({{"host", std::nullopt, {}}}, Durability::kStatus).ok());
  EXPECT_THAT(Refused(json::object()),
              StartsWith("ServerException: the host's agent has not reported yet"));
}

}  // namespace
}  // namespace skiff::runtime::api
