"""What kernel tests could leave on a host, listed before and after them, and compared."""

import os
import re
import subprocess


def _lines(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.splitlines()


def _mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        # Mount id and place: two mounts on one place are two.
        return {f"mount {line.split()[4]} (id {line.split()[0]})" for line in mounts}


def _links():
    names = (re.match(r"\d+: ([^:@]+)", line) for line in _lines(["ip", "-o", "link"]))
    return {f"link {name[1]}" for name in names if name}


def _cgroups():
    found = set()
    for folder, below, _ in os.walk("/sys/fs/cgroup"):
        found |= {f"cgroup {folder}/{name}" for name in below if name.startswith("skiff")}
    return found


def _tables():
    tables = _lines(["nft", "list", "tables"])
    return {f"nft {line}" for line in tables if line.split()[-1].startswith("skiff")}


def objects():
    """Names of the kernel objects that are there now."""
    return _mounts() | _links() | _cgroups() | _tables()
