#!/usr/bin/python3 -B
"""tools/vm/power-loss, the beginning of it: power_loss_test.py BUILD. 77: no machine here."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
KINDS = ("unpacked", "erofs")
ROUNDS = 2  # of each: a pull taken over and an import; and the kill behind a pull, before the first
SKIPPED = 77


def put(layout, data):
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(layout, "blobs/sha256", digest), "wb") as file:
        file.write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}


def make_image(layout, layers, files, size):
    """Of bytes that do not compress, so that a disk has something to do."""
    os.makedirs(os.path.join(layout, "blobs/sha256"))
    dice = random.Random(layout)
    described, diff_ids = [], []
    for layer in range(layers):
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            for number in range(files):
                entry = tarfile.TarInfo(f"layer{layer}/{number}")
                entry.size = size
                archive.addfile(entry, io.BytesIO(dice.randbytes(size)))
        diff_ids.append("sha256:" + hashlib.sha256(tar.getvalue()).hexdigest())
        described.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                          **put(layout, gzip.compress(tar.getvalue(), 1))})
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    config = {"architecture": machine, "os": "linux", "config": {"Cmd": ["/layer0/0"]},
              "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                           **put(layout, json.dumps(config).encode())},
                "layers": described}
    index = {"schemaVersion": 2, "manifests": [{"mediaType": manifest["mediaType"],
                                                **put(layout, json.dumps(manifest).encode())}]}
    for name, document in (("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(os.path.join(layout, name), "w") as file:
            json.dump(document, file)


def main():
    build = sys.argv[1]
    if os.geteuid() != 0 or shutil.which("qemu-system-" + os.uname().machine) is None:
        print("skipped: missing capability: root and qemu")
        return SKIPPED
    # Where a machine sees it: not below /tmp.
    with tempfile.TemporaryDirectory(prefix="power-loss-", dir=build) as work:
        kept, taken = os.path.join(work, "kept"), os.path.join(work, "taken")
        make_image(kept, 1, 3, 1000)
        make_image(taken, 3, 100, 50_000)
        codes = [subprocess.run([os.path.join(ROOT, "tools/vm/power-loss"), "--build", build,
                                 "--rounds", str(ROUNDS), "--layers", kind, "--first", kept,
                                 taken]).returncode for kind in KINDS]
        return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
