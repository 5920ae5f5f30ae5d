#include "runtime/api/ecs_requires_attributes.h"

#include <algorithm>
#include <set>

namespace skiff::runtime::api {
namespace {

constexpr const char* kDriverPrefix = "com.amazonaws.ecs.capability.logging-driver.";
// Of Docker's interface that a container definition's oldest members need.
constexpr const char* kBaseline = "com.amazonaws.ecs.capability.docker-remote-api.1.18";

bool IsSecretsManager(const Secret& secret) {
  return secret.value_from.starts_with("arn:aws:secretsmanager:");
}

void AddSecrets(const std::vector<Secret>& secrets, const std::string& use,
                std::set<std::string>* names) {
  for (const Secret& secret : secrets) {
    names->insert(std::string("ecs.capability.secrets.") +
                  (IsSecretsManager(secret) ? "asm." : "ssm.") + use);
  }
}

void AddLogs(const ContainerDefinition& container, bool has_execution_role,
             std::set<std::string>* names) {
  if (!container.log_configuration) return;
  const LogConfiguration& log = *container.log_configuration;
  names->insert(kDriverPrefix + log.log_driver);
  if (log.log_driver == "awslogs" && has_execution_role) {
    names->insert("ecs.capability.execution-role-awslogs");
  }
  AddSecrets(log.secret_options, "bootstrap.log-driver", names);
}

void AddContainer(const ContainerDefinition& container, bool has_execution_role,
                  std::set<std::string>* names) {
  AddLogs(container, has_execution_role, names);
  AddSecrets(container.secrets, "environment-variables", names);
  if (container.privileged) names->insert("com.amazonaws.ecs.capability.privileged-container");
  if (container.health_check) names->insert("ecs.capability.container-health-check");
  if (!container.depends_on.empty()) names->insert("ecs.capability.container-ordering");
  if (!container.environment_files.empty()) names->insert("ecs.capability.env-files.s3");
  if (container.repository_credentials) {
    names->insert("ecs.capability.private-registry-authentication.secretsmanager");
  }
  if (container.firelens_configuration) {
    names->insert("ecs.capability.firelens." + container.firelens_configuration->type);
  }
  if (container.image.find(".dkr.ecr.") != std::string::npos) {
    names->insert("com.amazonaws.ecs.capability.ecr-auth");
    if (has_execution_role) names->insert("ecs.capability.execution-role-ecr-pull");
  }
}

void AddVolumes(const TaskDefinition& definition, std::set<std::string>* names) {
  for (const Volume& volume : definition.volumes) {
    if (volume.efs) names->insert("ecs.capability.efs");
    if (volume.docker) {
      names->insert("ecs.capability.docker-plugin." + volume.docker->driver.value_or("local"));
    }
  }
}

}  // namespace

std::vector<std::string> RequiredAttributes(const TaskDefinition& definition) {
  std::set<std::string> names = {kBaseline};
  bool has_execution_role = definition.execution_role_arn.has_value();
  for (const ContainerDefinition& container : definition.containers) {
    AddContainer(container, has_execution_role, &names);
  }
  AddVolumes(definition, &names);
  if (EffectiveNetworkMode(definition) == NetworkMode::kAwsvpc) {
    names.insert("ecs.capability.task-eni");
  }
  if (definition.task_role_arn) {
    names.insert(EffectiveNetworkMode(definition) == NetworkMode::kHost
                     ? "com.amazonaws.ecs.capability.task-iam-role-network-host"
                     : "com.amazonaws.ecs.capability.task-iam-role");
  }
  if (definition.pid_mode || definition.ipc_mode) {
    names.insert("ecs.capability.pid-ipc-namespace-sharing");
  }
  if (definition.proxy_configuration) names.insert("ecs.capability.aws-appmesh");
  if (definition.cpu || definition.memory) names.insert("ecs.capability.task-cpu-mem-limit");
  return {names.begin(), names.end()};
}

std::vector<KeyValue> HostAttributes(const HostRecord& host, const std::string& region) {
  std::vector<KeyValue> attributes = {
      {"ecs.availability-zone", region + "a"},
      {"ecs.cpu-architecture", host.architecture == "ARM64" ? "arm64" : "x86_64"},
      {"ecs.os-family", "LINUX"},
      {"ecs.os-type", "linux"}};
  for (const char* name :
       {kBaseline, "com.amazonaws.ecs.capability.logging-driver.awslogs",
        "com.amazonaws.ecs.capability.logging-driver.json-file",
        "com.amazonaws.ecs.capability.logging-driver.none", "ecs.capability.container-ordering",
        "ecs.capability.execution-role-awslogs", "ecs.capability.task-cpu-mem-limit",
        "ecs.capability.task-eni"}) {
    attributes.push_back({name, ""});
  }
  std::sort(attributes.begin(), attributes.end(),
            [](const KeyValue& a, const KeyValue& b) { return a.name < b.name; });
  return attributes;
}

}  // namespace skiff::runtime::api
