#!/usr/bin/python3 -B
"""Images that mean harm: each is refused in one line or held inside, in bounded memory, touches
nothing of what stands beside the store, and leaves nothing. Needs root."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from canary import Canary

BIN = Path(os.environ.get("SKIFF_BIN", Path(__file__).resolve().parents[2] / "build/ci/bin"))
BOMB = Path(__file__).resolve().with_name("bomb.py")
MOST_KIB = 64 << 10

# What each is, and words of the answer.
BOMBS = {
    "zstd ratio": "more than 1100 times its compressed size",
    "entries": "more than 1000000 entries",
    "pax header": "a PAX header is longer than 1048576",
    "long name": "a GNU long name is longer than 4097",
    "long link": "a GNU long name is longer than 4097",
    "size without a body": "the file is too long",
    "deep": "nested deeper than 256",
    "name": "a name is longer than 4096",
    "component": "file name too long",
    "hole": "the file is too long",
    "segments": "too many segments",
    "attribute": "'user.x' is too long",
    "attributes": "too many extended attributes",
    "loop": "too many",
    "symlinks": "too many levels of symbolic links",
    "globals": "too many global PAX records",
    "nested manifest": "nested deeper than 64",
    "nested configuration": "nested deeper than 64",
    "long manifest": "longer than 4194304",
    "long configuration": "longer than 4194304",
    "layers": "more than 500 layers",
    "nested indexes": "nested too deep",
    "negative size": "is negative",
    "negative PAX size": "PAX size '-1' is not a number",
    "manifest and index in one": "could be both a manifest and an index",
    "index for a manifest": "could be both a manifest and an index",
    "manifest for an index": "could be both a manifest and an index",
    "configuration for a layer": "is not a layer skiff can unpack",
    "manifest for a configuration": "rootfs: missing",
    "negative layer size": "layers[0].size: -1 is not between",
    "layer longer than it says": "size is 1024, the manifest says 512",
    "digest that is a path": "expected 64 hex digits",
}
# Words of the answer, or none where all stays inside.
BREAKOUTS = {
    "name that climbs": "the name leads out of the layer",
    "absolute name": "",
    "absolute symlink": "",
    "relative symlink": "",
    "symlink below": "",
    "symlink to a file below": "",
    "symlink over a directory below": "",
    "symlink over a directory in between": "",
    "whiteout through a symlink below": "",
    "opaque through a symlink below": "",
    "whiteout of the parent": "the whiteout names nothing",
    "whiteout that climbs": "the name leads out of the layer",
    "mode through a symlink below": "",
    "hard link that climbs": "leads out of the layer",
    "absolute hard link": "there is no such file",
    "hard link through a symlink below": "there is no such file",
    "hard link to a symlink below, written": "",
    "hard link into a symlinked place": "",
    "device through a symlink below": "",
    "symlink to procfs": "",
    "global path": "leads out of the layer",
    "global link": "leads out of the layer",
    "overlay redirect": "",
    "overlay opaque": "",
}


class BombsTest(unittest.TestCase):
    def setUp(self):
        self.folder, self.beside = (
            Path(tempfile.mkdtemp(prefix="skiff-bombs-")) for _ in range(2)
        )
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(shutil.rmtree, self.beside)

    def files(self):
        """Everything of the store but its lock."""
        return sorted(str(p) for p in self.folder.rglob("*") if p.name != "lock")

    def import_(self, layout):
        """Status, standard error, and the peak of the memory of whichever process took most."""
        command = [BIN / "skiff", "--data-root", self.folder / "data", "image", "import"]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [*command, layout, "--name", "bomb:1"], stdout=subprocess.DEVNULL, stderr=errors
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            errors.seek(0)
            return process.returncode, errors.read().decode(), usage.ru_maxrss

    def make(self, name, canary):
        layout = self.folder / "layout"
        subprocess.run([sys.executable, "-B", BOMB, name, layout, canary.path], check=True)
        return layout

    def check_refused(self, result, words):
        status, errors, memory = result
        self.assertGreater(status, 0, errors or "killed by a signal")
        self.assertIn(words, errors)
        self.assertEqual(errors.count("\n"), 1, errors)
        self.assertLess(len(errors), 2000)
        self.assertLess(memory, MOST_KIB)

    def with_a_store(self):
        """The canary, and the files of a store that has had an image."""
        canary = Canary(self.beside / "canary")
        self.addCleanup(canary.close)
        canary_at_work = Canary(self.beside / "another")
        (canary_at_work.path / "file").read_text()
        self.assertTrue(canary_at_work.touched(), "the canary sees nothing")
        canary_at_work.close()
        layout = self.make("overlay opaque", canary)
        self.assertEqual(self.import_(layout)[0], 0)
        self.remove(layout)
        return canary, self.files()

    def remove(self, layout):
        shutil.rmtree(layout)
        command = [BIN / "skiff", "--data-root", self.folder / "data", "image", "rm", "bomb:1"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def test_each_is_refused_and_leaves_nothing(self):
        canary, before = self.with_a_store()
        canary.touched()
        for name, words in BOMBS.items():
            with self.subTest(name):
                layout = self.make(name, canary)
                result = self.import_(layout)
                shutil.rmtree(layout)
                self.check_refused(result, words)
                self.assertEqual(canary.touched(), [])
                self.assertEqual(self.files(), before)

    def test_no_breakout_reaches_the_canary(self):
        canary, before = self.with_a_store()
        for name, words in BREAKOUTS.items():
            with self.subTest(name):
                layout = self.make(name, canary)
                canary.touched()
                result = self.import_(layout)
                touched = canary.touched()
                if words:
                    self.check_refused(result, words)
                    shutil.rmtree(layout)
                else:
                    self.assertEqual(result[0], 0, result[1])
                    self.check_layers()
                    self.remove(layout)
                self.assertEqual(touched + canary.touched(), [])
                self.assertEqual(self.files(), before)

    def check_layers(self):
        """What was kept inside cannot steer overlayfs, nor be reached by others of this host."""
        data = self.folder / "data"
        self.assertEqual(data.stat().st_mode & 0o077, 0)
        for path in data.rglob("*"):
            for key in os.listxattr(path, follow_symlinks=False):
                self.assertNotIn(key, ("trusted.overlay.redirect", "trusted.overlay.metacopy"))


if __name__ == "__main__":
    unittest.main()
