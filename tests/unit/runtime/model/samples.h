// Task definitions as people give them to the aws CLI.
#pragma once

#include <string_view>

namespace skiff::runtime {

// Every member of RegisterTaskDefinition, each with a value of its type, sorted by name. Only its
// types are right: ECS would refuse it.
inline constexpr std::string_view kEveryMember = R"json({
 "containerDefinitions": [{
  "command": ["command"],
  "cpu": 1,
  "credentialSpecs": ["credentialSpecs"],
  "dependsOn": [{
   "condition": "HEALTHY",
   "containerName": "containerName"
  }],
  "disableNetworking": true,
  "dnsSearchDomains": ["dnsSearchDomains"],
  "dnsServers": ["dnsServers"],
  "dockerLabels": {
   "dockerLabels-key": "dockerLabels-value"
  },
  "dockerSecurityOptions": ["dockerSecurityOptions"],
  "entryPoint": ["entryPoint"],
  "environment": [{
   "name": "name",
   "value": "value"
  }],
  "environmentFiles": [{
   "type": "s3",
   "value": "value"
  }],
  "essential": true,
  "extraHosts": [{
   "hostname": "hostname",
   "ipAddress": "ipAddress"
  }],
  "firelensConfiguration": {
   "options": {"options-key": "options-value"},
   "type": "fluentbit"
  },
  "healthCheck": {
   "command": ["command"],
   "interval": 16,
   "retries": 18,
   "startPeriod": 19,
   "timeout": 17
  },
  "hostname": "hostname",
  "image": "image",
  "interactive": true,
  "links": ["links"],
  "linuxParameters": {
   "capabilities": {"add": ["add"], "drop": ["drop"]},
   "devices": [{"containerPath": "containerPath", "hostPath": "hostPath",
    "permissions": ["mknod"]}],
   "initProcessEnabled": true,
   "maxSwap": 10,
   "sharedMemorySize": 8,
   "swappiness": 11,
   "tmpfs": [{"containerPath": "containerPath", "mountOptions": ["mountOptions"], "size": 9}]
  },
  "logConfiguration": {
   "logDriver": "awsfirelens",
   "options": {"options-key": "options-value"},
   "secretOptions": [{"name": "name", "valueFrom": "valueFrom"}]
  },
  "memory": 2,
  "memoryReservation": 3,
  "mountPoints": [{
   "containerPath": "containerPath",
   "readOnly": true,
   "sourceVolume": "sourceVolume"
  }],
  "name": "name",
  "portMappings": [{
   "appProtocol": "grpc",
   "containerPort": 4,
   "containerPortRange": "containerPortRange",
   "hostPort": 5,
   "name": "name",
   "protocol": "udp"
  }],
  "privileged": true,
  "pseudoTerminal": true,
  "readonlyRootFilesystem": true,
  "repositoryCredentials": {
   "credentialsParameter": "credentialsParameter"
  },
  "resourceRequirements": [{
   "type": "InferenceAccelerator",
   "value": "value"
  }],
  "restartPolicy": {
   "enabled": true,
   "ignoredExitCodes": [6],
   "restartAttemptPeriod": 7
  },
  "secrets": [{
   "name": "name",
   "valueFrom": "valueFrom"
  }],
  "startTimeout": 12,
  "stopTimeout": 13,
  "systemControls": [{
   "namespace": "namespace",
   "value": "value"
  }],
  "ulimits": [{
   "hardLimit": 15,
   "name": "stack",
   "softLimit": 14
  }],
  "user": "user",
  "versionConsistency": "disabled",
  "volumesFrom": [{
   "readOnly": true,
   "sourceContainer": "sourceContainer"
  }],
  "workingDirectory": "workingDirectory"
 }],
 "cpu": "256",
 "enableFaultInjection": true,
 "ephemeralStorage": {
  "sizeInGiB": 22
 },
 "executionRoleArn": "executionRoleArn",
 "family": "family",
 "inferenceAccelerators": [{
  "deviceName": "deviceName",
  "deviceType": "deviceType"
 }],
 "ipcMode": "none",
 "memory": "512",
 "networkMode": "none",
 "pidMode": "task",
 "placementConstraints": [{
  "expression": "expression",
  "type": "memberOf"
 }],
 "proxyConfiguration": {
  "containerName": "containerName",
  "properties": [{
   "name": "name",
   "value": "value"
  }],
  "type": "APPMESH"
 },
 "requiresCompatibilities": ["MANAGED_INSTANCES"],
 "runtimePlatform": {
  "cpuArchitecture": "ARM64",
  "operatingSystemFamily": "LINUX"
 },
 "tags": [{
  "key": "key",
  "value": "value"
 }],
 "taskRoleArn": "taskRoleArn",
 "volumes": [{
  "configuredAtLaunch": true,
  "dockerVolumeConfiguration": {
   "autoprovision": true,
   "driver": "driver",
   "driverOpts": {"driverOpts-key": "driverOpts-value"},
   "labels": {"labels-key": "labels-value"},
   "scope": "shared"
  },
  "efsVolumeConfiguration": {
   "authorizationConfig": {"accessPointId": "accessPointId", "iam": "DISABLED"},
   "fileSystemId": "fileSystemId",
   "rootDirectory": "rootDirectory",
   "transitEncryption": "DISABLED",
   "transitEncryptionPort": 20
  },
  "fsxWindowsFileServerVolumeConfiguration": {
   "authorizationConfig": {"credentialsParameter": "credentialsParameter", "domain": "domain"},
   "fileSystemId": "fileSystemId",
   "rootDirectory": "rootDirectory"
  },
  "host": {
   "sourcePath": "sourcePath"
  },
  "name": "name",
  "s3filesVolumeConfiguration": {
   "accessPointArn": "accessPointArn",
   "fileSystemArn": "fileSystemArn",
   "rootDirectory": "rootDirectory",
   "transitEncryptionPort": 21
  }
 }]
})json";

