#!/usr/bin/python3
"""podman and containerd, as Debian has them, with skiff-oci for their runtime.

All of it runs in a sandbox of namespaces (tools/bench/sandbox.py): stores, daemons and groups go
with it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OCI = Path(os.environ.get("SKIFF_BIN", ROOT / "build" / "ci" / "bin")) / "skiff-oci"
WORK = None  # of the sandbox

sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools" / "bench"))
import image  # noqa: E402  (no byte code beside it)
import sandbox  # noqa: E402

PATIENCE = 300  # seconds: for what hangs; in the emulated machine an engine's command takes five
MEMORY = 48 << 20
LIMITS = (
    "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2> /dev/null;"
    "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2> /dev/null;"
    "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2> /dev/null"
)


def run(*command, code=0):
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
        cwd=WORK,  # conmon leaves a file where it stands
    )
    if done.returncode != code:
        raise AssertionError(
            f"{' '.join(map(str, command))}: exit status {done.returncode}, expected {code}\n"
            f"{done.stdout}{done.stderr}"
        )
    return done.stdout


def limit(pid, controller, file, legacy_file):
    """A limit of the group that a process is in, in whichever hierarchy has the controller."""
    groups = dict(line.split(":")[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().split())
    if controller in groups:
        path = f"{controller}{groups[controller]}/{legacy_file}"
    else:
        path = f"{groups['']}/{file}"
    return Path(f"/sys/fs/cgroup/{path}").read_text().strip()


class PodmanTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = WORK / "podman"
        folder.mkdir()
        cls.base = ["podman", "--root", folder / "storage", "--runroot", folder / "run"]
        cls.base += ["--tmpdir", folder / "tmp", "--storage-driver", "overlay"]
        cls.base += ["--network-config-dir", folder / "networks", "--cgroup-manager", "cgroupfs"]
        cls.base += ["--events-backend", "none", "--runtime", OCI]
        run(*cls.base, "pull", "--quiet", f"oci:{WORK}/image")
        cls.image = run(*cls.base, "images", "--quiet", "--no-trunc").strip()

    def podman(self, *arguments, code=0):
        return run(*self.base, *arguments, code=code)

    def container(self, *arguments, code=0):
        """One in the foreground, without a network: that is not the runtime's."""
        return self.podman("run", "--rm", "--network", "none", *arguments, code=code)

    def test_run_gives_output_status_and_limits(self):
        limits = self.container(
            "--memory", str(MEMORY), "--pids-limit", "33", "--cpus", "0.5", "--user", "web",
            self.image, "sh", "-c", LIMITS + "; id -u; exit 7", code=7,
        )
        self.assertEqual(limits.split(), [str(MEMORY), "33", "50000", *limits.split()[3:]])
        self.assertEqual(limits.split()[-1], "33")

    def test_a_program_that_is_missing_is_127(self):
        self.container(self.image, "nonesuch", code=127)

    def test_a_hog_is_killed_at_its_limit(self):
        hog = "x=$(yes | head -c 100000000); echo survived"
        self.container("--memory", "16m", "--memory-swap", "16m", self.image, "sh", "-c", hog,
                       code=137)

    def test_life_of_a_detached_container(self):
        name = "skiff-life"
        trap = "trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 1000 & wait; done"
        self.podman("run", "--detach", "--name", name, "--network", "none", "--memory",
                    str(MEMORY), self.image, "sh", "-c", trap)
        try:
            self.assertEqual(self.podman("exec", "--user", "web", name, "id", "-u"), "33\n")
            self.podman("exec", name, "sh", "-c", "exit 5", code=5)
            self.podman("exec", name, "nonesuch", code=127)
            terminal = self.podman("exec", "--tty", name, "sh", "-c", "test -t 0 && echo terminal")
            self.assertEqual(terminal.strip(), "terminal")
            self.podman("pause", name)
            status = self.podman("inspect", "--format", "{{.State.Status}}", name)
            self.assertEqual(status, "paused\n")
            self.podman("unpause", name)
            stats = json.loads(self.podman("stats", "--no-stream", "--format", "json", name))[0]
            self.assertRegex(stats["mem_usage"], r"^[1-9][0-9.]*[kM]B / 50\.33MB$")
            self.assertGreaterEqual(int(stats["pids"]), 2)
            self.assertIn("sh", self.podman("top", name))
            self.podman("stop", "--time", "60", name)
            self.assertEqual(self.podman("wait", name).strip(), "3")
            self.assertEqual(self.podman("logs", name).split(), ["ready", "told"])
            self.podman("start", name)
            self.podman("kill", name)
            self.assertEqual(self.podman("wait", name).strip(), "137")
        finally:
            self.podman("rm", "--force", "--time", "0", name)

    def test_a_user_namespace_and_a_volume(self):
        seen = self.container(
            "--uidmap", "0:100000:65536", "--volume", f"{WORK}/image:/image:ro", self.image, "sh",
            "-c", "cat /proc/self/uid_map; ls /image; echo x > /image/y",
            code=1,
        )
        self.assertEqual(seen.split()[:3], ["0", "100000", "65536"])
        self.assertIn("oci-layout", seen)


class ContainerdTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = WORK / "containerd"
        folder.mkdir()
        config = folder / "config.toml"
        config.write_text(
            f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{folder}/sock"\n'
        )
        with open(folder / "log", "wb") as log:
            cls.daemon = subprocess.Popen(
                ["containerd", "--config", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        cls.base = ["ctr", "--address", folder / "sock", "--namespace", "skiff"]
        deadline = time.monotonic() + PATIENCE
        while subprocess.run([*cls.base, "version"], capture_output=True).returncode != 0:
            if cls.daemon.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((folder / "log").read_text())
            time.sleep(0.1)
        run(*cls.base, "images", "import", f"{WORK}/image.tar")

    @classmethod
    def tearDownClass(cls):
        cls.daemon.terminate()
        cls.daemon.wait(PATIENCE)

    def ctr(self, *arguments, code=0):
        return run(*self.base, *arguments, code=code)

    def start(self, *arguments, code=0):
        return self.ctr("run", "--runc-binary", OCI, "--runc-root", WORK / "oci", *arguments,
                        code=code)

    def test_run_gives_output_and_status(self):
        seen = self.start("--rm", image.NAME, "once", "sh", "-c", "id -u; exit 7", code=7)
        self.assertEqual(seen, "0\n")

    def test_life_of_a_task(self):
        self.start("--detach", "--memory-limit", str(MEMORY), "--cpus", "0.5", image.NAME, "life",
                   "sleep", "1000")
        pid = re.search(r"^life +(\d+) +RUNNING", self.ctr("tasks", "ls"), re.M)[1]
        self.assertEqual(
            limit(pid, "memory", "memory.max", "memory.limit_in_bytes"), str(MEMORY)
        )
        self.assertIn(limit(pid, "cpu", "cpu.max", "cpu.cfs_quota_us"), ("50000", "50000 100000"))
        exec_flags = ("tasks", "exec", "--exec-id")
        self.assertEqual(
            self.ctr(*exec_flags, "a", "--user", "33:33", "life", "id", "-u"), "33\n"
        )
        self.ctr(*exec_flags, "b", "life", "sh", "-c", "exit 5", code=5)
        self.ctr("tasks", "pause", "life")
        self.assertIn("PAUSED", self.ctr("tasks", "ls"))
        self.ctr("tasks", "resume", "life")
        self.assertRegex(self.ctr("tasks", "metrics", "life"), r"memory\S*\s+[1-9]")
        self.assertTrue(re.search(r"^\d+", self.ctr("tasks", "ps", "life"), re.M))
        self.ctr("tasks", "kill", "--signal", "SIGKILL", "life")
        deadline = time.monotonic() + PATIENCE
        while "STOPPED" not in self.ctr("tasks", "ls") and time.monotonic() < deadline:
            time.sleep(0.1)
        self.ctr("tasks", "rm", "life")
        self.ctr("containers", "rm", "life")
        self.assertEqual(os.listdir(WORK / "oci" / "skiff"), [])


def missing():
    if os.geteuid() != 0:
        return "needs root"
    for program in ("podman", "conmon", "containerd", "ctr"):
        if not shutil.which(program):
            return f"{program} is not installed: tools/setup engines"
    return ""


def body(work):
    global WORK
    WORK = Path(work)
    image.make(WORK / "image")
    done = unittest.main(exit=False).result
    return 0 if done.wasSuccessful() else 1


if __name__ == "__main__":
    reason = missing()
    if reason:
        print(f"skipped: {reason}\n0 passed, 0 failed, 1 skipped")
        sys.exit(0)
    sys.exit(sandbox.run_inside(body))
