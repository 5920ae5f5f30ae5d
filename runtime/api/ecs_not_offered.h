// The operations of ECS that this version does not have. One that arrives takes its name out.
#pragma once

#include <string_view>

namespace skiff::runtime::api {

inline constexpr std::string_view kEcsNotOffered[] = {
    "ContinueServiceDeployment",
    "CreateCapacityProvider",
    "CreateService",
    "CreateTaskSet",
    "DeleteCapacityProvider",
    "DeleteService",
    "DeleteTaskSet",
    "DeregisterContainerInstance",
    "DescribeServiceDeployments",
    "DescribeServiceRevisions",
    "DescribeServices",
    "DescribeTaskSets",
    "DiscoverPollEndpoint",
    "ExecuteCommand",
    "ListServiceDeployments",
    "ListServices",
    "ListServicesByNamespace",
    "RegisterContainerInstance",
    "StartTask",
    "StopServiceDeployment",
    "SubmitAttachmentStateChanges",
    "SubmitContainerStateChange",
    "SubmitTaskStateChange",
    "UpdateCapacityProvider",
    "UpdateContainerAgent",
    "UpdateContainerInstancesState",
    "UpdateService",
    "UpdateServicePrimaryTaskSet",
    "UpdateTaskSet",
};

}  // namespace skiff::runtime::api
