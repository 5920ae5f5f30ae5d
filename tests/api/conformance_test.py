#!/usr/bin/python3
"""Every operation that skiffd offers, against the service models that botocore ships: what answers
are made of, which errors may come, and that no member of a request is passed over in silence.
Needs root."""

import http.client
import json
import re
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from daemon import Daemon  # noqa: E402

import botocore.loaders  # noqa: E402
import botocore.model  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]

# Members that the service has and the models of Debian 12 (botocore 1.29) do not yet.
NEWER = {
    ("logs", "LogGroup", "logGroupArn"),
    ("logs", "LogGroup", "logGroupClass"),
    ("logs", "LogGroup", "deletionProtectionEnabled"),
    ("logs", "PutLogEventsResponse", "rejectedEntityInfo"),
}
NEWER_VALUES = {
    ("ecs", "SettingName"): {
        "defaultLogDriverMode", "fargateFIPSMode", "fargateTaskRetirementWaitPeriod",
        "guardDutyActivate", "tagResourceAuthorization",
    },
}
NEWER_ERRORS = {("ecs", "RunTask"): {"ConflictException"}}
# Errors of every AWS service.
COMMON = {
    "AccessDeniedException", "InvalidParameterException", "SerializationException",
    "ServiceUnavailableException", "ThrottlingException", "UnsupportedFeatureException",
    "ValidationException",
}
PREFIX = {"ecs": "AmazonEC2ContainerServiceV20141113", "logs": "Logs_20140328"}
DEFINITION = {
    "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
    "cpu": "256", "memory": "512", "taskRoleArn": "arn:aws:iam::123456789012:role/task",
    "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
    "volumes": [{"name": "scratch", "host": {}}],
    "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
    "ephemeralStorage": {"sizeInGiB": 25},
    "tags": [{"key": "team", "value": "boats"}],
    "containerDefinitions": [
        {
            "name": "web", "image": "nowhere.invalid/web:1", "memory": 256, "cpu": 128,
            "portMappings": [{"containerPort": 80, "name": "http", "appProtocol": "http"}],
            "environment": [{"name": "A", "value": "b"}],
            "secrets": [
                {"name": "S", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/s"}],
            "mountPoints": [{"sourceVolume": "scratch", "containerPath": "/s", "readOnly": True}],
            "healthCheck": {"command": ["CMD", "true"], "interval": 5, "timeout": 2, "retries": 1},
            "ulimits": [{"name": "nofile", "softLimit": 10, "hardLimit": 20}],
            "dockerLabels": {"a": "b"}, "stopTimeout": 5, "startTimeout": 10,
            "linuxParameters": {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": True},
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "g", "awslogs-region": "us-east-1",
                            "awslogs-stream-prefix": "p"},
            },
        }
    ],
}
PLAIN = {
    "family": "plain",
    "containerDefinitions": [{"name": "a", "image": "nowhere.invalid/a:1", "memory": 64}],
}
TYPES = {
    "string": (str,), "integer": (int,), "long": (int,), "boolean": (bool,), "list": (list,),
    "structure": (dict,), "map": (dict,), "double": (int, float), "float": (int, float),
    "timestamp": (int, float),
}


class Model:
    def __init__(self, service):
        text = botocore.loaders.Loader().load_service_model(service, "service-2")
        self.name = service
        self.service = botocore.model.ServiceModel(text)

    def input_members(self, operation):
        shape = self.service.operation_model(operation).input_shape
        return dict(shape.members) if shape else {}

    def problems(self, operation, answer):
        if operation not in self.service.operation_names:
            return []  # newer than Debian's models
        shape = self.service.operation_model(operation).output_shape
        if shape is None:
            return [] if answer in (None, {}) else [f"{operation}: has no output"]
        return list(self._problems(shape, answer, operation))

    def _problems(self, shape, value, at):
        kind = shape.type_name
        fits = isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
        if not fits:
            yield f"{at}: {kind} expected, is {value!r}"
            return
        if kind == "structure":
            for name, inner in value.items():
                if name in shape.members:
                    yield from self._problems(shape.members[name], inner, f"{at}.{name}")
                elif (self.name, shape.name, name) not in NEWER:
                    yield f"{at}.{name}: not in the model"
            for name in shape.required_members:
                if name not in value:
                    yield f"{at}.{name}: missing"
        elif kind == "list":
            for index, inner in enumerate(value):
                yield from self._problems(shape.member, inner, f"{at}[{index}]")
        elif kind == "map":
            for name, inner in value.items():
                yield from self._problems(shape.value, inner, f"{at}.{name}")
        elif kind == "string" and getattr(shape, "enum", None):
            if value not in {*shape.enum, *NEWER_VALUES.get((self.name, shape.name), ())}:
                yield f"{at}: {value!r} is none of {shape.enum}"

    def may_fail_with(self, operation, error):
        if operation not in self.service.operation_names:
            return True
        declared = {shape.name for shape in self.service.operation_model(operation).error_shapes}
        return error in declared | COMMON | NEWER_ERRORS.get((self.name, operation), set())


def not_offered():
    header = (ROOT / "runtime" / "api" / "ecs_not_offered.h").read_text()
    return set(re.findall(r'"(\w+)"', header))


class ConformanceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.end)
        cls.daemon.start("--anonymous", "--allow-reset")
        cls.models = {name: Model(name) for name in PREFIX}

    def setUp(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port)
        self.addCleanup(self.connection.close)

    def ask(self, service, operation, body):
        """Status and document; the answer is held against the model."""
        self.connection.request(
            "POST", "/", json.dumps(body),
            {"Content-Type": "application/x-amz-json-1.1",
             "X-Amz-Target": f"{PREFIX[service]}.{operation}"},
        )
        answer = self.connection.getresponse()
        text = answer.read()
        self.assertTrue(answer.headers["x-amzn-RequestId"], operation)
        self.assertEqual(answer.headers["Content-Type"], "application/x-amz-json-1.1")
        document = json.loads(text) if text else None
        model = self.models[service]
        if answer.status == 200:
            self.assertEqual(model.problems(operation, document), [], text)
        else:
            self.assertTrue(
                model.may_fail_with(operation, document["__type"]), f"{operation}: {text}"
            )
            self.assertTrue(document["message"], operation)
        return answer.status, document

    def well(self, operation, body=None, service="ecs"):
        status, document = self.ask(service, operation, body or {})
        self.assertEqual(status, 200, f"{operation} {body}: {document}")
        return document

    def refused(self, operation, body, error, service="ecs"):
        status, document = self.ask(service, operation, body)
        self.assertEqual((status, document["__type"]), (400, error), document)
        return document["message"]

    def test_clusters(self):
        made = self.well("CreateCluster", {
            "clusterName": "fleet", "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
            "defaultCapacityProviderStrategy": [
                {"capacityProvider": "FARGATE", "weight": 1, "base": 1}],
            "settings": [{"name": "containerInsights", "value": "enabled"}],
            "configuration": {"executeCommandConfiguration": {"logging": "DEFAULT"}},
            "serviceConnectDefaults": {"namespace": "harbour"},
            "tags": [{"key": "a", "value": "b"}]})["cluster"]
        self.assertEqual(made["registeredContainerInstancesCount"], 0)
        self.assertEqual(made["settings"], [{"name": "containerInsights", "value": "enabled"}])
        include = ["ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"]
        (shown,) = self.well("DescribeClusters", {"clusters": ["fleet"], "include": include})[
            "clusters"]
        self.assertEqual(shown["configuration"], made["configuration"])
        self.assertEqual(shown["serviceConnectDefaults"], {"namespace": "harbour"})
        self.assertEqual(shown["tags"], [{"key": "a", "value": "b"}])
        changed = self.well("UpdateClusterSettings", {
            "cluster": "fleet", "settings": [{"name": "containerInsights", "value": "disabled"}]})
        self.assertEqual(changed["cluster"]["settings"][0]["value"], "disabled")
        changed = self.well("UpdateCluster", {
            "cluster": made["clusterArn"],
            "configuration": {"executeCommandConfiguration": {"logging": "NONE"}}})
        self.assertEqual(
            changed["cluster"]["configuration"]["executeCommandConfiguration"]["logging"], "NONE")
        changed = self.well("PutClusterCapacityProviders", {
            "cluster": "fleet", "capacityProviders": ["FARGATE"],
            "defaultCapacityProviderStrategy": []})
        self.assertEqual(changed["cluster"]["capacityProviders"], ["FARGATE"])
        message = self.refused("PutClusterCapacityProviders", {
            "cluster": "fleet", "capacityProviders": ["FARGATE"],
            "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]},
            "InvalidParameterException")
        self.assertIn("not associated with the cluster", message)
        self.refused("UpdateCluster", {"cluster": "gone"}, "ClusterNotFoundException")
        self.refused("CreateCluster", {"clusterName": "x", "settings": [
            {"name": "containerInsights", "value": "maybe"}]}, "InvalidParameterException")
        self.assertIn(made["clusterArn"], self.well("ListClusters")["clusterArns"])
        self.assertEqual(
            self.well("DeleteCluster", {"cluster": "fleet"})["cluster"]["status"], "INACTIVE")

    def test_capacity_providers(self):
        answer = self.well("DescribeCapacityProviders")
        self.assertEqual([p["name"] for p in answer["capacityProviders"]],
                         ["FARGATE", "FARGATE_SPOT"])
        answer = self.well("DescribeCapacityProviders", {"capacityProviders": ["MINE"]})
        self.assertEqual(answer["failures"][0]["reason"], "MISSING")

    def test_account_settings(self):
        made = self.well("PutAccountSetting", {"name": "containerInsights", "value": "enabled"})
        self.assertEqual(made["setting"]["principalArn"], "arn:aws:iam::123456789012:root")
        self.assertEqual([s["name"] for s in self.well("ListAccountSettings")["settings"]],
                         ["containerInsights"])
        cluster = self.well("CreateCluster", {"clusterName": "insights"})["cluster"]
        self.assertEqual(cluster["settings"], [{"name": "containerInsights", "value": "enabled"}])
        self.well("PutAccountSettingDefault", {"name": "taskLongArnFormat", "value": "enabled"})
        all_of_them = self.well("ListAccountSettings", {"effectiveSettings": True})["settings"]
        self.assertIn("awsvpcTrunking", [s["name"] for s in all_of_them])
        self.well("DeleteAccountSetting", {"name": "containerInsights"})
        self.well("DeleteAccountSetting", {"name": "taskLongArnFormat"})
        self.assertEqual(self.well("ListAccountSettings")["settings"], [])
        refusal = self.refused("PutAccountSetting", {"name": "mine", "value": "x"},
                               "InvalidParameterException")
        self.assertIn("mine should be one of [awsvpcTrunking,", refusal)
        self.refused("PutAccountSetting", {"name": "awsvpcTrunking", "value": "x"},
                     "InvalidParameterException")

    def test_container_instance_and_attributes(self):
        self.well("CreateCluster")
        (arn,) = self.well("ListContainerInstances")["containerInstanceArns"]
        (host,) = self.well("DescribeContainerInstances", {
            "containerInstances": [arn], "include": ["TAGS", "CONTAINER_INSTANCE_HEALTH"]})[
            "containerInstances"]
        cpu = {r["name"]: r.get("integerValue") for r in host["registeredResources"]}
        self.assertGreater(cpu["CPU"], 0)
        self.assertGreater(cpu["MEMORY"], 0)
        attribute = {"name": "berth", "value": "7", "targetId": arn}
        self.well("PutAttributes", {"attributes": [attribute]})
        listed = self.well("ListAttributes", {
            "targetType": "container-instance", "attributeName": "berth"})["attributes"]
        self.assertEqual(listed, [{**attribute, "targetType": "container-instance"}])
        self.refused("PutAttributes", {"attributes": [{**attribute, "targetId": "0" * 32}]},
                     "TargetNotFoundException")
        ten_more = [{**attribute, "name": f"n{i}"} for i in range(10)]
        self.refused("PutAttributes", {"attributes": ten_more}, "AttributeLimitExceededException")
        self.well("DeleteAttributes", {"attributes": [attribute]})
        listed = self.well("ListAttributes", {
            "targetType": "container-instance", "attributeName": "berth"})["attributes"]
        self.assertEqual(listed, [])
        gone = self.well("DescribeContainerInstances", {"containerInstances": ["f" * 32]})
        self.assertEqual(gone["failures"][0]["reason"], "MISSING")
        self.refused("DescribeContainerInstances", {"containerInstances": []},
                     "InvalidParameterException")

    def test_task_definitions(self):
        made = self.well("RegisterTaskDefinition", DEFINITION)
        names = {a["name"] for a in made["taskDefinition"]["requiresAttributes"]}
        self.assertLessEqual({
            "ecs.capability.task-eni", "ecs.capability.container-health-check",
            "ecs.capability.execution-role-awslogs", "com.amazonaws.ecs.capability.task-iam-role",
            "com.amazonaws.ecs.capability.logging-driver.awslogs",
            "ecs.capability.secrets.ssm.environment-variables"}, names)
        name = "web:" + str(made["taskDefinition"]["revision"])
        self.well("DescribeTaskDefinition", {"taskDefinition": name, "include": ["TAGS"]})
        refusal = self.well("DeleteTaskDefinitions", {"taskDefinitions": [name]})
        self.assertIn("still in ACTIVE status", refusal["failures"][0]["reason"])
        self.well("DeregisterTaskDefinition", {"taskDefinition": name})
        (deleted,) = self.well("DeleteTaskDefinitions", {"taskDefinitions": [name, "x:1"]})[
            "taskDefinitions"]
        self.assertEqual(deleted["status"], "DELETE_IN_PROGRESS")
        listed = self.well("ListTaskDefinitions", {"status": "DELETE_IN_PROGRESS"})
        self.assertIn(deleted["taskDefinitionArn"], listed["taskDefinitionArns"])
        self.well("ListTaskDefinitionFamilies", {"status": "ALL"})
        self.refused("DescribeTaskDefinition", {"taskDefinition": "gone"}, "ClientException")

    def test_tasks_and_tags(self):
        self.well("CreateCluster")
        self.well("RegisterTaskDefinition", PLAIN)
        answer = self.well("RunTask", {
            "taskDefinition": "plain", "launchType": "EC2", "startedBy": "me",
            "tags": [{"key": "a", "value": "b"}]})
        arn = answer["tasks"][0]["taskArn"]
        while True:  # an image that is nowhere: it stops at once
            (task,) = self.well("DescribeTasks", {"tasks": [arn], "include": ["TAGS"]})["tasks"]
            if task["lastStatus"] == "STOPPED":
                break
        self.assertEqual(task["stopCode"], "TaskFailedToStart")
        self.well("ListTasks", {"desiredStatus": "STOPPED", "family": "plain"})
        self.well("StopTask", {"task": arn})
        self.well("GetTaskProtection", {"cluster": "default", "tasks": [arn]})
        self.well("UpdateTaskProtection",
                  {"cluster": "default", "tasks": [arn], "protectionEnabled": True})
        self.well("TagResource", {"resourceArn": arn, "tags": [{"key": "c", "value": "d"}]})
        self.well("UntagResource", {"resourceArn": arn, "tagKeys": ["a"]})
        self.assertEqual(self.well("ListTagsForResource", {"resourceArn": arn})["tags"],
                         [{"key": "c", "value": "d"}])
        self.assertEqual(self.well("DescribeTasks", {"tasks": ["0" * 32]})["failures"][0]["reason"],
                         "MISSING")

    def test_a_token_of_another_request_names_what_it_started(self):
        self.well("CreateCluster")
        self.well("RegisterTaskDefinition", PLAIN)
        once = {"taskDefinition": "plain", "clientToken": "once"}
        (task,) = self.well("RunTask", once)["tasks"]
        status, refusal = self.ask("ecs", "RunTask", {**once, "count": 2})
        self.assertEqual((status, refusal["__type"]), (400, "ConflictException"))
        self.assertEqual(refusal["resourceIds"], [task["taskArn"]])

    def test_logs(self):
        group, stream = {"logGroupName": "/g"}, {"logGroupName": "/g", "logStreamName": "s"}
        now = int(time.time() * 1000)

        def well(operation, body):
            return self.well(operation, body, service="logs")

        well("CreateLogGroup", {**group, "tags": {"a": "b"}})
        well("CreateLogStream", stream)
        well("PutLogEvents", {**stream, "logEvents": [{"timestamp": now, "message": "hello"}]})
        well("DescribeLogGroups", {"logGroupNamePrefix": "/"})
        well("DescribeLogStreams", {**group, "orderBy": "LastEventTime"})
        well("GetLogEvents", stream)
        well("FilterLogEvents", {**group, "filterPattern": "hello"})
        well("DescribeMetricFilters", group)
        well("DescribeSubscriptionFilters", group)
        well("PutRetentionPolicy", {**group, "retentionInDays": 1})
        well("DeleteRetentionPolicy", group)
        well("ListTagsLogGroup", group)
        well("DeleteLogStream", stream)
        well("DeleteLogGroup", group)
        self.refused("DeleteLogGroup", group, "ResourceNotFoundException", service="logs")
        self.refused("CreateLogGroup", {"logGroupName": "a b"}, "InvalidParameterException",
                     service="logs")

    # A member that is passed over would let a value of a wrong type pass, too.
    def test_no_member_of_a_request_is_ignored(self):
        self.well("CreateCluster")
        self.well("RegisterTaskDefinition", PLAIN)
        minimal = {
            "RunTask": {"taskDefinition": "plain"},
            "RegisterTaskDefinition": PLAIN,
            "DescribeTaskDefinition": {"taskDefinition": "plain"},
            "ListAttributes": {"targetType": "container-instance"},
            "PutClusterCapacityProviders": {
                "cluster": "default", "capacityProviders": [],
                "defaultCapacityProviderStrategy": []},
            "UpdateCluster": {"cluster": "default"},
            "UpdateClusterSettings": {"cluster": "default", "settings": []},
            "PutAccountSetting": {"name": "awsvpcTrunking", "value": "disabled"},
            "PutAccountSettingDefault": {"name": "awsvpcTrunking", "value": "disabled"},
            "DeleteAccountSetting": {"name": "awsvpcTrunking"},
            "PutAttributes": {"attributes": []},
            "DeleteAttributes": {"attributes": []},
        }
        ignored = []
        model = self.models["ecs"]
        for operation in sorted(set(model.service.operation_names) - not_offered()):
            for name, shape in model.input_members(operation).items():
                wrong = 7 if shape.type_name in ("structure", "list", "map") else ["wrong"]
                status, _ = self.ask("ecs", operation, {**minimal.get(operation, {}), name: wrong})
                if status == 200:
                    ignored.append(f"{operation}.{name}")
        self.assertEqual(ignored, [])

    def test_what_is_not_offered_says_so(self):
        for operation in sorted(not_offered()):
            if operation not in self.models["ecs"].service.operation_names:
                continue  # newer than Debian's models
            message = self.refused(operation, {}, "UnsupportedFeatureException")
            self.assertIn(operation, message)


if __name__ == "__main__":
    unittest.main(verbosity=2)
