#include "runtime/model/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/runtime/model/samples.h"
#include "tests/unit/runtime/model/validate_cases.h"

namespace skiff::runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using enum DependencyCondition;

TEST(ValidateTest, RightDefinitionsAreAcceptedWithoutAWord) {
  for (std::string_view sample : {kFargateWeb, kDescribed}) {
    std::vector<std::string> warnings;
    TaskDefinition task = ParseTaskDefinition(sample, "x").value().definition;
    Result<> result = ValidateTaskDefinition(task, &warnings);
    EXPECT_TRUE(result.ok()) << result.error().message();
    EXPECT_THAT(warnings, IsEmpty());
  }
}

TEST(ValidateTest, FamilyAndContainersMustBeThere) {
  Check(
      {{"", [](Parts) {}}  // namespace
       ,
       {
           "family: Family should not be null or empty.",
           [](Parts p) { p.task.family = ""; }  // namespace skiff::runtime
       },
       {"family: \"a b\" is not 1 to 255 letters, digits, hyphens and underscores",
        [](Parts p) { p.task.family = "a b"; }},
       {"containerDefinitions: Container list cannot be empty.",
        [](Parts p) { p.task.containers.clear(); }},
       {"containerDefinitions: a task has at most 10 containers, not 11",
        [](Parts p) { p.task.containers.resize(11, Container("x")); }},
       {"containerDefinitions[1].name: the name \"web\" is used by two containers",
        [](Parts p) { p.side.name = "web"; }},
       {"containerDefinitions: no container is essential",
        [](Parts p) { p.web.essential = false; }},
       {"containerDefinitions[0]: Container.name should not be null or empty.",
        [](Parts p) { p.web.name = ""; }},
       {"containerDefinitions[1].name: \"../x\" is not 1 to 255 letters, digits, hyphens and "
        "underscores",
        [](Parts p) { p.side.name = "../x"; }},
       {"containerDefinitions[1]: Container.image should not be null or empty.",
        [](Parts p) { p.side.image = ""; }},
       {"containerDefinitions[0].image: \"busy box\" is no image name of 1 to 255 letters, digits "
        "and the characters _:./#@-",
        [](Parts p) { p.web.image = "busy box"; }},
       {"requiresCompatibilities[1]: \"LAMBDA\" is none of EC2, FARGATE, EXTERNAL, "
        "MANAGED_INSTANCES",
        [](Parts p) { p.task.requires_compatibilities.push_back("LAMBDA"); }}},
      FargateTask());
}

TEST(ValidateTest, FargateNeedsCpuMemoryAndItsOwnNetwork) {
  std::string network = "networkMode: Fargate only supports network mode 'awsvpc'.";
  Check({{network, [](Parts p) { p.task.network_mode = NetworkMode::kHost; }},
         {network, [](Parts p) { p.task.network_mode = NetworkMode::kBridge; }},
         {network, [](Parts p) { p.task.network_mode = std::nullopt; }},
         {"cpu: Fargate requires that 'cpu' be defined at the task level.",
          [](Parts p) { p.task.cpu = std::nullopt; }},
         {"memory: Fargate requires that 'memory' be defined at the task level.",
          [](Parts p) { p.task.memory = std::nullopt; }}},
        FargateTask());
}

TEST(ValidateTest, FargateSellsCertainPairsOfCpuAndMemoryOnly) {
  struct {
    int64_t cpu;
    uint64_t min, max, step;
  } rows[] = {{512, 1024, 4096, 1024},   {1024, 2048, 8192, 1024},   {2048, 4096, 16384, 1024},
              {4096, 8192, 30720, 1024}, {8192, 16384, 61440, 4096}, {16384, 32768, 122880, 8192}};
  auto accepts = [](int64_t cpu, uint64_t mib) {
    TaskDefinition task = FargateTask();
    task.cpu = CpuUnits(cpu);
    task.memory = Bytes::MiB(mib);
    std::vector<std::string> warnings;
    return ValidateTaskDefinition(task, &warnings).ok();
  };
  for (uint64_t mib = 256; mib <= 4096; mib += 256) {
    EXPECT_EQ(accepts(256, mib), mib == 512 || mib == 1024 || mib == 2048) << mib;
  }
  for (const auto& [cpu, min, max, step] : rows) {
    for (uint64_t mib = 512; mib <= 131072; mib += 512) {
      bool is_sold = mib >= min && mib <= max && (mib - min) % step == 0;
      ASSERT_EQ(accepts(cpu, mib), is_sold) << cpu << " with " << mib;
    }
  }
  EXPECT_FALSE(accepts(128, 512));
  EXPECT_FALSE(accepts(300, 512));
  Check({{"cpu 256 with memory 4096: No Fargate configuration exists for given values.",
          [](Parts p) { p.task.memory = Bytes::MiB(4096); }}},
        FargateTask());
}

