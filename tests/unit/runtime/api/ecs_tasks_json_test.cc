#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/unit/runtime/api/ecs_test_service.h"

namespace skiff::runtime::api {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TasksTest : public EcsTasksTest {
 protected:
  json Ask(std::string_view operation, const json& input) {
    Result<std::string> answer = Try(operation, input.dump());
    EXPECT_TRUE(answer.ok()) << answer.error().message();
    return answer.ok() ? json::parse(answer.value()) : json::object();
  }
  std::string Start(json more = json::object()) {
    more["taskDefinition"] = "web";
    more["networkConfiguration"]["awsvpcConfiguration"]["subnets"] = {"subnet-default"};
    std::string arn = Ask("RunTask", more)["tasks"][0]["taskArn"];
    return arn.substr(arn.rfind('/') + 1);
  }
  json Describe(const std::string& id) {
    return Ask("DescribeTasks", {{"tasks", json::array({id})}})["tasks"][0];
  }
  json List(const json& input) { return Ask("ListTasks", input)["taskArns"]; }
  static std::string Arn(const std::string& id) {
    return "arn:aws:ecs:us-east-1:123456789012:task/default/" + id;
  }
  // Index entries without tasks behind them: as many as a test likes.
  void FillIndex(int count, const std::string& family) {
    std::vector<RecordWrite> writes;
    for (int i = 0; i < count; ++i) {
      char id[40];
      snprintf(id, sizeof id, "%032x", static_cast<unsigned>(i));
      writes.push_back({"task-index/default/STOPPED/" + std::string(id),
                        Encode(TaskIndexEntry{family, "", "", "FARGATE", "h"}),
                        {}});
    }
    ASSERT_TRUE(store_->Commit(writes, Durability::kStatus).ok());
  }
};

TEST_F(TasksTest, WhatTheAgentObservesIsShownAtOnce) {
  std::string id = Start();
  EXPECT_EQ(Describe(id)["lastStatus"], "PROVISIONING");
  Observe(id, [](Task& task) {
    task.last_status = TaskStatus::kRunning;
    task.connectivity_at = 1'700'000'000'123'456'789;
    task.attachments = {{"eni-1", "ATTACHED", "10.77.0.5", "02:00:00:00:00:05"}};
    task.containers[0].last_status = ContainerStatus::kRunning;
    task.containers[0].digest = "sha256:aa";
    task.containers[0].runtime_id = "r-1";
  });
  json task = Describe(id);
  EXPECT_EQ(task["lastStatus"], "RUNNING");
  EXPECT_EQ(task["version"], 2);
  EXPECT_EQ(task["connectivity"], "CONNECTED");
  EXPECT_DOUBLE_EQ(task["connectivityAt"].get<double>(), 1700000000.123);
  json eni = task["attachments"][0];
  EXPECT_EQ(eni["status"], "ATTACHED");
  std::map<std::string, std::string> details;
  for (const json& detail : eni["details"]) details[detail["name"]] = detail["value"];
  EXPECT_EQ(details,
            (std::map<std::string, std::string>{{"subnetId", "subnet-default"},
                                                {"networkInterfaceId", "eni-1"},
                                                {"macAddress", "02:00:00:00:00:05"},
                                                {"privateDnsName", "ip-10-77-0-5.ec2.internal"},
                                                {"privateIPv4Address", "10.77.0.5"}}));
  json web = task["containers"][0];
  EXPECT_EQ(web["imageDigest"], "sha256:aa");
  EXPECT_EQ(web["runtimeId"], "r-1");
  ASSERT_EQ(web["networkInterfaces"].size(), 1U);
  EXPECT_EQ(web["networkInterfaces"][0],
            json({{"attachmentId", eni["id"]}, {"privateIpv4Address", "10.77.0.5"}}));
}

TEST_F(TasksTest, AStopIsAskedForOnceAndMovesTheTaskInTheLists) {
  std::string id = Start();
  json task = Ask("StopTask", {{"task", Arn(id)}, {"reason", "enough"}})["task"];
  EXPECT_EQ(task["desiredStatus"], "STOPPED");
  EXPECT_EQ(task["lastStatus"], "PROVISIONING");
  EXPECT_EQ(task["stopCode"], "UserInitiated");
  EXPECT_EQ(task["stoppedReason"], "enough");
  EXPECT_EQ(task["version"], 2);
  json again = Ask("StopTask", {{"task", id}, {"reason", "other"}})["task"];
  EXPECT_EQ(again, task);
  EXPECT_EQ(List(json::object()), json::array());
  EXPECT_EQ(List({{"desiredStatus", "STOPPED"}}), json::array({Arn(id)}));
  EXPECT_EQ(Refusal("StopTask", R"({"task": "00000000000000000000000000000000"})"),
            "InvalidParameterException: The referenced task was not found.");
  EXPECT_EQ(Refusal("StopTask", "{}"), "InvalidParameterException: task: is required");
}

TEST_F(TasksTest, TheSupervisorsCauseIsTheFirstOne) {
  std::string id = Start();
  Observe(id, [](Task& task) {
    task.last_status = TaskStatus::kStopped;
    task.desired_status = DesiredStatus::kStopped;
    task.stop_code = StopCode::kEssentialContainerExited;
    task.stopped_reason = "Essential container in task exited";
    task.containers[0].exit_code = 3;
    task.stopped_at = 5'000'000'000;
  });
  json task = Ask("StopTask", {{"task", id}})["task"];
  EXPECT_EQ(task["stopCode"], "EssentialContainerExited");
  EXPECT_EQ(task["stoppedReason"], "Essential container in task exited");
  EXPECT_EQ(task["containers"][0]["exitCode"], 3);
  EXPECT_DOUBLE_EQ(task["stoppedAt"].get<double>(), 5.0);
  EXPECT_EQ(task["attachments"][0]["status"], "DELETED");
}

TEST_F(TasksTest, WhatIsMissingIsAFailure) {
  std::string id = Start(json::parse(R"({"tags": [{"key": "k", "value": "v"}]})"));
  std::string absent(32, 'a');
  json answer = Ask("DescribeTasks", {{"tasks", json::array({absent, Arn(id), "short"})},
                                      {"include", json::array({"TAGS"})}});
  ASSERT_EQ(answer["tasks"].size(), 1U);
  EXPECT_EQ(answer["tasks"][0]["tags"], json::parse(R"([{"key": "k", "value": "v"}])"));
  ASSERT_EQ(answer["failures"].size(), 2U);
  EXPECT_EQ(answer["failures"][0], json({{"arn", Arn(absent)}, {"reason", "MISSING"}}));
  EXPECT_EQ(answer["failures"][1], json({{"arn", Arn("short")}, {"reason", "MISSING"}}));
  EXPECT_EQ(Describe(id)["tags"], json::array());
  PutCluster({.name = "other"});
  json elsewhere = {{"cluster", "other"}, {"tasks", json::array({id})}};
  EXPECT_EQ(Ask("DescribeTasks", elsewhere)["failures"].size(), 1U);
}

TEST_F(TasksTest, WhatIsWrongIsAnError) {
  PutCluster({.name = "other"});
  json other = {{"cluster", "other"}, {"tasks", json::array({Arn(std::string(32, 'a'))})}};
  EXPECT_THAT(Refusal("DescribeTasks", other.dump()),
              HasSubstr("Identifier is for cluster default. Your cluster is other"));
  EXPECT_THAT(Refusal("DescribeTasks", R"({"tasks": ["arn:aws:ecs:eu-west-1:1:task/default/a"]})"),
              StartsWith("InvalidParameterException: Invalid identifier"));
  EXPECT_THAT(Refusal("DescribeTasks", R"({"tasks": []})"), HasSubstr("Tasks cannot be empty."));
  json many = {{"tasks", std::vector<std::string>(101, "a")}};
  EXPECT_THAT(Refusal("DescribeTasks", many.dump()), HasSubstr("more than 100"));
  EXPECT_THAT(Refusal("DescribeTasks", R"({"tasks": ["a"], "include": ["ALL"]})"),
              HasSubstr("include: \"ALL\""));
  json longer = {{"tasks", json::array({std::string(37, 'a')})}};
  EXPECT_THAT(Refusal("DescribeTasks", longer.dump()), HasSubstr("taskId longer than 36."));
}

TEST_F(TasksTest, ADamagedTaskIsSetAsideAndMissing) {
  std::string id = Start();
  Put("tasks/" + id, "garbage");
  EXPECT_EQ(Ask("DescribeTasks", {{"tasks", json::array({id})}})["failures"].size(), 1U);
  EXPECT_FALSE(store_->Get("tasks/" + id).value().has_value());
}

TEST_F(TasksTest, ListsAreFiltered) {
  std::string mine = Start({{"startedBy", "me"}, {"launchType", "EC2"}});
  std::string other = Start();
  EXPECT_EQ(List(json::object()).size(), 2U);
  EXPECT_EQ(List({{"startedBy", "me"}}), json::array({Arn(mine)}));
  EXPECT_EQ(List({{"launchType", "FARGATE"}}), json::array({Arn(other)}));
  EXPECT_EQ(List({{"family", "web"}}).size(), 2U);
  EXPECT_EQ(List({{"family", "we"}}).size(), 0U);
  EXPECT_EQ(List({{"containerInstance", std::string(32, 'f')}}).size(), 2U);
  EXPECT_EQ(List({{"desiredStatus", "PENDING"}}).size(), 0U);
  EXPECT_EQ(Refusal("ListTasks", R"({"serviceName": "s"})"),
            "ServiceNotFoundException: Service not found.");
  EXPECT_EQ(Refusal("ListTasks", R"({"nextToken": "x"})"),
            "InvalidParameterException: Invalid token x");
  EXPECT_THAT(Refusal("ListTasks", R"({"maxResults": 101})"),
              HasSubstr("maxResults: is not between 1 and 100"));
  EXPECT_THAT(Refusal("ListTasks", R"({"desiredStatus": "GONE"})"),
              HasSubstr("desiredStatus: \"GONE\""));
}

TEST_F(TasksTest, PagesMeetWithoutGapOrRepetition) {
  FillIndex(250, "batch");
  std::set<std::string> seen;
  std::vector<size_t> sizes;
  json input = {{"desiredStatus", "STOPPED"}};
  for (int i = 0; i < 10; ++i) {
    json page = Ask("ListTasks", input);
    sizes.push_back(page["taskArns"].size());
    for (const json& arn : page["taskArns"]) EXPECT_TRUE(seen.insert(arn).second);
    if (!page.contains("nextToken")) break;
    input["nextToken"] = page["nextToken"];
  }
  EXPECT_EQ(sizes, (std::vector<size_t>{100, 100, 50}));
}

TEST_F(TasksTest, APageThatFindsNothingEndsAfterAWhileAndGoesOn) {
  FillIndex(1500, "batch");
  Put("task-index/default/STOPPED/" + std::string(32, 'f'),
      Encode(TaskIndexEntry{"rare", "", "", "FARGATE", "h"}));
  json input = {{"desiredStatus", "STOPPED"}, {"family", "rare"}};
  json first = Ask("ListTasks", input);
  EXPECT_EQ(first["taskArns"].size(), 0U);
  ASSERT_TRUE(first.contains("nextToken"));
  input["nextToken"] = first["nextToken"];
  json second = Ask("ListTasks", input);
  EXPECT_EQ(second["taskArns"], json::array({Arn(std::string(32, 'f'))}));
  EXPECT_FALSE(second.contains("nextToken"));
}

TEST_F(TasksTest, ProtectionIsSetShownAndTakenAway) {
  std::string id = Start();
  json set = Ask("UpdateTaskProtection", {{"cluster", "default"},
                                          {"tasks", json::array({id, std::string(32, 'a')})},
                                          {"protectionEnabled", true}});
  EXPECT_EQ(set["protectedTasks"][0]["protectionEnabled"], true);
  EXPECT_EQ(set["failures"][0]["reason"], "MISSING");
  json shown = Ask("GetTaskProtection", {{"tasks", json::array({id})}});
  EXPECT_EQ(shown["protectedTasks"], set["protectedTasks"]);
  EXPECT_TRUE(shown["protectedTasks"][0]["expirationDate"].is_number_float());
  json off = {{"tasks", json::array({id})}, {"protectionEnabled", false}};
  EXPECT_EQ(Ask("UpdateTaskProtection", off)["protectedTasks"][0],
            json({{"taskArn", Arn(id)}, {"protectionEnabled", false}}));
  EXPECT_THAT(Refusal("UpdateTaskProtection",
                      R"({"tasks": ["a"], "protectionEnabled": true, "expiresInMinutes": 2881})"),
              HasSubstr("expiresInMinutes: is not between 1 and 2880"));
  Ask("StopTask", {{"task", id}});
  EXPECT_EQ(Ask("UpdateTaskProtection", off)["failures"][0]["reason"], "TASK_NOT_VALID");
}

}  // namespace
}  // namespace skiff::runtime::api
