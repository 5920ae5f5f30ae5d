// Rules for one container, seen alone.
#include <algorithm>
#include <array>

#include "isolation/base/text.h"
#include "runtime/model/limits.h"
#include "runtime/model/validate_rules.h"

namespace skiff::runtime {
namespace {

using std::chrono::seconds;

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

template <size_t N>
bool IsOneOf(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

Result<> ValidateRange(const std::optional<int64_t>& number, int64_t min, int64_t max,
                       const std::string& path) {
  if (!number || (*number >= min && *number <= max)) return {};
  return Broken(path, std::to_string(*number) + " is not between " + std::to_string(min) + " and " +
                          std::to_string(max));
}

Result<> ValidateRange(const std::optional<seconds>& time, seconds min, seconds max,
                       const std::string& path) {
  if (!time) return {};
  return ValidateRange(std::optional<int64_t>(time->count()), min.count(), max.count(), path);
}

Result<> ValidateNameAndImage(const ContainerDefinition& container, const std::string& path) {
  if (container.name.empty()) return Broken(path, "Container.name should not be null or empty.");
  if (!IsName(container.name, kMaxNameLength)) {
    return Broken(path + ".name", Quoted(container.name) +
                                      " is not 1 to 255 letters, digits, hyphens and underscores");
  }
  if (container.image.empty()) return Broken(path, "Container.image should not be null or empty.");
  if (!IsName(container.image, kMaxImageLength, ":./#@")) {
    return Broken(path + ".image", Quoted(container.image) +
                                       " is no image name of 1 to 255 letters, "
                                       "digits and the characters _:./#@-");
  }
  return {};
}

Result<> ValidateAmounts(const ContainerDefinition& container, const std::string& path) {
  TRY(ValidateRange(container.cpu, 0, kMaxContainerCpu, path + ".cpu"));
  if (container.memory && *container.memory < kMinContainerMemory) {
    return Broken(path + ".memory", std::to_string(container.memory->mib()) +
                                        " MiB is less than the 6 MiB that a container needs");
  }
  if (container.memory_reservation && container.memory_reservation->count() == 0) {
    return Broken(path + ".memoryReservation", "is 0");
  }
  if (container.memory && container.memory_reservation &&
      *container.memory <= *container.memory_reservation) {
    return Broken(path, "Invalid setting for container '" + container.name +
                            "'. 'memory' must be greater than 'memoryReservation'.");
  }
  return {};
}

// name, name:group, uid, uid:gid, name:gid, uid:group. That they exist is known at the start only.
Result<> ValidateUser(const std::string& user, const std::string& path) {
  std::vector<std::string_view> parts = Split(user, ':');
  bool is_right = parts.size() <= 2;
  for (std::string_view part : parts) {
    bool is_number =
        !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    // The highest number means "no user" to the kernel.
    is_right &= is_number ? ParseUint(part, UINT32_MAX - 1).has_value() : IsName(part, 255, ".$@");
  }
  if (is_right) return {};
  return Broken(path, Quoted(user) + " is not a user or user:group, each a name or a number");
}

Result<> ValidateProcess(const ContainerDefinition& container, const std::string& path) {
  for (size_t i = 0; i < container.environment.size(); ++i) {
    const std::string& name = container.environment[i].name;
    std::string at = ElementPath(path + ".environment", i) + ".name";
    if (name.empty()) return Broken(at, "is empty");
    if (name.find('=') != std::string::npos) return Broken(at, Quoted(name) + " contains \"=\"");
  }
  if (container.working_directory && !container.working_directory->starts_with('/')) {
    return Broken(path + ".workingDirectory",
                  Quoted(*container.working_directory) + " is not absolute");
  }
  if (container.user) TRY(ValidateUser(*container.user, path + ".user"));
  TRY(ValidateRange(container.start_timeout, kMinTimeout, kMaxTimeout, path + ".startTimeout"));
  return ValidateRange(container.stop_timeout, kMinTimeout, kMaxTimeout, path + ".stopTimeout");
}

Result<> ValidateHealthCheck(const HealthCheck& check, const std::string& path) {
  if (check.command.empty()) return Broken(path + ".command", "is empty");
  const std::string& form = check.command.front();
  if (form != "CMD" && form != "CMD-SHELL" && form != "NONE") {
    return Broken(path + ".command", "begins with " + Quoted(form) + ", not CMD or CMD-SHELL");
  }
  if (form != "NONE" && check.command.size() < 2) {
    return Broken(path + ".command", form + " is followed by nothing");
  }
  TRY(ValidateRange(check.interval, seconds(5), seconds(300), path + ".interval"));
  TRY(ValidateRange(check.timeout, seconds(2), seconds(60), path + ".timeout"));
  TRY(ValidateRange(check.retries, 1, 10, path + ".retries"));
  return ValidateRange(check.start_period, seconds(0), seconds(300), path + ".startPeriod");
}

Result<> ValidateRestartPolicy(const RestartPolicy& policy, const std::string& path) {
  if (policy.ignored_exit_codes.size() > kMaxIgnoredExitCodes) {
    return Broken(path + ".ignoredExitCodes", "at most 50");
  }
  return ValidateRange(policy.restart_attempt_period, seconds(60), seconds(1800),
                       path + ".restartAttemptPeriod");
}

Result<> ValidatePortWords(const ContainerDefinition& container, const std::string& path) {
  constexpr std::array<std::string_view, 3> kAppProtocols = {"http", "http2", "grpc"};
  size_t ranges = 0;
  for (size_t i = 0; i < container.port_mappings.size(); ++i) {
    const PortMapping& mapping = container.port_mappings[i];
    std::string at = ElementPath(path + ".portMappings", i);
    ranges += mapping.container_port_range.has_value();
    if (mapping.name && !IsName(*mapping.name, kMaxPortNameLength)) {
      return Broken(at + ".name", Quoted(*mapping.name) +
                                      " is not 1 to 64 letters, digits, hyphens and underscores");
    }
    if (mapping.app_protocol && !IsOneOf(*mapping.app_protocol, kAppProtocols)) {
      return Broken(at + ".appProtocol",
                    Quoted(*mapping.app_protocol) + " is none of http, http2, grpc");
    }
  }
  if (ranges > kMaxPortRanges) return Broken(path + ".portMappings", "at most 100 ranges");
  return {};
}

Result<> ValidateSources(const ContainerDefinition& container, const std::string& path) {
  for (size_t i = 0; i < container.secrets.size(); ++i) {
    std::string at = ElementPath(path + ".secrets", i);
    if (container.secrets[i].name.empty()) return Broken(at + ".name", "is empty");
    if (container.secrets[i].value_from.empty()) return Broken(at + ".valueFrom", "is empty");
  }
  if (container.environment_files.size() > kMaxEnvironmentFiles) {
    return Broken(path + ".environmentFiles", "at most 10");
  }
  for (size_t i = 0; i < container.environment_files.size(); ++i) {
    if (container.environment_files[i].type != "s3") {
      return Broken(ElementPath(path + ".environmentFiles", i) + ".type", "is not s3");
    }
  }
  if (container.firelens_configuration && container.firelens_configuration->type != "fluentd" &&
      container.firelens_configuration->type != "fluentbit") {
    return Broken(path + ".firelensConfiguration.type", "is none of fluentd, fluentbit");
  }
  if (container.version_consistency && *container.version_consistency != "enabled" &&
      *container.version_consistency != "disabled") {
    return Broken(path + ".versionConsistency", "is none of enabled, disabled");
  }
  return {};
}

struct ForbiddenOnFargate {
  std::string_view member;
  bool (*is_set)(const ContainerDefinition&);
};

constexpr std::array<ForbiddenOnFargate, 9> kForbiddenOnFargate = {{
    {"disableNetworking", [](const auto& c) { return bool{c.disable_networking}; }},
    {"dnsSearchDomains", [](const auto& c) { return !c.dns_search_domains.empty(); }},
    {"dnsServers", [](const auto& c) { return !c.dns_servers.empty(); }},
    {"dockerSecurityOptions", [](const auto& c) { return !c.docker_security_options.empty(); }},
    {"extraHosts", [](const auto& c) { return !c.extra_hosts.empty(); }},
    {"links", [](const auto& c) { return !c.links.empty(); }},
    {"privileged", [](const auto& c) { return bool{c.privileged}; }},
    {"resourceRequirements", [](const auto& c) { return !c.resource_requirements.empty(); }},
    {"credentialSpecs", [](const auto& c) { return !c.credential_specs.empty(); }},
}};

Result<> ValidateForFargate(const ContainerDefinition& container, const std::string& path) {
  for (const ForbiddenOnFargate& row : kForbiddenOnFargate) {
    if (!row.is_set(container)) continue;
    return Broken(
        path + "." + std::string(row.member),
        "Fargate compatible task definitions do not support " + std::string(row.member) + ".");
  }
  return {};
}

}  // namespace

Result<> ValidateContainer(const ContainerDefinition& container, const std::string& path,
                           bool is_fargate) {
  TRY(ValidateNameAndImage(container, path));
  TRY(ValidateAmounts(container, path));
  TRY(ValidateProcess(container, path));
  TRY(ValidatePortWords(container, path));
  TRY(ValidateUlimits(container.ulimits, path + ".ulimits"));
  TRY(ValidateSources(container, path));
  if (is_fargate) TRY(ValidateForFargate(container, path));
  if (container.health_check) {
    TRY(ValidateHealthCheck(*container.health_check, path + ".healthCheck"));
  }
  if (container.restart_policy) {
    TRY(ValidateRestartPolicy(*container.restart_policy, path + ".restartPolicy"));
  }
  if (container.linux_parameters) {
    TRY(ValidateLinuxParameters(*container.linux_parameters, path + ".linuxParameters",
                                is_fargate));
  }
  if (!container.log_configuration) return {};
  return ValidateLogConfiguration(*container.log_configuration, path + ".logConfiguration",
                                  is_fargate);
}

}  // namespace skiff::runtime
