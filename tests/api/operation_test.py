#!/usr/bin/python3
"""What those who run skiffd look at: /metrics, the events socket, and the command line beside the
daemon, with real tasks. Needs root."""

import json
import re
import socket
import subprocess
import sys
import unittest
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from daemon import BIN, Daemon, free_port  # noqa: E402
from walkthrough_test import image  # noqa: E402

SAMPLE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def read_metrics(text):
    """{(name, frozenset of labels): value}; fails on a line that is not of the format."""
    samples, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            types[name] = kind
            continue
        if line.startswith("# HELP "):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        key = (name, frozenset(LABEL.findall(labels or "")))
        assert key not in samples, line
        assert any(name == t or name.startswith(t + "_") for t in types), line
        samples[key] = float(value)
    return samples


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


class Subscriber:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(60)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile()
        self.unread = {}  # events of tasks that nobody asked about yet

    def until(self, arn, status):
        """The details of a task's events up to the first with this lastStatus."""
        seen = []
        while not seen or seen[-1]["lastStatus"] != status:
            if self.unread.get(arn):
                seen.append(self.unread[arn].pop(0))
                continue
            event = json.loads(self.lines.readline())
            assert event["detail-type"] == "ECS Task State Change", event
            assert event["source"] == "aws.ecs", event
            (task,) = event["resources"]
            self.unread.setdefault(task, []).append({**event["detail"], "id": event["id"]})
        return seen

    def close(self):
        self.lines.close()
        self.socket.close()


class OperationTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.end)
        cls.daemon.skiff("image", "import", image("busybox"), "--name", "busybox:latest")
        cls.daemon.start()
        cls.ecs = cls.daemon.boto3("ecs")
        cls.addClassCleanup(cls.ecs.close)
        cls.ecs.create_cluster()

    def run_task(self, *command):
        self.ecs.register_task_definition(
            family="job",
            containerDefinitions=[
                {"name": "a", "image": "busybox", "memory": 32, "command": list(command),
                 "stopTimeout": 2}],
        )
        return self.ecs.run_task(taskDefinition="job")["tasks"][0]["taskArn"]

    def subscribe(self):
        subscriber = Subscriber(self.daemon.run / "events.sock")
        self.addCleanup(subscriber.close)
        return subscriber

    def metrics(self):
        with urllib.request.urlopen(self.daemon.endpoint + "/metrics") as answer:
            self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4")
            return read_metrics(answer.read().decode())

    def test_events_tell_every_change_once_and_in_order(self):
        subscriber = self.subscribe()
        arn = self.run_task("sh", "-c", "exit 3")
        events = subscriber.until(arn, "STOPPED")
        versions = [event["version"] for event in events]
        self.assertEqual(versions, sorted(set(versions)))
        statuses = [event["lastStatus"] for event in events]
        self.assertEqual(statuses[0], "PROVISIONING")
        order = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING",
                 "DEPROVISIONING", "STOPPED"]
        self.assertEqual(statuses, sorted(statuses, key=order.index))
        self.assertEqual(events[-1]["stopCode"], "EssentialContainerExited")
        self.assertEqual(events[-1]["containers"][0]["exitCode"], 3)
        self.assertEqual(len({event["id"] for event in events}), len(events))

    def test_a_new_subscriber_gets_the_present_state_first(self):
        early = self.subscribe()
        arn = self.run_task("sleep", "1000")
        seen = early.until(arn, "RUNNING")[-1]
        late = self.subscribe()
        (told,) = late.until(arn, "RUNNING")
        self.assertEqual((told["id"], told["version"]), (seen["id"], seen["version"]))
        self.ecs.stop_task(task=arn, reason="enough")
        for subscriber in (early, late):
            self.assertEqual(subscriber.until(arn, "STOPPED")[-1]["stoppedReason"], "enough")

    def test_metrics(self):
        subscriber = self.subscribe()
        arn = self.run_task("sh", "-c", "echo hello; exec sleep 1000")
        subscriber.until(arn, "RUNNING")
        task = arn.rsplit("/", 1)[1]
        of_task = frozenset({("task", task), ("family", "job"), ("cluster", "default")})
        before = self.metrics()
        self.assertGreater(before["skiff_task_memory_bytes", of_task], 0)
        self.assertGreater(before["skiff_task_cpu_seconds_total", of_task], 0)
        running = {key: value for key, value in before.items() if key[0] == "skiff_tasks"}
        self.assertTrue(any(("last_status", "RUNNING") in labels for _, labels in running))
        asked = frozenset({("operation", "ecs:RunTask"), ("status", "200")})
        self.assertGreaterEqual(before["skiff_api_requests_total", asked], 1)
        self.assertGreaterEqual(before["skiff_task_start_seconds_count", frozenset()], 1)
        steps = {dict(labels)["step"] for name, labels in before
                 if name == "skiff_task_start_step_seconds_count"}
        self.assertIn("make task cgroup", steps)
        self.ecs.stop_task(task=arn)
        subscriber.until(arn, "STOPPED")
        after = self.metrics()
        self.assertNotIn(("skiff_task_memory_bytes", of_task), after)
        ended = frozenset({("stop_code", "UserInitiated")})
        self.assertGreaterEqual(after["skiff_tasks_stopped_total", ended], 1)
        self.assertGreaterEqual(after["skiff_log_bytes_total", frozenset()], len("hello\n"))
        self.assertEqual(after["skiff_log_lost_bytes_total", frozenset()], 0)

    def test_metrics_are_not_for_web_pages(self):
        request = urllib.request.Request(
            self.daemon.endpoint + "/metrics", headers={"Origin": "http://evil.test"})
        with self.assertRaises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(request)
        self.assertEqual(refusal.exception.code, 403)
        refusal.exception.close()

    def test_the_command_line_beside_the_daemon(self):
        command = [BIN / "skiff", "--data-root", self.daemon.data, "--run-root", self.daemon.run]
        watcher = subprocess.Popen(
            [*command, "events"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(watcher.stdout.close)
        self.addCleanup(watcher.wait)
        self.addCleanup(watcher.terminate)
        subscriber = self.subscribe()
        arns = [self.run_task("sleep", "1000") for _ in range(2)]
        for arn in arns:
            subscriber.until(arn, "RUNNING")
        ids = [arn.rsplit("/", 1)[1] for arn in arns]
        detached = ("run", "--detach", "--stop-timeout", "2", "busybox", "--", "sleep", "1000")
        own = self.daemon.skiff(*detached).split()[-1]
        listed = self.daemon.skiff("ps", "--quiet").split()
        self.assertLessEqual({*ids, own}, set(listed))
        self.assertEqual(self.daemon.skiff("stop", "--reason", "tide", *ids, own).split(),
                         [*ids, own])
        for arn in arns:
            stopped = subscriber.until(arn, "STOPPED")[-1]
            self.assertEqual(stopped["stoppedReason"], "tide")
        (described,) = json.loads(self.daemon.skiff("stop", "--json", ids[0]))
        self.assertEqual((described["taskId"], described["lastStatus"]), (ids[0], "STOPPED"))
        self.assertEqual(json.loads(self.daemon.skiff("inspect", "--json", own))["taskId"], own)
        row = next(line for line in watcher.stdout if ids[0][:12] in line and "STOPPED" in line)
        self.assertIn("tide", row)

    def test_logs_as_json_are_one_object_a_line(self):
        subscriber = self.subscribe()
        arn = self.run_task("sh", "-c", "echo out; echo err >&2")
        subscriber.until(arn, "STOPPED")
        text = self.daemon.skiff("logs", "--json", arn.rsplit("/", 1)[1])
        lines = [json.loads(line) for line in text.splitlines()]
        told = {(line["container"], line["stream"], line["message"]) for line in lines}
        self.assertEqual(told, {("a", "stdout", "out"), ("a", "stderr", "err")})

    def test_no_task_reaches_the_api(self):
        """T25: the daemon listens on every address of the host, and no task gets an answer."""
        other = Daemon()
        self.addCleanup(other.end)
        other.skiff("image", "import", image("busybox"), "--name", "busybox:latest")
        everywhere = free_port()
        other.start("--listen", f"0.0.0.0:{everywhere}")
        ecs = other.boto3("ecs")
        self.addCleanup(ecs.close)
        ecs.create_cluster()
        addresses = {"127.0.0.1", *subprocess.run(
            ["hostname", "--all-ip-addresses"], stdout=subprocess.PIPE, text=True,
            check=True).stdout.split()}
        urls = [f"http://{address}:{port}/healthz" for address in addresses if ":" not in address
                for port in (everywhere, other.port)]
        urls = [url for url in urls if answers(url)]
        self.assertGreaterEqual(len(urls), 2)
        script = """
            ask() { wget -q -T 2 -O - "$1" >/dev/null 2>&1 && echo "answer of $1"; }
            gateway=$(ip route | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p')
            for url in $URLS http://$gateway:$PORT/healthz; do ask "$url" & done
            wait
            echo "asked by way of $gateway"
        """
        ecs.register_task_definition(
            family="scan", networkMode="awsvpc",
            containerDefinitions=[
                {"name": "a", "image": "busybox", "memory": 32, "command": ["sh", "-c", script],
                 "environment": [{"name": "URLS", "value": " ".join(urls)},
                                 {"name": "PORT", "value": str(everywhere)}]}],
        )
        subscriber = Subscriber(other.run / "events.sock")
        self.addCleanup(subscriber.close)
        arn = ecs.run_task(
            taskDefinition="scan",
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-default"]}},
        )["tasks"][0]["taskArn"]
        subscriber.until(arn, "STOPPED")
        said = other.skiff("logs", arn.rsplit("/", 1)[1])
        self.assertRegex(said, r"\Aasked by way of \d+\.\d+\.\d+\.\d+\n\Z")

    def test_without_a_daemon_events_says_so(self):
        done = subprocess.run(
            [BIN / "skiff", "--run-root", self.daemon.folder / "nowhere", "events"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("is skiffd running?", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
