#!/usr/bin/python3 -B
"""Checks the tree, or the files named, against the project's rules (rules.py).

Prints each violation as file:line: rule: message.
"""

import os
import subprocess
import sys
from pathlib import Path

import rules
from source import Source

ROOT = Path(__file__).resolve().parents[2]


def files_of_tree():
    """What git tracks, and what is new and not ignored: to be told before the commit."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    command += ["--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    return sorted({name.decode() for name in listing.split(b"\0") if name})


def main():
    names = [os.path.relpath(name, ROOT) for name in sys.argv[1:]] or files_of_tree()
    checked = broken = 0
    for name in names:
        path = ROOT / name
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" in content:
            continue
        source = Source(name, content.decode(errors="replace"))
        checked += 1
        for line, rule, message in rules.violations(source, os.access(path, os.X_OK)):
            broken += 1
            print(f"{name}:{line}: {rule}: {message}")
    print(f"{checked} files, {broken} violations")
    return 0 if checked and not broken else 1


sys.exit(main())
