#!/usr/bin/python3 -B
"""Writes an image that means harm, as an OCI layout: bomb.py NAME DIRECTORY. A process of its own,
so that what it takes to make one is not counted as what it takes to refuse it."""

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
    "globals": lambda: many(
        300, lambda i: header(size=20, kind=b"g") + padded(b"20 comment%03d=xxxxx\n" % i)
    ),
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
    else:
        sys.exit(f"no such bomb: {name}")
    return layout.put([text], "manifest.v1+json")


def main(name, path):
    layout = Layout(path)
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
