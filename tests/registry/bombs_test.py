#!/usr/bin/python3 -B
"""Images that mean harm: each is refused in one line, in bounded memory, and leaves nothing. Needs
root."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

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
}


class BombsTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="skiff-bombs-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def files(self):
        """Everything of the store but its lock, and everything beside it."""
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

    def test_each_is_refused_and_leaves_nothing(self):
        canary = self.folder / "canary"
        canary.mkdir()
        (canary / "file").write_text("canary")
        # The store as it is when nothing was imported yet.
        self.import_(self.folder / "missing")
        before = self.files()
        for name, words in BOMBS.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as scratch:
                layout = Path(scratch) / "layout"
                subprocess.run([sys.executable, "-B", BOMB, name, layout], check=True)
                status, errors, memory = self.import_(layout)
                self.assertNotEqual(status, 0)
                self.assertGreater(status, 0, "killed by a signal")
                self.assertIn(words, errors)
                self.assertEqual(errors.count("\n"), 1, errors)
                self.assertLess(len(errors), 2000)
                self.assertLess(memory, MOST_KIB)
                self.assertEqual(self.files(), before)
        self.assertEqual((canary / "file").read_text(), "canary")


if __name__ == "__main__":
    unittest.main()
