"""Puts built layers together as an image: configuration, manifest, and the three shapes it is
delivered in."""

import hashlib
import io
import json
import shutil
import tarfile
from datetime import datetime, timezone
from pathlib import Path

from common import ImageError

ARCHITECTURES = {
    "amd64": {"architecture": "amd64"},
    "arm64": {"architecture": "arm64", "variant": "v8"},
}
MEDIA_TYPE = "application/vnd.oci.image."
LAYER_SUFFIX = {"gzip": "+gzip", "zstd": "+zstd", "none": ""}


def assemble(name, image, layers, architecture, compression):
    """(configuration, manifest, platform) of the image, the first two as bytes."""
    if architecture not in ARCHITECTURES:
        raise ImageError(f"architecture {architecture}: not one of {' '.join(ARCHITECTURES)}")
    platform_members = {**ARCHITECTURES[architecture], "os": "linux"}
    config = _json(_config(name, image, layers, platform_members))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPE + "manifest.v1+json",
        "config": _descriptor("config.v1+json", config),
        "layers": [
            {
                "mediaType": MEDIA_TYPE + "layer.v1.tar" + LAYER_SUFFIX[compression],
                "digest": layer.digest,
                "size": layer.size,
            }
            for layer in layers
        ],
    }
    return config, _json(manifest), platform_members


def write_layout(target, tag, layers, config, manifest, platform_members):
    """The directory shape: every blob under its digest, and an index that names the image."""
    blobs = target / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for content in (config, manifest):
        (blobs / hashlib.sha256(content).hexdigest()).write_bytes(content)
    for layer in layers:
        shutil.copyfile(layer.path, blobs / layer.digest.removeprefix("sha256:"))
    entry = _descriptor("manifest.v1+json", manifest)
    entry["platform"] = platform_members
    entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
    index = {"schemaVersion": 2, "mediaType": MEDIA_TYPE + "index.v1+json", "manifests": [entry]}
    (target / "index.json").write_bytes(_json(index))
    (target / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))


def archive_layout(layout, target, mtime):
    """The layout as one tar."""
    with _archive(target) as archive:
        for path in sorted(layout.rglob("*")):
            name = str(path.relative_to(layout))
            if path.is_dir():
                _add_directory(archive, name, mtime)
            else:
                _add_file(archive, name, path, mtime)


def write_docker_archive(target, tag, layers, config, mtime):
    """The shape `docker save` writes."""
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    names = [layer.digest.removeprefix("sha256:") + "/layer.tar" for layer in layers]
    content = [{"Config": config_name, "RepoTags": [tag], "Layers": names}]
    with _archive(target) as archive:
        _add_bytes(archive, config_name, config, mtime)
        for layer, name in zip(layers, names):
            _add_directory(archive, name.split("/")[0], mtime)
            _add_file(archive, name, layer.path, mtime)
        _add_bytes(archive, "manifest.json", _json(content), mtime)


def _config(name, image, layers, platform_members):
    created = _time(layers[-1].created)
    labels = {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.description": image.description,
    }
    history = [
        {"created": _time(layer.created), "created_by": layer.comment, "comment": "make-image"}
        for layer in layers
    ]
    settings = json.dumps(image.config.get("Cmd"))
    history.append(
        {
            "created": created,
            "created_by": f"CMD {settings}",
            "comment": "make-image",
            "empty_layer": True,
        }
    )
    return {
        "created": created,
        **platform_members,
        "config": {**image.config, "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": history,
    }


def _descriptor(kind, content):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return {"mediaType": MEDIA_TYPE + kind, "digest": digest, "size": len(content)}


def _json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _time(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _archive(target):
    return tarfile.open(target, "w", format=tarfile.PAX_FORMAT)


def _add_directory(archive, name, mtime):
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.mtime = tarfile.DIRTYPE, 0o755, mtime
    archive.addfile(member)


def _add_bytes(archive, name, content, mtime):
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o644, mtime
    archive.addfile(member, io.BytesIO(content))


def _add_file(archive, name, path, mtime):
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = Path(path).stat().st_size, 0o644, mtime
    with open(path, "rb") as file:
        archive.addfile(member, file)
