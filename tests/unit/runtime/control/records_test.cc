#include "runtime/control/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skiff::runtime {
namespace {

using ::testing::HasSubstr;

TEST(RecordsTest, ClustersSurviveTheStore) {
  ClusterRecord record{.name = "default",
                       .is_active = false,
                       .settings = {{"containerInsights", "enabled"}},
                       .configuration = R"({"a":"b"})",
                       .service_connect = "ns",
                       .capacity_providers = {"FARGATE", "FARGATE_SPOT"},
                       .default_strategy = {{"FARGATE", 1, 2}},
                       .tags = {{"k", ""}},
                       .created_at = 5};
  EXPECT_EQ(DecodeCluster(Encode(record)).value(), record);
}

TEST(RecordsTest, TaskDefinitionsSurviveTheStore) {
  TaskDefinitionRecord record;
  record.definition = ParseTaskDefinition(R"({"family": "web", "cpu": "1 vCPU", "memory": "2 GB",
    "containerDefinitions": [{"name": "a", "image": "i", "stopTimeout": 5}]})",
                                          "test")
                          .value()
                          .definition;
  record.revision = 4;
  record.status = TaskDefinitionRecord::Status::kDeleteInProgress;
  record.tags = {{"k", "v"}};
  record.registered_by = "arn:aws:iam::123456789012:user/dev";
  record.registered_at = 1;
  record.deregistered_at = 2;
  record.delete_requested_at = 3;
  EXPECT_EQ(DecodeTaskDefinition(Encode(record)).value(), record);
}

TEST(RecordsTest, HostsLogGroupsAndStreamsSurviveTheStore) {
  HostRecord host{"id", "name", 2048, 4096, 100, "X86_64", "6.1", "0.2", 7};
  EXPECT_EQ(DecodeHost(Encode(host)).value(), host);
  LogGroupRecord group{"/ecs/web", 30, {{"k", "v"}}, 9};
  EXPECT_EQ(DecodeLogGroup(Encode(group)).value(), group);
  LogStreamRecord stream{"/ecs/web", "a/b/c", LogStreamRecord::Source::kPut, "/d", 11};
  EXPECT_EQ(DecodeLogStream(Encode(stream)).value(), stream);
}

TEST(RecordsTest, AnotherSchemaAndDamageAreRefusedByName) {
  EXPECT_THAT(DecodeCluster(R"({"schema":2,"name":"a"})").error().message(),
              HasSubstr("cluster record: schema 2"));
  EXPECT_THAT(DecodeHost(R"({"schema":1})").error().message(), HasSubstr("host record: "));
  EXPECT_THAT(
      DecodeLogStream(R"({"schema":1,"group":"g","name":"n","source":"x"})").error().message(),
      HasSubstr("log stream record: source: unknown value \"x\""));
}

}  // namespace
}  // namespace skiff::runtime
