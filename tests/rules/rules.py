"""The rules of the tree, one function each: takes a Source, yields (line, message).

What a rule allows is written here and nowhere else: to widen a rule, change its table, with the
reason beside it. The tables at the end say which rule reads which files, and under what name.
"""

import re
import subprocess

# ---- who may include whom ----

# Left to right: a file includes its own place and those before it. Where a file stands is decided
# by the longest match.
PLACES = (
    "isolation/base",
    "isolation/sys",
    "isolation",
    "isolation/oci",
    "networking",
    "images",
    "runtime",
    "tools",
    "tests",
)

# Folders that decide and do not act: what of the tree they include; and headers that act.
PURE = {
    "runtime/model": ("isolation/base/", "runtime/model/"),
    "runtime/plan": ("isolation/", "networking/", "images/", "runtime/model/", "runtime/plan/"),
}
ACTING_HEADER = re.compile(
    r"(sys/(?!(resource|types)\.h)|linux/|netinet/|arpa/|isolation/sys/)"
    r"|(unistd|fcntl|sched|poll|spawn|dirent|fstream|filesystem|liburing)(\.h)?$"
)


def place_of(path):
    matches = [place for place in PLACES if path.startswith(place + "/")]
    return max(matches, key=len, default=None)


def include_path(source):
    """A header of the tree is named from the root: a reader finds it, and so do these rules."""
    for line, header, is_quoted in source.includes():
        if is_quoted and place_of(header) is None:
            yield line, f'"{header}" is not a path from the root of the tree'


def layers(source):
    own = place_of(source.path)
    for line, header, is_quoted in source.includes():
        theirs = place_of(header) if is_quoted else None
        if own and theirs and PLACES.index(theirs) > PLACES.index(own):
            yield line, f"{own} may not include {header}: it stands to the right"


def pure(source):
    folder = next((folder for folder in PURE if source.path.startswith(folder + "/")), None)
    if folder is None:
        return
    for line, header, is_quoted in source.includes():
        if ACTING_HEADER.match(header) or (is_quoted and not header.startswith(PURE[folder])):
            yield line, f"{folder} decides and does not act: no {header}"


# ---- what stays in its corner ----


def json_corner(source):
    """json.hpp costs a second per file; headers use json_fwd.hpp."""
    for line, header, _ in source.includes():
        is_its_file = re.search(r"_json(_test)?\.cc$", source.name)
        if re.search(r"(^|/)json\.hpp$", header) and not is_its_file:
            yield line, f"{header} is for *_json.cc and *_json_test.cc only"


# Libraries that live behind one seam: (header, the files that see it).
SEAMS = (
    (r"boost/", r"networking/http/server\.cc$"),
    (r"sqlite3\.h$", r"runtime/store/sqlite\.h$|tests/"),
)


def seams(source):
    for line, header, is_quoted in source.includes():
        for library, files in SEAMS:
            if not is_quoted and re.match(library, header) and not re.match(files, source.path):
                yield line, f"<{header}> stays behind its seam: {files}"


# Headers that declare system calls or their flags.
KERNEL_HEADER = re.compile(
    r"(linux|asm|asm-generic)/|(sched|syscall|spawn)\.h$"
    r"|sys/(syscall|mount|prctl|ptrace|epoll|eventfd|signalfd|timerfd|inotify|fanotify)\.h$"
    r"|sys/(reboot|quota|pidfd|wait|xattr|sendfile)\.h$"
)
# Libraries that stand for the kernel.
KERNEL_LIBRARY = re.compile(
    r"liburing|seccomp\.h$|sys/capability\.h$|netlink/|nftables/|libnftnl/|libmnl/"
)

