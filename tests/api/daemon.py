"""A skiffd of a test's own: its data in a temporary directory, its port free, its keys made up."""

import glob
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("SKIFF_BIN", ROOT / "build" / "ci" / "bin"))
READY_SECONDS = 30  # for a daemon that hangs; one that is ready says so at once

KEYS = {
    "admin": ("AKIAADMIN00000000001", "admin-secret", [("Allow", "*", "*")]),
    "reader": ("AKIAREADER0000000001", "reader-secret", [("Allow", "ecs:Describe*", "*")]),
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    """Started and stopped by the test; end() stops what runs and removes what it kept."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="skiff-api-"))
        self.data = self.folder / "data"
        self.run = self.folder / "run"
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.keys = self.folder / "keys.json"
        self.process = None
        self._write_keys()

    def _write_keys(self):
        keys = [
            {
                "accessKeyId": access,
                "secretAccessKey": secret,
                "arn": f"arn:aws:iam::123456789012:user/{name}",
                "statements": [
                    {"Effect": effect, "Action": [action], "Resource": [resource]}
                    for effect, action, resource in statements
                ],
            }
            for name, (access, secret, statements) in KEYS.items()
        ]
        self.keys.touch(mode=0o600)  # skiffd refuses a file that others may read
        self.keys.write_text(json.dumps({"keys": keys}))

    def roots(self):
        return {"SKIFF_DATA_ROOT": str(self.data), "SKIFF_RUN_ROOT": str(self.run)}

    def start(self, *flags):
        """Returns when the daemon says it is ready (sd_notify). Callers are checked against the
        keys unless the flags have --anonymous."""
        notify = self.folder / "notify.sock"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(str(notify))
            ready.settimeout(READY_SECONDS)
            command = [BIN / "skiffd", "--listen", f"127.0.0.1:{self.port}"]
            command += ["--data-root", self.data, "--run-root", self.run]
            command += flags if "--anonymous" in flags else ["--keys", self.keys, *flags]
            with open(self.folder / "skiffd.log", "ab") as log:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env={**os.environ, "NOTIFY_SOCKET": str(notify)},
                )
            said = self._await_notice(ready)
            if b"READY=1" not in said:
                raise AssertionError(f"skiffd said {said}:\n{self.log()}")

    def _await_notice(self, ready):
        """What it notifies first; a daemon that ends before that has said why in its log."""
        ended = os.pidfd_open(self.process.pid)
        try:
            seen, _, _ = select.select([ready, ended], [], [], READY_SECONDS)
        finally:
            os.close(ended)
        if ready not in seen:
            raise AssertionError(f"skiffd is not ready:\n{self.log()}")
        return ready.recv(4096)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait()

    def log(self):
        path = self.folder / "skiffd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def skiff(self, *arguments):
        done = subprocess.run(
            [BIN / "skiff", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env={**os.environ, **self.roots()},
        )
        if done.returncode != 0:
            raise AssertionError(f"skiff {' '.join(map(str, arguments))}: {done.stdout}")
        return done.stdout

    def environment(self, user="admin"):
        access, secret, _ = KEYS[user]
        return {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(self.folder),
            "AWS_ACCESS_KEY_ID": access,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def aws(self, *arguments, user="admin", check=True):
        """The aws CLI with nothing but the endpoint changed; its output, as JSON when it is."""
        done = subprocess.run(
            ["/usr/bin/aws", "--endpoint-url", self.endpoint, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=self.environment(user),
        )
        if check and done.returncode != 0:
            raise AssertionError(f"aws {' '.join(arguments)}: {done.stderr}\n{self.log()}")
        if not check:
            return done
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout

    def boto3(self, service, user="admin"):
        import boto3

        access, secret, _ = KEYS[user]
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name="us-east-1",
            aws_access_key_id=access, aws_secret_access_key=secret,
        )

    def end(self):
        if self.process and self.process.poll() is None:
            self.stop()
        for task in json.loads(self.skiff("ps", "--all", "--json")):
            self.skiff("rm", "--force", task["taskId"])
        self._remove_network()
        for place in ("/sys/fs/cgroup/", "/sys/fs/cgroup/*/"):  # v2, and v1's hierarchies
            for root in glob.glob(place + self.cgroup_root()):
                os.rmdir(root)
        shutil.rmtree(self.folder)

    def cgroup_root(self):
        """As runtime/plan/paths.cc names it; a task's plan may be gone already."""
        digest = 2166136261
        for byte in str(self.data).encode():
            digest = (digest ^ byte) * 16777619 & 0xFFFFFFFF
        return f"skiff-{digest:08x}"

    def _remove_network(self):
        """What an installation keeps for its next task: bridge and tables, by its own record."""
        subnet = self.data / "network" / "subnet.json"
        if not subnet.exists():
            return
        bridge = json.loads(subnet.read_text())["bridge"]
        table = "skiff_" + bridge.removeprefix("skf")
        for command in (
            ["ip", "link", "delete", bridge],
            ["nft", "delete", "table", "inet", table],
            ["nft", "delete", "table", "bridge", table],
        ):
            subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
