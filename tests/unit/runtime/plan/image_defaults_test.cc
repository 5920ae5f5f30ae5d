// What a container gets from its image's configuration, and what the definition puts in its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/plan/task_plan.h"

namespace skiff::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<TaskPlan> TryPlan(const std::string& members, const std::string& config) {
  std::string json = R"({"family": "f", "networkMode": "none", "containerDefinitions": [
      {"name": "c", "image": "i", "memory": 64)" +
                     members + "}]}";
  TaskDefinition definition = ParseTaskDefinition(json, "test").value().definition;
  PlanRequest request{.id = TaskId::Parse("0123456789abcdef0123456789abcdef").value()};
  std::string image = R"({"os":"linux","architecture":"amd64",
      "rootfs":{"type":"layers","diff_ids":[]},"config":)" +
                      config + "}";
  request.images["i"] = {"sha256:0", images::DecodeImageConfig(image, "image").value(), {"/layer"}};
  return MakePlan(definition, request);
}

ContainerPlan Plan(const std::string& members, const std::string& config) {
  return TryPlan(members, config).value().containers[0];
}

constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

TEST(ImageDefaultsTest, EnvironmentOfTheImageIsOverriddenByNameInItsPlace) {
  const std::string image = R"({"Cmd":["x"],"Env":["A=1","PATH=/bin","B=2","A=3","EMPTY="]})";
  EXPECT_THAT(Plan("", image).environment, ElementsAre("A=3", "PATH=/bin", "B=2", "EMPTY="));
  EXPECT_THAT(Plan(R"(,"environment":[{"name":"B","value":"own"},{"name":"C","value":"=="},
                   {"name":"PATH","value":"/own"}])",
                   image)
                  .environment,
              ElementsAre("A=3", "PATH=/own", "B=own", "EMPTY=", "C==="));
}

TEST(ImageDefaultsTest, APathIsThereWhenNobodyGivesOne) {
  EXPECT_THAT(Plan("", R"({"Cmd":["x"]})").environment, ElementsAre(kPath));
  EXPECT_THAT(Plan("", R"({"Cmd":["x"],"Env":["MYPATH=/x","PATHS=/y"]})").environment,
              ElementsAre("MYPATH=/x", "PATHS=/y", kPath));
}

// docker's table: entry point and command of either side.
TEST(ImageDefaultsTest, EntryPointAndCommandCombineAsDockerHasThem) {
  const std::string both = R"({"Entrypoint":["/entry","-e"],"Cmd":["serve","-c"]})";
  const std::string cmd = R"({"Cmd":["sh","-c","serve"]})";
  const std::string command = R"(,"command":["own","cmd"])";
  const std::string entry = R"(,"entryPoint":["/own","entry"])";
  auto words = [](const std::string& members, const std::string& config) {
    return Plan(members, config).arguments;
  };
  EXPECT_THAT(words("", both), ElementsAre("/entry", "-e", "serve", "-c"));
  EXPECT_THAT(words("", cmd), ElementsAre("sh", "-c", "serve"));
  EXPECT_THAT(words(command, both), ElementsAre("/entry", "-e", "own", "cmd"));
  EXPECT_THAT(words(command, cmd), ElementsAre("own", "cmd"));
  EXPECT_THAT(words(entry, both), ElementsAre("/own", "entry")) << "the image's Cmd is not for it";
  EXPECT_THAT(words(entry + command, both), ElementsAre("/own", "entry", "own", "cmd"));
  EXPECT_THAT(words(R"(,"entryPoint":[],"command":[])", both),
              ElementsAre("/entry", "-e", "serve", "-c"))
      << "empty lists are as good as none";
  EXPECT_THAT(words(R"(,"entryPoint":[""])" + command, both), ElementsAre("own", "cmd"))
      << "an empty word takes the image's away";
}

TEST(ImageDefaultsTest, AnImageWithoutCommandNeedsOne) {
  EXPECT_THAT(TryPlan("", "{}").error().message(), HasSubstr("container c: no command"));
  EXPECT_THAT(TryPlan("", "null").error().message(), HasSubstr("no command"));
  EXPECT_THAT(
      TryPlan(R"(,"entryPoint":[""])", R"({"Entrypoint":["x"],"Cmd":["y"]})").error().message(),
      HasSubstr("no command"));
}

