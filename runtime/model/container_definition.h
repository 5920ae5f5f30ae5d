// One element of a task definition's containerDefinitions, member by member as
// RegisterTaskDefinition takes it. Plain values: what JSON could not express is refused when
// parsing (task_definition.h), what ECS forbids when validating (validate.h), what this version
// cannot do in supported.h. nullopt and empty mean "not given".
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "isolation/base/bytes.h"

namespace skiff::runtime {

// A boolean that remembers whether it was given. Converts to its value, absent being false, so that
// `if (container.privileged)` cannot mean "is present".
class Flag {
 public:
  constexpr Flag() = default;
  constexpr Flag(bool value) : value_(value) {}  // NOLINT(google-explicit-constructor)
  constexpr explicit operator bool() const { return value_.value_or(false); }
  constexpr bool is_given() const { return value_.has_value(); }
  bool operator==(const Flag&) const = default;

 private:
  std::optional<bool> value_;
};

enum class Protocol { kTcp, kUdp };
enum class DependencyCondition { kStart, kComplete, kSuccess, kHealthy };

using StringMap = std::map<std::string, std::string>;

struct KeyValue {
  std::string name;
  std::string value;
  bool operator==(const KeyValue&) const = default;
};

struct PortMapping {
  std::optional<uint16_t> container_port;
  std::optional<uint16_t> host_port;
  std::optional<Protocol> protocol;  // absent: tcp
  std::optional<std::string> name;
  std::optional<std::string> app_protocol;
  std::optional<std::string> container_port_range;
  bool operator==(const PortMapping&) const = default;
};

struct Ulimit {
  std::string name;  // "nofile", without RLIMIT_
  int64_t soft_limit = 0;
  int64_t hard_limit = 0;
  bool operator==(const Ulimit&) const = default;
};

struct DependsOn {
  std::string container_name;
  DependencyCondition condition = DependencyCondition::kStart;
  bool operator==(const DependsOn&) const = default;
};

struct HealthCheck {
  std::vector<std::string> command;
  std::optional<std::chrono::seconds> interval;
  std::optional<std::chrono::seconds> timeout;
  std::optional<int64_t> retries;
  std::optional<std::chrono::seconds> start_period;
  bool operator==(const HealthCheck&) const = default;
};

struct Secret {
  std::string name;
  std::string value_from;
  bool operator==(const Secret&) const = default;
};

struct LogConfiguration {
  std::string log_driver;  // "awslogs", "json-file", ..., validated
  StringMap options;
  std::vector<Secret> secret_options;
  bool operator==(const LogConfiguration&) const = default;
};

struct KernelCapabilities {
  std::vector<std::string> add;  // without CAP_, or "ALL"
  std::vector<std::string> drop;
  bool operator==(const KernelCapabilities&) const = default;
};

struct Device {
  std::string host_path;
  std::optional<std::string> container_path;
  std::vector<std::string> permissions;
  bool operator==(const Device&) const = default;
};

struct Tmpfs {
  std::string container_path;
  int64_t size_mib = 0;
  std::vector<std::string> mount_options;
  bool operator==(const Tmpfs&) const = default;
};

struct LinuxParameters {
  std::optional<KernelCapabilities> capabilities;
  std::vector<Device> devices;
  Flag init_process_enabled;
  std::optional<Bytes> shared_memory_size;
  std::vector<Tmpfs> tmpfs;
  std::optional<int64_t> max_swap_mib;  // -1: unlimited
  std::optional<int64_t> swappiness;
  bool operator==(const LinuxParameters&) const = default;
};

struct MountPoint {
  std::string source_volume;
  std::string container_path;
  Flag read_only;
  bool operator==(const MountPoint&) const = default;
};

struct VolumeFrom {
  std::string source_container;
  Flag read_only;
  bool operator==(const VolumeFrom&) const = default;
};

struct RestartPolicy {
  bool enabled = false;
  std::vector<int64_t> ignored_exit_codes;
  std::optional<std::chrono::seconds> restart_attempt_period;
  bool operator==(const RestartPolicy&) const = default;
};

struct EnvironmentFile {
  std::string value;
  std::string type;
  bool operator==(const EnvironmentFile&) const = default;
};

struct HostEntry {
  std::string hostname;
  std::string ip_address;
  bool operator==(const HostEntry&) const = default;
};

struct SystemControl {
  std::string name;  // the JSON member is "namespace"
  std::string value;
  bool operator==(const SystemControl&) const = default;
};

struct ResourceRequirement {
  std::string type;
  std::string value;
  bool operator==(const ResourceRequirement&) const = default;
};

struct FirelensConfiguration {
  std::string type;
  StringMap options;
  bool operator==(const FirelensConfiguration&) const = default;
};

struct RepositoryCredentials {
  std::string credentials_parameter;
  bool operator==(const RepositoryCredentials&) const = default;
};

struct ContainerDefinition {
  std::string name;
  std::string image;
  std::optional<RepositoryCredentials> repository_credentials;
  int64_t cpu = 0;                          // units; 0: none of its own
  std::optional<Bytes> memory;              // hard limit
  std::optional<Bytes> memory_reservation;  // soft limit
  std::vector<std::string> links;
  std::vector<PortMapping> port_mappings;
  bool essential = true;
  std::optional<RestartPolicy> restart_policy;
  std::vector<std::string> entry_point;
  std::vector<std::string> command;
  std::vector<KeyValue> environment;
  std::vector<EnvironmentFile> environment_files;
  std::vector<MountPoint> mount_points;
  std::vector<VolumeFrom> volumes_from;
  std::optional<LinuxParameters> linux_parameters;
  std::vector<Secret> secrets;
  std::vector<DependsOn> depends_on;
  std::optional<std::chrono::seconds> start_timeout;
  std::optional<std::chrono::seconds> stop_timeout;
  std::optional<std::string> version_consistency;
  std::optional<std::string> hostname;
  std::optional<std::string> user;
  std::optional<std::string> working_directory;
  Flag disable_networking;
  Flag privileged;
  Flag readonly_root_filesystem;
  std::vector<std::string> dns_servers;
  std::vector<std::string> dns_search_domains;
  std::vector<HostEntry> extra_hosts;
  std::vector<std::string> docker_security_options;
  Flag interactive;
  Flag pseudo_terminal;
  StringMap docker_labels;
  std::vector<Ulimit> ulimits;
  std::optional<LogConfiguration> log_configuration;
  std::optional<HealthCheck> health_check;
  std::vector<SystemControl> system_controls;
  std::vector<ResourceRequirement> resource_requirements;
  std::optional<FirelensConfiguration> firelens_configuration;
  std::vector<std::string> credential_specs;
  bool operator==(const ContainerDefinition&) const = default;
};

}  // namespace skiff::runtime
