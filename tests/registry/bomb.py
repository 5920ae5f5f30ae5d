#!/usr/bin/python3 -B
"""Writes an image that means harm, as an OCI layout: bomb.py NAME DIRECTORY [CANARY], the last
being the directory that a breakout aims at. A process of its own, so that what it takes to make one
is not counted as what it takes to refuse it."""

import ctypes
import hashlib
import json
import os
import sys
import zlib
from pathlib import Path

KIND = "application/vnd.oci.image."
MIB = 1 << 20


def header(name=b"x", size=0, kind=b"0", link=b""):
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108] = b"0000644\0"
    block[108:116] = block[116:124] = b"0000000\0"
    # GNU's base 256 takes any size.
    block[124:136] = b"\x80" + size.to_bytes(11, "big")
    block[136:148] = b"00000000000\0"
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:155] = b"%06o\0" % sum(block)
    return bytes(block)


def padded(data):
    return data + bytes(-len(data) % 512)


def pax(**records):
    body = b""
    for key, value in records.items():
        line = b" " + key.replace("__", ".").encode() + b"=" + value + b"\n"
        size = len(line) + len(str(len(line)))
        size += len(str(size)) - len(str(len(line)))
        body += str(size).encode() + line
    return body


def pax_entry(body, **entry):
    return header(size=len(body), kind=b"x") + padded(body) + header(**entry)


END = bytes(1024)


