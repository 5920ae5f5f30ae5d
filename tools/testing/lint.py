"""clang-format and clang-tidy over the C++ files of the tree, one case a file.

A file that clang-tidy found clean is not read again until it, a header of the tree it includes, its
compile command, .clang-tidy or clang-tidy itself changes: its digest is kept in .cache/tidy.
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("SKIFF_CACHE") or ROOT / ".cache").resolve() / "tidy"
BUILD = ROOT / "build" / "ci"
JOBS = os.cpu_count() or 1
RECENT_COMMITS = 20
# The compile commands are for g++: clang neither minds its switches nor makes errors of warnings.
TIDY = ["clang-tidy", "--quiet", "-p", str(BUILD)]
TIDY += ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-error"]


def output_of(command):
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def files_of_tree():
    command = ["git", "-c", "safe.directory=*", "ls-files"]
    command += ["--cached", "--others", "--exclude-standard", "*.cc", "*.h"]
    return sorted(name for name in set(output_of(command).split("\n")) if (ROOT / name).is_file())


def recently_changed():
    """What the last commits changed, and what is not committed yet."""
    git = ["git", "-c", "safe.directory=*"]
    log = output_of([*git, "log", f"-{RECENT_COMMITS}", "--name-only", "--format=", "--", "*.cc"])
    status = output_of([*git, "status", "--porcelain", "--no-renames", "-uall", "--", "*.cc"])
    return set(log.split("\n")) | {line[3:] for line in status.split("\n")}


def formatted(name):
    """What clang-format would change in the file, as text; empty when nothing."""
    command = ["clang-format", "--dry-run", "-Werror", name]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stderr


def compile_commands():
    if not (BUILD / "CMakeCache.txt").exists():
        output_of(["cmake", "--preset", "ci"])
    entries = json.loads((BUILD / "compile_commands.json").read_text())
    # The root is cut out, so that a cache can be shared by two clones.
    return {
        os.path.relpath(entry["file"], ROOT): entry["command"].replace(str(ROOT), "")
        for entry in entries
    }


@functools.cache
def digest_and_includes(name):
    content = (ROOT / name).read_bytes()
    quoted = re.findall(rb'^\s*#\s*include\s*"([^"]+)"', content, re.M)
    return hashlib.sha256(content).hexdigest(), tuple(sorted(path.decode() for path in quoted))


def digests_below(name, seen):
    """Adds (name, digest) of the file and of all headers of the tree that it sees."""
    if name not in seen and (ROOT / name).is_file():
        seen[name], includes = digest_and_includes(name)
        for header in includes:
            digests_below(header, seen)
    return seen


@functools.cache
def tidy_version():
    return output_of(["clang-tidy", "--version"]) + (ROOT / ".clang-tidy").read_text()


def key_of(name, command):
    seen = digests_below(name, {})
    text = json.dumps([tidy_version(), TIDY[3:], command, sorted(seen.items())])
    return hashlib.sha256(text.encode()).hexdigest()


def tidied(name, command):
    """What clang-tidy says against the file; empty when nothing. Remembers that."""
    mark = CACHE / key_of(name, command)
    if mark.exists():
        return ""
    done = subprocess.run([*TIDY, name], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        return done.stdout + ("" if done.stdout else done.stderr)
    mark.touch()
    return ""


def in_parallel(title, check, names, report):
    """Runs check on each name, `JOBS` at a time, and returns how many had something to say."""
    started = time.monotonic()
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for done, (name, text) in enumerate(zip(names, pool.map(check, names)), 1):
            if text:
                failed += 1
                report(f"FAILED: {title}: {name}\n{text}")
            if done % 25 == 0:
                report(f"{title}: {done} of {len(names)} files")
    report(f"{title}: {len(names)} files in {time.monotonic() - started:.0f} s, {failed} failed")
    return failed


def lint(wanted, report, all_tidied=True):
    """Returns (passed, badly formatted, with remarks of clang-tidy). `wanted`: files, or none for
    all of the tree. Without `all_tidied` clang-tidy, which takes ten minutes for the tree, reads
    only what was changed lately."""
    files = [os.path.relpath(name, ROOT) for name in wanted] or files_of_tree()
    commands = compile_commands()
    sources = [name for name in files if name.endswith(".cc") and name in commands]
    if not all_tidied:
        recent = recently_changed()
        sources = [name for name in sources if name in recent]
    CACHE.mkdir(parents=True, exist_ok=True)
    failed = in_parallel("clang-format", formatted, files, report)
    remarks = in_parallel(
        "clang-tidy", lambda name: tidied(name, commands[name]), sources, report
    )
    return len(files) + len(sources) - failed - remarks, failed, remarks


def main():
    passed, failed, remarks = lint(sys.argv[1:], lambda text: print(text, flush=True))
    failed += remarks
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
