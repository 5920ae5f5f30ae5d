#!/usr/bin/python3 -B
"""What skiff makes of an image, beside what umoci and podman make of it, file by file: content,
kind, mode, owner, times, extended attributes, hard links. Needs root."""

import ctypes
import gzip
import io
import json
import os
import random
import shutil
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

from faulty import digest

BIN = Path(os.environ.get("SKIFF_BIN", Path(__file__).resolve().parents[2] / "build/ci/bin"))
TREE = Path(__file__).resolve().with_name("tree.py")
KIND = "application/vnd.oci.image."
CAPABILITY = "\x01\0\0\x02\0\x04" + "\0" * 14
FIRST_TIME = 1_000_000_000


def zstd(data):
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_compress.restype = ctypes.c_size_t
    library.ZSTD_compressBound.restype = ctypes.c_size_t
    library.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
    out = ctypes.create_string_buffer(library.ZSTD_compressBound(len(data)))
    size = library.ZSTD_compress(
        out, ctypes.c_size_t(len(out)), data, ctypes.c_size_t(len(data)), ctypes.c_int(3)
    )
    return out.raw[:size]


class Layer:
    def __init__(self):
        self.out = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.out, mode="w", format=tarfile.PAX_FORMAT)
        self.count = 0

    def add(self, name, kind=tarfile.REGTYPE, content=b"", mode=0o644, ids=(0, 0), **more):
        entry = tarfile.TarInfo(name)
        entry.type = kind
        entry.mode = mode
        entry.uid, entry.gid = ids
        entry.size = len(content)
        self.count += 1
        time = more.get("time", self.count)
        entry.mtime = FIRST_TIME + time
        entry.linkname = more.get("link", "")
        entry.devmajor, entry.devminor = more.get("device", (0, 0))
        entry.pax_headers = {"mtime": f"{FIRST_TIME + time}.{time * 1001:09}"}
        for key, value in more.get("xattrs", {}).items():
            entry.pax_headers["SCHILY.xattr." + key] = value
        self.tar.addfile(entry, io.BytesIO(content))
        return self

    def directory(self, name, mode=0o755, ids=(0, 0), **more):
        return self.add(name, tarfile.DIRTYPE, mode=mode, ids=ids, **more)

    def done(self):
        self.tar.close()
        return self.out.getvalue()


def base():
    layer = Layer().directory("./", 0o755).directory("etc").directory("usr", 0o751, (3, 4))
    layer.directory("usr/bin").directory("var", 0o1777).directory("var/old").directory("gone")
    layer.add("etc/passwd", content=b"root:x:0:0::/:/bin/sh\n")
    layer.add("usr/bin/su", content=b"program", mode=0o6755, ids=(12, 34))
    capability = {"security.capability": CAPABILITY}
    layer.add("usr/bin/ping", content=b"ping", mode=0o755, xattrs=capability)
    # Its own header says what the file's does, as tar writes it: podman goes by the last.
    su = {"mode": 0o6755, "ids": (12, 34), "time": layer.count - 1}
    layer.add("usr/bin/link", tarfile.LNKTYPE, link="usr/bin/su", **su)
    layer.add("usr/bin/absolute", tarfile.SYMTYPE, mode=0o777, link="/etc/passwd")
    layer.add("usr/bin/dead", tarfile.SYMTYPE, mode=0o777, ids=(5, 6), link="../../no/such")
    layer.add("var/pipe", tarfile.FIFOTYPE, mode=0o622)
    layer.add("var/null", tarfile.CHRTYPE, mode=0o666, device=(1, 3))
    layer.add("var/disk", tarfile.BLKTYPE, mode=0o660, device=(7, 200))
    layer.add("var/noted", content=b"x", xattrs={"user.note": "a note"})
    layer.add("var/old/one", content=b"1").add("var/old/two", content=b"2")
    layer.add("gone/file", content=b"gone").add("removed", content=b"removed")
    layer.add("large", content=bytes(range(256)) * 4000, ids=(3_000_000, 3_000_000))
    layer.add("l" * 200, content=b"a long name").add("caf\u00e9", content=b"one")
    layer.add("cafe\u0301", content=b"two").add("Case").add("case")
    layer.add("replaced", content=b"a file").directory("turned").add("turned/inside", content=b"in")
    return layer.done()


