#!/usr/bin/python3
"""tools/make-image: builds the busybox and python images and takes them apart again.

Packages come from the usual cache ($SKIFF_CACHE, else .cache in the tree) or are fetched into it;
all else happens in a temporary directory. Prints "N passed, N failed", and what a missing program
made it skip.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "make-image"
CACHE = Path(os.environ.get("SKIFF_CACHE") or ROOT / ".cache").resolve()
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"

sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools" / "images"))
from tree import Node, Tree  # noqa: E402  (the folder is known only now)


def make(*arguments, cache=CACHE, **variables):
    environment = {**os.environ, "SKIFF_CACHE": str(cache), **variables}
    command = [TOOL, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def built(*arguments, **options):
    """Builds, and returns the manifest digest it printed."""
    done = make(*arguments, **options)
    if done.returncode != 0:
        raise AssertionError(f"make-image {arguments}: {done.stderr}")
    return done.stdout.strip()


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def unpacked(content, media_type):
    if media_type.endswith("+gzip"):
        return gzip.decompress(content)
    if media_type.endswith("+zstd"):
        command = ["zstd", "-dc"]
        return subprocess.run(command, input=content, capture_output=True, check=True).stdout
    return content


class Layout:
    """An image layout read back, every blob checked against its digest and size on the way."""

    def __init__(self, path):
        self.path = path
        self.index = json.loads((path / "index.json").read_bytes())
        self.entry = self.index["manifests"][0]
        self.manifest = json.loads(self.blob(self.entry))
        self.config = json.loads(self.blob(self.manifest["config"]))

    def blob(self, descriptor):
        content = (self.path / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
        assert sha256(content) == descriptor["digest"], f"{descriptor['digest']}: content differs"
        assert len(content) == descriptor["size"], f"{descriptor['digest']}: size differs"
        return content

    def layer_tars(self):
        return [unpacked(self.blob(layer), layer["mediaType"]) for layer in self.manifest["layers"]]

    def members(self):
        """Path -> member of the topmost layer that has it."""
        found = {}
        for content in self.layer_tars():
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                found.update((member.name, member) for member in archive)
        return found


class ScratchCase(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)

    def empty_cache(self, packages="link"):
        """A cache of packages alone (the usual cache's, or a copy of busybox's)."""
        cache = self.scratch / "cache"
        (cache / "images").mkdir(parents=True)
        usual, here = CACHE / "images" / "packages", cache / "images" / "packages"
        if packages == "link":
            here.symlink_to(usual)
        else:
            here.mkdir()
            for path in usual.glob("busybox-static_*.deb"):
                shutil.copy(path, here)
        return cache


class LayoutTest(ScratchCase):
    def check(self, layout, tag, compression):
        suffix = {"gzip": "+gzip", "zstd": "+zstd", "none": ""}[compression]
        marker = json.loads((layout.path / "oci-layout").read_bytes())
        self.assertEqual(marker, {"imageLayoutVersion": "1.0.0"})
        self.assertEqual(layout.entry["annotations"]["org.opencontainers.image.ref.name"], tag)
        self.assertEqual(layout.entry["platform"]["os"], "linux")
        self.assertEqual(layout.entry["platform"]["architecture"], layout.config["architecture"])
        self.assertEqual(layout.entry["mediaType"], MANIFEST_TYPE)
        self.assertEqual(layout.manifest["mediaType"], MANIFEST_TYPE)
        self.assertEqual(layout.manifest["config"]["mediaType"], CONFIG_TYPE)
        for layer in layout.manifest["layers"]:
            self.assertEqual(layer["mediaType"], LAYER_TYPE + suffix)
        tars = layout.layer_tars()
        self.assertGreater(len(tars), 1)
        self.assertEqual(layout.config["rootfs"]["diff_ids"], [sha256(tar) for tar in tars])
        history = layout.config["history"]
        self.assertEqual(sum(not entry.get("empty_layer", False) for entry in history), len(tars))
        self.assertTrue(any(entry.get("empty_layer") for entry in history))
        blobs = {path.name for path in (layout.path / "blobs/sha256").iterdir()}
        self.assertEqual(len(blobs), len(tars) + 2)

    def test_busybox_in_every_compression(self):
        diff_ids = set()
        for compression in ("gzip", "zstd", "none"):
            out = self.scratch / compression
            digest = built("busybox", out, "--compression", compression, "--tag", "team/box:1.2")
            layout = Layout(out)
            self.assertEqual(digest, layout.entry["digest"])
            self.check(layout, "team/box:1.2", compression)
            diff_ids.add(tuple(layout.config["rootfs"]["diff_ids"]))
        self.assertEqual(len(diff_ids), 1)

    def test_busybox_has_its_applets_and_settings(self):
        built("busybox", self.scratch / "out")
        layout = Layout(self.scratch / "out")
        members = layout.members()
        self.assertEqual(layout.config["config"]["Cmd"], ["sh"])
        self.assertTrue(any(entry.startswith("PATH=") for entry in layout.config["config"]["Env"]))
        for name in ("usr/bin/sh", "usr/bin/wget", "usr/sbin/httpd"):
            self.assertEqual(members[name].linkname, "/usr/bin/busybox", name)
        self.assertTrue(members["usr/bin/busybox"].isreg())
        self.assertEqual(members["tmp"].mode, 0o1777)

    def test_python_is_merged_usr_and_stripped(self):
        built("python", self.scratch / "out")
        layout = Layout(self.scratch / "out")
        self.check(layout, "python:latest", "gzip")
        members = layout.members()
        self.assertEqual(members["bin"].linkname, "usr/bin")
        self.assertEqual(members["usr/bin/python"].linkname, "python3")
        self.assertGreater(members["etc/ssl/certs/ca-certificates.crt"].size, 100_000)
        self.assertGreater(members["etc/ld.so.cache"].size, 0)
        unwanted = ("bin/", "lib/", "usr/share/man/", "usr/share/locale/")
        for name in members:
            self.assertFalse(name.startswith(unwanted), name)
            above = name.rpartition("/")[0]
            self.assertTrue(not above or above in members, f"{name}: no directory")

    def test_formats_hold_the_same_image(self):
        built("busybox", self.scratch / "dir")
        built("busybox", self.scratch / "oci.tar", "--format", "oci-archive")
        built(
            "busybox", self.scratch / "docker.tar", "--format", "docker-archive", "--tag", "box:2"
        )
        with tarfile.open(self.scratch / "oci.tar") as archive:
            archive.extractall(self.scratch / "again")
        wanted = Layout(self.scratch / "dir")
        self.assertEqual(Layout(self.scratch / "again").entry, wanted.entry)
        with tarfile.open(self.scratch / "docker.tar") as archive:
            manifest = json.load(archive.extractfile("manifest.json"))[0]
            config = archive.extractfile(manifest["Config"]).read()
            layers = [archive.extractfile(name).read() for name in manifest["Layers"]]
        self.assertEqual(manifest["RepoTags"], ["box:2"])
        self.assertEqual(sha256(config), "sha256:" + manifest["Config"].removesuffix(".json"))
        self.assertEqual([sha256(layer) for layer in layers], wanted.config["rootfs"]["diff_ids"])

    def test_programs_run_in_the_python_image(self):
        if os.geteuid() != 0:
            self.skipTest("not root: cannot change root")
        built("python", self.scratch / "out")
        top = self.scratch / "rootfs"
        top.mkdir()
        for content in Layout(self.scratch / "out").layer_tars():
            subprocess.run(["tar", "-xp", "-C", top], input=content, check=True)
        script = (
            "import ssl, json, sqlite3, ctypes;"
            "print(len(ssl.create_default_context().get_ca_certs()))"
        )
        done = subprocess.run(
            ["chroot", top, "python3", "-c", script], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(int(done.stdout), 50)


class PeerTest(ScratchCase):
    def test_skopeo_reads_every_shape(self):
        if not shutil.which("skopeo"):
            self.skipTest("skopeo missing")
        for shape in ("oci", "oci-archive", "docker-archive"):
            out = self.scratch / shape
            built("busybox", out, "--format", shape)
            source = f"{shape}:{out}" + (":busybox:latest" if shape == "oci" else "")
            command = ["skopeo", "--insecure-policy", "copy", "-q", source]
            command.append(f"dir:{self.scratch}/copy-{shape}")
            done = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_umoci_unpacks(self):
        if not shutil.which("umoci"):
            self.skipTest("umoci missing")
        if os.geteuid() != 0:
            self.skipTest("not root: owners cannot be set")
        built("busybox", self.scratch / "out")
        command = ["umoci", "unpack", "--image", f"{self.scratch}/out:busybox:latest"]
        command.append(self.scratch / "bundle")
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(
            os.readlink(self.scratch / "bundle/rootfs/usr/bin/wget"), "/usr/bin/busybox"
        )


class RepeatTest(ScratchCase):
    def test_rebuilt_from_the_same_packages_has_the_same_digest(self):
        # The packages are at hand the second time, the resolution and the layers are not.
        for name in ("busybox", "python"):
            first = built(name, self.scratch / "first")
            cache = self.empty_cache()
            self.assertEqual(built(name, self.scratch / "second", cache=cache), first)
            shutil.rmtree(cache)

    def test_second_run_builds_nothing(self):
        built("busybox", self.scratch / "out")
        done = make("busybox", self.scratch / "out")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_damaged_layer_is_rebuilt(self):
        cache = self.empty_cache()
        first = built("busybox", self.scratch / "out", cache=cache)
        for path in (cache / "images/layers").glob("*.blob"):
            path.write_bytes(b"x" + path.read_bytes()[1:])
        self.assertEqual(built("busybox", self.scratch / "out", cache=cache), first)
        Layout(self.scratch / "out").layer_tars()

    def test_source_date_epoch_bounds_every_time(self):
        cache = self.empty_cache()
        built("busybox", self.scratch / "out", cache=cache, SOURCE_DATE_EPOCH="1000000000")
        layout = Layout(self.scratch / "out")
        self.assertEqual(layout.config["created"], "2001-09-09T01:46:40Z")
        self.assertLessEqual(max(member.mtime for member in layout.members().values()), 1000000000)


class BadInputTest(ScratchCase):
    def refused(self, wanted, *arguments, **options):
        before = sorted(self.scratch.iterdir())
        done = make(*arguments, **options)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(wanted, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(sorted(self.scratch.iterdir()), before)

    def test_arguments(self):
        out = self.scratch / "out"
        self.refused("NAME nosuch: not one of busybox", "nosuch", out)
        self.refused("NAME and OUTDIR", "busybox")
        self.refused("--tag A b", "busybox", out, "--tag", "A b")
        self.refused("--tag : not", "busybox", out, "--tag", "")
        self.refused("SOURCE_DATE_EPOCH soon", "busybox", out, SOURCE_DATE_EPOCH="soon")

    def test_directory_that_is_no_image_stays(self):
        out = self.scratch / "mine"
        out.mkdir()
        (out / "letter").write_text("keep")
        self.refused("exists and is not an image layout", "busybox", out)
        self.refused("is a directory", "busybox", out, "--format", "oci-archive")
        self.assertEqual((out / "letter").read_text(), "keep")

    def test_damaged_package_is_named(self):
        built("busybox", self.scratch / "good")
        cache = self.empty_cache(packages="copy")
        for path in (cache / "images/packages").glob("*.deb"):
            path.write_bytes(path.read_bytes()[:-1] + b"\0")
        self.refused("package busybox-static_", "busybox", self.scratch / "out", cache=cache)

    def test_interrupted_build_leaves_nothing(self):
        built("python", self.scratch / "good")  # so that the packages are at hand
        environment = {**os.environ, "SKIFF_CACHE": str(self.empty_cache())}
        before = sorted(self.scratch.iterdir())
        command = [TOOL, "python", self.scratch / "out"]
        with subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, text=True
        ) as program:
            for line in program.stderr:
                if "unpacking" in line:
                    program.send_signal(signal.SIGTERM)
                    break
            program.stderr.read()
        self.assertEqual(program.returncode, 128 + signal.SIGTERM)
        self.assertEqual(sorted(self.scratch.iterdir()), before)

    def test_list_and_help(self):
        listed = make("--list").stdout
        for name in ("busybox", "nginx", "python", "redis"):
            self.assertIn(name, listed)
        self.assertIn("SOURCE_DATE_EPOCH", make("--help").stdout)


class TreeTest(unittest.TestCase):
    def written(self, tree):
        stream = io.BytesIO()
        tree.write_tar(stream, 100)
        stream.seek(0)
        with tarfile.open(fileobj=stream) as archive:
            return archive.getmembers()

    def package(self, *members):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, kind, attributes in members:
                member = tarfile.TarInfo(name)
                member.type = kind
                for attribute, value in attributes.items():
                    setattr(member, attribute, value)
                archive.addfile(member, io.BytesIO(b"x" * member.size))
        stream.seek(0)
        return stream

    def test_hard_links_modes_owners_and_attributes_are_kept(self):
        key = "SCHILY.xattr.security.capability"
        capability = {key: "\x01\0\0\x02\0\x20\0\0\0\0\0\0"}
        tree = Tree()
        tree.add_tar(
            self.package(
                (
                    "./z",
                    tarfile.REGTYPE,
                    {"size": 3, "mode": 0o4755, "uid": 7, "mtime": 500, "pax_headers": capability},
                ),
                ("./a", tarfile.LNKTYPE, {"linkname": "./z"}),
            )
        )
        first, second = self.written(tree)
        self.assertEqual((first.name, first.size, first.mode, first.uid), ("a", 3, 0o4755, 7))
        self.assertEqual((second.type, second.linkname), (tarfile.LNKTYPE, "a"))
        self.assertEqual(first.mtime, 100)
        self.assertEqual(first.pax_headers[key], capability[key])

    def test_files_go_where_the_links_below_point(self):
        lower = Tree()
        lower.directory("usr/bin", 0o751)
        lower.link("bin", "usr/bin")
        upper = Tree(lower)
        upper.add_tar(
            self.package(
                ("./bin", tarfile.DIRTYPE, {"mode": 0o700}),
                ("./bin/tool", tarfile.REGTYPE, {"size": 1}),
            )
        )
        self.assertEqual(
            [member.name for member in self.written(upper)], ["usr", "usr/bin", "usr/bin/tool"]
        )
        self.assertEqual(upper.nodes["usr/bin"].mode, 0o751)

    def test_what_cannot_be_kept_is_refused(self):
        with self.assertRaisesRegex(ValueError, "hard link to ./gone"):
            Tree().add_tar(self.package(("./a", tarfile.LNKTYPE, {"linkname": "./gone"})))
        with self.assertRaisesRegex(ValueError, "dev/null: unsupported"):
            Tree().add_tar(self.package(("./dev/null", tarfile.CHRTYPE, {})))
        loop = Tree()
        loop.link("a", "b")
        loop.link("b", "a")
        with self.assertRaisesRegex(ValueError, "too many symbolic links"):
            loop.put("a/file", Node(tarfile.REGTYPE, 0o644))


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    for case, reason in result.skipped:
        print(f"skipped: {reason} ({case.id().removeprefix('__main__.')})")
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
