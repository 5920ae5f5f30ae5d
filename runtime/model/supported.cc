#include "runtime/model/supported.h"

#include <algorithm>
#include <array>

#include "runtime/model/validate_rules.h"

namespace skiff::runtime {
namespace {

// What a member's use leads to, when it is used.
enum class Verdict {
  kRefuse,  // the task would not be what its author wrote
  kWarn,    // kept; the task runs as written without it
};

template <typename Subject>
struct Row {
  std::string_view member;
  bool (*is_used)(const Subject&);
  Verdict verdict;
  std::string_view text;
};

constexpr std::string_view kNotYet = "not supported yet";

bool HasHealthyDependency(const ContainerDefinition& container) {
  return std::any_of(
      container.depends_on.begin(), container.depends_on.end(),
      [](const DependsOn& d) { return d.condition == DependencyCondition::kHealthy; });
}

bool HasOtherSecurityOptions(const ContainerDefinition& container) {
  const auto& options = container.docker_security_options;
  return std::any_of(options.begin(), options.end(), [](const std::string& option) {
    return option != "no-new-privileges" && option != "no-new-privileges:true" &&
           option != "no-new-privileges:false";
  });
}

// What is named neither here nor in the checks below is done.
constexpr std::array<Row<ContainerDefinition>, 21> kContainerRows = {{
    {"repositoryCredentials", [](const auto& c) { return c.repository_credentials.has_value(); },
     Verdict::kRefuse, kNotYet},
    {"links", [](const auto& c) { return !c.links.empty(); }, Verdict::kRefuse, kNotYet},
    {"restartPolicy", [](const auto& c) { return c.restart_policy && c.restart_policy->enabled; },
     Verdict::kRefuse, kNotYet},
    {"environmentFiles", [](const auto& c) { return !c.environment_files.empty(); },
     Verdict::kRefuse, kNotYet},
    {"mountPoints", [](const auto& c) { return !c.mount_points.empty(); }, Verdict::kRefuse,
     kNotYet},
    {"volumesFrom", [](const auto& c) { return !c.volumes_from.empty(); }, Verdict::kRefuse,
     kNotYet},
    {"secrets", [](const auto& c) { return !c.secrets.empty(); }, Verdict::kRefuse, kNotYet},
    {"dependsOn", HasHealthyDependency, Verdict::kRefuse, "condition HEALTHY is not supported yet"},
    {"disableNetworking", [](const auto& c) { return bool{c.disable_networking}; },
     Verdict::kRefuse, kNotYet},
    {"privileged", [](const auto& c) { return bool{c.privileged}; }, Verdict::kRefuse, kNotYet},
    {"dnsServers", [](const auto& c) { return !c.dns_servers.empty(); }, Verdict::kRefuse, kNotYet},
    {"dnsSearchDomains", [](const auto& c) { return !c.dns_search_domains.empty(); },
     Verdict::kRefuse, kNotYet},
    {"extraHosts", [](const auto& c) { return !c.extra_hosts.empty(); }, Verdict::kRefuse, kNotYet},
    {"dockerSecurityOptions", HasOtherSecurityOptions, Verdict::kRefuse,
     "only no-new-privileges, no-new-privileges:true and no-new-privileges:false are supported"},
    {"interactive", [](const auto& c) { return bool{c.interactive}; }, Verdict::kWarn,
     "not supported yet: standard input is empty"},
    {"pseudoTerminal", [](const auto& c) { return bool{c.pseudo_terminal}; }, Verdict::kRefuse,
     kNotYet},
    {"healthCheck", [](const auto& c) { return c.health_check.has_value(); }, Verdict::kRefuse,
     kNotYet},
    {"systemControls", [](const auto& c) { return !c.system_controls.empty(); }, Verdict::kRefuse,
     kNotYet},
    {"resourceRequirements", [](const auto& c) { return !c.resource_requirements.empty(); },
     Verdict::kRefuse, kNotYet},
    {"firelensConfiguration", [](const auto& c) { return c.firelens_configuration.has_value(); },
     Verdict::kRefuse, kNotYet},
    {"credentialSpecs", [](const auto& c) { return !c.credential_specs.empty(); }, Verdict::kRefuse,
     kNotYet},
}};

constexpr std::array<Row<LinuxParameters>, 6> kLinuxRows = {{
    {"devices", [](const auto& l) { return !l.devices.empty(); }, Verdict::kRefuse, kNotYet},
    {"initProcessEnabled", [](const auto& l) { return bool{l.init_process_enabled}; },
     Verdict::kRefuse, kNotYet},
    {"sharedMemorySize", [](const auto& l) { return l.shared_memory_size.has_value(); },
     Verdict::kRefuse, kNotYet},
    {"tmpfs", [](const auto& l) { return !l.tmpfs.empty(); }, Verdict::kRefuse, kNotYet},
    {"maxSwap", [](const auto& l) { return l.max_swap_mib.has_value(); }, Verdict::kRefuse,
     kNotYet},
    {"swappiness", [](const auto& l) { return l.swappiness.has_value(); }, Verdict::kRefuse,
     kNotYet},
}};

constexpr std::array<Row<TaskDefinition>, 10> kTaskRows = {{
    {"networkMode", [](const auto& t) { return t.network_mode == NetworkMode::kBridge; },
     Verdict::kRefuse, "bridge is not supported: use awsvpc, host or none"},
    {"volumes", [](const auto& t) { return !t.volumes.empty(); }, Verdict::kRefuse, kNotYet},
    {"pidMode", [](const auto& t) { return t.pid_mode && *t.pid_mode != "task"; }, Verdict::kRefuse,
     "only task is supported yet"},
    // "none" is what every container has: System V objects of its own.
    {"ipcMode", [](const auto& t) { return t.ipc_mode && *t.ipc_mode != "none"; }, Verdict::kRefuse,
     kNotYet},
    {"proxyConfiguration", [](const auto& t) { return t.proxy_configuration.has_value(); },
     Verdict::kRefuse, kNotYet},
    {"inferenceAccelerators", [](const auto& t) { return !t.inference_accelerators.empty(); },
     Verdict::kRefuse, kNotYet},
    {"enableFaultInjection", [](const auto& t) { return bool{t.enable_fault_injection}; },
     Verdict::kRefuse, kNotYet},
    {"placementConstraints", [](const auto& t) { return !t.placement_constraints.empty(); },
     Verdict::kWarn, "not evaluated: there is one host"},
    {"taskRoleArn", [](const auto& t) { return t.task_role_arn.has_value(); }, Verdict::kWarn,
     "no credentials are served to the task yet"},
    {"executionRoleArn", [](const auto& t) { return t.execution_role_arn.has_value(); },
     Verdict::kWarn, "not needed: images and logs are this host's own"},
}};

struct KnownLogOption {
  std::string_view driver;
  std::string_view name;
};

// Those that say where lines go; skiff keeps them on this host under that name.
constexpr std::array<KnownLogOption, 5> kLogOptions = {{
    {"awslogs", "awslogs-group"},
    {"awslogs", "awslogs-region"},
    {"awslogs", "awslogs-stream-prefix"},
    {"awslogs", "awslogs-create-group"},
    {"awslogs", "awslogs-endpoint"},
}};

template <typename Subject, size_t N>
Result<> CheckRows(const std::array<Row<Subject>, N>& rows, const Subject& subject,
                   const std::string& prefix, std::vector<std::string>* warnings) {
  for (const Row<Subject>& row : rows) {
    if (!row.is_used(subject)) continue;
    std::string text = prefix + std::string(row.member) + ": " + std::string(row.text);
    if (row.verdict == Verdict::kRefuse) return Error(Code::kUnavailable, std::move(text));
    warnings->push_back(std::move(text));
  }
  return {};
}

Result<> CheckLinux(const LinuxParameters& parameters, const std::string& path,
                    std::vector<std::string>* warnings) {
  TRY(CheckRows(kLinuxRows, parameters, path + ".", warnings));
  if (!parameters.capabilities) return {};
  for (const std::string& name : parameters.capabilities->add) {
    if (name == "SYS_PTRACE") continue;
    return Error(Code::kUnavailable,
                 path + ".capabilities.add: " + name + " is not supported yet, only SYS_PTRACE is");
  }
  return {};
}

bool IsKnownOption(const std::string& driver, const std::string& name) {
  return std::any_of(kLogOptions.begin(), kLogOptions.end(), [&](const KnownLogOption& known) {
    return known.driver == driver && known.name == name;
  });
}

Result<> CheckLog(const LogConfiguration& log, const std::string& path,
                  std::vector<std::string>* warnings) {
  if (log.log_driver != "awslogs" && log.log_driver != "json-file" && log.log_driver != "none") {
    return Error(Code::kUnavailable,
                 path + ".logDriver: " + log.log_driver +
                     " is not supported yet, only awslogs, json-file and none are");
  }
  if (!log.secret_options.empty()) {
    return Error(Code::kUnavailable, path + ".secretOptions: " + std::string(kNotYet));
  }
  if (log.log_driver == "awslogs") {
    warnings->push_back(path + ".logDriver: awslogs is kept on this host and sent nowhere");
  }
  for (const auto& [name, value] : log.options) {
    if (IsKnownOption(log.log_driver, name)) continue;
    warnings->push_back(path + ".options." + name + ": has no effect yet");
  }
  return {};
}

Result<> CheckContainer(const ContainerDefinition& container, const std::string& path,
                        std::vector<std::string>* warnings) {
  TRY(CheckRows(kContainerRows, container, path + ".", warnings));
  if (container.linux_parameters) {
    TRY(CheckLinux(*container.linux_parameters, path + ".linuxParameters", warnings));
  }
  if (!container.log_configuration) return {};
  return CheckLog(*container.log_configuration, path + ".logConfiguration", warnings);
}

Result<> CheckPlatform(const TaskDefinition& task, std::string_view host_architecture) {
  if (!task.runtime_platform) return {};
  const RuntimePlatform& platform = *task.runtime_platform;
  if (platform.operating_system_family.value_or("LINUX") != "LINUX") {
    return Error(Code::kUnavailable,
                 "runtimePlatform.operatingSystemFamily: " + *platform.operating_system_family +
                     " cannot run on Linux");
  }
  // Without a word about it, the host's own: ECS's default of X86_64 would bar every ARM host.
  if (platform.cpu_architecture.value_or(std::string(host_architecture)) != host_architecture) {
    return Error(Code::kUnavailable,
                 "runtimePlatform.cpuArchitecture: " + *platform.cpu_architecture +
                     ", but this host is " + std::string(host_architecture));
  }
  return {};
}

}  // namespace

Result<> CheckSupported(const TaskDefinition& task, std::vector<std::string>* warnings,
                        std::string_view cpu_architecture) {
  TRY(CheckRows(kTaskRows, task, "", warnings));
  TRY(CheckPlatform(task, cpu_architecture));
  for (size_t i = 0; i < task.containers.size(); ++i) {
    TRY(CheckContainer(task.containers[i], ElementPath("containerDefinitions", i), warnings));
  }
  return ValidatePorts(task.containers, EffectiveNetworkMode(task));
}

}  // namespace skiff::runtime