# Each gives the tar in pieces.
def zeros(size):
    yield header(size=size)
    for _ in range(size // MIB):
        yield bytes(MIB)
    yield END


def entries(count):
    # Links of a name to itself: nothing but headers is left to do.
    block = header(kind=b"1", link=b"x") * 2048
    for _ in range(count // 2048 + 1):
        yield block
    yield END


def one(data):
    yield data
    yield END


def many(count, make):
    for i in range(count):
        yield make(i)
    yield END


def negative_size():
    block = bytearray(header())
    block[124:136] = b"\xff" * 12
    block[148:156] = b" " * 8
    block[148:155] = b"%06o\0" % sum(block)
    return bytes(block)


SPARSE = pax(GNU__sparse__size=b"%d" % (400 << 30), GNU__sparse__map=b"0,0")
SEGMENTS = pax(GNU__sparse__size=b"999999999", GNU__sparse__map=b",".join([b"1,1"] * 140_000))
TARS = {
    "zstd ratio": lambda: zeros(2048 * MIB),
    "entries": lambda: entries(1_100_000),
    "pax header": lambda: one(header(size=1 << 30, kind=b"x") + bytes(4096)),
    "long name": lambda: one(header(size=1 << 30, kind=b"L") + bytes(4096)),
    "long link": lambda: one(header(size=1 << 30, kind=b"K") + bytes(4096)),
    "size without a body": lambda: one(header(size=1 << 60) + bytes(4096)),
    "deep": lambda: one(pax_entry(pax(path=b"d/" * 300 + b"x"))),
    "name": lambda: one(pax_entry(pax(path=b"n/" * 100 + b"x" * 5000))),
    "component": lambda: one(pax_entry(pax(path=b"x" * 300))),
    "hole": lambda: one(pax_entry(SPARSE)),
    "segments": lambda: one(pax_entry(SEGMENTS)),
    "attribute": lambda: one(pax_entry(pax(SCHILY__xattr__user__x=b"v" * 70_000))),
    "attributes": lambda: one(
        pax_entry(pax(**{f"SCHILY__xattr__user__x{i}": b"v" for i in range(300)}))
    ),
    "loop": lambda: one(
        header(b"a", kind=b"2", link=b"b") + header(b"b", kind=b"2", link=b"a") + header(b"a/x")
    ),
    "symlinks": lambda: many(
        60, lambda i: header(b"l%d" % i, kind=b"2", link=b"l%d/.." % (i + 1)) + header(b"l0/x")
    ),
    "negative size": lambda: one(negative_size()),
    "negative PAX size": lambda: one(pax_entry(pax(size=b"-1"))),
    "globals": lambda: many(
        300, lambda i: header(size=20, kind=b"g") + padded(b"20 comment%03d=xxxxx\n" % i)
    ),
}


def symlink(name, target):
    return header(name, kind=b"2", link=target)


def hard_link(name, target):
    return header(name, kind=b"1", link=target)


def directory(name, mode=b"0000777\0"):
    block = bytearray(header(name, kind=b"5"))
    block[100:108] = mode
    block[148:156] = b" " * 8
    block[148:155] = b"%06o\0" % sum(block)
    return bytes(block)


def file(name):
    return header(name, size=4) + padded(b"evil")


def global_pax(**records):
    body = pax(**records)
    return header(size=len(body), kind=b"g") + padded(body)


def overlay_attribute(key, value):
    """A directory with an attribute that steers overlayfs."""
    return pax_entry(pax(**{f"SCHILY__xattr__{key}": value}), name=b"d/", kind=b"5")


def breakouts(canary):
    """Layers, base first, that try to read or change the canary: its files are file, sub/file, and
    link."""
    up = b"../" * 40 + canary[1:]
    return {
        "name that climbs": [file(b"../canary/x")],
        "absolute name": [file(canary + b"/x")],
        "absolute symlink": [symlink(b"l", canary) + file(b"l/x")],
        "relative symlink": [symlink(b"l", up) + file(b"l/file")],
        "symlink below": [symlink(b"l", canary), file(b"l/x") + file(b"l/file")],
        "symlink to a file below": [symlink(b"l", canary + b"/file"), file(b"l")],
        "symlink over a directory below": [
            file(b"d/x"), symlink(b"d", canary), file(b"d/x") + file(b"d/file")
        ],
        "symlink over a directory in between": [
            directory(b"d") + file(b"d/x") + symlink(b"d", up) + file(b"d/y")
        ],
        "whiteout through a symlink below": [symlink(b"l", canary), file(b"l/.wh.file")],
        "opaque through a symlink below": [symlink(b"l", up), file(b"l/.wh..wh..opq")],
        "whiteout of the parent": [file(b".wh...")],
        "whiteout that climbs": [file(b"../.wh.canary")],
        "mode through a symlink below": [
            symlink(b"l", canary), directory(b"l/") + directory(b"l/sub")
        ],
        "hard link that climbs": [hard_link(b"h", up + b"/file")],
        "absolute hard link": [hard_link(b"h", canary + b"/file")],
        "hard link through a symlink below": [symlink(b"l", canary), hard_link(b"h", b"l/file")],
        "hard link to a symlink below, written": [
            symlink(b"l", canary + b"/file"), hard_link(b"h", b"l") + file(b"h")
        ],
        "hard link into a symlinked place": [
            symlink(b"l", canary), file(b"mine") + hard_link(b"l/h", b"mine")
        ],
        "device through a symlink below": [
            symlink(b"l", up), header(b"l/null", kind=b"3") + header(b"l/pipe", kind=b"6")
        ],
        "symlink to procfs": [symlink(b"l", b"/proc/self/root"), file(b"l" + canary + b"/file")],
        "global path": [global_pax(path=up + b"/x") + file(b"harmless")],
        "global link": [global_pax(linkpath=up + b"/file") + hard_link(b"h", b"harmless")],
        "overlay redirect": [
            overlay_attribute("trusted.overlay.redirect", canary), file(b"d/x")
        ],
        "overlay opaque": [file(b"d/x"), overlay_attribute("trusted.overlay.opaque", b"y")],
    }


def gzipped(pieces):
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def zstd_bomb(pieces):
    """One frame: libzstd's own stream."""
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_compress.restype = ctypes.c_size_t
    data = b"".join(pieces)
    out = ctypes.create_string_buffer(len(data) // 100 + MIB)
    size = library.ZSTD_compress(
        out, ctypes.c_size_t(len(out)), data, ctypes.c_size_t(len(data)), ctypes.c_int(1)
    )
    yield out.raw[:size]


class Layout:
    def __init__(self, path):
        self.path = Path(path)
        self.blobs = self.path / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)

    def put(self, pieces, kind):
        hashed, size = hashlib.sha256(), 0
        with open(self.path / "new", "wb") as out:
            for piece in pieces:
                hashed.update(piece)
                size += out.write(piece)
        os.rename(self.path / "new", self.blobs / hashed.hexdigest())
        return {"mediaType": KIND + kind, "digest": "sha256:" + hashed.hexdigest(), "size": size}

    def finish(self, descriptor):
        (self.path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        index = {"schemaVersion": 2, "manifests": [descriptor]}
        (self.path / "index.json").write_text(json.dumps(index))


def config_text(count, **more):
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "amd64")
    ids = ["sha256:" + "0" * 64] * count
    rootfs = {"type": "layers", "diff_ids": ids}
    document = {"os": "linux", "architecture": machine, "config": {}, "rootfs": rootfs, **more}
    return json.dumps(document).encode()


def manifest_text(layout, config, layers, **more):
    document = {
        "schemaVersion": 2,
        "mediaType": KIND + "manifest.v1+json",
        "config": layout.put([config], "config.v1+json"),
        "layers": layers,
        **more,
    }
    return json.dumps(document).encode()


def document_bomb(name, layout):
    nested = b"[" * 200_000 + b"]" * 200_000
    config = config_text(0)
    if name == "nested manifest":
        text = manifest_text(layout, config, []).replace(b"[]", nested)
    elif name == "nested configuration":
        text = manifest_text(layout, config.replace(b"{}", nested), [])
    elif name == "long manifest":
        text = manifest_text(layout, config, [], annotations={"a": "x" * 5 * MIB})
    elif name == "long configuration":
        text = manifest_text(layout, config_text(0, author="x" * 5 * MIB), [])
    elif name == "layers":
        layer = layout.put([END], "layer.v1.tar")
        text = manifest_text(layout, config_text(600), [layer] * 600)
    elif name == "manifest and index in one":
        text = manifest_text(layout, config, [], manifests=[])
    elif name == "index for a manifest":
        text = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    elif name == "manifest for an index":
        return layout.put([manifest_text(layout, config, [])], "index.v1+json")
    elif name == "configuration for a layer":
        layer = layout.put([END], "config.v1+json")
        text = manifest_text(layout, config_text(1), [layer])
    elif name == "manifest for a configuration":
        text = manifest_text(layout, manifest_text(layout, config, []), [])
    elif name == "negative layer size":
        layer = layout.put([END], "layer.v1.tar")
        text = manifest_text(layout, config_text(1), [{**layer, "size": -1}])
    elif name == "layer longer than it says":
        layer = layout.put([END], "layer.v1.tar")
        text = manifest_text(layout, config_text(1), [{**layer, "size": 512}])
    elif name == "digest that is a path":
        layer = {**layout.put([END], "layer.v1.tar"), "digest": "sha256:../../../oci-layout"}
        text = manifest_text(layout, config_text(1), [layer])
    else:
        sys.exit(f"no such bomb: {name}")
    return layout.put([text], "manifest.v1+json")


def breakout(layout, tars):
    layers = [layout.put([tar + END], "layer.v1.tar") for tar in tars]
    ids = [layer["digest"] for layer in layers]
    config = config_text(0, rootfs={"type": "layers", "diff_ids": ids})
    return layout.put([manifest_text(layout, config, layers)], "manifest.v1+json")


def main(name, path, canary="/nowhere"):
    layout = Layout(path)
    tars = breakouts(os.fsencode(canary)).get(name)
    if tars:
        return layout.finish(breakout(layout, tars))
    if name in TARS:
        pack = zstd_bomb if name.startswith("zstd") else gzipped
        layer = layout.put(pack(TARS[name]()), "layer.v1.tar+gzip")
        text = manifest_text(layout, config_text(1), [layer])
        return layout.finish(layout.put([text], "manifest.v1+json"))
    if name == "nested indexes":
        inner = layout.put([manifest_text(layout, config_text(0), [])], "manifest.v1+json")
        for _ in range(8):
            text = json.dumps({"schemaVersion": 2, "manifests": [inner]}).encode()
            inner = layout.put([text], "index.v1+json")
        return layout.finish(inner)
    return layout.finish(document_bomb(name, layout))


if __name__ == "__main__":
    main(*sys.argv[1:])
