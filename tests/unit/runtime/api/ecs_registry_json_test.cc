#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "isolation/base/clock.h"
#include "runtime/api/ecs_registry.h"
#include "tests/unit/runtime/api/ecs_test_service.h"

namespace skiff::runtime::api {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kArn = "arn:aws:ecs:us-east-1:123456789012:";

class RegistryTest : public EcsTasksTest {
 protected:
  RegistryTest() : registry_(*store_, ControlSettings()) { registry_.AddTo(table_); }
  json Ask(std::string_view operation, const json& input = json::object()) {
    Result<std::string> answer = Try(operation, input.dump());
    EXPECT_TRUE(answer.ok()) << operation << ": " << answer.error().message();
    return answer.ok() ? json::parse(answer.value()) : json::object();
  }
  // "Kind: message"
  std::string Refusal(std::string_view operation, const json& input) {
    Result<std::string> answer = Try(operation, input.dump());
    if (answer.ok()) return "accepted: " + answer.value();
    return std::string(answer.error().kind()) + ": " + answer.error().message();
  }
  json Web() const { return json::parse(kWeb); }

  EcsRegistry registry_;
};

TEST_F(RegistryTest, ClusterIsMadeOnceListedAndDeleted) {
  json made =
      Ask("CreateCluster", {{"clusterName", "a"}, {"tags", {{{"key", "k"}, {"value", "v"}}}}});
  EXPECT_EQ(made["cluster"]["clusterArn"], std::string(kArn) + "cluster/a");
  EXPECT_EQ(made["cluster"]["status"], "ACTIVE");
  EXPECT_EQ(Ask("CreateCluster", {{"clusterName", "a"}}), made) << "a second time is the same";
  EXPECT_EQ(Ask("ListClusters")["clusterArns"].size(), 2U);
  EXPECT_EQ(Ask("DeleteCluster", {{"cluster", "a"}})["cluster"]["status"], "INACTIVE");
  EXPECT_THAT(Refusal("DeleteCluster", {{"cluster", "a"}}), HasSubstr("ClusterNotFoundException"));
  EXPECT_EQ(Ask("ListClusters")["clusterArns"].size(), 1U);
}

TEST_F(RegistryTest, ClustersAreDescribedWithWhatWasAskedForAndFailures) {
  Ask("RunTask",
      {{"taskDefinition", "web"},
       {"networkConfiguration", {{"awsvpcConfiguration", {{"subnets", {"subnet-default"}}}}}}});
  json answer = Ask("DescribeClusters",
                    {{"clusters", {"default", "gone", "arn:aws:ecs:eu-west-1:1:cluster/default"}},
                     {"include", {"STATISTICS"}}});
  ASSERT_EQ(answer["clusters"].size(), 1U);
  EXPECT_EQ(answer["clusters"][0]["pendingTasksCount"], 1);
  EXPECT_EQ(answer["clusters"][0]["statistics"].size(), 8U);
  ASSERT_EQ(answer["failures"].size(), 2U);
  EXPECT_EQ(answer["failures"][0],
            json({{"arn", std::string(kArn) + "cluster/gone"}, {"reason", "MISSING"}}));
  EXPECT_THAT(Refusal("DeleteCluster", {{"cluster", "default"}}),
              HasSubstr("ClusterContainsTasksException: The Cluster cannot be deleted while Tasks "
                        "are active."));
}

TEST_F(RegistryTest, WhatAClusterCannotKeepIsRefused) {
  EXPECT_THAT(Refusal("CreateCluster", {{"clusterName", "a/b"}}),
              HasSubstr("InvalidParameterException"));
  EXPECT_THAT(Refusal("CreateCluster", {{"clusterName", "b"}, {"capacityProviders", {"MINE"}}}),
              HasSubstr("The specified capacity provider MINE was not found."));
}

TEST_F(RegistryTest, ADefinitionIsKeptWholeEvenIfItCannotRunHereYet) {
  json linked = Web();
  linked["containerDefinitions"][0]["links"] = {"log"};
  linked["family"] = "linked";
  linked["requiresCompatibilities"] = {"EC2"};
  linked["networkMode"] = "bridge";
  json kept = Ask("RegisterTaskDefinition", linked)["taskDefinition"];
  EXPECT_EQ(kept["containerDefinitions"][0]["links"], json({"log"}));
  EXPECT_EQ(kept["networkMode"], "bridge");
  EXPECT_THAT(Refusal("RunTask", {{"taskDefinition", "linked"}, {"launchType", "EC2"}}),
              HasSubstr("ClientException: networkMode: bridge is not supported"));
}

TEST_F(RegistryTest, ADeletedDefinitionGoesAfterAnHourUnlessATaskUsesIt) {
  constexpr int64_t kHour = 3'600'000'000'000;
  Ask("RunTask",
      {{"taskDefinition", "web"},
       {"networkConfiguration", {{"awsvpcConfiguration", {{"subnets", {"subnet-default"}}}}}}});
  PutDefinition(kWeb, 2);
  for (const char* name : {"web:1", "web:2"}) {
    Ask("DeregisterTaskDefinition", {{"taskDefinition", name}});
    Ask("DeleteTaskDefinitions", {{"taskDefinitions", {name}}});
  }
  auto deleted = [&] {
    return Ask("ListTaskDefinitions", {{"status", "DELETE_IN_PROGRESS"}})["taskDefinitionArns"];
  };
  ASSERT_TRUE(registry_.RemoveDeletedDefinitions(WallNanoseconds()).ok());
  EXPECT_EQ(deleted().size(), 2U);
  ASSERT_TRUE(registry_.RemoveDeletedDefinitions(WallNanoseconds() + kHour).ok());
  EXPECT_EQ(deleted(), json({std::string(kArn) + "task-definition/web:1"}));
}

TEST_F(RegistryTest, RevisionsCountUpAndAreNeverGivenTwice) {
  EXPECT_EQ(Ask("RegisterTaskDefinition",
                [&] {
                  json other = Web();
                  other["family"] = "other";
                  return other;
                }())["taskDefinition"]["taskDefinitionArn"],
            std::string(kArn) + "task-definition/other:1");
  json other = Web();
  other["family"] = "other";
  EXPECT_EQ(Ask("RegisterTaskDefinition", other)["taskDefinition"]["revision"], 2);
  json gone = Ask("DeregisterTaskDefinition", {{"taskDefinition", "other:2"}})["taskDefinition"];
  EXPECT_EQ(gone["status"], "INACTIVE");
  EXPECT_TRUE(gone["deregisteredAt"].is_number());
  EXPECT_EQ(
      Ask("DescribeTaskDefinition", {{"taskDefinition", "other"}})["taskDefinition"]["revision"],
      1);
  EXPECT_EQ(
      Ask("DescribeTaskDefinition", {{"taskDefinition", "other:2"}})["taskDefinition"]["status"],
      "INACTIVE");
  EXPECT_EQ(Ask("RegisterTaskDefinition", other)["taskDefinition"]["revision"], 3);
}

TEST_F(RegistryTest, DefinitionIsShownAsTheServiceShowsIt) {
  json other = Web();
  other["family"] = "other";
  other["tags"] = {{{"key", "k"}, {"value", "v"}}};
  json shown = Ask("RegisterTaskDefinition", other)["taskDefinition"];
  EXPECT_EQ(shown["cpu"], "256");
  EXPECT_EQ(shown["memory"], "512");
  EXPECT_EQ(shown["compatibilities"], json({"EC2", "FARGATE"}));
  EXPECT_EQ(shown["status"], "ACTIVE");
  EXPECT_EQ(shown["containerDefinitions"][0]["essential"], true);
  EXPECT_EQ(shown["containerDefinitions"][0]["environment"], json::array());
  EXPECT_FALSE(shown.contains("tags"));
  json described =
      Ask("DescribeTaskDefinition", {{"taskDefinition", "other:1"}, {"include", {"TAGS"}}});
  EXPECT_EQ(described["tags"], other["tags"]);
}

TEST_F(RegistryTest, DefinitionsThatCannotRunAreRefusedByName) {
  json web = Web();
  web["containerDefinitions"][0]["memory"] = "lots";
  EXPECT_THAT(Refusal("RegisterTaskDefinition", web),
              HasSubstr("WrongJsonType: containerDefinitions[0].memory: expected integer"));
  web = Web();
  web["cpu"] = "300";
  EXPECT_THAT(Refusal("RegisterTaskDefinition", web),
              HasSubstr("No Fargate configuration exists for given values"));
}

TEST_F(RegistryTest, RefusalsAreEcsOwnSentences) {
  json web = Web();
  web["containerDefinitions"] = json::array();
  EXPECT_EQ(Refusal("RegisterTaskDefinition", web),
            "ClientException: Container list cannot be empty.");
  web = Web();
  web["family"] = "";
  EXPECT_EQ(Refusal("RegisterTaskDefinition", web),
            "ClientException: Family should not be null or empty.");
  for (const char* gone : {"gone", "gone:1"}) {
    EXPECT_EQ(Refusal("DescribeTaskDefinition", {{"taskDefinition", gone}}),
              "ClientException: Unable to describe task definition.");
  }
  EXPECT_EQ(Refusal("DeregisterTaskDefinition", {{"taskDefinition", "gone"}}),
            "ClientException: Revision is missing.");
  EXPECT_EQ(Refusal("DeregisterTaskDefinition", {{"taskDefinition", "gone:1"}}),
            "ClientException: The specified task definition does not exist.");
}

TEST_F(RegistryTest, ListsComeInPagesBothWays) {
  json web = Web();
  web["family"] = "pages";
  for (int i = 0; i < 5; ++i) Ask("RegisterTaskDefinition", web);
  json input = {{"familyPrefix", "pages"}, {"maxResults", 2}, {"sort", "DESC"}};
  std::string seen;
  for (int page = 0; page < 3; ++page) {
    json answer = Ask("ListTaskDefinitions", input);
    for (const std::string arn : answer["taskDefinitionArns"]) seen += arn.back();
    if (page < 2) input["nextToken"] = answer["nextToken"];
    EXPECT_EQ(answer.contains("nextToken"), page < 2);
  }
  EXPECT_EQ(seen, "54321");
  input["nextToken"] = "nonsense";
  EXPECT_THAT(Refusal("ListTaskDefinitions", input), HasSubstr("InvalidParameterException"));
  EXPECT_THAT(Refusal("ListTaskDefinitions", {{"maxResults", 101}}), HasSubstr("maxResults"));
  json families = Ask("ListTaskDefinitionFamilies", {{"maxResults", 1}});
  EXPECT_EQ(families["families"], json({"pages"}));
  EXPECT_EQ(Ask("ListTaskDefinitionFamilies", {{"nextToken", families["nextToken"]}})["families"],
            json({"web"}));
}

TEST_F(RegistryTest, EverythingWithAnArnHasTags) {
  json run =
      Ask("RunTask",
          {{"taskDefinition", "web"},
           {"networkConfiguration", {{"awsvpcConfiguration", {{"subnets", {"subnet-default"}}}}}}});
  for (const std::string& arn :
       {std::string(kArn) + "cluster/default", std::string(kArn) + "task-definition/web:1",
        run["tasks"][0]["taskArn"].get<std::string>()}) {
    Ask("TagResource", {{"resourceArn", arn}, {"tags", {{{"key", "a"}, {"value", "1"}}}}});
    Ask("TagResource", {{"resourceArn", arn}, {"tags", {{{"key", "a"}, {"value", "2"}}}}});
    json tags = Ask("ListTagsForResource", {{"resourceArn", arn}})["tags"];
    EXPECT_EQ(tags.back(), json({{"key", "a"}, {"value", "2"}})) << arn;
    Ask("UntagResource", {{"resourceArn", arn}, {"tagKeys", {"a"}}});
    EXPECT_EQ(Ask("ListTagsForResource", {{"resourceArn", arn}})["tags"].size(), tags.size() - 1);
  }
  EXPECT_THAT(Refusal("ListTagsForResource", {{"resourceArn", std::string(kArn) + "cluster/no"}}),
              HasSubstr("InvalidParameterException"));
  EXPECT_THAT(Refusal("TagResource", {{"resourceArn", std::string(kArn) + "cluster/default"},
                                      {"tags", {{{"key", "aws:x"}, {"value", ""}}}}}),
              HasSubstr("reserved"));
}

}  // namespace
}  // namespace skiff::runtime::api
