"""Builds layers, or finds them in the cache: a layer is rebuilt when its recipe, a package's
version, the layer below or this program changes, and has the same bytes when none of them did."""

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import steps
from common import ImageError, megabytes, run, say
from debian import program_digest, write_atomically
from recipes import UNWANTED, WITHOUT
from tree import Tree

BLOCK = 1 << 20
GZIP_LEVEL = 6
ZSTD_LEVEL = "-9"


@dataclass(frozen=True)
class BuiltLayer:
    """A layer in the cache. `diff_id` is its tar's digest, `digest` that of its packed bytes."""

    name: str
    comment: str
    path: str
    digest: str
    diff_id: str
    size: int
    unpacked: int
    created: int


class Layers:
    def __init__(self, cache, packages, compression):
        self.cache = cache / "layers"
        self.cache.mkdir(exist_ok=True)
        self.packages = packages
        self.compression = compression

    def build(self, image):
        """The image's layers, lowest first."""
        stack = self._contents(image)
        found = [self._cached(key) for _, _, key in stack]
        if all(found):
            return found
        layers, tree, below = [], None, 0
        for (recipe, contents, key), known in zip(stack, found):
            if not known or recipe is not image.layers[-1]:
                tree, newest = self._tree(recipe, contents, tree)
                below = max(below, newest)
            layers.append(known or self._store(recipe, contents, key, tree, _latest(below)))
        return layers

    def _contents(self, image):
        """(recipe, its packages, cache key) of each layer."""
        stack, names, without, key = (
            [],
            [],
            list(WITHOUT),
            _key(program_digest(), WITHOUT, UNWANTED),
        )
        taken = set()
        for recipe in image.layers:
            names += recipe.packages
            without += recipe.without
            everything = self.packages.fetch(names, without)
            contents = [package for package in everything if package not in taken]
            taken.update(contents)
            key = _key(key, repr(recipe), repr(contents), os.environ.get("SOURCE_DATE_EPOCH"))
            stack.append((recipe, contents, key))
        return stack

    def _tree(self, recipe, contents, lower):
        """The layer's files, and the newest time among its packages'."""
        say(f"layer {recipe.name}: unpacking {len(contents)} packages")
        tree, newest = Tree(lower), 0
        if lower is None:
            steps.merge_usr(tree)
        for package in contents:
            newest = max(newest, self._unpack(package, tree))
        self._follow(recipe, tree)
        return tree, newest

    def _unpack(self, package, tree):
        program = self.packages.open(package)
        try:
            newest = tree.add_tar(program.stdout, UNWANTED)
        except (ValueError, tarfile.TarError) as error:
            raise ImageError(f"package {package.file}: {error}") from error
        finally:
            program.stdout.close()
            status = program.wait()
        if status != 0:
            raise ImageError(f"package {package.file}: dpkg-deb ended with status {status}")
        # Where scanners look for what an image without a package manager contains.
        tree.file(f"var/lib/dpkg/status.d/{package.name}", self.packages.control(package))
        return newest

    def _follow(self, recipe, tree):
        for directory in recipe.directories:
            tree.directory(directory.path, directory.mode, directory.owner)
        for file in recipe.files:
            tree.file(file.path, file.text, file.mode, file.owner)
        for path, target in recipe.links:
            tree.link(path, target)
        for user in recipe.users:
            _add_user(tree, user)
        tree.remove(recipe.remove)
        for step in recipe.steps:
            with tempfile.TemporaryDirectory() as scratch:
                steps.STEPS[step](tree, scratch)

    def _store(self, recipe, contents, key, tree, latest):
        say(f"layer {recipe.name}: writing {len(tree.nodes)} entries ({self.compression})")
        with tempfile.TemporaryDirectory(dir=self.cache) as scratch:
            plain, packed = Path(scratch) / "tar", Path(scratch) / "packed"
            with open(plain, "wb") as file:
                tree.write_tar(file, latest)
            _compress(plain, packed, self.compression)
            path = self._blob(key)
            layer = BuiltLayer(
                name=recipe.name,
                comment=_comment(recipe, contents),
                path=str(path),
                digest=file_digest(packed),
                diff_id=file_digest(plain),
                size=packed.stat().st_size,
                unpacked=plain.stat().st_size,
                created=latest,
            )
            packed.rename(path)
        write_atomically(path.with_suffix(".json"), json.dumps(asdict(layer)).encode())
        say(f"layer {recipe.name}: {megabytes(layer.size)}, {megabytes(layer.unpacked)} unpacked")
        return layer

    def _cached(self, key):
        """The layer, unless it is absent or its bytes have changed since."""
        try:
            layer = BuiltLayer(**json.loads(self._blob(key).with_suffix(".json").read_text()))
            return layer if file_digest(layer.path) == layer.digest else None
        except (OSError, ValueError, TypeError):
            return None

    def _blob(self, key):
        return (self.cache / f"{key}-{self.compression}.blob").resolve()


def file_digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return "sha256:" + digest.hexdigest()


def _key(*parts):
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _latest(newest):
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return int(epoch) if epoch else newest


def _comment(recipe, contents):
    wanted = [package for package in contents if package.name in recipe.packages]
    return f"layer {recipe.name}: " + (" ".join(f"{p.name}={p.version}" for p in wanted) or "files")


def _add_user(tree, user):
    for path, line in {
        "etc/passwd": f"{user.name}:x:{user.id}:{user.id}::{user.home}:{user.shell}\n",
        "etc/group": f"{user.name}:x:{user.id}:\n",
    }.items():
        tree.file(path, tree.lookup(path).data + line.encode())


def _compress(plain, packed, compression):
    if compression == "none":
        shutil.copyfile(plain, packed)
    elif compression == "zstd":
        run(["zstd", "-q", ZSTD_LEVEL, "-T1", plain, "-o", packed], "compress layer")
    else:
        _gzip(plain, packed)


def _gzip(plain, packed):
    packer = zlib.compressobj(
        GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS
    )  # a header without name and time
    with open(plain, "rb") as source, open(packed, "wb") as target:
        while block := source.read(BLOCK):
            target.write(packer.compress(block))
        target.write(packer.flush())