TEST(ValidateTest, WhatFargateDoesNotHaveIsRefusedThereAndAcceptedElsewhere) {
  std::string no = "Fargate compatible task definitions do not support ";
  std::vector<Case> cases = {
      {"containerDefinitions[0].privileged: " + no + "privileged.",
       [](Parts p) { p.web.privileged = true; }},
      {"containerDefinitions[1].links: " + no + "links.", [](Parts p) { p.side.links = {"web"}; }},
      {"containerDefinitions[0].dnsServers: " + no + "dnsServers.",
       [](Parts p) { p.web.dns_servers = {"10.0.0.2"}; }},
      {"containerDefinitions[0].extraHosts: " + no + "extraHosts.",
       [](Parts p) {
         p.web.extra_hosts = {{"a", "10.0.0.1"}};
       }},
      {"containerDefinitions[0].disableNetworking: " + no + "disableNetworking.",
       [](Parts p) { p.web.disable_networking = true; }},
      {"containerDefinitions[0].resourceRequirements: " + no + "resourceRequirements.",
       [](Parts p) {
         p.web.resource_requirements = {{"GPU", "1"}};
       }},
      {"containerDefinitions[0].linuxParameters.tmpfs: " + no + "tmpfs.",
       [](Parts p) {
         p.web.linux_parameters.emplace().tmpfs = {{"/t", 64, {}}};
       }},
      {"containerDefinitions[0].linuxParameters.swappiness: " + no + "swappiness.",
       [](Parts p) { p.web.linux_parameters.emplace().swappiness = 10; }},
      {"containerDefinitions[0].linuxParameters.capabilities.add[0]: \"NET_ADMIN\": Fargate only "
       "supports adding SYS_PTRACE.",
       [](Parts p) {
         p.web.linux_parameters.emplace().capabilities.emplace().add = {"NET_ADMIN"};
       }},
      {"containerDefinitions[0].logConfiguration.logDriver: \"json-file\": Fargate only supports "
       "awsfirelens, awslogs, splunk",
       [](Parts p) { p.web.log_configuration.emplace().log_driver = "json-file"; }},
      {"placementConstraints: " + no + "placementConstraints.",
       [](Parts p) {
         p.task.placement_constraints = {{"memberOf", "x"}};
       }},
      {"ipcMode: " + no + "ipcMode.", [](Parts p) { p.task.ipc_mode = "none"; }},
      {"pidMode: Fargate only supports pidMode 'task'.", [](Parts p) { p.task.pid_mode = "host"; }},
      {"volumes[0].host.sourcePath: " + no + "sourcePath.",
       [](Parts p) {
         p.task.volumes.emplace_back().name = "v";
         p.task.volumes[0].host = HostVolume{"/srv"};
       }},
      {"volumes[0].dockerVolumeConfiguration: " + no + "dockerVolumeConfiguration.",
       [](Parts p) {
         p.task.volumes.emplace_back().name = "v";
         p.task.volumes[0].docker.emplace();
       }},
  };
  Check(cases, FargateTask());
  TaskDefinition ec2 = Ec2Task();
  for (Case& c : cases) c.error = "";
  Check(cases, ec2);
}

TEST(ValidateTest, WithoutFargateAnySizeWillDoButSomeMemoryMustBeNamed) {
  Check({{"",
          [](Parts p) {
            p.task.cpu = CpuUnits(300);
            p.task.memory = Bytes::MiB(700);
          }},
         {"", [](Parts p) { p.task.network_mode = NetworkMode::kHost; }},
         {"containerDefinitions[1]: Invalid setting for container 'side'. At least one of 'memory' "
          "or "
          "'memoryReservation' must be specified.",
          [](Parts p) {
            p.task.memory = std::nullopt;
            p.web.memory = Bytes::MiB(64);
          }},
         {"",
          [](Parts p) {
            p.task.memory = std::nullopt;
            p.web.memory = Bytes::MiB(64);
            p.side.memory_reservation = Bytes::MiB(64);
          }}},
        Ec2Task());
}