# (files, headers they may include beyond the rule): both are regular expressions.
KERNEL_ALLOWED = (
    (r"isolation/sys/", r"."),
    # Between clone and exec no function of sys can be called: it would allocate.
    (
        r"isolation/launch_(child|copy|limits|root|mount|protect)\.(cc|h)$",
        r"linux/|sched\.h$|sys/(syscall|prctl|mount)\.h$",
    ),
    (r"isolation/launch_label\.cc$", r"linux/"),
    (r"isolation/launch_mount\.cc$", r"sys/xattr\.h$"),
    # clone3 itself, whose child must not return through a wrapper.
    (r"isolation/launch_clone\.cc$", r"(linux/)?sched\.h$|sys/(prctl|syscall)\.h$"),
    (
        r"isolation/(oci/)?\w*seccomp\w*\.cc$",
        r"linux/(filter|sched|seccomp|audit|netlink)\.h$|seccomp\.h$",
    ),
    (r"isolation/capabilities\.cc$", r"(linux|sys)/capability\.h$"),
    # The flags that a complete spec is made of.
    (
        r"isolation/(container_spec|overlay|rootfs|sandbox|mount\w*)\.cc$",
        r"linux/mount\.h$|sys/mount\.h$",
    ),
    (r"isolation/oci/\w+\.cc$", r"linux/(mount|sched|capability)\.h$|sys/mount\.h$"),
    (
        r"networking/\w+\.cc$",
        r"linux/(netlink|rtnetlink|if|if_\w+|neighbour|veth|sockios|netfilter\w*)(/\w+)*\.h$"
        r"|(netlink|nftables|libnftnl|libmnl)/",
    ),
    # What a signal descriptor yields is a struct of the kernel.
    (r"runtime/supervisor/supervisor\.cc$", r"sys/signalfd\.h$"),
    # Yardsticks, which have nothing of ours in them.
    (r"tools/bench/(floor|peak)\.cc$", r"."),
    (r"tests/", r"."),  # a test looks at what the kernel says, by any means
)


def kernel_corner(source):
    allowed = [headers for files, headers in KERNEL_ALLOWED if re.match(files, source.path)]
    for line, header, is_quoted in source.includes():
        if is_quoted or not (KERNEL_HEADER.match(header) or KERNEL_LIBRARY.match(header)):
            continue
        if not any(re.match(pattern, header) for pattern in allowed):
            yield line, f"<{header}> belongs in isolation/sys (exceptions: tests/rules/rules.py)"


# ---- how code is written ----


def _end_of_call(code, opening):
    depth = 0
    for position in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[position], 0)
        if depth == 0:
            return position + 1
    return len(code)


def _starts_statement(before):
    """Whether a statement can start after this text, or a right-hand side that is all of it."""
    before = before.rstrip()
    if before == "" or before[-1] in ";{}" or re.search(r"\b(else|do)$", before):
        return True
    if before[-1] == "=":
        return not re.search(r"([=!]|(?<!<)<|(?<!>)>)=$", before)
    statement = re.split(r"[;{}]", before)[-1].strip()
    if before[-1] == ":":
        return re.match(r"(case\b.*|default)\s*:$", statement, re.S) is not None
    # The head of a control statement: if (...), for (...), also with ; or {} inside.
    return before[-1] == ")" and _is_control_head(before)


