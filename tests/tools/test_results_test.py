#!/usr/bin/python3 -B
"""tools/testing: what is counted as passed, failed and skipped."""

import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "testing"))
import results  # noqa: E402  (the folder is known only now)

GTEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4"><testsuite name="Suite" tests="4">
<testcase name="Passes" status="run" result="completed" classname="Suite"/>
<testcase name="Fails" status="run" result="completed" classname="Suite">
  <failure message="x.cc:1&#x0A;no" type=""/></testcase>
<testcase name="Skips" status="run" result="skipped" classname="Suite">
  <skipped message="x.cc:2&#x0A;needs root&#x0A;"/></testcase>
<testcase name="DISABLED_Child" status="notrun" result="suppressed" classname="Suite"/>
</testsuite></testsuites>
"""


def ctest(*cases):
    body = "".join(
        f'<testcase name="{name}" status="{status}"><system-out>{output}</system-out></testcase>'
        for name, status, output in cases
    )
    return f"<testsuite>{body}</testsuite>"


class ResultsTest(unittest.TestCase):
    def read(self, *cases, **programs):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "ctest.xml").write_text(ctest(*cases))
            for name, text in programs.items():
                (folder / f"{name}.xml").write_text(text)
            return results.read_ctest(folder, "native")

    def test_each_case_of_a_program_counts(self):
        tally = self.read(("a_test", "fail", ""), a_test=GTEST)
        self.assertEqual(str(tally), "1 passed, 1 failed, 1 skipped")
        self.assertEqual(tally.failed, ["native: Suite.Fails"])
        self.assertEqual(tally.skipped, {"native: Suite.Skips": "needs root"})

    def test_a_program_that_crashed_is_one_failure(self):
        tally = self.read(("a_test", "fail", "Segmentation fault"), ("b_test", "run", ""))
        self.assertEqual(str(tally), "1 passed, 1 failed, 0 skipped")

    def test_a_bad_exit_after_good_cases_is_one_failure(self):
        only_good = GTEST.replace('<failure message="x.cc:1&#x0A;no" type=""/>', "")
        tally = self.read(("a_test", "fail", "leak"), a_test=only_good)
        self.assertEqual(tally.failed, ["native: a_test (its exit status)"])

    def test_scripts_count_for_themselves(self):
        tally = self.read(
            ("one", "run", "Ran 7 tests in 1 s\n\nOK (skipped=2)\nskipped: zstd (x)\n"),
            ("two", "fail", "Ran 5 tests in 1 s\n\nFAILED (failures=1, errors=1)\n"),
            ("three", "run", "ok: a\n5 passed, 0 failed, 1 skipped\n"),
        )
        self.assertEqual(str(tally), "13 passed, 2 failed, 3 skipped")
        self.assertIn("zstd (x)", tally.skipped.values())

    def test_the_last_closing_line_holds(self):
        output = "1 passed, 0 failed\n2 passed, 1 failed\n"
        self.assertEqual(results.closing_counts(output), (2, 1, 0))
        self.assertIsNone(results.closing_counts("no numbers"))

    def test_a_script_that_fails_behind_its_own_count_fails(self):
        tally = results.from_output("x", "3 passed, 0 failed\n", is_failed=True)
        self.assertEqual(str(tally), "3 passed, 1 failed, 0 skipped")


if __name__ == "__main__":
    unittest.main()
