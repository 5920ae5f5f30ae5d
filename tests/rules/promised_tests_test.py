#!/usr/bin/python3
"""Every test that a page of docs names is there: a promise is held by what runs.

Pages name a suite (`LeakTest`), a case (`LaunchTest.OnlyStandardStreamsAreOpen`), further cases of
the same suite (`.OtherCase` or, when its name is long enough to be nothing else, `OtherCaseOfIt`),
suites with a star, and programs of tests (`faults_test`, `tests/api/faults_test.py`).
"""

import fnmatch
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CASE = re.compile(r"^(?:TYPED_)?TEST(?:_[FP])?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)
PROGRAM = re.compile(r"NAME (\w+_test)\b")
NAMED = re.compile(r"`([^`\n]+)`")
SUITE = re.compile(r"^[A-Z][\w*]*Test$")
WITH_CASE = re.compile(r"^([A-Z]\w*Test)\.(\w+)$")
LONG_NAME = re.compile(r"^(?:[A-Z][a-z0-9]*){5,}$")


def cases_of(texts):
    """Suite to the names of its cases."""
    suites = {}
    for text in texts:
        for suite, case in CASE.findall(text):
            suites.setdefault(suite, set()).add(case)
    return suites


def missing(page, suites, programs):
    """What a page names and nothing is: (line number, name)."""
    for number, line in enumerate(page.splitlines(), 1):
        last = None
        for name in NAMED.findall(line):
            case = WITH_CASE.match(name)
            if case:
                last = case.group(1)
                if case.group(2) not in suites.get(last, ()):
                    yield number, name
            elif SUITE.match(name):
                last = name
                if not fnmatch.filter(suites, name):
                    yield number, name
            elif last and (name.startswith(".") and name[1:2].isupper() or LONG_NAME.match(name)):
                if name.lstrip(".") not in suites.get(last, ()):
                    yield number, f"{last}.{name.lstrip('.')}"
            elif re.fullmatch(r"[\w/]*[a-z]_test(\.(py|cc))?", name):
                stem = name.rsplit("/", 1)[-1].split(".")[0]
                if stem not in programs:
                    yield number, name


class PromisedTests(unittest.TestCase):
    def test_pages_name_tests_that_exist(self):
        sources = [path for path in (ROOT / "tests").rglob("*_test.cc")]
        suites = cases_of(path.read_text(encoding="utf-8") for path in sources)
        programs = {path.stem for path in (ROOT / "tests").rglob("*_test.*")}
        for listing in (ROOT / "tests").rglob("CMakeLists.txt"):
            programs.update(PROGRAM.findall(listing.read_text(encoding="utf-8")))
        self.assertGreater(sum(map(len, suites.values())), 500)
        found = []
        for page in sorted((ROOT / "docs").rglob("*.md")) + [ROOT / "README.md"]:
            for number, name in missing(page.read_text(encoding="utf-8"), suites, programs):
                found.append(f"{page.relative_to(ROOT)}:{number}: no test {name}")
        self.assertEqual(found, [])

    def test_what_is_missing_is_found(self):
        folded = "TEST_F(ATest,\n       TwoOfItThatHasALongName) {"
        suites = cases_of(["TEST(ATest, One) {\n", folded])
        said = lambda line: [name for _, name in missing(line, suites, {"some_test"})]
        self.assertEqual(said("`ATest`, `A*Test`, `ATest.One`, `.TwoOfItThatHasALongName`"), [])
        self.assertEqual(said("`ATest.One`, `TwoOfItThatHasALongName`, `some_test`, `a.py`"), [])
        self.assertEqual(said("`BTest`, `B*Test`"), ["BTest", "B*Test"])
        self.assertEqual(said("`ATest.Two`, `.Three`"), ["ATest.Two", "ATest.Three"])
        self.assertEqual(said("`ATest.One`, `AnotherOneThatIsNotThere`"),
                         ["ATest.AnotherOneThatIsNotThere"])
        self.assertEqual(said("`other_test`, `tests/api/other_test.py`"),
                         ["other_test", "tests/api/other_test.py"])


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
