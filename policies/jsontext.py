"""JSON text to nodes with places: strict RFC 8259, bounded, duplicate keys reported.

Docker profiles are JSON and deserve file:line:column as much as policies do. YAML's reader
would accept what JSON forbids (comments, single quotes, bare words), so this is its own.

    value  := object | array | string | number | "true" | "false" | "null"
    object := "{" [ string ":" value { "," string ":" value } ] "}"
    array  := "[" [ value { "," value } ] "]"
"""

from __future__ import annotations

import re

from .errors import InputError
from .nodes import (
    MAXIMAL_DEPTH,
    MAXIMAL_NODES,
    EntryList,
    Kind,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    locate,
)
from .problems import Report
from .reading import check_text
from .source import Location, Problem, Source

_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_WORD = re.compile(r"[A-Za-z0-9_.+-]+")
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_WORDS = {"true": Kind.BOOLEAN, "false": Kind.BOOLEAN, "null": Kind.NULL}


def parse_json(source: Source, report: Report) -> Node | None:
    """The value of the text; None, with a problem reported, when it is not JSON."""
    if not check_text(source, report):
        return None
    scanner = _Scanner(source, report)
    try:
        return scanner.document()
    except InputError as error:
        report.extend(error.problems)
        return None


class _Scanner:
    """A position in the text, moved forward by recursive descent of bounded depth."""

    def __init__(self, source: Source, report: Report) -> None:
        self.source = source
        self.text = source.text
        self.report = report
        self.index = 0
        self.count = 0
        self.line = 1
        self.line_start = 0
        self.counted = 0

    def document(self) -> Node:
        self.skip()
        if self.index == len(self.text):
            raise self.fault("the file is empty", "a JSON file holds at least `{}`")
        root = self.value(0)
        self.skip()
        if self.index < len(self.text):
            raise self.fault("text after the end of the JSON value", "a file holds one value")
        return root

    def value(self, depth: int) -> Node:
        self.count += 1
        if self.count > MAXIMAL_NODES:
            raise self.fault(f"more than {MAXIMAL_NODES:,} values in one file", "")
        if depth > MAXIMAL_DEPTH:
            raise self.fault(f"nested more than {MAXIMAL_DEPTH} levels deep", "")
        here = self.text[self.index : self.index + 1]
        if here == "{":
            return self.object(depth)
        if here == "[":
            return self.array(depth)
        if here == '"':
            return self.string()
        return self.word()

    def object(self, depth: int) -> MappingNode:
        begin, at = self.index, self.place(1)
        entries = EntryList(self.report)
        self.index += 1
        self.skip()
        while not self.accept("}"):
            if entries.entries and self.separate("}", at):
                continue
            if self.text[self.index : self.index + 1] != '"':
                raise self.fault(*self.no_key(), related=(("of this object", at),))
            key = self.string()
            self.skip()
            if not self.accept(":"):
                raise self.fault(f"a `:` is missing after the key `{key.text}`", "")
            self.skip()
            entries.add(key, self.value(depth + 1))
            self.skip()
        return MappingNode(tuple(entries.entries), self.span(begin, at))

    def array(self, depth: int) -> SequenceNode:
        begin, at = self.index, self.place(1)
        items: list[Node] = []
        self.index += 1
        self.skip()
        while not self.accept("]"):
            if items and self.separate("]", at):
                continue
            items.append(self.value(depth + 1))
            self.skip()
        return SequenceNode(tuple(items), self.span(begin, at))

    def separate(self, closer: str, opened: Location) -> bool:
        """Reads the comma between two parts; True when the closer follows it, wrongly."""
        comma = self.place(1)
        if not self.accept(","):
            message = f"a `,` or `{closer}` is missing here"
            raise self.fault(message, "", related=(("for what begins here", opened),))
        self.skip()
        if self.text[self.index : self.index + 1] == closer:
            self.report.add(f"a comma before `{closer}`", comma, "JSON has none there; delete it")
            return True
        return False

    def string(self) -> ScalarNode:
        begin, at = self.index, self.place(1)
        self.index += 1
        parts: list[str] = []
        while True:
            match = _PLAIN.match(self.text, self.index)
            assert match is not None
            parts.append(match.group())
            self.index = match.end()
            char = self.text[self.index : self.index + 1]
            if char == "\\":
                parts.append(self.escape())
            elif char == '"':
                self.index += 1
                break
            elif char in ("", "\n", "\r"):
                opened = (("it is opened here", at),)
                raise self.fault("a string is not closed on its line", 'add `"`', related=opened)
            else:
                raise self.fault(r"a raw tab inside a string", r"write `\t`")
        shift = 1 if self.index - begin == sum(map(len, parts)) + 2 else None
        at = self.span(begin, at)
        return ScalarNode("".join(parts), Kind.TEXT, at, begin, self.index, shift)

    def escape(self) -> str:
        letter = self.text[self.index + 1 : self.index + 2]
        if letter in _ESCAPES:
            self.index += 2
            return _ESCAPES[letter]
        code = self.code(self.index) if letter == "u" else None
        if code is None:
            raise self.fault(f"unknown escape `\\{letter.strip()}`", r"write `\\` for `\`", 2)
        if 0xD800 <= code < 0xDC00:
            low = self.code(self.index + 6) or 0
            if 0xDC00 <= low < 0xE000:
                self.index += 12
                return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00))
        if 0xD800 <= code < 0xE000:
            raise self.fault(f"`\\u{code:04x}` is half of a surrogate pair", "", 6)
        self.index += 6
        return chr(code)

    def code(self, index: int) -> int | None:
        if self.text[index : index + 2] != "\\u":
            return None
        match = _HEX.match(self.text, index + 2)
        return int(match.group(), 16) if match else None

    def word(self) -> ScalarNode:
        begin, at = self.index, self.place(1)
        match = _WORD.match(self.text, begin)
        word = match.group() if match else ""
        number = _NUMBER.fullmatch(word)
        if number:
            kind = Kind.FLOAT if number[2] or number[3] else Kind.INTEGER
        elif word in _WORDS:
            kind = _WORDS[word]
        else:
            raise self.fault(*self.no_value(word), max(1, len(word)))
        self.index += len(word)
        return ScalarNode(word, kind, self.span(begin, at), begin, self.index)

    def no_value(self, word: str) -> tuple[str, str]:
        """What to say when no value begins here."""
        here = self.text[self.index : self.index + 1]
        if not here:
            return "the file ends where a value is expected", "is it complete?"
        if word in ("NaN", "Infinity", "-Infinity"):
            return f"`{word}` is not JSON", "write a number"
        if word[:1].isdigit() or word[:1] == "-":
            return f"`{word[:40]}` is not a JSON number", "no leading zeros, no hex"
        if word:
            return f"`{word[:40]}` is not JSON", f'write "{word[:40]}" if it is a text'
        if here == "'":
            return "JSON strings have double quotes", "write \" for '"
        if here in "/#":
            return "JSON has no comments", "delete it"
        return f"a value is expected, found `{here}`", ""

    def no_key(self) -> tuple[str, str]:
        """What to say when no key begins here."""
        here = self.text[self.index : self.index + 1]
        if not here:
            return "the file ends inside an object", "is it complete?"
        if here in "'/#":
            return self.no_value("")
        return "a key in double quotes is expected", ""

    def skip(self) -> None:
        match = _BLANK.match(self.text, self.index)
        assert match is not None
        self.index = match.end()

    def accept(self, char: str) -> bool:
        if self.text.startswith(char, self.index):
            self.index += 1
            return True
        return False

    def place(self, width: int) -> Location:
        """Here; lines are counted on from the last place asked for."""
        self.line += self.text.count("\n", self.counted, self.index)
        self.line_start = max(self.line_start, self.text.rfind("\n", self.counted, self.index) + 1)
        self.counted = self.index
        return Location(self.source, self.line, self.index - self.line_start + 1, width)

    def span(self, begin: int, at: Location) -> Location:
        """From `at`, which is the place of `begin`, to here or to the end of the line."""
        end = self.text.find("\n", begin, self.index)
        stop = self.index if end < 0 else end
        return Location(self.source, at.line, at.column, max(1, stop - begin))

    def fault(
        self,
        message: str,
        hint: str,
        width: int = 1,
        related: tuple[tuple[str, Location], ...] = (),
    ) -> InputError:
        """A problem here that ends the reading; at the file's end, at its last character."""
        if self.index < len(self.text):
            at = locate(self.source, self.index, width)
        else:
            at = locate(self.source, max(0, len(self.text.rstrip()) - 1))
        return InputError([Problem(message, at, hint, related)])
