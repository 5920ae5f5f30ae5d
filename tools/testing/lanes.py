"""The lanes of tools/test: each runs one kind of tests and returns its Tally."""

import concurrent.futures
import contextlib
import io
import json
import os
import re
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

import leaks
import results
from results import Tally

ROOT = Path(__file__).resolve().parents[2]
JOBS = os.cpu_count() or 1
SANITIZED = "fuzz"  # the preset
OUTPUT_LIMIT = 1 << 20  # of one test, in ctest's report
VM_TIMEOUT = 1500
VM_MEMORY = 4096
# The machines beside the ordinary one, by the label of their tests: flags of tools/vm/run.
MACHINES = {
    "systemd": ("--systemd", "--append", "apparmor=1", "--append", "security=apparmor"),
    "selinux": ("--append", "selinux=1", "--append", "security=selinux"),
}


class LaneFailure(Exception):
    """A lane could not be run: counts as one failed case."""


def say(text):
    print(text, flush=True)


def run(command, **options):
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, **options).returncode


def build(preset, targets=(), niceness=0):
    """Configures and builds; with `targets`, those only."""
    if run(["cmake", "--preset", preset], stdout=subprocess.DEVNULL) != 0:
        raise LaneFailure(f"cmake --preset {preset}")
    command = ["nice", "-n", str(niceness)]
    command += ["cmake", "--build", "--preset", preset, "--parallel", str(JOBS)]
    if targets:
        command += ["--target", *targets]
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        say(done.stdout[-8000:])
        raise LaneFailure(f"the build of preset {preset}")


def ctest_command(preset, label, pattern):
    command = ["ctest", "--test-dir", str(ROOT / "build" / preset), "-L", label]
    command += ["--output-on-failure", "--test-output-size-passed", str(OUTPUT_LIMIT)]
    return command + (["-R", pattern] if pattern else [])


def tests_of(preset, label, pattern=None):
    """The tests of a label, as ctest lists them: {name: command}."""
    command = ctest_command(preset, label, pattern) + ["--show-only=json-v1"]
    listing = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return {test["name"]: test.get("command", []) for test in json.loads(listing)["tests"]}


def natively(preset, label, pattern=None, lane="native", jobs=JOBS):
    """The tests of a label, on this host."""
    if not tests_of(preset, label, pattern):
        return Tally()
    with tempfile.TemporaryDirectory(prefix="skiff-test-") as folder:
        environment = {**os.environ, "GTEST_OUTPUT": f"xml:{folder}/"}
        environment["GTEST_BRIEF"] = "1"
        command = ctest_command(preset, label, pattern)
        command += ["--parallel", str(jobs), "--output-junit", f"{folder}/ctest.xml"]
        run(command, env=environment)
        return read(Path(folder), lane)


def read(folder, lane):
    if not (folder / "ctest.xml").exists():
        raise LaneFailure(f"{lane}: ctest left no report")
    return results.read_ctest(folder, lane)


def leaving_nothing(label, pattern):
    """Tests with kernel objects on this host, and as one more case: that they left none here."""
    before = leaks.objects()
    tally = natively("ci", label, pattern, "native", jobs=1)
    left = sorted(leaks.objects() - before)
    if left:
        tally.failed.append("native: the leak check: " + ", ".join(left))
    else:
        tally.passed += 1
    say(f"leak check: {len(before)} mounts, links, cgroups, tables before, {len(left)} more after")
    return tally


@contextlib.contextmanager
def meanwhile(function, *arguments, **options):
    """Runs `function` beside what the block does, and waits for both. What it has to say is left to
    who calls it in its own lane."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(function, *arguments, **options)
        yield


def kernel_in_vm(pattern):
    """The kernel tests on Debian's own kernel with cgroup v2, in a machine that is thrown away."""
    return in_vm("kernel", pattern, "--memory", str(VM_MEMORY))


def machine_in_vm(label, pattern):
    """What wants a machine of another kind."""
    return in_vm(label, pattern, *MACHINES[label])


def in_vm(label, pattern, *flags):
    if not tests_of("ci", label, pattern):
        return Tally()
    ctest = ctest_command("ci", label, pattern) + ["--output-junit", "/tmp/results/ctest.xml"]
    # Words go to stderr as they come; stdout is the report, as a tar.
    inside = 'mkdir /tmp/results && GTEST_OUTPUT=xml:/tmp/results/ GTEST_BRIEF=1 "$@" >&2; '
    inside += "tar -C /tmp/results -c ."
    command = ["tools/vm/run", "--timeout", str(VM_TIMEOUT), *flags]
    # Emulated, a task takes long: the leak test's sweeps look at every fifth call there.
    command += ["--env", "SKIFF_TEST_STRIDE=5"]
    command += ["--", "bash", "-c", inside, "bash", *ctest]
    # The machine keeps one processor busy: the others compile what the next lanes run.
    with meanwhile(build_sanitized, pattern, niceness=19):
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if done.returncode != 0:
        raise LaneFailure(f"tools/vm/run ended with status {done.returncode}")
    with tempfile.TemporaryDirectory(prefix="skiff-test-") as folder:
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(folder)
        return read(Path(folder), "vm" if label == "kernel" else label)


def script(*command):
    """A test that counts for itself and ends with a closing line."""
    started = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )
    lines = []
    for line in started.stdout:
        lines.append(line)
        if not results.closing_counts(line):
            print(line, end="", flush=True)
    return results.from_output(command[0], "".join(lines), started.wait() != 0)


def build_sanitized(pattern, **options):
    """Builds what the two lanes below run, libraries once for both."""
    if run(["cmake", "--preset", SANITIZED], stdout=subprocess.DEVNULL) != 0:
        raise LaneFailure(f"cmake --preset {SANITIZED}")
    tests = tests_of(SANITIZED, "unit|fuzz", pattern)
    programs = {name.removesuffix("_search") for name in tests}
    if programs:
        build(SANITIZED, sorted(programs), **options)


def sanitized(pattern):
    """The unit tests with the address and undefined behaviour sanitizers, of clang."""
    build_sanitized(pattern)
    return natively(SANITIZED, "unit", pattern, "sanitized")


def fuzzed(pattern):
    """libFuzzer on each target, for seconds; their corpora are replayed with the unit tests."""
    build_sanitized(pattern)
    return natively(SANITIZED, "fuzz", pattern, "fuzz")


def timed(name, function, *arguments):
    """Runs a lane, with a heading and its time; what keeps it from running is its failed case."""
    say(f"\n==== {name}")
    started = time.monotonic()
    try:
        tally = function(*arguments) or Tally()
    except (LaneFailure, OSError, subprocess.SubprocessError, tarfile.TarError) as failure:
        tally = Tally()
        tally.failed.append(f"{name}: {failure}")
    say(f"==== {name}: {tally} ({time.monotonic() - started:.0f} s)")
    return tally
