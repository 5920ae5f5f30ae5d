#!/usr/bin/python3 -B
"""Prints everything that is to be known of the files beneath a directory, in JSON."""

import hashlib
import json
import os
import stat
import sys


def describe(path, inodes, name):
    info = os.lstat(path)
    kind = stat.S_IFMT(info.st_mode)
    out = {
        "mode": oct(info.st_mode),
        "owner": [info.st_uid, info.st_gid],
        "time": info.st_mtime_ns,
        "attributes": {
            key: os.getxattr(path, key, follow_symlinks=False).hex()
            for key in os.listxattr(path, follow_symlinks=False)
            # What the stacking itself uses, and what the host labels its files with.
            if not key.startswith("trusted.overlay.") and key != "security.selinux"
        },
    }
    if kind == stat.S_IFREG:
        with open(path, "rb") as file:
            out["content"] = hashlib.sha256(file.read()).hexdigest()
    if kind == stat.S_IFLNK:
        out["target"] = os.readlink(path)
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        out["device"] = [os.major(info.st_rdev), os.minor(info.st_rdev)]
    if kind != stat.S_IFDIR:
        # The first of its names: the same files have to be one.
        out["file"] = inodes.setdefault((info.st_dev, info.st_ino), name)
    return out


def main(root):
    tree, inodes = {}, {}
    for directory, names, files in os.walk(root):
        names.sort()
        for name in sorted(files + names) + ([""] if directory == root else []):
            path = os.path.join(directory, name) if name else root
            tree[os.path.relpath(path, root)] = describe(path, inodes, os.path.relpath(path, root))
    print(json.dumps(tree))


main(os.fsencode(sys.argv[1]).decode("utf-8", "surrogateescape"))
