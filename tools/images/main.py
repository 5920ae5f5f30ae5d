"""The command line of tools/make-image: from a name to an image, whole or not at all."""

import argparse
import fcntl
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

import oci
from common import ImageError, megabytes, say
from debian import Packages
from layers import Layers, file_digest
from recipes import IMAGES

TAG_PATTERN = r"[a-z0-9]+([._/:-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
TAG_LIMIT = 255
EPILOG = """
The packages come from the sources this machine's apt has; they, and the layers made from them,
are kept in $SKIFF_CACHE/images (without SKIFF_CACHE: .cache/images beside tools/), so a second
run takes no time. With SOURCE_DATE_EPOCH set, no file is newer than that and the image was
created then; otherwise the newest package file decides. The same recipe and packages give the
same digests. The manifest's digest is printed.
"""


def main():
    arguments = _arguments()
    if arguments.list:
        for name, image in sorted(IMAGES.items()):
            print(f"{name:10} {image.description}")
        return
    started = time.monotonic()
    out = Path(os.path.abspath(arguments.outdir))
    _check_place(out, arguments.format)
    cache = _cache_directory()
    with _locked(cache):
        packages = Packages(cache)
        image = IMAGES[arguments.name]
        layers = Layers(cache, packages, arguments.compression).build(image)
        digest = _deliver(arguments, out, image, layers, packages.architecture)
    size = megabytes(sum(layer.size for layer in layers))
    unpacked = megabytes(sum(layer.unpacked for layer in layers))
    took = time.monotonic() - started
    shape = f"{size} in {len(layers)} layers, {unpacked} unpacked"
    say(f"{arguments.tag}: {arguments.outdir}, {shape}, {took:.1f} s")
    print(digest)


def _arguments():
    parser = argparse.ArgumentParser(
        prog="make-image",
        description="Builds an OCI image out of Debian packages, without a registry or Docker.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="the image to build: " + ", ".join(sorted(IMAGES)))
    add(
        "outdir",
        nargs="?",
        metavar="OUTDIR",
        type=Path,
        help="directory (or archive file) to write; an image there is replaced",
    )
    add("--list", action="store_true", help="print the names and what they are, and exit")
    add(
        "--format",
        choices=("oci", "oci-archive", "docker-archive"),
        default="oci",
        help="a layout directory, a tar of it, or a tar as 'docker save' writes it (default: oci)",
    )
    add(
        "--compression",
        choices=("gzip", "zstd", "none"),
        help="of the layers (default: gzip; none for docker-archive)",
    )
    add("--tag", metavar="REF", help="the name the image carries (default: NAME:latest)")
    arguments = parser.parse_args()
    if not arguments.list:
        _check(parser, arguments)
    return arguments


def _check(parser, arguments):
    if arguments.name is None or arguments.outdir is None:
        parser.error("NAME and OUTDIR are needed")
    if arguments.name not in IMAGES:
        parser.error(f"NAME {arguments.name}: not one of {', '.join(sorted(IMAGES))}")
    arguments.tag = f"{arguments.name}:latest" if arguments.tag is None else arguments.tag
    if len(arguments.tag) > TAG_LIMIT or not re.fullmatch(TAG_PATTERN, arguments.tag):
        parser.error(f"--tag {arguments.tag}: not an image reference such as {arguments.name}:1.0")
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "0")
    if not re.fullmatch(r"[0-9]{1,11}", epoch):
        parser.error(f"SOURCE_DATE_EPOCH {epoch}: not a number of seconds since 1970")
    if arguments.compression is None:
        arguments.compression = "none" if arguments.format == "docker-archive" else "gzip"


def _cache_directory():
    default = Path(__file__).resolve().parents[2] / ".cache"
    cache = Path(os.environ.get("SKIFF_CACHE") or default) / "images"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


def _locked(cache):
    """Builders share the cache one after the other; the lock goes with the file."""
    lock = open(cache / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another build")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _deliver(arguments, out, image, layers, architecture):
    """Writes the image beside its place and moves it there once it is whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    config, manifest, platform = oci.assemble(
        arguments.name, image, layers, architecture, arguments.compression
    )
    created = layers[-1].created
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as staging:
        layout, archive = Path(staging) / "layout", Path(staging) / "archive"
        (Path(staging) / "manifest").write_bytes(manifest)
        if arguments.format == "docker-archive":
            oci.write_docker_archive(archive, arguments.tag, layers, config, created)
            archive.rename(out)
        else:
            oci.write_layout(layout, arguments.tag, layers, config, manifest, platform)
            if arguments.format == "oci-archive":
                oci.archive_layout(layout, archive, created)
                archive.rename(out)
            else:
                _replace_directory(layout, out, Path(staging) / "old")
        return file_digest(Path(staging) / "manifest")


def _check_place(out, shape):
    """Only an image is replaced by an image."""
    if shape != "oci":
        if out.is_dir():
            raise ImageError(f"{out}: is a directory, and --format {shape} writes a file")
    elif out.is_dir():
        if any(out.iterdir()) and not (out / "oci-layout").exists():
            raise ImageError(f"{out}: exists and is not an image layout")
    elif os.path.lexists(out):
        raise ImageError(f"{out}: exists and is not a directory")


def _replace_directory(layout, out, old):
    if out.exists():
        out.rename(old)
    layout.rename(out)


def _stop(signal_number, _):
    sys.exit(128 + signal_number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        main()
    except (ImageError, OSError) as error:
        print(f"make-image: error: {error}", file=sys.stderr)
        sys.exit(1)