TEST(ValidateTest, ContainersFitIntoTheirTask) {
  Check({{"",
          [](Parts p) {
            p.web.cpu = 128;
            p.side.cpu = 128;
          }},
         {"cpu: the containers ask for 257 CPU units, the task has 256",
          [](Parts p) {
            p.web.cpu = 128;
            p.side.cpu = 129;
          }},
         {"containerDefinitions[1].cpu: -1 is not between 0 and 262144",
          [](Parts p) { p.side.cpu = -1; }},
         {"",
          [](Parts p) {
            p.web.memory = Bytes::MiB(256);
            p.side.memory = Bytes::MiB(256);
          }},
         {"memory: the containers ask for 513 MiB, the task has 512",
          [](Parts p) {
            p.web.memory = Bytes::MiB(256);
            p.side.memory_reservation = Bytes::MiB(257);
          }},
         {"containerDefinitions[0].memory: 5 MiB is less than the 6 MiB that a container needs",
          [](Parts p) { p.web.memory = Bytes::MiB(5); }},
         {"", [](Parts p) { p.web.memory = Bytes::MiB(6); }},
         {"containerDefinitions[0].memoryReservation: is 0",
          [](Parts p) { p.web.memory_reservation = Bytes(); }},
         {"containerDefinitions[0]: Invalid setting for container 'web'. 'memory' must be greater "
          "than 'memoryReservation'.",
          [](Parts p) { p.web.memory = p.web.memory_reservation = Bytes::MiB(64); }}},
        FargateTask());
}

PortMapping Port(uint16_t port) {
  PortMapping mapping;
  mapping.container_port = port;
  return mapping;
}

PortMapping Range(std::string range) {
  PortMapping mapping;
  mapping.container_port_range = std::move(range);
  return mapping;
}

TEST(ValidateTest, PortsOfOneNetworkMustNotClash) {
  std::string port = "containerDefinitions[0].portMappings[0]";
  Check(
      {{"",
        [](Parts p) {
          p.web.port_mappings = {Port(80)};
          p.side.port_mappings = {Port(81)};
        }},
       {"containerDefinitions[1].portMappings[0]: port 80/tcp is used by containers \"web\" and "
        "\"side\", which share the task's network",
        [](Parts p) {
          p.web.port_mappings = {Port(80)};
          p.side.port_mappings = {Port(80)};
        }},
       {"containerDefinitions[1].portMappings[0]: port 8005/tcp is used by containers \"web\" and "
        "\"side\", which share the task's network",
        [](Parts p) {
          p.web.port_mappings = {Range("8000-8010")};
          p.side.port_mappings = {Port(8005)};
        }},
       {"",
        [](Parts p) {
          p.web.port_mappings = {Port(53)};
          p.side.port_mappings = {Port(53)};
          p.side.port_mappings[0].protocol = Protocol::kUdp;
        }},
       {"containerDefinitions[0].portMappings[1]: port 80/tcp is mapped twice by container \"web\"",
        [](Parts p) {
          p.web.port_mappings = {Port(80), Port(80)};
        }},
       {port + ".containerPort: is not between 1 and 65535",
        [](Parts p) { p.web.port_mappings = {Port(0)}; }},
       {port + ".containerPort: is not between 1 and 65535",
        [](Parts p) { p.web.port_mappings = {PortMapping()}; }},
       {"",
        [](Parts p) {
          p.web.port_mappings = {Port(80)};
          p.web.port_mappings[0].host_port = 80;
        }},
       {"",
        [](Parts p) {
          p.web.port_mappings = {Port(80)};
          p.web.port_mappings[0].host_port = 0;
        }},
       {port + ".hostPort: When networkMode=awsvpc, the host ports and container ports in port "
               "mappings must match.",
        [](Parts p) {
          p.web.port_mappings = {Port(80)};
          p.web.port_mappings[0].host_port = 8080;
        }},
       {port + ".containerPortRange: \"80\" is no range such as 8000-8010",
        [](Parts p) { p.web.port_mappings = {Range("80")}; }},
       {port + ".containerPortRange: \"90-80\" is no range such as 8000-8010",
        [](Parts p) { p.web.port_mappings = {Range("90-80")}; }},
       {port + ".containerPortRange: \"1-2-3\" is no range such as 8000-8010",
        [](Parts p) { p.web.port_mappings = {Range("1-2-3")}; }},
       {port + ".appProtocol: \"ftp\" is none of http, http2, grpc",
        [](Parts p) {
          p.web.port_mappings = {Port(80)};
          p.web.port_mappings[0].app_protocol = "ftp";
        }},
       {port + ".name: \"a b\" is not 1 to 64 letters, digits, hyphens and underscores",
        [](Parts p) {
          p.web.port_mappings = {Port(80)};
          p.web.port_mappings[0].name = "a b";
        }}},
      FargateTask());
}

