"""One layer's files, held in memory: nothing is unpacked on the host, so ownership, set-id bits
and links need no privilege and cannot touch the host. A tree stands on the tree of the layer below
it (`lower`)."""

import copy
import fnmatch
import io
import posixpath
import tarfile

SYMLINK_DEPTH_LIMIT = 40


class Node:
    """A file, link or directory. One node under several paths is a set of hard links."""

    def __init__(self, kind, mode, mtime=None, uid=0, gid=0, data=b"", target="", xattrs=None):
        self.kind = kind  # tarfile.REGTYPE, SYMTYPE or DIRTYPE
        self.mode = mode
        self.mtime = mtime  # None: the newest time of the layer
        self.uid = uid
        self.gid = gid
        self.data = data
        self.target = target
        self.xattrs = xattrs or {}


class Tree:
    def __init__(self, lower=None):
        self.lower = lower
        self.nodes = {}  # path without leading or trailing slash -> Node

    def find(self, path):
        if path in self.nodes:
            return self.nodes[path]
        return self.lower.find(path) if self.lower else None

    def paths(self):
        """Every path an image of this tree and those below it has."""
        return set(self.nodes) | (self.lower.paths() if self.lower else set())

    def resolve(self, path, follow_last=False, depth=0):
        """`path` with the symbolic links in its directories followed, as inside the container."""
        if depth > SYMLINK_DEPTH_LIMIT:
            raise ValueError(f"{path}: too many symbolic links")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        done = ""
        for index, part in enumerate(parts):
            if part == "..":
                done = posixpath.dirname(done)
                continue
            here = posixpath.join(done, part)
            node = self.find(here)
            is_last = index == len(parts) - 1
            if node and node.kind == tarfile.SYMTYPE and (follow_last or not is_last):
                rest = "/".join([posixpath.join(done, node.target), *parts[index + 1 :]])
                absolute = node.target if node.target.startswith("/") else None
                if absolute:
                    rest = "/".join([absolute, *parts[index + 1 :]])
                return self.resolve(rest, follow_last, depth + 1)
            done = here
        return done

    def lookup(self, path):
        """The node a process in the container would open at `path`."""
        return self.find(self.resolve(path, follow_last=True))

    def put(self, path, node):
        path = self.resolve(path)
        if path == "":
            return
        self._add_parents(path)
        if node.kind == tarfile.DIRTYPE:
            old = self.find(path)
            is_there = old and (old.kind == tarfile.DIRTYPE or self._is_link_to_directory(path))
            if is_there:  # the first owner of a directory decides, as with dpkg
                return
        self.nodes[path] = node

    def directory(self, path, mode=0o755, owner=0):
        """Like put, but the directory has this mode and owner afterwards."""
        path = self.resolve(path, follow_last=True)
        self._add_parents(path)
        self.nodes[path] = Node(tarfile.DIRTYPE, mode, None, owner, owner)

    def file(self, path, data, mode=0o644, owner=0):
        content = data.encode() if isinstance(data, str) else data
        self.put(path, Node(tarfile.REGTYPE, mode, None, owner, owner, content))

    def link(self, path, target):
        self.put(path, Node(tarfile.SYMTYPE, 0o777, target=target))

    def remove(self, patterns):
        for path in [path for path in self.nodes if _matches(path, patterns)]:
            del self.nodes[path]

    def add_tar(self, stream, unwanted=()):
        """Adds a package's files. Returns the newest time among them."""
        newest = 0
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                newest = max(newest, int(member.mtime))
                path = posixpath.normpath("/" + member.name).lstrip("/")
                if not _matches(path, unwanted):
                    self._add_member(path, member, archive)
        return newest

    def write_tar(self, stream, latest):
        """Writes the layer: names sorted, no time after `latest`, owners as numbers."""
        first_path = {}
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(self.nodes):
                node = self.nodes[path]
                member = _member(path, node, latest)
                if node.kind == tarfile.REGTYPE and id(node) in first_path:
                    member.type, member.linkname, member.size = (
                        tarfile.LNKTYPE,
                        first_path[id(node)],
                        0,
                    )
                    member.pax_headers = {}
                    archive.addfile(member)
                    continue
                first_path[id(node)] = path
                archive.addfile(member, io.BytesIO(node.data))

    def _add_member(self, path, member, archive):
        if member.islnk():
            target = self.find(self.resolve(member.linkname))
            if target is None:
                raise ValueError(f"{path}: hard link to {member.linkname}, which is not there")
            self.put(path, target)
            return
        if not (member.isreg() or member.isdir() or member.issym()):
            raise ValueError(f"{path}: unsupported kind of file")
        data = archive.extractfile(member).read() if member.isreg() else b""
        xattrs = {k: v for k, v in member.pax_headers.items() if k.startswith("SCHILY.xattr.")}
        kind = tarfile.REGTYPE if member.isreg() else member.type
        mode = member.mode & 0o7777
        self.put(
            path,
            Node(
                kind,
                mode,
                int(member.mtime),
                member.uid,
                member.gid,
                data,
                member.linkname if member.issym() else "",
                xattrs,
            ),
        )

    def _add_parents(self, path):
        """A layer carries the directories above its files, with the attributes they have below."""
        parent = posixpath.dirname(path)
        while parent and parent not in self.nodes:
            below = self.find(parent)
            self.nodes[parent] = copy.copy(below) if below else Node(tarfile.DIRTYPE, 0o755)
            parent = posixpath.dirname(parent)

    def _is_link_to_directory(self, path):
        node = self.lookup(path)
        return node is not None and node.kind == tarfile.DIRTYPE


def _matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _member(path, node, latest):
    member = tarfile.TarInfo(path)
    member.type, member.mode = node.kind, node.mode
    member.uid, member.gid = node.uid, node.gid
    member.mtime = latest if node.mtime is None else min(node.mtime, latest)
    member.linkname, member.size = node.target, len(node.data)
    member.pax_headers = dict(node.xattrs)
    return member
