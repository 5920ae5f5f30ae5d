// A task definition as RegisterTaskDefinition takes it, and its JSON.
//
// The way from a file to something that may run: ParseTaskDefinition (types),
// ValidateTaskDefinition (ECS's rules, validate.h), CheckSupported (what this version can do,
// supported.h). Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "runtime/model/container_definition.h"
#include "runtime/model/quantities.h"

namespace skiff::runtime {

enum class NetworkMode { kAwsvpc, kHost, kNone, kBridge };

struct HostVolume {
  std::optional<std::string> source_path;
  bool operator==(const HostVolume&) const = default;
};

struct DockerVolumeConfiguration {
  std::optional<std::string> scope;
  Flag autoprovision;
  std::optional<std::string> driver;
  StringMap driver_opts;
  StringMap labels;
  bool operator==(const DockerVolumeConfiguration&) const = default;
};

struct EfsAuthorizationConfig {
  std::optional<std::string> access_point_id;
  std::optional<std::string> iam;
  bool operator==(const EfsAuthorizationConfig&) const = default;
};

struct EfsVolumeConfiguration {
  std::string file_system_id;
  std::optional<std::string> root_directory;
  std::optional<std::string> transit_encryption;
  std::optional<int64_t> transit_encryption_port;
  std::optional<EfsAuthorizationConfig> authorization_config;
  bool operator==(const EfsVolumeConfiguration&) const = default;
};

struct S3FilesVolumeConfiguration {
  std::string file_system_arn;
  std::optional<std::string> root_directory;
  std::optional<int64_t> transit_encryption_port;
  std::optional<std::string> access_point_arn;
  bool operator==(const S3FilesVolumeConfiguration&) const = default;
};

struct FsxAuthorizationConfig {
  std::string credentials_parameter;
  std::string domain;
  bool operator==(const FsxAuthorizationConfig&) const = default;
};

struct FsxWindowsVolumeConfiguration {
  std::string file_system_id;
  std::string root_directory;
  std::optional<FsxAuthorizationConfig> authorization_config;
  bool operator==(const FsxWindowsVolumeConfiguration&) const = default;
};

struct Volume {
  std::string name;
  std::optional<HostVolume> host;
  std::optional<DockerVolumeConfiguration> docker;
  std::optional<EfsVolumeConfiguration> efs;
  std::optional<S3FilesVolumeConfiguration> s3_files;
  std::optional<FsxWindowsVolumeConfiguration> fsx_windows;
  Flag configured_at_launch;
  bool operator==(const Volume&) const = default;
};

struct PlacementConstraint {
  std::string type;
  std::optional<std::string> expression;
  bool operator==(const PlacementConstraint&) const = default;
};

struct Tag {
  std::string key;
  std::string value;
  bool operator==(const Tag&) const = default;
};

struct ProxyConfiguration {
  std::optional<std::string> type;
  std::string container_name;
  std::vector<KeyValue> properties;
  bool operator==(const ProxyConfiguration&) const = default;
};

struct InferenceAccelerator {
  std::string device_name;
  std::string device_type;
  bool operator==(const InferenceAccelerator&) const = default;
};

struct EphemeralStorage {
  int64_t size_in_gib = 0;
  bool operator==(const EphemeralStorage&) const = default;
};

struct RuntimePlatform {
  std::optional<std::string> cpu_architecture;         // "X86_64", "ARM64"
  std::optional<std::string> operating_system_family;  // "LINUX"
  bool operator==(const RuntimePlatform&) const = default;
};

struct TaskDefinition {
  std::string family;
  std::optional<std::string> task_role_arn;
  std::optional<std::string> execution_role_arn;
  std::optional<NetworkMode> network_mode;  // see EffectiveNetworkMode
  std::vector<ContainerDefinition> containers;
  std::vector<Volume> volumes;
  std::vector<PlacementConstraint> placement_constraints;
  std::vector<std::string> requires_compatibilities;
  std::optional<CpuUnits> cpu;
  std::optional<Bytes> memory;
  std::vector<Tag> tags;
  std::optional<std::string> pid_mode;
  std::optional<std::string> ipc_mode;
  std::optional<ProxyConfiguration> proxy_configuration;
  std::vector<InferenceAccelerator> inference_accelerators;
  std::optional<EphemeralStorage> ephemeral_storage;
  std::optional<RuntimePlatform> runtime_platform;
  Flag enable_fault_injection;
  bool operator==(const TaskDefinition&) const = default;
};

// True when requiresCompatibilities names FARGATE: then Fargate's stricter rules hold.
bool IsFargate(const TaskDefinition& definition);

// What skiff uses: the given mode, or awsvpc (ECS would use bridge, which skiff does not offer).
NetworkMode EffectiveNetworkMode(const TaskDefinition& definition);

// "awsvpc", "tcp", "START".
std::string_view NetworkModeName(NetworkMode mode);
std::string_view ProtocolName(Protocol protocol);
std::string_view ConditionName(DependencyCondition condition);

struct ParsedTaskDefinition {
  TaskDefinition definition;
  std::vector<std::string> warnings;  // "ignored unknown member containerDefinitions[0].foo"
};

// Reads what `aws ecs register-task-definition --cli-input-json` reads, and what `aws ecs
// describe-task-definition` prints. `what` names the text in errors. Types only: a definition that
// parses may still be one that ECS refuses.
Result<ParsedTaskDefinition> ParseTaskDefinition(std::string_view json, std::string_view what);

// One line of JSON that parses to an equal definition. cpu and memory come out as plain numbers.
std::string EncodeTaskDefinition(const TaskDefinition& definition);

}  // namespace skiff::runtime
