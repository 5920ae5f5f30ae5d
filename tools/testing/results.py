"""What tests said, by case: from GoogleTest's XML, ctest's JUnit file, or a closing line."""

import re
import xml.etree.ElementTree as ElementTree


class Tally:
    """Cases of one lane, or of all."""

    def __init__(self):
        self.passed = 0
        self.failed = []  # names
        self.skipped = {}  # name -> why

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped.update(other.skipped)

    def __str__(self):
        counts = (self.passed, len(self.failed), len(self.skipped))
        return "{} passed, {} failed, {} skipped".format(*counts)


def _last_line(text):
    return (text or "").strip().split("\n")[-1].strip() or "no reason given"


def read_gtest(path, lane):
    """The cases of one GoogleTest program. Disabled cases do not count."""
    tally = Tally()
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{lane}: {case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if case.get("status") == "notrun":
            continue
        if case.find("failure") is not None:
            tally.failed.append(name)
        elif skipped is not None or case.get("result") == "skipped":
            # The message is "FILE:LINE", then what the test said.
            message = skipped is not None and (skipped.get("message") or skipped.text)
            tally.skipped[name] = _last_line(message or "")
        else:
            tally.passed += 1
    return tally


def closing_counts(output):
    """(passed, failed, skipped) as a script's own last words have them, or None."""
    line = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", output, re.M)
    if line:
        return tuple(int(number or 0) for number in line[-1])
    ran = re.search(r"^Ran (\d+) tests? in ", output, re.M)
    if ran is None:
        return None
    pairs = re.findall(r"\b(\w+)=(\d+)", output[ran.end() :])
    numbers = {word: int(count) for word, count in pairs}
    failed = numbers.get("failures", 0) + numbers.get("errors", 0)
    skipped = numbers.get("skipped", 0)
    return int(ran[1]) - failed - skipped, failed, skipped


def from_output(name, output, is_failed):
    """The tally of a script that counts for itself, or is one case."""
    tally = Tally()
    passed, failed, skipped = closing_counts(output) or (int(not is_failed), int(is_failed), 0)
    reasons = re.findall(r"^skipped: (.*)$", output, re.M)
    tally.passed = passed
    tally.failed = [f"{name} ({number + 1})" for number in range(failed)]
    for number in range(skipped or len(reasons)):
        reason = reasons[number] if number < len(reasons) else "no reason given"
        tally.skipped[f"{name} ({number + 1})"] = reason
    # Ended badly although no case did: killed, or a leak found at exit.
    if is_failed and not tally.failed:
        tally.failed.append(f"{name} (its exit status)")
    return tally


def read_ctest(directory, lane):
    """A whole ctest run: each program's own XML in `directory`; ctest.xml for what has none."""
    tally = Tally()
    for case in ElementTree.parse(directory / "ctest.xml").iter("testcase"):
        name = case.get("name")
        if case.get("status") == "disabled":
            continue
        is_failed = case.get("status") != "run"
        own = directory / f"{name}.xml"
        if own.exists():
            cases = read_gtest(own, lane)
            if is_failed and not cases.failed:
                cases.failed.append(f"{lane}: {name} (its exit status)")
        else:
            output = case.findtext("system-out") or ""
            cases = from_output(f"{lane}: {name}", output, is_failed)
        tally.add(cases)
    return tally
