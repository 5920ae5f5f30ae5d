#!/usr/bin/python3
"""What a user of AWS knows, against skiffd, with nothing but the endpoint changed: Debian's aws CLI
and boto3 run nginx and redis from images made of Debian packages. Needs root."""

import json
import subprocess
import sys
import unittest
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from daemon import ROOT, Daemon  # noqa: E402

CACHE = ROOT / ".cache" / "test-images"
CLUSTER = "harbour"


def image(name):
    layout = CACHE / name
    if not (layout / "index.json").exists():
        subprocess.run([ROOT / "tools" / "make-image", name, layout], check=True)
    return layout


def definition(family, name, port, **container):
    return {
        "family": family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [
            {
                "name": name,
                "image": f"{name}:latest",
                "portMappings": [{"containerPort": port}],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": f"/ecs/{family}",
                        "awslogs-region": "us-east-1",
                        "awslogs-stream-prefix": "ecs",
                        "awslogs-create-group": "true",
                    },
                },
                **container,
            }
        ],
    }


NETWORK = "awsvpcConfiguration={subnets=[subnet-default],securityGroups=[sg-default]}"


def address_of(task):
    (attachment,) = task["attachments"]
    return {detail["name"]: detail["value"] for detail in attachment["details"]}[
        "privateIPv4Address"
    ]


class WalkthroughTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.end)
        for name in ("nginx", "redis"):
            cls.daemon.skiff("image", "import", str(image(name)), "--name", f"{name}:latest")
        cls.daemon.start()

    def register(self, *arguments, **keywords):
        text = json.dumps(definition(*arguments, **keywords))
        return self.daemon.aws("ecs", "register-task-definition", "--cli-input-json", text)

    def test_a_task_of_nginx_from_cluster_to_stopped(self):
        aws = self.daemon.aws
        created = aws("ecs", "create-cluster", "--cluster-name", CLUSTER, "--tags", "key=a,value=b")
        self.assertEqual(created["cluster"]["status"], "ACTIVE")
        self.assertEqual(self.register("web", "nginx", 80)["taskDefinition"]["revision"], 1)

        run = aws("ecs", "run-task", "--cluster", CLUSTER, "--task-definition", "web",
                  "--launch-type", "FARGATE", "--network-configuration", NETWORK,
                  "--started-by", "walkthrough", "--tags", "key=team,value=harbour")
        self.assertEqual(run["failures"], [])
        arn = run["tasks"][0]["taskArn"]
        aws("ecs", "wait", "tasks-running", "--cluster", CLUSTER, "--tasks", arn)

        described = aws("ecs", "describe-tasks", "--cluster", CLUSTER, "--tasks", arn,
                        "--include", "TAGS")
        task = described["tasks"][0]
        self.assertEqual(task["lastStatus"], "RUNNING")
        self.assertEqual(task["connectivity"], "CONNECTED")
        self.assertEqual(task["tags"], [{"key": "team", "value": "harbour"}])
        with urllib.request.urlopen(f"http://{address_of(task)}/", timeout=30) as answer:
            self.assertEqual(answer.status, 200)

        refused = aws("ecs", "delete-cluster", "--cluster", CLUSTER, check=False)
        self.assertIn("ClusterContainsTasksException", refused.stderr)
        listed = aws("ecs", "list-tasks", "--cluster", CLUSTER, "--started-by", "walkthrough")
        self.assertEqual(listed["taskArns"], [arn])
        aws("ecs", "tag-resource", "--resource-arn", arn, "--tags", "key=more,value=1")
        tags = aws("ecs", "list-tags-for-resource", "--resource-arn", arn)["tags"]
        self.assertIn({"key": "more", "value": "1"}, tags)

        aws("ecs", "stop-task", "--cluster", CLUSTER, "--task", arn, "--reason", "seen enough")
        aws("ecs", "wait", "tasks-stopped", "--cluster", CLUSTER, "--tasks", arn)
        stopped = aws("ecs", "describe-tasks", "--cluster", CLUSTER, "--tasks", arn)["tasks"][0]
        self.assertEqual(stopped["lastStatus"], "STOPPED")
        self.assertEqual(stopped["stopCode"], "UserInitiated")
        self.assertEqual(stopped["stoppedReason"], "seen enough")
        self.assertEqual(aws("ecs", "delete-cluster", "--cluster", CLUSTER)["cluster"]["status"],
                         "INACTIVE")

    def test_boto3_runs_redis_and_skiff_reads_its_log(self):
        ecs = self.daemon.boto3("ecs")
        ecs.create_cluster()
        self.register("cache", "redis", 6379)
        run = ecs.run_task(
            taskDefinition="cache:1", launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-default"]}},
        )
        arn = run["tasks"][0]["taskArn"]
        ecs.get_waiter("tasks_running").wait(tasks=[arn])
        ecs.stop_task(task=arn, reason="done")
        ecs.get_waiter("tasks_stopped").wait(tasks=[arn])
        task_id = arn.rpartition("/")[2]
        self.assertIn("Ready to accept connections", self.daemon.skiff("logs", task_id))
        found = self.daemon.boto3("logs").filter_log_events(
            logGroupName="/ecs/cache", logStreamNames=[f"ecs/redis/{task_id}"],
            filterPattern='"Ready to accept"',
        )
        self.assertEqual(len(found["events"]), 1)

    def test_lists_come_in_pages(self):
        for number in range(5):
            self.register("pages", "nginx", 80, cpu=number + 1)
        pages = self.daemon.aws("ecs", "list-task-definitions", "--family-prefix", "pages",
                                "--page-size", "2", "--sort", "DESC")
        revisions = [arn.rpartition(":")[2] for arn in pages["taskDefinitionArns"]]
        self.assertEqual(revisions, ["5", "4", "3", "2", "1"])

    def test_tasks_outlive_a_daemon_that_is_killed(self):
        ecs = self.daemon.boto3("ecs")
        ecs.create_cluster()
        self.register("survivor", "redis", 6379)
        run = ecs.run_task(
            taskDefinition="survivor", launchType="FARGATE", count=2,
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-default"]}},
        )
        arns = [task["taskArn"] for task in run["tasks"]]
        ecs.get_waiter("tasks_running").wait(tasks=arns)
        before = ecs.describe_tasks(tasks=arns)["tasks"]
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(ecs.describe_tasks(tasks=arns)["tasks"], before)
        for arn in arns:
            ecs.stop_task(task=arn)
        ecs.get_waiter("tasks_stopped").wait(tasks=arns)
        for task in ecs.describe_tasks(tasks=arns)["tasks"]:
            self.assertEqual((task["stopCode"], task["containers"][0]["exitCode"]),
                             ("UserInitiated", 0))

    def test_who_calls_decides_what_is_allowed(self):
        caller = self.daemon.aws("sts", "get-caller-identity")
        self.assertEqual(caller["Arn"], "arn:aws:iam::123456789012:user/admin")
        self.daemon.aws("ecs", "describe-clusters", user="reader")
        refused = self.daemon.aws("ecs", "create-cluster", user="reader", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("AccessDeniedException", refused.stderr)

    def test_a_task_that_cannot_start_says_why(self):
        # A registry that nobody serves.
        lost = definition("lost", "nowhere", 80)
        lost["containerDefinitions"][0]["image"] = "localhost:1/nowhere"
        text = json.dumps(lost)
        self.daemon.aws("ecs", "register-task-definition", "--cli-input-json", text)
        ecs = self.daemon.boto3("ecs")
        ecs.create_cluster()
        run = ecs.run_task(
            taskDefinition="lost", launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-default"]}},
        )
        arn = run["tasks"][0]["taskArn"]
        ecs.get_waiter("tasks_stopped").wait(tasks=[arn])
        task = ecs.describe_tasks(tasks=[arn])["tasks"][0]
        self.assertEqual(task["stopCode"], "TaskFailedToStart")
        reason = "CannotPullContainerError: pull image localhost:1/nowhere"
        self.assertRegex(task["stoppedReason"], reason)
        self.assertLessEqual(task["pullStartedAt"], task["stoppedAt"])


if __name__ == "__main__":
    # boto3's connections are open until it is collected: no news.
    unittest.main(warnings="ignore", verbosity=2)