def middle():
    layer = Layer().directory("./").directory("etc").add("etc/hostname", content=b"host\n")
    layer.add(".wh.removed").add(".wh.gone").directory("var", 0o1777).directory("var/old", 0o700)
    layer.add("var/old/.wh..wh..opq").add("var/old/three", content=b"3")
    layer.directory("replaced").add("replaced/now", content=b"a directory's")
    layer.add("turned", content=b"a file now")
    return layer.done()


def top():
    layer = Layer().directory("./").directory("usr", 0o751, (3, 4)).directory("usr/bin")
    layer.add("usr/bin/su", content=b"another program", mode=0o4711, ids=(1, 2))
    layer.add("gone", content=b"a file where a directory was")
    return layer.done()


def headers(archive):
    at = 0
    while any(archive[at : at + 512]):
        yield at
        at += 512 * (1 + (int(archive[at + 124 : at + 135], 8) + 511) // 512)


def damage(archive, chance):
    """One or two bytes of what headers say are others; the checksums are right."""
    out = bytearray(archive)
    places = list(headers(archive))
    fields = [(0, 20), (100, 157), (156, 157), (157, 170), (257, 265), (345, 360)]
    bytes_of_note = list(b"\0 01257x/.\x80\xff")
    for _ in range(chance.randint(1, 2)):
        at = chance.choice(places)
        out[at + chance.randrange(*chance.choice(fields))] = chance.choice(
            [*bytes_of_note, chance.randrange(256)]
        )
    for at in places:
        out[at + 148 : at + 156] = b" " * 8
        out[at + 148 : at + 156] = b"%06o\0 " % sum(out[at : at + 512])
    return bytes(out)


def without_times(tree):
    """The root left out, too: not all entries that are damaged have one."""
    return {name: {**file, "time": 0} for name, file in tree.items() if name != "."}


class SameTreeTest(unittest.TestCase):
    def setUp(self):
        for program in ("umoci", "podman", "skopeo"):
            if shutil.which(program) is None:
                self.skipTest(f"missing capability: {program}")
        self.folder = Path(tempfile.mkdtemp(prefix="skiff-trees-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def run_well(self, *command, **more):
        words = [str(word) for word in command]
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", **more)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stderr}")
        return done.stdout

    def layout(self, name, tars, packers):
        """An index for two platforms; this host's has the layers."""
        layout = self.folder / name
        blobs = layout / "blobs" / "sha256"
        blobs.mkdir(parents=True)

        def put(data, kind, **more):
            (blobs / digest(data).removeprefix("sha256:")).write_bytes(data)
            return {"mediaType": KIND + kind, "digest": digest(data), "size": len(data), **more}

        def image(architecture, tars, packers):
            layers = []
            for tar, packer in zip(tars, packers):
                suffix, pack = packer
                layers.append(put(pack(tar), "layer.v1.tar" + suffix))
            config = {
                "os": "linux",
                "architecture": architecture,
                "config": {"Cmd": ["/bin/true"]},
                "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in tars]},
            }
            document = {
                "schemaVersion": 2,
                "mediaType": KIND + "manifest.v1+json",
                "config": put(json.dumps(config).encode(), "config.v1+json"),
                "layers": layers,
            }
            platform = {"os": "linux", "architecture": architecture}
            return put(json.dumps(document).encode(), "manifest.v1+json", platform=platform)

        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "amd64")
        other = Layer().add("other", content=b"machine").done()
        manifests = [
            image("riscv64", [other], [("", bytes)]),
            image(machine, tars, packers),
        ]
        index = {
            "schemaVersion": 2,
            "mediaType": KIND + "index.v1+json",
            "manifests": manifests,
        }
        index = put(json.dumps(index).encode(), "index.v1+json")
        index["annotations"] = {"org.opencontainers.image.ref.name": "1"}
        (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index]}))
        return layout

    def tree(self, path):
        return json.loads(self.run_well(TREE, path))

    def by_skiff(self, layout):
        environment = {
            **os.environ,
            "SKIFF_DATA_ROOT": str(self.folder / "data"),
            "SKIFF_RUN_ROOT": str(self.folder / "run"),
        }
        skiff = BIN / "skiff"
        self.run_well(skiff, "image", "import", layout, "--name", "it:1", env=environment)
        inspected = self.run_well(skiff, "image", "inspect", "it:1", env=environment)
        layers = [layer["directory"] for layer in json.loads(inspected)["layers"]]
        if len(layers) == 1:
            return self.tree(layers[0])
        merged = self.folder / "merged"
        merged.mkdir(exist_ok=True)
        # As a container's root is stacked; the mount goes with its namespace.
        script = 'mount -t overlay none -o "lowerdir=$2" "$0" && exec "$1" "$0"'
        stack = ":".join(layers[::-1])
        return json.loads(self.run_well("unshare", "-m", "sh", "-c", script, merged, TREE, stack))

    def by_umoci(self, layout):
        # Debian's knows no index within the index.
        plain = self.folder / "gzip"
        self.run_well("skopeo", "copy", f"oci:{layout}:1", f"oci:{plain}:1")
        root = self.folder / "umoci"
        self.run_well("umoci", "raw", "unpack", "--image", f"{plain}:1", root)
        tree = self.tree(root)
        shutil.rmtree(plain)
        shutil.rmtree(root)
        return tree

    def by_podman(self, layout):
        storage = self.folder / "storage"
        podman = ("podman", "--root", storage, "--runroot", self.folder / "podman-run")
        podman += ("--storage-driver", "vfs", "--events-backend", "none")
        # Relative, for podman makes a name of it.
        source = f"oci:{layout.name}:1"
        pulled = self.run_well(*podman, "pull", "--quiet", source, cwd=layout.parent)
        name = pulled.strip().splitlines()[-1]
        root = self.run_well(*podman, "image", "mount", name).strip()
        tree = self.tree(root)
        tree["."]["time"] = None  # podman makes that directory itself
        self.run_well(*podman, "image", "unmount", name)
        self.run_well(*podman, "rmi", "--force", name)
        return tree

    def assert_same(self, ours, theirs, whose):
        self.assertEqual(sorted(ours), sorted(theirs), whose)
        for name in ours:
            own = dict(ours[name])
            if theirs[name]["time"] is None:
                own["time"] = None
            self.assertEqual(own, theirs[name], f"{whose}: {name}")

    def test_gzip(self):
        packer = ("+gzip", gzip.compress)
        layout = self.layout("image", [base(), middle(), top()], [packer] * 3)
        ours = self.by_skiff(layout)
        self.assert_same(ours, self.by_umoci(layout), "umoci")
        self.assert_same(ours, self.by_podman(layout), "podman")

    def test_each_layer_packed_in_another_way(self):
        packers = [("+zstd", zstd), ("", bytes), ("+gzip", gzip.compress)]
        layout = self.layout("image", [base(), middle(), top()], packers)
        self.assert_same(self.by_skiff(layout), self.by_podman(layout), "podman")

    def test_what_tar_and_libarchive_write(self):
        source = self.folder / "source"
        self.plant(source)
        written = {
            "gnu": ["tar", "--format=gnu"],
            "posix": ["tar", "--format=posix", "--xattrs"],
            "ustar": ["tar", "--format=ustar"],
            "v7": ["tar", "--format=v7"],
            "gnu, sparse": ["tar", "--format=gnu", "--sparse"],
        }
        for version in ("0.0", "0.1", "1.0"):
            sparse = ["tar", "--format=posix", "--sparse", f"--sparse-version={version}"]
            written[f"posix, sparse {version}"] = sparse
        if shutil.which("bsdtar"):
            for name in ("pax", "gnutar", "ustar"):
                written["bsdtar " + name] = ["bsdtar", "--format", name]
        expected = self.tree(source)
        for name, command in written.items():
            # What the formats of old cannot hold.
            left_out = [] if name in ("posix", "bsdtar pax") else ["--exclude=./noted"]
            if name in ("v7", "ustar", "bsdtar ustar"):
                left_out.append("--exclude=./long")
            if name == "v7":
                left_out.append("--exclude=./pipe")
            command += [*left_out, "-cf", "-", "."]
            done = subprocess.run(command, cwd=source, capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            layout = self.layout("image", [done.stdout], [("", bytes)])
            ours = self.by_skiff(layout)
            shutil.rmtree(layout)
            skipped = tuple(word.removeprefix("--exclude=./") for word in left_out)
            wanted = {k: v for k, v in expected.items() if not skipped or not k.startswith(skipped)}
            with self.subTest(name):
                self.assertEqual(sorted(ours), sorted(wanted))
                for path, file in wanted.items():
                    # The times of old are whole seconds, and an excluded file changes none.
                    self.assertEqual({**ours[path], "time": 0}, {**file, "time": 0}, path)
                    self.assertEqual(ours[path]["time"] // 10**9, file["time"] // 10**9, path)

    def test_what_tar_and_libarchive_read_of_damaged_archives(self):
        """What skiff takes, it reads as one of them does; it may take less."""
        if shutil.which("bsdtar") is None:
            self.skipTest("missing capability: bsdtar")
        source = self.folder / "source"
        self.plant(source)
        archives = []
        for form, left_out in (("gnu", "none"), ("posix", "none"), ("ustar", "./long")):
            command = ["tar", f"--format={form}", f"--exclude={left_out}", "-cf", "-", "."]
            archives.append(subprocess.run(command, cwd=source, capture_output=True).stdout)
        chance = random.Random(1)
        taken = 0
        for number in range(90):
            damaged = damage(chance.choice(archives), chance)
            layout = self.layout(f"damaged-{number}", [damaged], [("", bytes)])
            try:
                ours = without_times(self.by_skiff(layout))
            except AssertionError:
                continue  # refused
            finally:
                shutil.rmtree(layout)
            taken += 1
            theirs = [without_times(self.extracted(tar, damaged)) for tar in ("tar", "bsdtar")]
            self.assertIn(ours, theirs, f"number {number}")
        self.assertGreater(taken, 45)

    def extracted(self, program, archive):
        root = self.folder / program
        root.mkdir(mode=0o755)
        command = [program, "-xpf", "-", "--numeric-owner"]
        subprocess.run(command, input=archive, cwd=root, capture_output=True)
        tree = self.tree(root)
        shutil.rmtree(root)
        return tree

    def plant(self, source):
        long = source / "long" / ("d" * 90) / ("e" * 90)
        long.mkdir(parents=True)
        (long / ("f" * 200)).write_text("deep")
        (long / "link").symlink_to("x" * 150)
        (source / "plain").write_text("plain")
        os.link(source / "plain", source / "twin")
        os.chmod(source / "plain", 0o4755)
        os.chown(source / "plain", 1000, 2000)
        os.chmod(source / "plain", 0o4755)
        os.mkfifo(source / "pipe", 0o600)
        (source / "empty").mkdir(mode=0o700)
        (source / "noted").write_text("x")
        os.setxattr(source / "noted", "user.note", b"a \xff note")
        with open(source / "sparse", "wb") as file:
            for at in (1 << 18, 5 << 18, 9 << 18):
                file.seek(at)
                file.write(b"data" * 1000)
            file.truncate(5 << 20)
        for number, path in enumerate(sorted(source.rglob("*"), reverse=True)):
            os.utime(path, ns=(0, (FIRST_TIME + number) * 10**9 + 5), follow_symlinks=False)
        os.utime(source, ns=(0, FIRST_TIME * 10**9))


if __name__ == "__main__":
    unittest.main()
