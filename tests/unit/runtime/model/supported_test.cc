#include "runtime/model/supported.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/runtime/model/samples.h"

namespace skiff::runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TaskDefinition SmallTask() {
  TaskDefinition task;
  task.family = "web";
  task.network_mode = NetworkMode::kAwsvpc;
  task.memory = Bytes::MiB(512);
  task.containers.resize(2);
  task.containers[0].name = "web";
  task.containers[1].name = "side";
  return task;
}

struct Outcome {
  std::string error;
  std::vector<std::string> warnings;
};

Outcome Check(const TaskDefinition& task) {
  Outcome outcome;
  Result<> result = CheckSupported(task, &outcome.warnings, "X86_64");
  if (!result.ok()) {
    EXPECT_EQ(result.error().code(), Code::kUnavailable);
    outcome.error = result.error().message();
  }
  return outcome;
}

TEST(SupportedTest, TheEverydayTaskIsSupported) {
  Outcome outcome = Check(ParseTaskDefinition(kFargateWeb, "x").value().definition);
  EXPECT_EQ(outcome.error, "");
  EXPECT_THAT(outcome.warnings,
              ElementsAre("executionRoleArn: not needed: images and logs are this host's own",
                          "containerDefinitions[0].logConfiguration.logDriver: awslogs is kept on "
                          "this host and sent nowhere"));
  EXPECT_THAT(Check(ParseTaskDefinition(kDescribed, "x").value().definition).warnings, IsEmpty());
}

// What a case may change; `container` is the second.
struct Parts {
  TaskDefinition& task;
  ContainerDefinition& container;
};

struct Case {
  std::string error;
  std::function<void(Parts)> change;
};

// One row for each thing that this version cannot do: a feature that arrives changes its row.
TEST(SupportedTest, WhatCannotBeDoneYetIsRefusedByName) {
  std::string c = "containerDefinitions[1].";
  std::string no = ": not supported yet";
  std::vector<Case> cases = {
      {c + "repositoryCredentials" + no,
       [](Parts p) { p.container.repository_credentials.emplace(); }}  // namespace
      ,
      {
          c + "links" + no,
          [](Parts p) { p.container.links = {"web"}; }  // namespace skiff::runtime
      },
      {c + "restartPolicy" + no,
       [](Parts p) { p.container.restart_policy.emplace().enabled = true; }},
      {c + "environmentFiles" + no, [](Parts p) { p.container.environment_files.resize(1); }},
      {c + "mountPoints" + no, [](Parts p) { p.container.mount_points.resize(1); }},
      {c + "volumesFrom" + no, [](Parts p) { p.container.volumes_from.resize(1); }},
      {c + "secrets" + no, [](Parts p) { p.container.secrets.resize(1); }},
      {c + "dependsOn: condition HEALTHY is not supported yet",
       [](Parts p) {
         p.container.depends_on = {{"web", DependencyCondition::kHealthy}};
       }},
      {c + "disableNetworking" + no, [](Parts p) { p.container.disable_networking = true; }},
      {c + "privileged" + no, [](Parts p) { p.container.privileged = true; }},
      {c + "dnsServers" + no, [](Parts p) { p.container.dns_servers = {"10.0.0.2"}; }},
      {c + "dnsSearchDomains" + no, [](Parts p) { p.container.dns_search_domains = {"x"}; }},
      {c + "extraHosts" + no, [](Parts p) { p.container.extra_hosts.resize(1); }},
      {c + "dockerSecurityOptions: only no-new-privileges, no-new-privileges:true and "
           "no-new-privileges:false are supported",
       [](Parts p) { p.container.docker_security_options = {"x"}; }},
      {c + "pseudoTerminal" + no, [](Parts p) { p.container.pseudo_terminal = true; }},
      {c + "healthCheck" + no, [](Parts p) { p.container.health_check.emplace(); }},
      {c + "systemControls" + no, [](Parts p) { p.container.system_controls.resize(1); }},
      {c + "resourceRequirements" + no,
       [](Parts p) { p.container.resource_requirements.resize(1); }},
      {c + "firelensConfiguration" + no,
       [](Parts p) { p.container.firelens_configuration.emplace(); }},
      {c + "credentialSpecs" + no, [](Parts p) { p.container.credential_specs = {"x"}; }},
      {c + "linuxParameters.devices" + no,
       [](Parts p) { p.container.linux_parameters.emplace().devices.resize(1); }},
      {c + "linuxParameters.initProcessEnabled" + no,
       [](Parts p) { p.container.linux_parameters.emplace().init_process_enabled = true; }},
      {c + "linuxParameters.sharedMemorySize" + no,
       [](Parts p) { p.container.linux_parameters.emplace().shared_memory_size = Bytes::MiB(64); }},
      {c + "linuxParameters.tmpfs" + no,
       [](Parts p) { p.container.linux_parameters.emplace().tmpfs.resize(1); }},
      {c + "linuxParameters.maxSwap" + no,
       [](Parts p) { p.container.linux_parameters.emplace().max_swap_mib = 0; }},
      {c + "linuxParameters.swappiness" + no,
       [](Parts p) { p.container.linux_parameters.emplace().swappiness = 60; }},
      {c + "linuxParameters.capabilities.add: NET_ADMIN is not supported yet, only SYS_PTRACE is",
       [](Parts p) {
         p.container.linux_parameters.emplace().capabilities.emplace().add = {"NET_ADMIN"};
       }},
      {c + "logConfiguration.logDriver: splunk is not supported yet, only awslogs, json-file and "
           "none are",
       [](Parts p) { p.container.log_configuration.emplace().log_driver = "splunk"; }},
      {c + "logConfiguration.secretOptions" + no,
       [](Parts p) {
         p.container.log_configuration.emplace().log_driver = "json-file";
         p.container.log_configuration->secret_options.resize(1);
       }},
      {"networkMode: bridge is not supported: use awsvpc, host or none",
       [](Parts p) { p.task.network_mode = NetworkMode::kBridge; }},
      {"volumes" + no, [](Parts p) { p.task.volumes.resize(1); }},
      {"pidMode: only task is supported yet", [](Parts p) { p.task.pid_mode = "host"; }},
      {"ipcMode" + no, [](Parts p) { p.task.ipc_mode = "task"; }},
      {"proxyConfiguration" + no, [](Parts p) { p.task.proxy_configuration.emplace(); }},
      {"inferenceAccelerators" + no, [](Parts p) { p.task.inference_accelerators.resize(1); }},
      {"enableFaultInjection" + no, [](Parts p) { p.task.enable_fault_injection = true; }},
      {"runtimePlatform.cpuArchitecture: ARM64, but this host is X86_64",
       [](Parts p) {
         p.task.runtime_platform = RuntimePlatform{"ARM64", {}};
       }},
      {"runtimePlatform.operatingSystemFamily: WINDOWS_SERVER_2022_CORE cannot run on Linux",
       [](Parts p) {
         p.task.runtime_platform = RuntimePlatform{{}, "WINDOWS_SERVER_2022_CORE"};
       }},
  };
  for (const Case& row : cases) {
    TaskDefinition task = SmallTask();
    row.change({task, task.containers[1]});
    EXPECT_EQ(Check(task).error, row.error);
  }
}

