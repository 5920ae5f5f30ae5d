#!/usr/bin/python3
"""skiffd when its surroundings fail: a full disk, no descriptors, no memory, clients that mean ill,
a new binary. It refuses what it cannot do, goes on serving others, and no task notices. Needs
root."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import daemon as daemon_module  # noqa: E402
from daemon import Daemon  # noqa: E402
from walkthrough_test import image  # noqa: E402

SLEEPER = {
    "family": "sleeper",
    "containerDefinitions": [
        {"name": "a", "image": "busybox", "memory": 32, "command": ["sleep", "1000"],
         "stopTimeout": 2}],
}


class FaultsTest(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.end)

    def ask(self, operation, body=None):
        """Status and document, without a client's own retries."""
        request = urllib.request.Request(
            self.daemon.endpoint + "/", json.dumps(body or {}).encode(),
            {"Content-Type": "application/x-amz-json-1.1",
             "X-Amz-Target": "AmazonEC2ContainerServiceV20141113." + operation},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def well(self, operation, body=None):
        status, document = self.ask(operation, body)
        self.assertEqual(status, 200, document)
        return document

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.daemon.port), timeout=60)
        self.addCleanup(client.close)
        return client

    def await_status(self, arn, status):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            (task,) = self.well("DescribeTasks", {"tasks": [arn]})["tasks"]
            if task["lastStatus"] == status:
                return task
            time.sleep(0.02)
        raise AssertionError(f"{arn} does not become {status}: {task}")

    def start_sleeper(self):
        self.daemon.skiff("image", "import", image("busybox"), "--name", "busybox:latest")
        self.well("CreateCluster")
        self.well("RegisterTaskDefinition", SLEEPER)
        arn = self.well("RunTask", {"taskDefinition": "sleeper"})["tasks"][0]["taskArn"]
        return self.await_status(arn, "RUNNING")

    def test_a_full_disk_refuses_what_is_new_and_keeps_what_there_is(self):
        state = self.daemon.folder / "state"
        state.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "skiff-test", state], check=True)
        self.addCleanup(subprocess.run, ["umount", state], check=True)
        self.addCleanup(lambda: self.daemon.process.poll() is None and self.daemon.stop())
        self.daemon.start("--anonymous", "--state-dir", str(state))
        self.well("CreateCluster", {"clusterName": "before"})
        filler = state / "filler"
        with open(filler, "wb", buffering=0) as file, self.assertRaises(OSError):
            while True:
                file.write(bytes(4096))
        refused = {}
        for number in range(200):  # until what SQLite has allocated already is used up
            status, refused = self.ask("CreateCluster", {
                "clusterName": f"c{number}", "tags": [
                    {"key": f"k{k}", "value": "v" * 256} for k in range(50)]})
            if status != 200:
                break
        self.assertEqual((status, refused["__type"]), (500, "ServerException"), refused)
        self.assertIn("before", str(self.well("ListClusters")))
        filler.unlink()
        self.well("CreateCluster", {"clusterName": "after"})
        self.daemon.kill()
        self.daemon.start("--anonymous", "--state-dir", str(state))
        names = str(self.well("ListClusters"))
        self.assertIn("before", names)
        self.assertIn("after", names)

    def test_without_descriptors_it_waits_and_serves_again(self):
        self.daemon.start("--anonymous")
        pid = self.daemon.process.pid
        used = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 4, 4096))
        crowd = [self.connect() for _ in range(64)]
        before = self.cpu_seconds(pid)
        time.sleep(1)  # what is asserted is CPU time, of a daemon that has nothing to do
        self.assertLess(self.cpu_seconds(pid) - before, 0.5, "it spins while it cannot accept")
        for client in crowd:
            client.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (4096, 4096))
        self.well("ListClusters")
        self.assertIsNone(self.daemon.process.poll())

    @staticmethod
    def cpu_seconds(pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_without_memory_a_request_fails_and_not_the_daemon(self):
        self.daemon.start("--anonymous")
        pid = self.daemon.process.pid
        self.well("CreateCluster")
        # Of data and not of addresses: what malloc has reserved counts only once it is used.
        status_file = Path(f"/proc/{pid}/status").read_text()
        data = next(int(line.split()[1]) << 10 for line in status_file.splitlines()
                    if line.startswith("VmData:"))
        limit = (data + (1 << 20), resource.RLIM_INFINITY)
        before = resource.prlimit(pid, resource.RLIMIT_DATA, limit)
        names = ["c" * 200] * 17000  # 3.5 MB, and as a document several times that
        try:
            status, document = self.ask("DescribeClusters", {"clusters": names})
        except OSError:  # the connection was closed
            status, document = 500, None
        self.assertEqual(status, 500, document)
        resource.prlimit(pid, resource.RLIMIT_DATA, before)
        self.assertIsNone(self.daemon.process.poll(), self.daemon.log()[-2000:])
        self.assertIn("default", str(self.well("ListClusters")))

    def enter_pids_group(self, pid, limit):
        """A group of the pids controller with the process in it; left and removed in the end."""
        legacy, root = Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")
        parent = legacy if legacy.is_dir() else root
        group = parent / f"skiff-test-{pid}"
        group.mkdir()

        def leave():
            for member in (group / "cgroup.procs").read_text().split():
                (parent / "cgroup.procs").write_text(member)
            group.rmdir()

        self.addCleanup(leave)
        if not (group / "pids.max").exists():
            self.skipTest("no pids controller")
        (group / "cgroup.procs").write_text(str(pid))
        (group / "pids.max").write_text(str(limit))
        return group

    def test_without_processes_a_task_fails_and_not_the_daemon(self):
        self.daemon.start("--anonymous")
        self.daemon.skiff("image", "import", image("busybox"), "--name", "busybox:latest")
        self.well("CreateCluster")
        self.well("RegisterTaskDefinition", SLEEPER)
        pid = self.daemon.process.pid
        threads = len(os.listdir(f"/proc/{pid}/task"))
        group = self.enter_pids_group(pid, threads)
        arn = self.well("RunTask", {"taskDefinition": "sleeper"})["tasks"][0]["taskArn"]
        failed = self.await_status(arn, "STOPPED")
        self.assertEqual(failed["stopCode"], "TaskFailedToStart", failed)
        self.assertRegex(failed["stoppedReason"], "^ResourceInitializationError: .*unavailable")
        (group / "pids.max").write_text("max")
        arn = self.well("RunTask", {"taskDefinition": "sleeper"})["tasks"][0]["taskArn"]
        self.await_status(arn, "RUNNING")

    def test_clients_that_mean_ill_do_not_keep_others_waiting(self):
        self.daemon.start("--anonymous")
        for _ in range(300):  # a request that never ends
            self.connect().sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nX-")
        self.well("ListClusters")
        huge = self.connect()
        huge.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n")
        self.assertIn(b" 413 ", huge.recv(4096))
        bomb = self.connect()
        try:
            for number in range(100_000):
                bomb.sendall(b"X-Header-%d: %s\r\n" % (number, b"x" * 64)
                             if number else b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        except OSError:
            pass  # it has answered and closed
        try:
            answer = bomb.recv(4096)
        except ConnectionResetError:
            answer = b""
        self.assertNotIn(b" 200 ", answer)
        self.well("ListClusters")

    def test_a_new_binary_takes_over_running_tasks(self):
        old = self.daemon.folder / "old-bin"
        shutil.copytree(daemon_module.BIN, old, ignore=shutil.ignore_patterns("*fuzz*"))
        new = daemon_module.BIN
        self.addCleanup(setattr, daemon_module, "BIN", new)
        daemon_module.BIN = old
        self.daemon.start("--anonymous")
        before = self.start_sleeper()
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
            self.daemon.process.send_signal(signal.SIGHUP)
            self.assertEqual(self.daemon.process.wait(), 0)
            self.daemon.start("--anonymous")
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.process.wait(), 0)
        daemon_module.BIN = new
        shutil.rmtree(old)
        self.daemon.start("--anonymous")
        (after,) = self.well("DescribeTasks", {"tasks": [before["taskArn"]]})["tasks"]
        self.assertEqual(after, before)
        self.well("StopTask", {"task": before["taskArn"], "reason": "upgraded"})
        stopped = self.await_status(before["taskArn"], "STOPPED")
        self.assertEqual(stopped["stoppedReason"], "upgraded")


if __name__ == "__main__":
    unittest.main(verbosity=2)
