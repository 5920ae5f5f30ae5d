#include "runtime/model/validate.h"

#include <algorithm>
#include <array>
#include <set>

#include "runtime/model/limits.h"
#include "runtime/model/validate_rules.h"

namespace skiff::runtime {
namespace {

constexpr std::array<std::string_view, 4> kCompatibilities = {"EC2", "FARGATE", "EXTERNAL",
                                                              "MANAGED_INSTANCES"};
constexpr int64_t kMinEphemeralGib = 21;
constexpr int64_t kMaxEphemeralGib = 200;

Result<> ValidateFamily(const TaskDefinition& task) {
  if (task.family.empty()) return Broken("family", "Family should not be null or empty.");
  if (!IsName(task.family, kMaxNameLength)) {
    return Broken("family", "\"" + task.family +
                                "\" is not 1 to 255 letters, digits, hyphens and underscores");
  }
  return {};
}

Result<> ValidateContainerNames(const std::vector<ContainerDefinition>& containers) {
  if (containers.empty()) {
    return Broken("containerDefinitions", "Container list cannot be empty.");
  }
  if (containers.size() > kMaxContainers) {
    return Broken("containerDefinitions",
                  "a task has at most 10 containers, not " + std::to_string(containers.size()));
  }
  std::set<std::string> names;
  for (size_t i = 0; i < containers.size(); ++i) {
    if (!names.insert(containers[i].name).second) {
      return Broken(ElementPath("containerDefinitions", i) + ".name",
                    "the name \"" + containers[i].name + "\" is used by two containers");
    }
  }
  bool any_essential = std::any_of(containers.begin(), containers.end(),
                                   [](const ContainerDefinition& c) { return c.essential; });
  if (!any_essential) return Broken("containerDefinitions", "no container is essential");
  return {};
}

Result<> ValidateNetworkMode(const TaskDefinition& task, std::vector<std::string>* warnings) {
  if (IsFargate(task) && task.network_mode != NetworkMode::kAwsvpc) {
    return Broken("networkMode", "Fargate only supports network mode 'awsvpc'.");
  }
  if (!task.network_mode) {
    warnings->push_back("networkMode: not given: skiff uses awsvpc where ECS would use bridge");
  }
  for (size_t i = 0; i < task.containers.size(); ++i) {
    std::string path = ElementPath("containerDefinitions", i);
    if (task.network_mode == NetworkMode::kNone && !task.containers[i].port_mappings.empty()) {
      return Broken(path + ".portMappings", "networkMode none has no ports to map");
    }
    if (task.network_mode == NetworkMode::kAwsvpc && task.containers[i].hostname) {
      return Broken(path + ".hostname", "cannot be set with networkMode awsvpc");
    }
  }
  // Without a mode ECS maps ports on a bridge, so 8080:80 is right there; CheckSupported refuses
  // it.
  return ValidatePorts(task.containers, task.network_mode.value_or(NetworkMode::kBridge));
}

Result<> ValidateFargateOnly(const TaskDefinition& task) {
  if (!IsFargate(task)) return {};
  auto refuse = [](const char* member) {
    return Broken(
        member, "Fargate compatible task definitions do not support " + std::string(member) + ".");
  };
  if (!task.placement_constraints.empty()) return refuse("placementConstraints");
  if (!task.inference_accelerators.empty()) return refuse("inferenceAccelerators");
  if (task.ipc_mode) return refuse("ipcMode");
  if (task.pid_mode && *task.pid_mode != "task") {
    return Broken("pidMode", "Fargate only supports pidMode 'task'.");
  }
  for (size_t i = 0; i < task.volumes.size(); ++i) {
    std::string path = ElementPath("volumes", i);
    if (task.volumes[i].docker) {
      return Broken(
          path + ".dockerVolumeConfiguration",
          "Fargate compatible task definitions do not support dockerVolumeConfiguration.");
    }
    if (task.volumes[i].host && task.volumes[i].host->source_path) {
      return Broken(path + ".host.sourcePath",
                    "Fargate compatible task definitions do not support sourcePath.");
    }
  }
  return {};
}

Result<> ValidateRoleArn(const std::optional<std::string>& arn, const char* member) {
  if (!arn) return {};
  bool looks_right = arn->starts_with("arn:") && arn->find(":iam::") != std::string::npos &&
                     arn->find(":role/") != std::string::npos;
  // A role's short name is accepted as well, as ECS does.
  if (!looks_right && !IsName(*arn, 64, "+=,.@")) {
    return Broken(member, "\"" + *arn + "\" is not the ARN of a role");
  }
  return {};
}

Result<> ValidateTaskWords(const TaskDefinition& task) {
  for (size_t i = 0; i < task.requires_compatibilities.size(); ++i) {
    const std::string& word = task.requires_compatibilities[i];
    if (std::find(kCompatibilities.begin(), kCompatibilities.end(), word) ==
        kCompatibilities.end()) {
      return Broken(ElementPath("requiresCompatibilities", i),
                    "\"" + word + "\" is none of EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES");
    }
  }
  if (task.pid_mode && *task.pid_mode != "task" && *task.pid_mode != "host") {
    return Broken("pidMode", "\"" + *task.pid_mode + "\" is none of host, task");
  }
  bool ipc_is_known = !task.ipc_mode || *task.ipc_mode == "host" || *task.ipc_mode == "task" ||
                      *task.ipc_mode == "none";
  if (!ipc_is_known)
    return Broken("ipcMode", "\"" + *task.ipc_mode + "\" is none of host, task, none");
  TRY(ValidateRoleArn(task.task_role_arn, "taskRoleArn"));
  return ValidateRoleArn(task.execution_role_arn, "executionRoleArn");
}

Result<> ValidatePlatform(const TaskDefinition& task) {
  if (!task.runtime_platform) return {};
  const RuntimePlatform& platform = *task.runtime_platform;
  std::string architecture = platform.cpu_architecture.value_or("X86_64");
  if (architecture != "X86_64" && architecture != "ARM64") {
    return Broken("runtimePlatform.cpuArchitecture",
                  "\"" + architecture + "\" is none of X86_64, ARM64");
  }
  std::string family = platform.operating_system_family.value_or("LINUX");
  if (family != "LINUX" && !family.starts_with("WINDOWS_SERVER_")) {
    return Broken("runtimePlatform.operatingSystemFamily",
                  "\"" + family + "\" is no operating system family of ECS");
  }
  return {};
}

Result<> ValidateTags(const std::vector<Tag>& tags) {
  if (tags.size() > kMaxTags) {
    return Broken("tags", "at most 50 tags, not " + std::to_string(tags.size()));
  }
  std::set<std::string> keys;
  for (size_t i = 0; i < tags.size(); ++i) {
    std::string path = ElementPath("tags", i);
    const std::string& key = tags[i].key;
    if (key.empty() || key.size() > kMaxTagKeyLength) {
      return Broken(path + ".key", "not 1 to 128 characters");
    }
    if (key.starts_with("aws:")) return Broken(path + ".key", "may not begin with \"aws:\"");
    if (!keys.insert(key).second) return Broken(path + ".key", "\"" + key + "\" is given twice");
    if (tags[i].value.size() > kMaxTagValueLength) {
      return Broken(path + ".value", "longer than 256 characters");
    }
  }
  return {};
}

Result<> ValidateVolumes(const TaskDefinition& task) {
  std::set<std::string> names;
  for (size_t i = 0; i < task.volumes.size(); ++i) {
    const Volume& volume = task.volumes[i];
    std::string path = ElementPath("volumes", i);
    if (!IsName(volume.name, kMaxNameLength)) {
      return Broken(
          path + ".name",
          "\"" + volume.name + "\" is not 1 to 255 letters, digits, hyphens and underscores");
    }
    if (!names.insert(volume.name).second) {
      return Broken(path + ".name", "the name \"" + volume.name + "\" is used by two volumes");
    }
    int kinds = volume.host.has_value() + volume.docker.has_value() + volume.efs.has_value() +
                volume.s3_files.has_value() + volume.fsx_windows.has_value();
    if (kinds > 1) return Broken(path, "is of more than one kind");
  }
  return {};
}

Result<> ValidateMounts(const TaskDefinition& task) {
  std::set<std::string> volumes;
  for (const Volume& volume : task.volumes) volumes.insert(volume.name);
  std::set<std::string> containers;
  for (const ContainerDefinition& container : task.containers) containers.insert(container.name);
  for (size_t i = 0; i < task.containers.size(); ++i) {
    const ContainerDefinition& container = task.containers[i];
    std::string path = ElementPath("containerDefinitions", i);
    for (size_t j = 0; j < container.mount_points.size(); ++j) {
      const MountPoint& mount = container.mount_points[j];
      std::string at = ElementPath(path + ".mountPoints", j);
      if (!volumes.contains(mount.source_volume)) {
        return Broken(at + ".sourceVolume", "Unknown volume '" + mount.source_volume + "'.");
      }
      if (!mount.container_path.starts_with('/')) {
        return Broken(at + ".containerPath", "\"" + mount.container_path + "\" is not absolute");
      }
    }
    for (size_t j = 0; j < container.volumes_from.size(); ++j) {
      const std::string& source = container.volumes_from[j].source_container;
      if (source == container.name || !containers.contains(source)) {
        return Broken(ElementPath(path + ".volumesFrom", j) + ".sourceContainer",
                      "\"" + source + "\" is no other container of the task");
      }
    }
  }
  return {};
}

Result<> ValidateExtras(const TaskDefinition& task) {
  if (task.ephemeral_storage) {
    int64_t size = task.ephemeral_storage->size_in_gib;
    if (size < kMinEphemeralGib || size > kMaxEphemeralGib) {
      return Broken("ephemeralStorage.sizeInGiB",
                    std::to_string(size) + " is not between 21 and 200");
    }
  }
  if (task.placement_constraints.size() > kMaxPlacementConstraints) {
    return Broken("placementConstraints", "at most 10");
  }
  for (size_t i = 0; i < task.placement_constraints.size(); ++i) {
    if (task.placement_constraints[i].type != "memberOf") {
      return Broken(ElementPath("placementConstraints", i) + ".type", "is not memberOf");
    }
  }
  if (task.proxy_configuration) {
    const std::string& proxy = task.proxy_configuration->container_name;
    bool is_known = std::any_of(task.containers.begin(), task.containers.end(),
                                [&](const ContainerDefinition& c) { return c.name == proxy; });
    if (!is_known) {
      return Broken("proxyConfiguration.containerName",
                    "\"" + proxy + "\" is no container of the task");
    }
  }
  return {};
}

// ECS refuses this one; on a host of one's own no role is needed to keep logs.
void WarnOfMissingExecutionRole(const TaskDefinition& task, std::vector<std::string>* warnings) {
  if (!IsFargate(task) || task.execution_role_arn) return;
  bool uses_awslogs =
      std::any_of(task.containers.begin(), task.containers.end(), [](const ContainerDefinition& c) {
        return c.log_configuration && c.log_configuration->log_driver == "awslogs";
      });
  if (!uses_awslogs) return;
  warnings->push_back(
      "executionRoleArn: not given: ECS would answer \"Fargate requires task definition to have "
      "execution role ARN to support log driver awslogs.\"");
}

}  // namespace

Error Broken(const std::string& path, std::string_view text) {
  return Error(Code::kInvalid, path + ": " + std::string(text));
}

std::string ElementPath(std::string_view list, size_t index) {
  return std::string(list) + "[" + std::to_string(index) + "]";
}

bool IsName(std::string_view text, size_t max_length, std::string_view also) {
  if (text.empty() || text.size() > max_length) return false;
  return std::all_of(text.begin(), text.end(), [also](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || also.find(c) != std::string_view::npos;
  });
}

Result<> ValidateTaskDefinition(const TaskDefinition& task, std::vector<std::string>* warnings) {
  TRY(ValidateFamily(task));
  TRY(ValidateTaskWords(task));
  for (size_t i = 0; i < task.containers.size() && i < kMaxContainers; ++i) {
    TRY(ValidateContainer(task.containers[i], ElementPath("containerDefinitions", i),
                          IsFargate(task)));
  }
  TRY(ValidateContainerNames(task.containers));
  TRY(ValidateNetworkMode(task, warnings));
  TRY(ValidateFargateOnly(task));
  TRY(ValidateSizes(task));
  TRY(ValidateDependencies(task.containers));
  TRY(ValidateVolumes(task));
  TRY(ValidateMounts(task));
  TRY(ValidatePlatform(task));
  TRY(ValidateTags(task.tags));
  TRY(ValidateExtras(task));
  WarnOfMissingExecutionRole(task, warnings);
  return {};
}

}  // namespace skiff::runtime