// A web server and a client that talks to it over the task's own network.
inline constexpr std::string_view kFargateWeb = R"json({
  "family": "web",
  "requiresCompatibilities": ["FARGATE"],
  "networkMode": "awsvpc",
  "cpu": ".25 vCPU",
  "memory": "0.5 GB",
  "executionRoleArn": "arn:aws:iam::123456789012:role/ecsTaskExecutionRole",
  "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
  "containerDefinitions": [
    {
      "name": "nginx",
      "image": "public.ecr.aws/docker/library/nginx:1.25",
      "portMappings": [
        {"containerPort": 80, "protocol": "tcp", "appProtocol": "http", "name": "http"}
      ],
      "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}],
      "linuxParameters": {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": false},
      "readonlyRootFilesystem": false,
      "dockerLabels": {"team": "edge"},
      "stopTimeout": 10,
      "logConfiguration": {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/ecs/web", "awslogs-region": "us-east-1",
                    "awslogs-stream-prefix": "nginx"}
      }
    },
    {
      "name": "client",
      "image": "busybox",
      "essential": false,
      "memoryReservation": 64,
      "memory": 128,
      "entryPoint": ["sh", "-c"],
      "command": ["while wget -qO- 127.0.0.1; do sleep 1; done"],
      "environment": [{"name": "GREETING", "value": "hello"}, {"name": "EMPTY", "value": ""}],
      "user": "nobody:nogroup",
      "workingDirectory": "/tmp",
      "dependsOn": [{"containerName": "nginx", "condition": "START"}]
    }
  ],
  "tags": [{"key": "stage", "value": "test"}]
})json";

// What describe-task-definition prints of a registered definition.
inline constexpr std::string_view kDescribed = R"json({
    "taskDefinition": {
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/batch:7",
        "containerDefinitions": [{
            "name": "batch", "image": "python:3.11", "cpu": 0, "memory": 256, "portMappings": [],
            "essential": true, "command": ["python3", "-V"], "environment": [], "mountPoints": [],
            "volumesFrom": [], "systemControls": []
        }],
        "family": "batch", "revision": 7, "volumes": [], "status": "ACTIVE",
        "networkMode": "none",
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
        "placementConstraints": [], "compatibilities": ["EXTERNAL", "EC2"],
        "registeredAt": "2026-01-31T12:00:00.123000+00:00",
        "registeredBy": "arn:aws:iam::123456789012:root"
    },
    "tags": [{"key": "stage", "value": "test"}]
})json";

}  // namespace skiff::runtime
