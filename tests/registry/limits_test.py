#!/usr/bin/python3 -B
"""How much an image may take, of disk and of memory: what is too much is refused in one line and
leaves nothing, what is not goes through in 64 MiB of memory. Needs root."""

import ctypes
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import bomb

BIN = Path(os.environ.get("SKIFF_BIN", Path(__file__).resolve().parents[2] / "build/ci/bin"))
MOST_KIB = 64 << 10
MIB = 1 << 20
ZSTD_LEVEL, ZSTD_WINDOW_LOG = 100, 101  # parameters of ZSTD_CCtx_setParameter
ZSTD_END = 2


def zstd(pieces, window_log):
    """One frame that does not say how long it is, so that its window is as large as it says."""
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_createCCtx.restype = ctypes.c_void_p
    library.ZSTD_compressStream2.restype = ctypes.c_size_t

    class Buffer(ctypes.Structure):
        _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("at", ctypes.c_size_t)]

    context = ctypes.c_void_p(library.ZSTD_createCCtx())
    library.ZSTD_CCtx_setParameter(context, ZSTD_LEVEL, 1)
    library.ZSTD_CCtx_setParameter(context, ZSTD_WINDOW_LOG, window_log)
    out = ctypes.create_string_buffer(MIB)
    for piece in [*pieces, None]:
        data = piece or b""
        given = Buffer(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data), 0)
        while True:
            made = Buffer(ctypes.cast(out, ctypes.c_void_p), len(out), 0)
            mode = ZSTD_END if piece is None else 0
            left = library.ZSTD_compressStream2(
                context, ctypes.byref(made), ctypes.byref(given), ctypes.c_int(mode)
            )
            yield out.raw[: made.at]
            if given.at == given.size and (piece is not None or left == 0):
                break
    library.ZSTD_freeCCtx(context)


def noise(size):
    """A tar with one file that does not repeat itself."""
    yield bomb.header(size=size)
    for i in range(size // MIB):
        yield hashlib.shake_128(b"%d" % i).digest(MIB)
    yield bomb.END


def directories(count):
    """Names of directories that stay in mind until their times are set."""
    name = b"%099d/"
    block = bytearray(bomb.header(name % 0, kind=b"5"))
    total = int(block[148:154], 8) - sum(name % 0)
    for first in range(0, count, 1000):
        blocks = bytearray()
        for i in range(first, first + 1000):
            block[0:100] = name % i
            block[148:154] = b"%06o" % (total + sum(block[0:100]))
            blocks += block
        yield bytes(blocks)
    yield bomb.END


def apart(make):
    """In a process of its own, so that what it takes to make something is not counted as what it
    takes to refuse it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            make()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


class LimitsTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="skiff-limits-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.limits = {}

    def layout(self, layers):
        """An OCI layout of layers, each the pieces of a file and of the tar inside."""
        path = Path(tempfile.mkdtemp(dir=self.folder)) / "layout"
        apart(lambda: self.write(path, layers))
        return path

    @staticmethod
    def write(path, layers):
        layout = bomb.Layout(path)
        descriptors, ids = [], []
        for pack, make in layers:
            descriptors.append(layout.put(pack(make()), "layer.v1.tar"))
            hashed = hashlib.sha256()
            for piece in make():
                hashed.update(piece)
            ids.append("sha256:" + hashed.hexdigest())
        config = bomb.config_text(0, rootfs={"type": "layers", "diff_ids": ids})
        text = bomb.manifest_text(layout, config, descriptors)
        layout.finish(layout.put([text], "manifest.v1+json"))

    def import_(self, path):
        """Status, standard error, and the peak of whichever process took most."""
        settings = self.folder / "images.json"
        settings.write_text(json.dumps({"limits": self.limits}))
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [BIN / "skiff", "--data-root", self.folder / "data", "image", "import"]
                + [path, "--name", "big:1"],
                env={**os.environ, "SKIFF_IMAGES": str(settings)},
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            errors.seek(0)
            return process.returncode, errors.read().decode(), usage.ru_maxrss

    def kept(self):
        store = self.folder / "data" / "images"
        return [str(p) for d in ("layers", "staging", "locks") for p in (store / d).rglob("*")]

    def assert_refused(self, path, words):
        status, errors, memory = self.import_(path)
        self.assertGreater(status, 0, errors)
        self.assertIn(words, errors)
        self.assertEqual(errors.count("\n"), 1, errors)
        self.assertLess(memory, MOST_KIB, errors)
        self.assertEqual(self.kept(), [])

    def assert_taken(self, path):
        status, errors, memory = self.import_(path)
        self.assertEqual(status, 0, errors)
        self.assertLess(memory, MOST_KIB)

    def test_a_layer_and_an_image_have_a_size_whatever_their_ratio(self):
        one = self.layout([(bomb.gzipped, lambda: bomb.zeros(48 * MIB))])
        two = self.layout(
            [(bomb.gzipped, lambda: bomb.zeros(24 * MIB))]
            + [(bomb.gzipped, lambda: bomb.zeros(25 * MIB))]
        )
        self.limits = {"layerMiB": 32}
        self.assert_refused(one, "more than 33554432 bytes come out of it")
        self.limits = {"imageMiB": 32}
        self.assert_refused(one, "more than 33554432 bytes come out of it")
        self.assert_refused(two, "imageMiB of images.json" if os.cpu_count() > 1 else "bytes")
        self.limits = {"layerMiB": 49, "imageMiB": 64}
        self.assert_taken(one)
        self.assert_taken(two)

    def test_files_that_are_too_long_are_not_begun(self):
        plain = self.layout([(list, lambda: bomb.zeros(8 * MIB)), (list, lambda: noise(8 * MIB))])
        self.limits = {"layerMiB": 7}
        self.assert_refused(plain, "layer 1: its file has 8390144 bytes, above the limit of")
        self.limits = {"imageMiB": 9}
        self.assert_refused(plain, "its layers' files have 16780288 bytes, above the limit")
        self.limits = {"reserveMiB": 1 << 30}
        self.assert_refused(plain, "beside its reserve the store's disk has 0: no space left")
        self.limits = {"reserveMiB": 0}
        self.assert_taken(plain)

    def test_a_compressed_archive_is_measured_too(self):
        archive = self.folder / "archive.tar.zst"
        apart(lambda: archive.write_bytes(b"".join(bomb.zstd_bomb(bomb.zeros(320 * MIB)))))
        self.assert_refused(archive, "the archive: more than 1100 times its compressed size")
        self.limits = {"reserveMiB": 1 << 30}
        self.assert_refused(archive, "the next bytes of the archive")

    def test_windows_of_zstd_are_taken_as_far_as_memory_goes(self):
        for window_log in (25, 26, 27):
            path = self.layout([(lambda p, w=window_log: zstd(p, w), lambda: noise(36 * MIB))])
            if window_log == 25:
                self.assert_taken(path)
                subprocess.run(
                    [BIN / "skiff", "--data-root", self.folder / "data"]
                    + ["image", "remove", "big:1"],
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
            else:
                self.assert_refused(path, "zstd: its window is larger than 32 MiB")

    def test_a_window_and_all_names_that_are_kept_fit_together(self):
        path = self.layout([(lambda p: zstd(p, 25), lambda: directories(172_000))])
        self.assert_refused(path, "too many directories in one layer")


if __name__ == "__main__":
    unittest.main()
