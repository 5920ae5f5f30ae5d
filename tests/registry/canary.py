"""A tree beside the target that nobody may so much as look at: inotify tells of every touch."""

import ctypes
import os
import struct
from pathlib import Path

ALL_EVENTS = 0xFFF  # IN_ALL_EVENTS
DONT_FOLLOW = 0x02000000  # IN_DONT_FOLLOW
NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_LIBC = ctypes.CDLL(None, use_errno=True)


def _checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Canary:
    def __init__(self, path):
        self.path = Path(path)
        (self.path / "sub").mkdir(parents=True)
        for name in ("file", "sub/file"):
            (self.path / name).write_text("canary")
        (self.path / "link").symlink_to("file")
        # The directory's parent is busy; all below it is not.
        self._events = _checked(_LIBC.inotify_init1(NONBLOCK_CLOEXEC))
        self._names = {}
        for name in ("", "sub", "file", "sub/file", "link"):
            path = os.fsencode(self.path / name)
            watch = _LIBC.inotify_add_watch(self._events, path, ALL_EVENTS | DONT_FOLLOW)
            self._names[_checked(watch)] = name or "."

    def close(self):
        os.close(self._events)

    def touched(self):
        """What was touched since the last call, by name and event mask."""
        try:
            data = os.read(self._events, 1 << 16)
        except BlockingIOError:
            return []
        found = []
        while data:
            watch, mask, _, size = struct.unpack_from("=iIII", data)
            below = data[16 : 16 + size].rstrip(b"\0").decode(errors="replace")
            found.append(f"{self._names.get(watch, '?')}/{below}: {mask:#x}")
            data = data[16 + size :]
        return found
