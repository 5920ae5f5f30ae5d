#!/usr/bin/python3 -B
"""The rules themselves: each is shown what it must catch, and what looks like it and is fine."""

import sys
import unittest
from pathlib import Path

import rules
from source import Source

HEADER = "// What it is for.\n#pragma once\n"


def found(path, text, is_executable=False):
    """The rules that a file with this text breaks, as (line, rule)."""
    return [hit[:2] for hit in rules.violations(Source(path, text), is_executable)]


class RulesTest(unittest.TestCase):
    def check(self, path, text, expected, is_executable=False):
        self.assertEqual(found(path, text, is_executable), expected, f"{path}:\n{text}")

    def catches(self, path, text, rule, line=1):
        self.check(path, text, [(line, rule)])

    def accepts(self, path, text):
        self.check(path, text, [])


class Includes(RulesTest):
    def test_a_layer_sees_those_to_its_left_only(self):
        right = {
            "isolation/base/x.cc": "isolation/sys/file.h",
            "isolation/sys/x.cc": "isolation/cgroup.h",
            "isolation/x.cc": "isolation/oci/spec.h",
            "isolation/oci/x.cc": "networking/eni.h",
            "networking/x.cc": "images/digest.h",
            "images/x.cc": "runtime/model/task.h",
            "runtime/logs/x.cc": "tools/main.h",
            "tools/x.cc": "tests/support/temp_dir.h",
        }
        for path, header in right.items():
            self.catches(path, f'#include <string>\n#include "{header}"\n', "layers", 2)
        left = ("isolation/base/text.h", "isolation/sys/file.h", "networking/eni.h")
        for path in ("images/x.cc", "runtime/supervisor/x.cc", "tools/skiff/x.cc", "tests/x.cc"):
            self.accepts(path, "".join(f'#include "{header}"\n' for header in left))

    def test_headers_of_the_tree_are_named_from_its_root(self):
        self.catches("images/x.cc", '#include "digest.h"\n', "include-path")
        self.catches("images/x.cc", '  #  include "../isolation/cgroup.h"\n', "include-path")

    def test_model_and_plan_cannot_act(self):
        for header in ("<unistd.h>", "<sys/stat.h>", "<filesystem>", '"isolation/sys/file.h"'):
            self.catches("runtime/plan/x.cc", f"#include {header}\n", "pure")
            self.catches("runtime/model/x.cc", f"#include {header}\n", "pure")
        self.catches("runtime/model/x.cc", '#include "runtime/plan/plan.h"\n', "pure")
        self.catches("runtime/plan/x.cc", '#include "runtime/logs/segment.h"\n', "pure")
        self.accepts("runtime/plan/x.cc", '#include "runtime/model/task.h"\n#include <map>\n')
        self.accepts("runtime/logs/x.cc", "#include <unistd.h>\n")

    def test_json_hpp_has_its_files(self):
        line = "#include <nlohmann/json.hpp>\n"
        self.catches("images/manifest.cc", line, "json-corner")
        self.catches("tests/unit/images/manifest_test.cc", line, "json-corner")
        self.accepts("images/manifest_json.cc", line)
        self.accepts("images/manifest.cc", "#include <nlohmann/json_fwd.hpp>\n")

    def test_libraries_stay_behind_their_seams(self):
        for header in ("boost/asio.hpp", "sqlite3.h"):
            self.catches("runtime/api/router.cc", f"#include <{header}>\n", "seams")
        self.accepts("networking/http/server.cc", "#include <boost/beast/http.hpp>\n")
        self.accepts("runtime/store/sqlite.h", "// What.\n#pragma once\n#include <sqlite3.h>\n")

    def test_kernel_headers_have_their_files(self):
        for header in ("linux/mount.h", "sys/mount.h", "sched.h", "sys/syscall.h", "sys/prctl.h"):
            self.catches("runtime/logs/x.cc", f"#include <{header}>\n", "kernel-corner")
            self.accepts("isolation/sys/mount.cc", f"#include <{header}>\n")
            self.accepts("tests/kernel/x.cc", f"#include <{header}>\n")
        for header in ("liburing.h", "seccomp.h", "netlink/route/link.h"):
            self.catches("runtime/supervisor/x.cc", f"#include <{header}>\n", "kernel-corner")
        for header in ("linux/rtnetlink.h", "libmnl/libmnl.h"):
            self.accepts("networking/x.cc", f"#include <{header}>\n")
        self.catches("networking/x.cc", "#include <linux/mount.h>\n", "kernel-corner")
        self.catches("networking/x.h", HEADER + "#include <linux/netlink.h>\n", "kernel-corner", 3)
        self.accepts("isolation/launch_child.cc", "#include <sched.h>\n#include <linux/mount.h>\n")
        self.catches("isolation/cgroup.cc", "#include <sched.h>\n", "kernel-corner")