TEST(ValidateTest, NetworkModesDecideWhatPortsAndHostnamesMean) {
  Check({{"containerDefinitions[0].portMappings: networkMode none has no ports to map",
          [](Parts p) {
            p.task.network_mode = NetworkMode::kNone;
            p.web.port_mappings = {Port(80)};
          }},
         {"containerDefinitions[0].portMappings[0].hostPort: When networkMode=host, the host ports "
          "and container ports in port mappings must match.",
          [](Parts p) {
            p.task.network_mode = NetworkMode::kHost;
            p.web.port_mappings = {Port(80)};
            p.web.port_mappings[0].host_port = 81;
          }},
         // ECS would take this onto its bridge.
         {"",
          [](Parts p) {
            p.task.network_mode = std::nullopt;
            p.web.port_mappings = {Port(80)};
            p.web.port_mappings[0].host_port = 81;
            p.side.port_mappings = {Port(80)};
          }},
         {"containerDefinitions[0].hostname: cannot be set with networkMode awsvpc",
          [](Parts p) { p.web.hostname = "h"; }},
         {"",
          [](Parts p) {
            p.web.hostname = "h";
            p.task.network_mode = NetworkMode::kNone;
          }}},
        Ec2Task());
}

TEST(ValidateTest, AbsentNetworkModeIsAwsvpcWithAWarning) {
  TaskDefinition task = Ec2Task();
  task.network_mode = std::nullopt;
  std::vector<std::string> warnings;
  EXPECT_TRUE(ValidateTaskDefinition(task, &warnings).ok());
  EXPECT_THAT(warnings, ElementsAre("networkMode: not given: skiff uses awsvpc where ECS would use "
                                    "bridge"));
}

TEST(ValidateTest, DependenciesMustBePossible) {
  std::string path = "containerDefinitions[0].dependsOn[0]";
  Check(
      {{"",
        [](Parts p) {
          p.web.depends_on = {{"side", kSuccess}};
        }},
       {path + ".containerName: \"ghost\" is no container of the task",
        [](Parts p) {
          p.web.depends_on = {{"ghost", kStart}};
        }},
       {path + ".condition: the essential container \"side\" cannot reach COMPLETE: its end is the "
               "task's end",
        [](Parts p) {
          p.side.essential = true;
          p.web.depends_on = {{"side", kComplete}};
        }},
       {path + ".condition: the essential container \"side\" cannot reach SUCCESS: its end is the "
               "task's end",
        [](Parts p) {
          p.side.essential = true;
          p.web.depends_on = {{"side", kSuccess}};
        }},
       {path + ".condition: HEALTHY needs a healthCheck in container \"side\"",
        [](Parts p) {
          p.web.depends_on = {{"side", kHealthy}};
        }},
       {"",
        [](Parts p) {
          p.web.depends_on = {{"side", kHealthy}};
          p.side.health_check.emplace().command = {"CMD", "true"};
        }}},
      FargateTask());
}

TEST(ValidateTest, CirclesOfDependenciesAreNamed) {
  Check({{"containerDefinitions[0].dependsOn: containers wait for each other: web -> side -> web",
          [](Parts p) {
            p.web.depends_on = {{"side", kStart}};
            p.side.depends_on = {{"web", kStart}};
          }},
         {"containerDefinitions[1].dependsOn: containers wait for each other: side -> side",
          [](Parts p) {
            p.side.depends_on = {{"side", kStart}};
          }},
         {"containerDefinitions[0].dependsOn: containers wait for each other: side -> c -> side",
          [](Parts p) {
            p.web.depends_on = {{"side", kStart}};
            p.side.depends_on = {{"c", kStart}};
            p.task.containers.push_back(Container("c"));
            p.task.containers.back().depends_on = {{"side", kStart}};
          }},
         // A diamond is none.
         {"",
          [](Parts p) {
            p.web.depends_on = {{"side", kStart}, {"c", kStart}};
            p.side.depends_on = {{"d", kStart}};
            p.task.containers.push_back(Container("c"));
            p.task.containers.back().depends_on = {{"d", kStart}};
            p.task.containers.push_back(Container("d"));
          }}},
        FargateTask());
}