TEST(SupportedTest, WhatHasNoEffectIsKeptWithAWarning) {
  std::vector<Case> cases = {
      {"containerDefinitions[1].interactive: not supported yet: standard input is empty",
       [](Parts p) { p.container.interactive = true; }},
      {"containerDefinitions[1].logConfiguration.options.max-size: has no effect yet",
       [](Parts p) {
         p.container.log_configuration = LogConfiguration{"json-file", {{"max-size", "1m"}}, {}};
       }},
      {"placementConstraints: not evaluated: there is one host",
       [](Parts p) { p.task.placement_constraints.resize(1); }},
      {"taskRoleArn: no credentials are served to the task yet",
       [](Parts p) { p.task.task_role_arn = "role"; }},
  };
  for (const Case& row : cases) {
    TaskDefinition task = SmallTask();
    row.change({task, task.containers[1]});
    Outcome outcome = Check(task);
    EXPECT_EQ(outcome.error, "");
    EXPECT_THAT(outcome.warnings, ElementsAre(row.error));
  }
}

TEST(SupportedTest, SettingsThatAskForNothingAreSilent) {
  TaskDefinition task = SmallTask();
  task.enable_fault_injection = false;
  task.ipc_mode = "none";
  task.runtime_platform = RuntimePlatform{"X86_64", "LINUX"};
  task.tags = {{"a", "b"}};
  ContainerDefinition& container = task.containers[0];
  container.privileged = false;
  container.restart_policy.emplace();
  container.docker_labels = {{"a", "b"}};
  container.linux_parameters.emplace().init_process_enabled = false;
  container.linux_parameters->capabilities = KernelCapabilities{{"SYS_PTRACE"}, {"ALL"}};
  Outcome outcome = Check(task);
  EXPECT_EQ(outcome.error, "");
  EXPECT_THAT(outcome.warnings, IsEmpty());
}

TEST(SupportedTest, PortsForABridgeThatIsNotThereAreRefused) {
  TaskDefinition task = SmallTask();
  task.network_mode = std::nullopt;
  task.containers[0].port_mappings.resize(1);
  task.containers[0].port_mappings[0].container_port = 80;
  task.containers[0].port_mappings[0].host_port = 8080;
  std::vector<std::string> warnings;
  EXPECT_EQ(CheckSupported(task, &warnings).error().message(),
            "containerDefinitions[0].portMappings[0].hostPort: When networkMode=awsvpc, the host "
            "ports and container ports in port mappings must match.");
}

}  // namespace
}  // namespace skiff::runtime
