#include "runtime/model/task_definition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/model/limits.h"
#include "tests/unit/runtime/model/samples.h"

namespace skiff::runtime {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string ErrorOf(std::string_view json) {
  Result<ParsedTaskDefinition> parsed = ParseTaskDefinition(json, "web.json");
  if (parsed.ok()) return "";
  EXPECT_EQ(parsed.error().code(), Code::kInvalid);
  return parsed.error().message();
}

// Drops what JSON does not mind: blanks and newlines outside of strings.
std::string Minify(std::string_view json) {
  std::string minified;
  bool in_string = false;
  for (char c : json) {
    if (c == '"') in_string = !in_string;
    if (in_string || (c != ' ' && c != '\n')) minified += c;
  }
  return minified;
}

TEST(TaskDefinitionTest, EveryMemberOfTheApiIsKnownAndComesBackAsItWas) {
  ParsedTaskDefinition parsed = ParseTaskDefinition(kEveryMember, "x").value();
  EXPECT_THAT(parsed.warnings, IsEmpty());
  EXPECT_EQ(EncodeTaskDefinition(parsed.definition), Minify(kEveryMember));
}

TEST(TaskDefinitionTest, EncodingAndParsingAgainGivesAnEqualDefinition) {
  for (std::string_view sample : {kEveryMember, kFargateWeb, kDescribed}) {
    TaskDefinition first = ParseTaskDefinition(sample, "x").value().definition;
    EXPECT_EQ(ParseTaskDefinition(EncodeTaskDefinition(first), "x").value().definition, first);
  }
}

TEST(TaskDefinitionTest, ValuesArriveInTheirTypes) {
  TaskDefinition task = ParseTaskDefinition(kFargateWeb, "x").value().definition;
  EXPECT_EQ(task.family, "web");
  EXPECT_EQ(task.network_mode, NetworkMode::kAwsvpc);
  EXPECT_EQ(task.cpu, CpuUnits(256));
  EXPECT_EQ(task.memory, Bytes::MiB(512));
  ASSERT_EQ(task.containers.size(), 2u);
  const ContainerDefinition& nginx = task.containers[0];
  EXPECT_TRUE(nginx.essential);
  EXPECT_EQ(nginx.port_mappings.at(0).container_port, 80);
  EXPECT_EQ(nginx.port_mappings.at(0).protocol, Protocol::kTcp);
  EXPECT_EQ(nginx.stop_timeout, seconds(10));
  EXPECT_FALSE(nginx.readonly_root_filesystem);
  EXPECT_TRUE(nginx.readonly_root_filesystem.is_given());
  EXPECT_FALSE(nginx.privileged.is_given());
  EXPECT_EQ(nginx.log_configuration->options.at("awslogs-group"), "/ecs/web");
  const ContainerDefinition& client = task.containers[1];
  EXPECT_FALSE(client.essential);
  EXPECT_EQ(client.memory, Bytes::MiB(128));
  EXPECT_EQ(client.environment.at(1), (KeyValue{"EMPTY", ""}));
  EXPECT_EQ(client.depends_on.at(0), (DependsOn{"nginx", DependencyCondition::kStart}));
}

TEST(TaskDefinitionTest, OutputOfDescribeTaskDefinitionIsAcceptedWithoutAWord) {
  ParsedTaskDefinition parsed = ParseTaskDefinition(kDescribed, "x").value();
  EXPECT_THAT(parsed.warnings, IsEmpty());
  EXPECT_EQ(parsed.definition.family, "batch");
  EXPECT_THAT(parsed.definition.tags, ElementsAre(Tag{"stage", "test"}));
}

TEST(TaskDefinitionTest, UnknownMembersAreIgnoredWithAWarning) {
  ParsedTaskDefinition parsed =
      ParseTaskDefinition(R"({"family":"f","famly":1,"containerDefinitions":[{"name":"a","foo":{}},
          {"portMappings":[{"containerport":80}]}],"runtimePlatform":{"os":"LINUX"}})",
                          "x")
          .value();
  EXPECT_THAT(
      parsed.warnings,
      ElementsAre("ignored unknown member containerDefinitions[0].foo",
                  "ignored unknown member containerDefinitions[1].portMappings[0].containerport",
                  "ignored unknown member runtimePlatform.os", "ignored unknown member famly"));
}

