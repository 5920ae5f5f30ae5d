"""What every part of the image builder shares: its error, its progress lines, and running
programs."""

import subprocess
import sys


class ImageError(Exception):
    """What went wrong, from outside to inside; printed as it is."""


def say(text):
    print(f"make-image: {text}", file=sys.stderr, flush=True)


def megabytes(size):
    return f"{size / 1e6:.1f} MB"


def run(command, doing, **options):
    """Runs `command` and returns what it printed; its last error lines become the error."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, **options)
    except FileNotFoundError as error:
        raise ImageError(f"{doing}: no program {command[0]}") from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        reason = "; ".join(line.strip() for line in lines[-3:]) or f"exit status {done.returncode}"
        raise ImageError(f"{doing}: {reason}")
    return done.stdout
