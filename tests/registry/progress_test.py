#!/usr/bin/python3 -B
"""What is to be seen of a pull: bars at a terminal, whatever becomes of its size, and plain lines
everywhere else. Needs root."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unittest

from case import BIN, RegistryCase
from faulty import HELD_AFTER, Image

ESCAPE = re.compile(r"\033\[(\d*)([A-Z])")


class Screen:
    """A terminal as far as skiff uses one: lines, and the way back over some of them. A line that
    is longer than the window takes as many rows as the window's width makes it at that moment."""

    def __init__(self, columns):
        self.columns = columns
        self.lines = [""]

    def rows(self, line):
        return max(1, -(-len(line) // self.columns))

    def show(self, text):
        while text:
            escape = ESCAPE.match(text)
            if escape:
                self.move(int(escape[1] or 1), escape[2])
                text = text[escape.end() :]
                continue
            char, text = text[0], text[1:]
            if char == "\n":
                self.lines.append("")
            elif char != "\r":
                assert char >= " ", repr(char)
                self.lines[-1] += char

    def move(self, count, kind):
        if kind == "J":
            self.lines[-1] = ""
            return
        assert kind == "A" and self.lines[-1] == "", kind
        while count > 0:
            self.lines.pop()
            count -= self.rows(self.lines[-1])
        # In the middle of what stays: something would be written over that should not.
        assert count == 0, self.lines


class ProgressTest(RegistryCase):
    def pull(self, name, columns, rows=24, until=None, then=None, **variables):
        """What a terminal shows at the end; `then` is called once `until` is true of its lines."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.resize(ours, columns, rows)
        screen = Screen(columns)
        process = subprocess.Popen(
            [BIN / "skiff", "image", "pull", name],
            env={**self.variables(), **variables},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        while True:
            try:
                output = os.read(ours, 65536).decode()
            except OSError:  # the last who had it open is gone
                break
            screen.show(output)
            if until and until(screen.lines):
                until = None
                then(ours, screen)
        self.assertEqual(process.wait(), 0, screen.lines)
        self.assertIsNone(until, screen.lines)
        return screen.lines

    @staticmethod
    def resize(terminal, columns, rows):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def assert_complete(self, lines):
        """Every layer once, and nothing of the bars."""
        self.assertEqual(lines[-1], "")
        count = len(self.image.files)
        form = re.compile(rf"layer (\d+) of {count}: pulled, .*")
        ends = sorted(int(form.fullmatch(line)[1]) for line in lines[:-1])
        self.assertEqual(ends, list(range(1, count + 1)))

    def test_bars_give_way_to_lines_that_stay(self):
        self.image = Image(more=6)
        registry = self.faulty()
        for columns, rows in ((80, 24), (20, 24), (2, 3), (80, 2)):
            with self.subTest(columns=columns, rows=rows):
                self.assert_complete(self.pull(registry.host + "/plain:1", columns, rows))
                self.skiff("image", "remove", registry.host + "/plain:1")

    def test_a_bar_survives_a_window_that_changes(self):
        for before, after in ((100, 30), (60, 100), (80, 7)):
            with self.subTest(before=before, after=after):
                self.image = Image(more=3)
                registry = self.faulty()

                percent = HELD_AFTER * 100 // len(self.image.blobs[self.image.long])

                # Nothing moves any more: the long layer is held, and the two that are fetched with
                # it wait for it to say what the root's mode is.
                def is_held(lines, percent=percent):
                    ends = [line[len("layer 1 of 5: [") + 25 :] for line in lines if "[" in line]
                    words = [end.split(" of ")[0] for end in ends]
                    return words == [f"] {percent} %", "] 100 %", "] 100 %"]

                def change(terminal, screen, registry=registry, after=after):
                    self.resize(terminal, after, 24)
                    screen.columns = after
                    registry.enough.set()

                name = registry.host + "/held:1"
                self.assert_complete(self.pull(name, before, until=is_held, then=change))
                self.skiff("image", "remove", name)

    def test_nothing_but_lines_goes_to_a_file_or_a_dumb_terminal(self):
        registry = self.faulty()
        pulled = self.skiff("image", "pull", registry.host + "/plain:1")
        self.assertRegex(pulled.stderr, r"\A(layer \d of 2: pulled, [0-9.]+ Ki?B\n){2}\Z")
        self.skiff("image", "remove", registry.host + "/plain:1")
        lines = self.pull(registry.host + "/plain:1", 80, TERM="dumb")
        self.assert_complete(lines)
        again = self.skiff("image", "pull", registry.host + "/plain:1")
        self.assertEqual(again.stderr, "layer 1 of 2: present\nlayer 2 of 2: present\n")


if __name__ == "__main__":
    unittest.main()