TEST(TaskDefinitionTest, WrongTypesNameTheFileAndThePath) {
  struct {
    std::string_view json;
    std::string_view error;
  } cases[] = {
      {"[]", "web.json: expected object, got array"},
      {"{", "web.json: not valid JSON: it ends too early"},
      {R"({"family":7})", "web.json: family: expected string, got integer"},
      {R"({"cpu":256})", "web.json: cpu: expected string, got integer"},
      {R"({"cpu":"much"})",
       "web.json: Invalid 'cpu' setting for task. For more information, see the Troubleshooting "
       "section of the Amazon ECS Developer Guide."},
      {R"({"containerDefinitions":{}})",
       "web.json: containerDefinitions: expected array, got object"},
      {R"({"containerDefinitions":["web"]})",
       "web.json: containerDefinitions[0]: expected object, got string"},
      {R"({"containerDefinitions":[{},{"memory":"512"}]})",
       "web.json: containerDefinitions[1].memory: expected integer, got string"},
      {R"({"containerDefinitions":[{"memory":-1}]})",
       "web.json: containerDefinitions[0].memory: -1 is not between 0 and 2147483648"},
      {R"({"containerDefinitions":[{"cpu":1.5}]})",
       "web.json: containerDefinitions[0].cpu: expected integer, got number"},
      {R"({"containerDefinitions":[{"essential":"yes"}]})",
       "web.json: containerDefinitions[0].essential: expected boolean, got string"},
      {R"({"containerDefinitions":[{"command":"sleep 1"}]})",
       "web.json: containerDefinitions[0].command: expected array, got string"},
      {R"({"containerDefinitions":[{"command":["a",1]}]})",
       "web.json: containerDefinitions[0].command[1]: expected string, got integer"},
      {R"({"containerDefinitions":[{"environment":{"A":"b"}}]})",
       "web.json: containerDefinitions[0].environment: expected array, got object"},
      {R"({"containerDefinitions":[{"dockerLabels":{"a":1}}]})",
       "web.json: containerDefinitions[0].dockerLabels.a: expected string, got integer"},
      {R"({"containerDefinitions":[{"portMappings":[{"containerPort":65536}]}]})",
       "web.json: containerDefinitions[0].portMappings[0].containerPort: 65536 is not between 0 "
       "and "
       "65535"},
      {R"({"containerDefinitions":[{"portMappings":[{"protocol":"sctp"}]}]})",
       "web.json: containerDefinitions[0].portMappings[0].protocol: \"sctp\" is none of tcp, udp"},
      {R"({"networkMode":"vpc"})",
       "web.json: networkMode: \"vpc\" is none of awsvpc, host, none, bridge"},
      {R"({"containerDefinitions":[{"dependsOn":[{"containerName":"a"}]}]})",
       "web.json: containerDefinitions[0].dependsOn[0].condition: missing"},
      {R"({"containerDefinitions":[{"command":["a\u0000b"]}]})",
       "web.json: containerDefinitions[0].command[0]: contains a NUL character"},
      {R"({"taskDefinition":{"family":7}})",
       "web.json: taskDefinition.family: expected string, got integer"},
      {R"({"taskDefinition":"web:1"})", "web.json: taskDefinition: expected object, got string"},
  };
  for (const auto& [json, error] : cases) EXPECT_EQ(ErrorOf(json), error) << json;
}

TEST(TaskDefinitionTest, HugeTextIsRefused) {
  EXPECT_THAT(ErrorOf(std::string(kMaxTaskDefinitionBytes + 1, ' ')), HasSubstr("longer than"));
}

TEST(TaskDefinitionTest, NullCountsAsAbsent) {
  ParsedTaskDefinition parsed =
      ParseTaskDefinition(R"({"cpu":null,"containerDefinitions":[{"essential":null}]})", "x")
          .value();
  EXPECT_FALSE(parsed.definition.cpu.has_value());
  EXPECT_TRUE(parsed.definition.containers[0].essential);
}

TEST(TaskDefinitionTest, WithoutANetworkModeATaskHasItsOwnNetwork) {
  EXPECT_EQ(EffectiveNetworkMode(TaskDefinition()), NetworkMode::kAwsvpc);
}

}  // namespace
}  // namespace skiff::runtime
