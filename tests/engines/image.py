"""An image of one layer, busybox, as an OCI layout: no network is needed to make it."""

import hashlib
import io
import json
import os
import tarfile

NAME = "skiff.test/busybox:latest"
PROGRAMS = ("sh", "cat", "true", "sleep", "id", "ls", "grep", "wc", "head", "yes")


def _entry(name, kind, mode, **fields):
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, mode
    for key, value in fields.items():
        setattr(entry, key, value)
    return entry


def _layer():
    output = io.BytesIO()
    with open("/bin/busybox", "rb") as program, tarfile.open(fileobj=output, mode="w") as archive:
        for name in ("bin", "etc", "tmp", "proc", "sys", "dev"):
            archive.addfile(_entry(name, tarfile.DIRTYPE, 0o755))
        size = os.fstat(program.fileno()).st_size
        archive.addfile(_entry("bin/busybox", tarfile.REGTYPE, 0o755, size=size), program)
        for name in PROGRAMS:
            archive.addfile(_entry(f"bin/{name}", tarfile.SYMTYPE, 0o777, linkname="busybox"))
        accounts = b"root:x:0:0::/:/bin/sh\nweb:x:33:33::/tmp:/bin/sh\n"
        archive.addfile(
            _entry("etc/passwd", tarfile.REGTYPE, 0o644, size=len(accounts)), io.BytesIO(accounts)
        )
    return output.getvalue()


def _put(folder, data, media_type):
    digest = hashlib.sha256(data).hexdigest()
    (folder / "blobs" / "sha256" / digest).write_bytes(data)
    kind = f"application/vnd.oci.image.{media_type}"
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}


def make(folder):
    """Writes the layout; beside it `FOLDER.tar`, the same as an archive."""
    (folder / "blobs" / "sha256").mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    layer = _put(folder, _layer(), "layer.v1.tar")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    config = {
        "architecture": machine,
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "config": _put(folder, json.dumps(config).encode(), "config.v1+json"),
        "layers": [layer],
    }
    entry = _put(folder, json.dumps(manifest).encode(), "manifest.v1+json")
    entry["annotations"] = {"io.containerd.image.name": NAME}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    with tarfile.open(f"{folder}.tar", "w") as archive:
        archive.add(folder, ".")