class Code(RulesTest):
    def test_try_inside_something_is_caught(self):
        for text in (
            "auto p = Pair{TRY(A()), TRY(B())};",
            "Pair p{TRY(A())};",
            "Spec s = {.a = TRY(A()), .b = 1};",
            "Spec s = {.a = 1, .b = TRY(B())};",
            "Use(TRY(A()));",
            "Use(1, TRY(A()));",
            "int n = 1 + static_cast<int>(TRY(A()));",
            "int n = static_cast<int>(TRY(A()) + 1);",
            "int n = 1 + TRY(A());",
            "int n = TRY(A()) + 1;",
            "int n = TRY(A()).size();",
            "if (TRY(IsThere())) return;",
            "bool b = x == TRY(A());",
            "int n = x ? TRY(A()) : 0;",
            "int n = x ? 0 : TRY(A());",
            "return TRY(A());",
        ):
            for piece in (text, text.replace("TRY(", "TRY (").replace(", ", ",\n    ")):
                lines = {line for line, rule in found("images/x.cc", piece) if rule == "try"}
                self.assertTrue(lines, piece)

    def test_try_on_its_own_is_fine(self):
        for text in (
            "TRY(A());",
            "int n = TRY(A(1, {2, 3}, [&] { return 4; }));",
            "for (int i : all) TRY(A(i));",
            "if (x) TRY(A());\nelse TRY(B());",
            "if (const char* text = \")\"; text) TRY(A(text));",
            "n += TRY(A());",
            "Bytes n = Bytes(static_cast<uint64_t>(TRY(A(1, 2))));",
            "switch (n) {\n  case kOne: TRY(A());\n  default: TRY(B());\n}",
            "Each(all, [&](int i) -> Result<> {\n  TRY(A(i));\n  return {};\n});",
            "// Pair{TRY(A()), TRY(B())}\n",
            'const char* text = "Use(TRY(A()))";',
            "#define BOTH(x) Use(TRY(x), \\\n    TRY(x))\n",
            "/* Use(TRY(A())) */ RETRY(TRY_AGAIN(1));",
        ):
            self.accepts("images/x.cc", text)

    def test_try_is_reported_where_it_stands(self):
        self.catches("images/x.cc", "// one\nint n =\n    Use(1, TRY(A()));\n", "try", 3)

    def test_headers_open_with_what_they_are_for(self):
        self.catches("images/x.h", "#pragma once\n", "header-opening")
        self.catches("images/x.h", "// What it is for.\n", "header-opening")
        self.accepts("images/x.h", HEADER)

    def test_vague_nouns_are_caught(self):
        self.catches("images/x.cc", "\nclass LayerManager {};\n", "vague-name", 2)
        self.catches("images/x.cc", "struct [[nodiscard]] PathUtils;\n", "vague-name")
        self.catches("images/tar_helper.cc", "\n", "vague-name")
        self.accepts("images/x.cc", "// no class FooManager here\nclass Managed {};\n")

    def test_long_files_are_caught(self):
        self.catches("images/x.cc", "\n" * 601, "file-length", 601)
        self.catches("tools/x.py", "\n" * 601, "file-length", 601)
        self.accepts("images/x.cc", "\n" * 600)

    def test_long_lines_of_python_are_caught(self):
        self.catches("tools/x.py", "x = 1 + " + "1" * 93 + "\n", "columns")
        self.accepts("tools/x.py", "x = 1 + " + "1" * 92 + "\n")


class Words(RulesTest):
    def test_errors_say_what_was_done(self):
        text = 'return Error("failed ' + 'to mount");\n'
        self.catches("images/x.cc", text, "error-words")
        self.catches("tools/x", "#!/bin/sh\necho Failed " + "to build\n", "error-words", 2)
        self.accepts("images/x.cc", "// what failed " + "to run\n")
        aws = 'return Error("Value null failed ' + 'to satisfy constraint: Member must x");\n'
        self.accepts("runtime/x.cc", aws)

    def setUp(self):
        # A script with its run bit off would add its own violation.
        self.original, rules.run_bit = rules.run_bit, lambda source, is_executable: ()

    def tearDown(self):
        rules.run_bit = self.original

    def test_notes_to_self_are_caught_anywhere(self):
        for word in ("TO" + "DO", "FIX" + "ME", "X" + "XX"):
            self.catches("docs/x.md", f"one\n{word}: later\n", "note-to-self", 2)
        self.accepts("tools/x", "mktemp /tmp/skiff.X" + "XXXXX\n")

    def test_paths_of_one_machine_are_caught(self):
        for path in ("/wo" + "rk/main", "/ro" + "ot/.cache", "../sha" + "red/design.md"):
            self.catches("docs/x.md", f"see {path}\n", "machine-path")
            self.catches("tools/x.cmake", f'set(X "{path}")\n', "machine-path")
        self.accepts("images/x.cc", 'overlay = root + "/upper"; work = "$root/wo' + 'rk/";\n')


class Scripts(RulesTest):
    def test_syntax_errors_are_caught(self):
        self.check("tools/x", "#!/usr/bin/env bash\nif true; then\n", [(3, "script-syntax")], True)
        self.check("tools/x", "#!/bin/sh\nfoo() {\n", [(3, "script-syntax")], True)
        self.check("tools/x", "#!/usr/bin/python3\n\nx = (\n", [(3, "script-syntax")], True)
        self.check("tools/x.py", "def f(:\n", [(1, "script-syntax")])
        self.check("tools/x", "#!/usr/bin/env bash\nif true; then :; fi\n", [], True)

    def test_scripts_can_be_run_and_nothing_else_can(self):
        self.check("tools/x", "#!/bin/sh\n", [(1, "run-bit")])
        self.check("docs/x.md", "words\n", [(1, "run-bit")], True)
        self.check("tools/x.py", "x = 1\n", [])


class Places(unittest.TestCase):
    def test_each_rule_has_been_seen_at_work(self):
        """Every rule in the tables is named by a test above: a new one comes with its own."""
        text = Path(__file__).read_text(encoding="utf-8")
        tables = (rules.CPP_RULES, rules.CODE_RULES, rules.SCRIPT_RULES, rules.TEXT_RULES)
        for name in [name for table in tables for name in table] + ["run-bit", "columns"]:
            self.assertIn(f'"{name}"', text)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    unittest.main()
