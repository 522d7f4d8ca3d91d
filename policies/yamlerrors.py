"""libyaml's complaints in words that say what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .nodes import locate
from .source import Location, Problem, Source

if TYPE_CHECKING:
    from yaml import MarkedYAMLError
    from yaml.error import Mark

# (what the parser's message contains, what to say, the hint); the first match counts.
_WORDS: tuple[tuple[str, str, str], ...] = (
    (
        "mapping values are not allowed",
        "a `:` cannot stand here",
        "check the indentation, and quote a text that contains `: `",
    ),
    (
        "block sequence entries are not allowed",
        "a list entry `-` cannot stand here",
        "begin it on a line of its own, indented like the other entries",
    ),
    (
        "did not find expected '-' indicator",
        "this line belongs to no entry of the list",
        "begin it with `- `, or indent it like what it belongs to",
    ),
    (
        "did not find expected key",
        "a key is expected here",
        "indent this line like the keys it belongs to",
    ),
    ("did not find expected ',' or ']'", "a `,` or `]` is missing before this", ""),
    ("did not find expected ',' or '}'", "a `,` or `}` is missing before this", ""),
    ("could not find expected ':'", "a `:` is missing after the key", "write `key: value`"),
    (
        "did not find expected comment or line break",
        "a text that begins with `>` or `|` must be quoted",
        'write ">=5.8"',
    ),
    ("unknown escape character", "an unknown escape in a quoted text", "write `\\\\` for `\\`"),
    ("unexpected end of stream", "a quote is opened and never closed", ""),
    (
        "did not find expected <document start>",
        "the document ended before this",
        "check the indentation of this line and of the one before",
    ),
    ("unexpected document indicator", "a document marker inside a quoted text", ""),
    ("incompatible YAML document", "this YAML version is not supported", "delete the `%YAML`"),
)


# The parser's name of what it was reading, and what to call the place where that began.
_BEGAN = (
    ("a block mapping", "the keys it should line up with begin here"),
    ("a block collection", "the list begins here"),
    ("a flow mapping", "the `{` is here"),
    ("a flow sequence", "the `[` is here"),
)
# Complaints that arise far behind what is wrong; they are shown where it began.
_FAR = ("could not find expected ':'", "unexpected end of stream", "unexpected document indicator")


def explain(error: MarkedYAMLError, source: Source) -> Problem:
    """The problem with the place it points at, and where the thing began that is not right."""
    text = error.problem or "not valid YAML"
    mark: Mark | None = error.problem_mark or error.context_mark
    began: Mark | None = error.context_mark
    if began is not None and any(part in text for part in _FAR):
        mark = began
    index = min(mark.index if mark else 0, len(source.text))
    at = _visible(source, index)
    special = _character(text, source, index)
    if special:
        return Problem(special[0], at, special[1])
    related: tuple[tuple[str, Location], ...] = ()
    if began is not None and mark is not None and began.index != mark.index:
        for part, label in _BEGAN:
            if part in (error.context or ""):
                related = ((label, locate(source, began.index)),)
    for part, message, hint in _WORDS:
        if part in text:
            return Problem(message, at, hint, related)
    return Problem(f"not valid YAML: {text}", at, "", related)


def _character(text: str, source: Source, index: int) -> tuple[str, str] | None:
    """What to say of a character that YAML allows nowhere, or not here."""
    here = source.text[index : index + 1]
    start = source.text.rfind("\n", 0, index) + 1
    if here == "\t" or "tab character" in text or "\t" in source.text[start:index][:1]:
        return "a tab cannot indent", "use spaces"
    if here in ("]", "}") and "did not find expected key" in text:
        return f"a `{here}` that closes nothing", "delete it, or open it further left"
    if "alphabetic or numeric" in text:
        return "a plain text cannot begin with `*` or `&`", "put it in quotes"
    if "cannot start any token" not in text:
        return None
    word = source.text[index : index + 60].split("\n")[0].split(",")[0].split("]")[0].split()
    if here == "@":
        quoted = word[0] if word else "@group"
        return f"a group must be quoted: `{quoted}`", f'write "{quoted}"'
    return "a plain text cannot begin with this character", "put the text in quotes"


def _visible(source: Source, index: int) -> Location:
    """The place; the end of the text is shown as the end of its last line with text on it."""
    if source.text[index:].strip():
        return locate(source, index)
    return locate(source, max(0, len(source.text.rstrip()) - 1))
