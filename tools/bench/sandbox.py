"""A place of its own for a whole benchmark: process, mount, network, ipc and cgroup namespaces and
one cgroup in every hierarchy. All that runs inside is counted in that cgroup, whatever groups the
contestants make (they see it as the root), and dies with the sandbox's first process: Ctrl-C and
SIGKILL leave nothing running. Directories that peers insist on are replaced by empty ones.
"""
import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWIPC = 0x20000, 0x2000000, 0x8000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
TMPFS_SIZE = "size=4g"  # a bound, not a reservation
# What podman and the OCI runtimes share between all who use them.
PRIVATE_DIRECTORIES = ["/run/containers", "/run/libpod", "/run/netns", "/run/crun", "/run/runc",
                       "/run/lock", "/dev/shm", "/var/lib/containers", "/var/lib/cni"]


def call(name, *arguments):
    if getattr(LIBC, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def mount(source, target, kind, flags=0, data=""):
    try:
        call("mount", source.encode(), target.encode(), kind.encode(), flags, data.encode())
    except OSError as error:
        raise OSError(error.errno, f"mount {kind} on {target}: {error.strerror}") from None


class Hierarchy:
    """One cgroup file system of the host, and the group of this benchmark in it."""

    def __init__(self, mount_point, kind, options):
        self.mount_point, self.kind, self.options = mount_point, kind, options
        self.group = self.joined = ""

    def make(self, name):
        self.group = self.joined = os.path.join(self.mount_point, name)
        os.mkdir(self.group)
        for file in ("cpuset.cpus", "cpuset.mems"):
            if self.kind == "cgroup" and os.path.exists(os.path.join(self.group, file)):
                with open(os.path.join(self.mount_point, file)) as inherited:
                    write(os.path.join(self.group, file), inherited.read().strip())
        if self.kind == "cgroup2":
            # Processes may not sit beside groups that have controllers: they go one level down.
            write(os.path.join(self.mount_point, "cgroup.subtree_control"), "+cpu", may_fail=True)
            self.joined = os.path.join(self.group, "bench")

    def enter(self):
        write(os.path.join(self.group, "cgroup.procs"), "0")

    def step_down(self):
        """Once the namespace has its root: not before."""
        if self.kind == "cgroup2":
            os.makedirs(self.joined, exist_ok=True)
            write(os.path.join(self.joined, "cgroup.procs"), "0")

    def remove(self):
        if self.group:
            for directory, _, _ in os.walk(self.group, topdown=False):
                remove_group(directory)


def write(path, text, may_fail=False):
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError:
        if not may_fail:
            raise


def remove_group(directory):
    for _ in range(200):  # the last process's group is busy until the kernel has let go of it
        try:
            os.rmdir(directory)
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)
    print(f"bench: left behind: {directory}", file=sys.stderr)


def find_hierarchies():
    found = []
    with open("/proc/self/mountinfo") as file:
        for line in file:
            left, right = line.rstrip("\n").split(" - ", 1)
            kind, _, options = right.split(" ", 2)
            if kind in ("cgroup", "cgroup2"):
                kept = [o for o in options.split(",") if o not in ("rw", "ro")]
                found.append(Hierarchy(left.split(" ")[4], kind, ",".join(kept)))
    return found


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS


def mount_private_view(hierarchies, work, disk):
    mount("none", "/", "none", MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    # Only this namespace's copies of the host's mounts go: they are private since the first line.
    call("umount2", b"/sys", MNT_DETACH)
    mount("sysfs", "/sys", "sysfs")  # of the new network namespace
    if any(h.mount_point != "/sys/fs/cgroup" for h in hierarchies):
        mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, "mode=755")
    if not disk:
        mount("tmpfs", work, "tmpfs", 0, TMPFS_SIZE)
    for hierarchy in hierarchies:
        if hierarchy.kind == "cgroup2" and len(hierarchies) > 1:
            # crun refuses a hybrid host whose v2 has a controller; elsewhere it does not see it,
            # and works with v1. skiff finds it by its type.
            hierarchy.mount_point = os.path.join(work, "cgroup2")
        os.makedirs(hierarchy.mount_point, exist_ok=True)
        options = hierarchy.options if hierarchy.kind == "cgroup" else ""
        mount("cgroup", hierarchy.mount_point, hierarchy.kind, 0, options)
    for directory in PRIVATE_DIRECTORIES:
        if os.path.isdir(directory):
            mount("tmpfs", directory, "tmpfs", 0, "mode=755")


def be_first_process(body, hierarchies, work, disk):
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        mount_private_view(hierarchies, work, disk)
        loopback_up()
        os.environ["TMPDIR"] = work
        return body(work) or 0
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    except (OSError, RuntimeError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def enter_and_fork(body, hierarchies, work, disk):
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for hierarchy in hierarchies:
        hierarchy.enter()
    call("unshare", CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET)
    for hierarchy in hierarchies:
        hierarchy.step_down()
    return fork_and_wait(lambda: be_first_process(body, hierarchies, work, disk))


def fork_and_wait(child_body):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = child_body()
            sys.stdout.flush()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run_inside(body, disk=None):
    """Runs body(work directory) as the first process of the sandbox; its result is the code."""
    # podman makes the name of an image of it: no underscore, which mkdtemp may choose.
    work = f"{disk or tempfile.gettempdir()}/skiff-bench-{secrets.token_hex(8)}"
    os.mkdir(work, 0o700)
    hierarchies = find_hierarchies()
    # Ctrl-C reaches the process inside as well, and that one ends the benchmark.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for hierarchy in hierarchies:
            hierarchy.make(f"skiff-bench-{os.getpid()}")
        return abs(fork_and_wait(lambda: enter_and_fork(body, hierarchies, work, disk)))
    finally:
        for hierarchy in hierarchies:
            hierarchy.remove()
        shutil.rmtree(work, ignore_errors=True)
