"""Source text as the rules look at it: C++ with comments and literals blanked, in place."""

import bisect
import re

_LITERAL_OR_COMMENT = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",
    re.DOTALL,
)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


class Source:
    """One file: `path` from the root of the tree with forward slashes, and its text."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self._line_starts = [0] + [match.end() for match in re.finditer("\n", text)]

    @property
    def folder(self):
        return self.path.rpartition("/")[0]

    @property
    def name(self):
        return self.path.rpartition("/")[2]

    def is_cpp(self):
        return self.name.endswith((".cc", ".h"))

    def line_of(self, position):
        return bisect.bisect_right(self._line_starts, position)

    def includes(self):
        """(line, header, is_quoted) of each #include."""
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)', self.text, re.M):
            yield self.line_of(match.start()), match[2], match[1] == '"'

    def strings(self):
        """(line, literal) of each string literal of C++."""
        for match in _LITERAL_OR_COMMENT.finditer(self.text):
            if match[0].startswith(('"', "R")):
                yield self.line_of(match.start()), match[0]

    def code(self):
        """The text with comments, literals and preprocessor lines blanked; quotes stay."""

        def blank(match):
            is_string = match[0].startswith(('"', "R"))
            return '"' + _blank(match[0][1:-1]) + '"' if is_string else _blank(match[0])

        bare = _LITERAL_OR_COMMENT.sub(blank, self.text)
        directive = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
        return directive.sub(lambda match: _blank(match[0]), bare)
