// The JSON members of a task definition, written down once: reading, writing and knowing the names
// all go through these lists. `io` is the reader or the writer of task_definition_json.cc and is
// called with each member's name and field. Its other verbs: Required must be there when read,
// Always is written even when empty, MiB is a number of them.
#pragma once

#include "runtime/model/task_definition.h"

namespace skiff::runtime {

template <typename Io>
void Members(Io& io, KeyValue& v) {
  io("name", v.name);
  io.Always("value", v.value);
}

template <typename Io>
void Members(Io& io, PortMapping& v) {
  io("containerPort", v.container_port);
  io("hostPort", v.host_port);
  io("protocol", v.protocol);
  io("name", v.name);
  io("appProtocol", v.app_protocol);
  io("containerPortRange", v.container_port_range);
}

template <typename Io>
void Members(Io& io, Ulimit& v) {
  io.Required("name", v.name);
  io.Required("softLimit", v.soft_limit);
  io.Required("hardLimit", v.hard_limit);
}

template <typename Io>
void Members(Io& io, DependsOn& v) {
  io.Required("containerName", v.container_name);
  io.Required("condition", v.condition);
}

template <typename Io>
void Members(Io& io, HealthCheck& v) {
  io.Required("command", v.command);
  io("interval", v.interval);
  io("timeout", v.timeout);
  io("retries", v.retries);
  io("startPeriod", v.start_period);
}

template <typename Io>
void Members(Io& io, Secret& v) {
  io.Required("name", v.name);
  io.Required("valueFrom", v.value_from);
}

template <typename Io>
void Members(Io& io, LogConfiguration& v) {
  io.Required("logDriver", v.log_driver);
  io("options", v.options);
  io("secretOptions", v.secret_options);
}

template <typename Io>
void Members(Io& io, KernelCapabilities& v) {
  io("add", v.add);
  io("drop", v.drop);
}

template <typename Io>
void Members(Io& io, Device& v) {
  io.Required("hostPath", v.host_path);
  io("containerPath", v.container_path);
  io("permissions", v.permissions);
}

template <typename Io>
void Members(Io& io, Tmpfs& v) {
  io.Required("containerPath", v.container_path);
  io.Required("size", v.size_mib);
  io("mountOptions", v.mount_options);
}

template <typename Io>
void Members(Io& io, LinuxParameters& v) {
  io("capabilities", v.capabilities);
  io("devices", v.devices);
  io("initProcessEnabled", v.init_process_enabled);
  io.MiB("sharedMemorySize", v.shared_memory_size);
  io("tmpfs", v.tmpfs);
  io("maxSwap", v.max_swap_mib);
  io("swappiness", v.swappiness);
}

template <typename Io>
void Members(Io& io, MountPoint& v) {
  io("sourceVolume", v.source_volume);
  io("containerPath", v.container_path);
  io("readOnly", v.read_only);
}

template <typename Io>
void Members(Io& io, VolumeFrom& v) {
  io("sourceContainer", v.source_container);
  io("readOnly", v.read_only);
}

template <typename Io>
void Members(Io& io, RestartPolicy& v) {
  io.Required("enabled", v.enabled);
  io("ignoredExitCodes", v.ignored_exit_codes);
  io("restartAttemptPeriod", v.restart_attempt_period);
}

template <typename Io>
void Members(Io& io, EnvironmentFile& v) {
  io.Required("value", v.value);
  io.Required("type", v.type);
}

template <typename Io>
void Members(Io& io, HostEntry& v) {
  io.Required("hostname", v.hostname);
  io.Required("ipAddress", v.ip_address);
}

template <typename Io>
void Members(Io& io, SystemControl& v) {
  io("namespace", v.name);
  io("value", v.value);
}

template <typename Io>
void Members(Io& io, ResourceRequirement& v) {
  io.Required("type", v.type);
  io.Required("value", v.value);
}

template <typename Io>
void Members(Io& io, FirelensConfiguration& v) {
  io.Required("type", v.type);
  io("options", v.options);
}

template <typename Io>
void Members(Io& io, RepositoryCredentials& v) {
  io.Required("credentialsParameter", v.credentials_parameter);
}

template <typename Io>
void Members(Io& io, ContainerDefinition& v) {
  io("name", v.name);
  io("image", v.image);
  io("repositoryCredentials", v.repository_credentials);
  io("cpu", v.cpu);
  io.MiB("memory", v.memory);
  io.MiB("memoryReservation", v.memory_reservation);
  io("links", v.links);
  io("portMappings", v.port_mappings);
  io("essential", v.essential);
  io("restartPolicy", v.restart_policy);
  io("entryPoint", v.entry_point);
  io("command", v.command);
  io("environment", v.environment);
  io("environmentFiles", v.environment_files);
  io("mountPoints", v.mount_points);
  io("volumesFrom", v.volumes_from);
  io("linuxParameters", v.linux_parameters);
  io("secrets", v.secrets);
  io("dependsOn", v.depends_on);
  io("startTimeout", v.start_timeout);
  io("stopTimeout", v.stop_timeout);
  io("versionConsistency", v.version_consistency);
  io("hostname", v.hostname);
  io("user", v.user);
  io("workingDirectory", v.working_directory);
  io("disableNetworking", v.disable_networking);
  io("privileged", v.privileged);
  io("readonlyRootFilesystem", v.readonly_root_filesystem);
  io("dnsServers", v.dns_servers);
  io("dnsSearchDomains", v.dns_search_domains);
  io("extraHosts", v.extra_hosts);
  io("dockerSecurityOptions", v.docker_security_options);
  io("interactive", v.interactive);
  io("pseudoTerminal", v.pseudo_terminal);
  io("dockerLabels", v.docker_labels);
  io("ulimits", v.ulimits);
  io("logConfiguration", v.log_configuration);
  io("healthCheck", v.health_check);
  io("systemControls", v.system_controls);
  io("resourceRequirements", v.resource_requirements);
  io("firelensConfiguration", v.firelens_configuration);
  io("credentialSpecs", v.credential_specs);
}

template <typename Io>
void Members(Io& io, HostVolume& v) {
  io("sourcePath", v.source_path);
}

template <typename Io>
void Members(Io& io, DockerVolumeConfiguration& v) {
  io("scope", v.scope);
  io("autoprovision", v.autoprovision);
  io("driver", v.driver);
  io("driverOpts", v.driver_opts);
  io("labels", v.labels);
}

template <typename Io>
void Members(Io& io, EfsAuthorizationConfig& v) {
  io("accessPointId", v.access_point_id);
  io("iam", v.iam);
}

template <typename Io>
void Members(Io& io, EfsVolumeConfiguration& v) {
  io.Required("fileSystemId", v.file_system_id);
  io("rootDirectory", v.root_directory);
  io("transitEncryption", v.transit_encryption);
  io("transitEncryptionPort", v.transit_encryption_port);
  io("authorizationConfig", v.authorization_config);
}

template <typename Io>
void Members(Io& io, S3FilesVolumeConfiguration& v) {
  io.Required("fileSystemArn", v.file_system_arn);
  io("rootDirectory", v.root_directory);
  io("transitEncryptionPort", v.transit_encryption_port);
  io("accessPointArn", v.access_point_arn);
}

template <typename Io>
void Members(Io& io, FsxAuthorizationConfig& v) {
  io.Required("credentialsParameter", v.credentials_parameter);
  io.Required("domain", v.domain);
}

template <typename Io>
void Members(Io& io, FsxWindowsVolumeConfiguration& v) {
  io.Required("fileSystemId", v.file_system_id);
  io.Required("rootDirectory", v.root_directory);
  io("authorizationConfig", v.authorization_config);
}

template <typename Io>
void Members(Io& io, Volume& v) {
  io("name", v.name);
  io("host", v.host);
  io("dockerVolumeConfiguration", v.docker);
  io("efsVolumeConfiguration", v.efs);
  io("s3filesVolumeConfiguration", v.s3_files);
  io("fsxWindowsFileServerVolumeConfiguration", v.fsx_windows);
  io("configuredAtLaunch", v.configured_at_launch);
}

template <typename Io>
void Members(Io& io, PlacementConstraint& v) {
  io("type", v.type);
  io("expression", v.expression);
}

template <typename Io>
void Members(Io& io, Tag& v) {
  io("key", v.key);
  io.Always("value", v.value);
}

template <typename Io>
void Members(Io& io, ProxyConfiguration& v) {
  io("type", v.type);
  io.Required("containerName", v.container_name);
  io("properties", v.properties);
}

template <typename Io>
void Members(Io& io, InferenceAccelerator& v) {
  io.Required("deviceName", v.device_name);
  io.Required("deviceType", v.device_type);
}

template <typename Io>
void Members(Io& io, EphemeralStorage& v) {
  io.Required("sizeInGiB", v.size_in_gib);
}

template <typename Io>
void Members(Io& io, RuntimePlatform& v) {
  io("cpuArchitecture", v.cpu_architecture);
  io("operatingSystemFamily", v.operating_system_family);
}

template <typename Io>
void Members(Io& io, TaskDefinition& v) {
  io("family", v.family);
  io("taskRoleArn", v.task_role_arn);
  io("executionRoleArn", v.execution_role_arn);
  io("networkMode", v.network_mode);
  io("containerDefinitions", v.containers);
  io("volumes", v.volumes);
  io("placementConstraints", v.placement_constraints);
  io("requiresCompatibilities", v.requires_compatibilities);
  io("cpu", v.cpu);
  io("memory", v.memory);
  io("tags", v.tags);
  io("pidMode", v.pid_mode);
  io("ipcMode", v.ipc_mode);
  io("proxyConfiguration", v.proxy_configuration);
  io("inferenceAccelerators", v.inference_accelerators);
  io("ephemeralStorage", v.ephemeral_storage);
  io("runtimePlatform", v.runtime_platform);
  io("enableFaultInjection", v.enable_fault_injection);
}

}  // namespace skiff::runtime
