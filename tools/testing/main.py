"""tools/test: every lane of tests, one after another, and one closing line of all their cases."""

import argparse
import collections
import subprocess
import sys
import time

import lanes
import lint
from results import Tally


def parse():
    parser = argparse.ArgumentParser(
        prog="tools/test",
        description="Builds skiff and runs every test; the last line counts cases.",
        epilog="Lanes: unit, rules and kernel tests and those of the tools on this host; kernel "
        "tests in a virtual machine (tools/vm), in others those that want systemd, AppArmor or "
        "SELinux; the checks of that machine; unit tests with sanitizers; fuzz targets; "
        "tools/lint. The set-up, packages included, needs root.",
    )
    parser.add_argument("--quick", action="store_true", help="unit and rules tests only")
    parser.add_argument(
        "-R", dest="pattern", metavar="REGEX",
        help="only the test programs whose names match, as for ctest; no lint, no machine checks",
    )
    return parser.parse_args()


def lint_lane():
    tally = Tally()
    # Formatting counts; what clang-tidy says of the last commits is printed, and counts in
    # tools/lint alone, which reads the whole tree: it depends on the libraries' headers too, whose
    # update must not turn a tree red.
    tally.passed, failed, remarks = lint.lint([], lanes.say, all_tidied=False)
    tally.failed = [f"lint ({number + 1})" for number in range(failed)]
    if remarks:
        lanes.say(f"clang-tidy has remarks on {remarks} files: see tools/lint")
    return tally


def plan(options):
    """The lanes, in the order in which they tell most the soonest."""
    pattern = options.pattern
    yield "unit and rules, native", lanes.natively, "ci", "unit|rules", pattern
    if options.quick:
        return
    yield "kernel, native", lanes.leaving_nothing, "kernel", pattern
    yield "tools, native", lanes.natively, "ci", "tools", pattern
    yield "registries, native", lanes.natively, "ci", "registry", pattern
    yield "API, native", lanes.leaving_nothing, "api", pattern
    yield "kernel, in the machine", lanes.kernel_in_vm, pattern
    for label in lanes.MACHINES:
        yield f"{label}, in a machine of its own", lanes.machine_in_vm, label, pattern
    yield "unit, with sanitizers", lanes.sanitized, pattern
    yield "libFuzzer", lanes.fuzzed, pattern
    if not pattern:
        yield "the machine itself", lanes.script, "tools/vm/selftest"
        yield "lint", lint_lane


def bare(name):
    return name.partition(": ")[2]


def summarize(total):
    """What was skipped and for want of what, what no lane ran, and what failed."""
    reasons = collections.Counter(total.skipped.values())
    if reasons:
        lanes.say(f"\n{len(total.skipped)} cases were skipped:")
        for reason, count in reasons.most_common():
            lanes.say(f"  {count:4} {reason}")
    by_case = collections.defaultdict(set)
    for name in total.skipped:
        by_case[bare(name)].add(name.partition(": ")[0])
    nowhere = sorted(name for name, where in by_case.items() if {"native", "vm"} <= where)
    if nowhere:
        lanes.say("neither this host nor the machine could run: " + ", ".join(nowhere))
    for name in total.failed:
        lanes.say(f"FAILED: {name}")


def main():
    options = parse()
    started = time.monotonic()
    total = lanes.timed("build", lanes.build, "ci")
    if not total.failed:
        for name, function, *arguments in plan(options):
            total.add(lanes.timed(name, function, *arguments))
    if not total.failed and not total.passed and not total.skipped:
        total.failed.append(f"no test matches '{options.pattern}'")
    summarize(total)
    lanes.say(f"\nall lanes: {time.monotonic() - started:.0f} s")
    print(total, flush=True)
    return 1 if total.failed else 0


try:
    sys.exit(main())
except KeyboardInterrupt:
    sys.exit(130)
except subprocess.CalledProcessError as failure:
    print(f"tools/test: {failure}", file=sys.stderr)
    print("0 passed, 1 failed, 0 skipped")
    sys.exit(1)