def _is_control_head(before):
    depth = 0
    for position in range(len(before) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(before[position], 0)
        if depth == 0:
            return re.search(r"\b(if|constexpr|for|while)\s*$", before[:position]) is not None
    return False


# A conversion around the whole holds nothing that could leak.
CONVERSION = re.compile(r"(static_cast<[^;{}()]*>|\bstd::chrono::\w+|\bBytes)\(\s*$")


def try_stands_alone(source):
    """g++ 12 and clang 14 leak what braces or arguments hold when a TRY beside it returns."""
    code = source.code()
    for match in re.finditer(r"\bTRY\s*\(", code):
        before, after = code[: match.start()], code[_end_of_call(code, match.end() - 1) :]
        while conversion := CONVERSION.search(before[-200:]):
            before = before[: len(before) - len(conversion[0])]
            after = re.sub(r"^\s*\)", "", after)
        if not _starts_statement(before) or not re.match(r"\s*;", after):
            yield source.line_of(match.start()), "TRY is a statement or a whole right-hand side"


def header_opening(source):
    if source.name.endswith(".h"):
        if not source.text.startswith("//"):
            yield 1, "a header opens with a comment: what it is for, who owns what, which thread"
        if not re.search(r"^#pragma once$", source.text, re.M):
            yield 1, "a header has #pragma once"


VAGUE = re.compile(
    r"\b(?:class|struct)\s+(?:\[\[\w+\]\]\s*)?(\w*(?:Manager|Helpers?|Utils?|Utilities))\b"
)


def vague_names(source):
    for match in VAGUE.finditer(source.code()):
        yield source.line_of(match.start()), f"{match[1]} has not found its noun yet"
    if re.search(r"(^|_)(manager|helpers?|utils?|misc)(_|\.)", source.name):
        yield 1, f"{source.name} has not found its noun yet"


MOST_LINES = 600
MOST_COLUMNS = 100


def columns(source):
    for line, text in enumerate(source.text.split("\n"), 1):
        # A word that cannot be broken, an address say, is not made better by breaking it.
        if len(text) > MOST_COLUMNS and " " in text.strip()[:MOST_COLUMNS]:
            yield line, f"{len(text)} columns, over {MOST_COLUMNS}"


def file_length(source):
    lines = source.text.count("\n")
    if lines > MOST_LINES:
        yield MOST_LINES + 1, f"{lines} lines, over {MOST_LINES}: make two files of it"


# ---- words (written in two pieces where this file would find itself) ----

# The words of AWS's own model checks, which clients compare, are theirs.
FAILED_TO = re.compile("failed " + r"to\b(?! satisfy constraint: Member must )", re.I)


def error_words(source):
    """An error says what was done to which object; that it did not work goes without saying."""
    texts = source.strings() if source.is_cpp() else enumerate(source.text.split("\n"), 1)
    for line, text in texts:
        if FAILED_TO.search(text) and not text.lstrip().startswith("#"):
            yield line, f'no "{"failed " + "to"}" in messages'


NOTE_TO_SELF = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
MACHINE_PATH = re.compile(
    r"(?<![\w.}*~/-])(?:/wo" + r"rk/|/ro" + r"ot/\.|/tmp/br" + r"ief)"
    r"|\.\./sha" + r"red\b|\.lib" + r"rary/"
)


def notes_to_self(source):
    for match in NOTE_TO_SELF.finditer(source.text):
        yield source.line_of(match.start()), f"{match[0]}: do it now, or open an issue"


def machine_paths(source):
    for match in MACHINE_PATH.finditer(source.text):
        yield source.line_of(match.start()), f"{match[0]} is of one machine"


# ---- scripts ----


def script_kind(source):
    """Which interpreter reads it: bash, sh, python or None."""
    first = source.text.split("\n", 1)[0]
    if first.startswith("#!"):
        match = re.search(r"\b(bash|sh|python)", first)
        return match[1] if match else None
    return {"sh": "bash", "py": "python"}.get(source.name.rpartition(".")[2])


def script_syntax(source):
    kind = script_kind(source)
    if kind in ("bash", "sh"):
        done = subprocess.run([kind, "-n"], input=source.text, capture_output=True, text=True)
        if done.returncode != 0:
            line = re.search(r"(?:line )?(\d+): ", done.stderr)
            yield int(line[1]) if line else 1, done.stderr.strip().split("\n")[0]
    elif kind == "python":
        try:
            compile(source.text, source.path, "exec")
        except SyntaxError as error:
            yield error.lineno or 1, error.msg


def run_bit(source, is_executable):
    has_interpreter = source.text.startswith("#!")
    if has_interpreter and not is_executable:
        yield 1, "a script that names its interpreter has the run bit"
    if is_executable and not has_interpreter:
        yield 1, "has the run bit, but names no interpreter"


CPP_RULES = {
    "include-path": include_path,
    "layers": layers,
    "pure": pure,
    "json-corner": json_corner,
    "seams": seams,
    "kernel-corner": kernel_corner,
    "try": try_stands_alone,
    "header-opening": header_opening,
    "vague-name": vague_names,
}
CODE_RULES = {"file-length": file_length, "error-words": error_words}
SCRIPT_RULES = {"script-syntax": script_syntax}
TEXT_RULES = {"note-to-self": notes_to_self, "machine-path": machine_paths}


def violations(source, is_executable=False):
    """Yields (line, rule, message) for everything that is wrong in one file."""
    rules = dict(TEXT_RULES)
    if source.is_cpp():
        rules.update(CPP_RULES)
    if script_kind(source):
        rules.update(SCRIPT_RULES)
    if source.is_cpp() or source.name.endswith(".c") or script_kind(source):
        rules.update(CODE_RULES)
    if script_kind(source) == "python":  # clang-format sees to C++
        rules["columns"] = columns
    for name, rule in rules.items():
        for line, message in rule(source):
            yield line, name, message
    for line, message in run_bit(source, is_executable):
        yield line, "run-bit", message