// The shell form of a Dockerfile is in Entrypoint and Cmd already; a health check of an image is
// not ECS's (only the definition's counts); ArgsEscaped and OnBuild are not for Linux at run time.
TEST(ImageDefaultsTest, WhatIsForBuildersAndOtherPlatformsChangesNothing) {
  ContainerPlan plain = Plan("", R"({"Cmd":["x"]})");
  EXPECT_EQ(Plan("", R"({"Cmd":["x"],"Shell":["/bin/bash","-c"],"ArgsEscaped":true,
                     "Healthcheck":{"Test":["CMD","false"]},"OnBuild":["RUN false"],
                     "Hostname":"h","Domainname":"d","Tty":true,"OpenStdin":true,
                     "AttachStdin":true,"MacAddress":"","NetworkDisabled":true,
                     "Labels":{"a":"b"}})"),
            plain);
}

TEST(ImageDefaultsTest, UserAndDirectoryOfTheImageUnlessTheDefinitionSays) {
  const std::string image = R"({"Cmd":["x"],"User":"web:logs","WorkingDir":"/srv/app"})";
  ContainerPlan plan = Plan("", image);
  EXPECT_EQ(plan.user, "web:logs");
  EXPECT_EQ(plan.working_directory, "/srv/app");
  plan = Plan(R"(,"user":"7:8","workingDirectory":"/own")", image);
  EXPECT_EQ(plan.user, "7:8");
  EXPECT_EQ(plan.working_directory, "/own");
  EXPECT_EQ(Plan("", R"({"Cmd":["x"]})").working_directory, "/");
  EXPECT_EQ(Plan("", R"({"Cmd":["x"],"WorkingDir":"srv"})").working_directory, "/srv");
}

TEST(ImageDefaultsTest, StopSignalByNameOrNumber) {
  auto signal = [](const std::string& text) {
    return Plan("", R"({"Cmd":["x"],"StopSignal":")" + text + "\"}").stop_signal;
  };
  EXPECT_EQ(Plan("", R"({"Cmd":["x"]})").stop_signal, 15);
  EXPECT_EQ(signal(""), 15);
  EXPECT_EQ(signal("SIGQUIT"), 3);
  EXPECT_EQ(signal("quit"), 3);
  EXPECT_EQ(signal("9"), 9);
  EXPECT_EQ(signal("SIGWINCH"), 28);
  EXPECT_EQ(signal("SIGRTMIN"), 34);
  EXPECT_EQ(signal("SIGRTMIN+3"), 37);
  EXPECT_EQ(signal("RTMIN+30"), 64);
  EXPECT_EQ(signal("SIGRTMAX-1"), 63);
  EXPECT_EQ(signal("37"), 37);
  for (const char* odd : {"0", "65", "-1", "SIG", "SIGMOON", "SIGRTMIN+31", "SIGRTMIN-1",
                          "SIGRTMAX+1", "SIGRTMIN+", "15 ", "TERM,KILL"}) {
    Result<TaskPlan> plan =
        TryPlan("", R"({"Cmd":["x"],"StopSignal":")" + std::string(odd) + "\"}");
    ASSERT_FALSE(plan.ok()) << odd;
    EXPECT_THAT(plan.error().message(),
                HasSubstr("StopSignal '" + std::string(odd) + "' is no signal"));
  }
}

TEST(ImageDefaultsTest, ExposedPortsAreShownAndPublishNothing) {
  TaskPlan plan = TryPlan("", R"({"Cmd":["x"],"ExposedPorts":{"80/tcp":{},"53/udp":{}}})").value();
  EXPECT_THAT(plan.containers[0].exposed_ports, testing::UnorderedElementsAre("80/tcp", "53/udp"));
  EXPECT_THAT(plan.published_ports, IsEmpty());
  EXPECT_EQ(DecodePlan(EncodePlan(plan)).value().containers, plan.containers);
}

}  // namespace
}  // namespace skiff::runtime