// Following every repetition, the search for circles would take 100 to the power of 9 steps.
TEST(ValidateTest, RepeatedDependenciesAreCheckedInNoTime) {
  TaskDefinition task = FargateTask();
  task.containers.clear();
  for (size_t i = 0; i < 10; ++i) {
    task.containers.push_back(Container("c" + std::to_string(i)));
    if (i > 0) task.containers[i].depends_on.assign(100, {"c" + std::to_string(i - 1), kStart});
  }
  std::reverse(task.containers.begin(), task.containers.end());
  std::vector<std::string> warnings;
  EXPECT_TRUE(ValidateTaskDefinition(task, &warnings).ok());
}

TEST(ValidateTest, VolumesAndWhatRefersToThemBelongTogether) {
  Check(
      {{"",
        [](Parts p) {
          p.task.volumes.emplace_back().name = "data";
          p.web.mount_points = {{"data", "/d", true}};
          p.side.volumes_from = {{"web", {}}};
        }},
       {"volumes[1].name: the name \"data\" is used by two volumes",
        [](Parts p) {
          p.task.volumes.resize(2);
          p.task.volumes[0].name = p.task.volumes[1].name = "data";
        }},
       {"volumes[0].name: \"\" is not 1 to 255 letters, digits, hyphens and underscores",
        [](Parts p) { p.task.volumes.resize(1); }},
       {"volumes[0]: is of more than one kind",
        [](Parts p) {
          p.task.volumes.emplace_back().name = "v";
          p.task.volumes[0].host.emplace();
          p.task.volumes[0].efs.emplace();
        }},
       {"containerDefinitions[0].mountPoints[0].sourceVolume: Unknown volume 'data'.",
        [](Parts p) {
          p.web.mount_points = {{"data", "/d", {}}};
        }},
       {"containerDefinitions[0].mountPoints[0].containerPath: \"d\" is not absolute",
        [](Parts p) {
          p.task.volumes.emplace_back().name = "data";
          p.web.mount_points = {{"data", "d", {}}};
        }},
       {"containerDefinitions[1].volumesFrom[0].sourceContainer: \"side\" is no other container of "
        "the task",
        [](Parts p) {
          p.side.volumes_from = {{"side", {}}};
        }}},
      FargateTask());
}

TEST(ValidateTest, TaskLevelWordsAreKnown) {
  Check({{"", [](Parts p) { p.task.task_role_arn = "arn:aws:iam::123456789012:role/app"; }},
         {"taskRoleArn: \"arn:aws:s3:::bucket\" is not the ARN of a role",
          [](Parts p) { p.task.task_role_arn = "arn:aws:s3:::bucket"; }},
         {"runtimePlatform.cpuArchitecture: \"RISCV\" is none of X86_64, ARM64",
          [](Parts p) {
            p.task.runtime_platform = RuntimePlatform{"RISCV", {}};
          }},
         {"runtimePlatform.operatingSystemFamily: \"BEOS\" is no operating system family of ECS",
          [](Parts p) {
            p.task.runtime_platform = RuntimePlatform{{}, "BEOS"};
          }},
         {"ephemeralStorage.sizeInGiB: 20 is not between 21 and 200",
          [](Parts p) { p.task.ephemeral_storage = EphemeralStorage{20}; }},
         {"pidMode: \"all\" is none of host, task", [](Parts p) { p.task.pid_mode = "all"; }},
         {"ipcMode: \"all\" is none of host, task, none", [](Parts p) { p.task.ipc_mode = "all"; }},
         {"proxyConfiguration.containerName: \"envoy\" is no container of the task",
          [](Parts p) { p.task.proxy_configuration.emplace().container_name = "envoy"; }},
         {"tags[0].key: not 1 to 128 characters",
          [](Parts p) {
            p.task.tags = {{"", "x"}};
          }},
         {"tags[0].key: may not begin with \"aws:\"",
          [](Parts p) {
            p.task.tags = {{"aws:x", ""}};
          }},
         {"tags[1].key: \"a\" is given twice",
          [](Parts p) {
            p.task.tags = {{"a", "1"}, {"a", "2"}};
          }},
         {"tags[0].value: longer than 256 characters",
          [](Parts p) {
            p.task.tags = {{"a", std::string(257, 'x')}};
          }},
         {"tags: at most 50 tags, not 51", [](Parts p) { p.task.tags.resize(51); }}},
        FargateTask());
}

}  // namespace
}  // namespace skiff::runtime
