"""The command lines of those who are compared. Each has roots of its own inside the sandbox."""
import copy
import json
import os
import shutil

import measure

IMAGE = "bench/busybox"


class Skiff:
    name = "skiff"

    def __init__(self, programs, work):
        self.data, self.run_root = os.path.join(work, "skiff/data"), os.path.join(work, "skiff/run")
        self.base = [os.path.join(programs, "skiff"), "--data-root", self.data,
                     "--run-root", self.run_root]
        self.errors = os.path.join(work, "errors")
        os.makedirs(os.path.dirname(self.data))

    def load(self, layout):
        measure.run([*self.base, "image", "import", layout, "--name", IMAGE], self.errors)

    def run(self, command, network="none", detach=False, keep=False):
        flags = ["--network", network] + ["--detach"] * detach + ["--keep"] * keep
        return [*self.base, "run", *flags, IMAGE, "--", *command]

    def task_directories(self):
        tasks = os.path.join(self.data, "tasks")
        return [os.path.join(tasks, name) for name in os.listdir(tasks)]

    def log_bytes(self):
        return sum(os.path.getsize(os.path.join(directory, file))
                   for task in self.task_directories()
                   for directory, _, files in os.walk(os.path.join(task, "logs"))
                   for file in files if file.endswith(".log"))

    def forget(self):
        for task in self.task_directories():
            # sleep as process 1 takes no notice of SIGTERM.
            measure.run([*self.base, "stop", "--timeout", "0", os.path.basename(task)], self.errors)
            measure.run([*self.base, "rm", "--force", os.path.basename(task)], self.errors)

    def steps(self):
        """The steps of the newest task's start: [(container, step, seconds)], in order."""
        newest = max(self.task_directories(), key=os.path.getmtime)
        steps = []
        with open(os.path.join(newest, "events")) as file:
            for line in file:
                event = json.loads(line)
                if event["type"] == "StepFinished":
                    steps.append((event.get("container", ""), event["step"],
                                  event.get("durationNs", 0) * 1e-9))
        return steps


class Podman:
    def __init__(self, runtime, work):
        self.name = f"podman+{os.path.basename(runtime)}"
        self.root = os.path.join(work, self.name)
        self.storage = os.path.join(self.root, "storage")
        self.base = ["podman", "--root", self.storage, "--runroot", os.path.join(self.root, "run"),
                     "--tmpdir", os.path.join(self.root, "tmp"), "--storage-driver", "overlay",
                     "--network-config-dir", os.path.join(self.root, "networks"),
                     "--cgroup-manager", "cgroupfs", "--events-backend", "none",
                     "--runtime", runtime]
        self.errors = os.path.join(work, "errors")
        self.flags = []

    def without_cgroup(self):
        """The same store, and less to do at each start."""
        other = copy.copy(self)
        other.name, other.flags = self.name + ", no cgroup", ["--cgroups", "disabled"]
        return other

    def load(self, layout):
        os.makedirs(self.root, exist_ok=True)
        measure.run([*self.base, "pull", "--quiet", "oci:" + layout], self.errors)
        listed = os.path.join(self.root, "images")
        measure.run([*self.base, "images", "--quiet", "--no-trunc"], self.errors, stdout=listed)
        with open(listed) as file:
            self.image = file.read().split()[0].removeprefix("sha256:")

    def run(self, command, network="none", detach=False, keep=False):
        flags = ["--network", network, "--log-driver", "k8s-file", "--pull", "never",
                 *self.flags]
        flags += ["--detach"] * detach + ["--rm"] * (not keep)
        return [*self.base, "run", *flags, self.image, *command]

    def log_bytes(self):
        return sum(os.path.getsize(os.path.join(directory, "ctr.log"))
                   for directory, _, files in os.walk(self.storage) if "ctr.log" in files)

    def forget(self):
        measure.run([*self.base, "rm", "--all", "--force", "--time", "0"], self.errors)


class OciRuntime:
    def __init__(self, name, program, work):
        self.name, self.program = name, program
        self.root = os.path.join(work, "oci-state", name)
        os.makedirs(self.root)
        self.count = 0

    def run(self, bundle, with_cgroup=True):
        self.count += 1
        flags = [] if with_cgroup else ["--cgroup-manager", "disabled"]
        return [self.program, "--root", self.root, *flags, "run", "--bundle", bundle,
                f"bench-{self.name}-{self.count}"]

    def life(self, bundle):
        """The command lines of one container's life, in order: {step: argv}."""
        self.count += 1
        name, base = f"bench-{self.name}-{self.count}", [self.program, "--root", self.root]
        return {"create": [*base, "create", "--bundle", bundle, name],
                "start": [*base, "start", name],
                "exec": [*base, "exec", name, "/bin/true"],
                "delete": [*base, "delete", "--force", name]}


class Floor:
    """A bare clone3 of the same namespaces, with the seccomp program that skiff-oci compiled."""
    name = "floor"

    def __init__(self, program, work):
        self.program, self.rootfs = program, os.path.join(work, "rootfs")
        self.filter = os.path.join(work, "filter")

    def take_filter(self, runtime):
        cache = os.path.join(runtime.root, ".cache")
        (name,) = os.listdir(cache)
        with open(os.path.join(cache, name), "rb") as stored, open(self.filter, "wb") as file:
            file.write(stored.read().split(b"\n\n", 1)[1])

    def run(self, with_seccomp):
        return [self.program, self.rootfs, self.filter if with_seccomp else "-", "/bin/true"]


def oci_runtimes(programs, work):
    own = os.path.join(programs, "skiff-oci")
    found = [("skiff-oci", own if os.path.exists(own) else None)]
    found += [(name, shutil.which(name)) for name in ("crun", "runc")]
    return [OciRuntime(name, path, work) for name, path in found if path]
