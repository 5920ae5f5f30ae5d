#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/runtime/model/samples.h"
#include "tests/unit/runtime/model/validate_cases.h"

namespace skiff::runtime {
namespace {

using std::chrono::seconds;

TEST(ValidateContainerTest, ProcessSettingsHaveTheirForms) {
  std::string web_path = "containerDefinitions[0]";
  std::vector<Case> cases = {
      {web_path + ".environment[1].name: is empty",
       [](Parts p) {
         p.web.environment = {{"A", "1"}, {"", "2"}};
       }},
      {web_path + ".environment[0].name: \"A=B\" contains \"=\"",
       [](Parts p) {
         p.web.environment = {{"A=B", "1"}};
       }},
      {web_path + ".workingDirectory: \"tmp\" is not absolute",
       [](Parts p) { p.web.working_directory = "tmp"; }},
      {web_path + ".startTimeout: 1 is not between 2 and 120",
       [](Parts p) { p.web.start_timeout = seconds(1); }},
      {web_path + ".stopTimeout: 121 is not between 2 and 120",
       [](Parts p) { p.web.stop_timeout = seconds(121); }},
      {"",
       [](Parts p) {
         p.web.stop_timeout = seconds(2);
         p.web.start_timeout = seconds(120);
       }},
      {web_path + ".restartPolicy.restartAttemptPeriod: 59 is not between 60 and 1800",
       [](Parts p) { p.web.restart_policy.emplace().restart_attempt_period = seconds(59); }},
      {web_path + ".versionConsistency: is none of enabled, disabled",
       [](Parts p) { p.web.version_consistency = "on"; }},
  };
  Check(cases, FargateTask());
}

TEST(ValidateContainerTest, UserIsANameOrNumberWithOrWithoutAGroup) {
  for (const char* user :
       {"nobody", "nobody:nogroup", "0", "1000:1000", "nobody:65534", "33:www-data"}) {
    TaskDefinition task = FargateTask();
    task.containers[0].user = user;
    std::vector<std::string> warnings;
    EXPECT_TRUE(ValidateTaskDefinition(task, &warnings).ok()) << user;
  }
  for (const char* user :
       {"", ":", "a:", ":b", "a:b:c", "a b", "4294967296", "4294967295", "0:-1 "}) {
    TaskDefinition task = FargateTask();
    task.containers[0].user = user;
    std::vector<std::string> warnings;
    Result<> result = ValidateTaskDefinition(task, &warnings);
    ASSERT_FALSE(result.ok()) << user;
    EXPECT_EQ(result.error().message(),
              "containerDefinitions[0].user: \"" + std::string(user) +
                  "\" is not a user or user:group, each a name or a number");
  }
}

TEST(ValidateContainerTest, UlimitsAreKnownOrderedAndGivenOnce) {
  std::string path = "containerDefinitions[0].ulimits";
  Check({{"",
          [](Parts p) {
            p.web.ulimits = {{"nofile", 1024, 4096}, {"core", 0, 0}};
          }},
         {"",
          [](Parts p) {
            p.web.ulimits = {{"memlock", -1, -1}, {"nproc", 5, -1}};
          }},
         {path + "[0].name: \"files\" is none of core, cpu, data, fsize, locks, memlock, msgqueue, "
                 "nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack",
          [](Parts p) {
            p.web.ulimits = {{"files", 1, 1}};
          }},
         {path + "[0]: nofile: the soft limit 2 is above the hard limit 1",
          [](Parts p) {
            p.web.ulimits = {{"nofile", 2, 1}};
          }},
         {path + "[0]: nofile: the soft limit -1 is above the hard limit 1",
          [](Parts p) {
            p.web.ulimits = {{"nofile", -1, 1}};
          }},
         {path + "[0]: nofile: a limit is at least 0, or -1 for none",
          [](Parts p) {
            p.web.ulimits = {{"nofile", -2, 1}};
          }},
         {path + "[1].name: \"nofile\" is given twice",
          [](Parts p) {
            p.web.ulimits = {{"nofile", 1, 1}, {"nofile", 1, 1}};
          }}},
        FargateTask());
}

TEST(ValidateContainerTest, HealthChecksStayInTheirRanges) {
  std::string path = "containerDefinitions[0].healthCheck";
  Check({{"",
          [](Parts p) {
            p.web.health_check = HealthCheck{{"CMD-SHELL", "true"}};
          }},
         {path + ".command: is empty", [](Parts p) { p.web.health_check.emplace(); }},
         {path + ".command: begins with \"true\", not CMD or CMD-SHELL",
          [](Parts p) { p.web.health_check = HealthCheck{{"true"}}; }},
         {path + ".command: CMD is followed by nothing",
          [](Parts p) { p.web.health_check = HealthCheck{{"CMD"}}; }},
         {path + ".interval: 4 is not between 5 and 300",
          [](Parts p) {
            p.web.health_check = HealthCheck{{"CMD", "x"}, seconds(4)};
          }},
         {path + ".timeout: 61 is not between 2 and 60",
          [](Parts p) {
            p.web.health_check = HealthCheck{{"CMD", "x"}, {}, seconds(61)};
          }},
         {path + ".retries: 11 is not between 1 and 10",
          [](Parts p) {
            p.web.health_check = HealthCheck{{"CMD", "x"}, {}, {}, 11};
          }},
         {path + ".startPeriod: 301 is not between 0 and 300",
          [](Parts p) {
            p.web.health_check = HealthCheck{{"CMD", "x"}, {}, {}, {}, seconds(301)};
          }}},
        FargateTask());
}

TEST(ValidateContainerTest, AwslogsNeedsItsOptions) {
  static const StringMap kRight = {
      {"awslogs-group", "g"}, {"awslogs-region", "r"}, {"awslogs-stream-prefix", "p"}};
  static auto with = [](StringMap options, const char* extra, const char* value) {
    if (value == nullptr) options.erase(extra);
    if (value != nullptr) options[extra] = value;
    return LogConfiguration{"awslogs", std::move(options), {}};
  };
  std::string path = "containerDefinitions[0].logConfiguration";
  Check(
      {{"", [](Parts p) { p.web.log_configuration = with(kRight, "mode", "non-blocking"); }},
       {"", [](Parts p) { p.web.log_configuration = with(kRight, "max-buffer-size", "25m"); }},
       {path + ".options: Log driver awslogs requires option 'awslogs-group'.",
        [](Parts p) { p.web.log_configuration = with(kRight, "awslogs-group", nullptr); }},
       {path + ".options: Log driver awslogs requires option 'awslogs-region'.",
        [](Parts p) { p.web.log_configuration = with(kRight, "awslogs-region", ""); }},
       {path + ".options: Log driver awslogs requires option 'awslogs-stream-prefix' on Fargate.",
        [](Parts p) { p.web.log_configuration = with(kRight, "awslogs-stream-prefix", nullptr); }},
       {path + ".options.mode: \"fast\" is none of blocking, non-blocking",
        [](Parts p) { p.web.log_configuration = with(kRight, "mode", "fast"); }},
       {path + ".options.max-buffer-size: \"big\" is no size such as 25m",
        [](Parts p) { p.web.log_configuration = with(kRight, "max-buffer-size", "big"); }},
       {path + ".options.awslogs-create-group: \"yes\" is no boolean",
        [](Parts p) { p.web.log_configuration = with(kRight, "awslogs-create-group", "yes"); }},
       {path + ".logDriver: \"loki\" is none of awslogs, json-file, none, awsfirelens, splunk, "
               "syslog, "
               "journald, gelf, fluentd",
        [](Parts p) {
          p.web.log_configuration = LogConfiguration{"loki", {}, {}};
        }}},
      FargateTask());
}

TEST(ValidateContainerTest, AwslogsWithoutAnExecutionRoleIsAWarning) {
  TaskDefinition task = ParseTaskDefinition(kFargateWeb, "x").value().definition;
  task.execution_role_arn = std::nullopt;
  std::vector<std::string> warnings;
  EXPECT_TRUE(ValidateTaskDefinition(task, &warnings).ok());
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_TRUE(warnings[0].starts_with("executionRoleArn: not given"));
}

TEST(ValidateContainerTest, LinuxParametersAreKnown) {
  std::string path = "containerDefinitions[0].linuxParameters";
  Check({{"",
          [](Parts p) {
            p.web.linux_parameters.emplace().capabilities =
                KernelCapabilities{{"SYS_PTRACE"}, {"ALL"}};
          }},
         {path + ".capabilities.drop[0]: \"CAP_CHOWN\" is no capability",
          [](Parts p) {
            p.web.linux_parameters.emplace().capabilities = KernelCapabilities{{}, {"CAP_CHOWN"}};
          }},
         {path + ".capabilities.add[0]: \"FLY\" is no capability",
          [](Parts p) {
            p.web.linux_parameters.emplace().capabilities = KernelCapabilities{{"FLY"}, {}};
          }},
         {path + ".devices[0].hostPath: is not absolute",
          [](Parts p) {
            p.web.linux_parameters.emplace().devices = {{"dev", {}, {}}};
          }},
         {path + ".devices[0].permissions: \"exec\" is none of read, write, mknod",
          [](Parts p) {
            p.web.linux_parameters.emplace().devices = {{"/dev/x", {}, {"exec"}}};
          }},
         {path + ".tmpfs[0].size: is not positive",
          [](Parts p) {
            p.web.linux_parameters.emplace().tmpfs = {{"/t", 0, {}}};
          }},
         {path + ".swappiness: 101 is not between 0 and 100",
          [](Parts p) { p.web.linux_parameters.emplace().swappiness = 101; }},
         {path + ".maxSwap: is less than -1",
          [](Parts p) { p.web.linux_parameters.emplace().max_swap_mib = -2; }}},
        Ec2Task());
}

}  // namespace
}  // namespace skiff::runtime
