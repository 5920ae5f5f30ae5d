"""What run and kernel share: architectures, the cache's place, the initramfs format."""

import dataclasses
import os
import platform
import sys

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
CACHE = os.path.join(os.environ.get("SKIFF_CACHE") or os.path.join(TREE, ".cache"), "vm")


@dataclasses.dataclass(frozen=True)
class Machine:
    qemu: str
    machine: str  # value of -machine
    cpu_tcg: str
    console: str  # the kernel's name for qemu's first serial port
    kernels: dict  # lane: the meta-package whose dependency is the kernel
    takes_elf: bool  # boots an ELF kernel, which need not decompress itself (0.6 s of 3 under TCG)


MACHINES = {
    "x86_64": Machine(
        qemu="qemu-system-x86_64",
        machine="q35,usb=off,vmport=off,smm=off,hpet=off",
        cpu_tcg="max",
        console="ttyS0",
        kernels={"6.12": "linux-image-6.12-cloud-amd64", "6.1": "linux-image-cloud-amd64"},
        takes_elf=True,
    ),
    # Written from the documentation of qemu and Debian, never run.
    "aarch64": Machine(
        qemu="qemu-system-aarch64",
        machine="virt,gic-version=max",
        cpu_tcg="max",
        console="ttyAMA0",
        kernels={"6.12": "linux-image-6.12-cloud-arm64", "6.1": "linux-image-cloud-arm64"},
        takes_elf=False,
    ),
}
LANES = ("6.12", "6.1")


class Failure(Exception):
    """Something a person must read; printed as one line."""


def this_machine():
    try:
        return MACHINES[platform.machine()]
    except KeyError:
        raise Failure(f"no virtual machine is described for {platform.machine()}") from None


def cpio(files):
    """A newc archive of regular files, [(path without leading slash, mode, bytes)], and parents."""
    out = bytearray()
    seen = set()

    def entry(name, mode, data, inode):
        encoded = os.fsencode(name) + b"\0"
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        out.extend(b"070701" + b"".join(b"%08x" % field for field in fields) + encoded)
        out.extend(b"\0" * (-len(out) % 4))
        out.extend(data)
        out.extend(b"\0" * (-len(out) % 4))

    for path, mode, data in files:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            if parent not in seen:
                seen.add(parent)
                entry(parent, 0o040755, b"", len(seen))
        seen.add(path)
        entry(path, 0o100000 | mode, data, len(seen))
    entry("TRAILER!!!", 0, b"", 0)
    return bytes(out)


def fail(program, failure, status):
    print(f"{program}: {failure}", file=sys.stderr)
    sys.exit(status)
