"""The words of conditions and of written calls, and the parts of the grammar both share.

constant := "(" constant ")" | atom { "|" atom }
atom     := NUMBER | CONSTANT
NUMBER   := "0" | ["-"] decimal | "0x" hex | "0o" octal
CONSTANT := capital letters, digits and "_", as AF_UNIX
ARGUMENT := small letters, digits and "_", as flags
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple, NoReturn

from .errors import InputError
from .model import Constant, Term
from .nodes import Places
from .problems import shown
from .source import Location, Problem

MAXIMAL_LENGTH = 4096
"""Characters of one condition or call."""
MAXIMAL_NESTING = 64
"""Parentheses and `not` inside one another."""
LOWEST, HIGHEST = -(1 << 63), (1 << 64) - 1
"""What a 64-bit register can hold, read as signed or as unsigned."""

_TOKEN = re.compile(
    r"(?P<number>-?[0-9][0-9A-Za-z_]*)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\.\.\.?|==|!=|<=|>=|=<|=>|<>|&&|\|\||<<|>>|\S"
)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)")
_HEX = re.compile(r"0[xX][0-9a-fA-F]+")
_OCTAL = re.compile(r"0[oO][0-7]+")
_LEADING_ZERO = re.compile(r"-?0[0-9]+")
_SUFFIX = re.compile(r"(0x[0-9a-fA-F]+?|[0-9]+)[uUlL]+")
_KEYWORDS = frozenset(("and", "or", "not", "in"))


class Sort(Enum):
    """What a token is; the value is how messages call it."""

    NUMBER = "number"
    ARGUMENT = "argument"
    CONSTANT = "constant"
    MIXED = "word"
    KEYWORD = "keyword"
    SYMBOL = "symbol"
    END = "end"


class Token(NamedTuple):
    """One word or sign, with where it stands in the text."""

    sort: Sort
    text: str
    start: int
    end: int


def tokenize(text: str) -> tuple[Token, ...]:
    """Every token of the text and an END behind them; no text fails here."""
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        word = match[0]
        start, end = match.span()
        if match.lastgroup == "word":
            sort = _sort_word(word)
        else:
            sort = Sort.NUMBER if match.lastgroup == "number" else Sort.SYMBOL
        tokens.append(Token(sort, word, start, end))
    last = tokens[-1].end if tokens else 0
    return (*tokens, Token(Sort.END, "", last, last))


def _sort_word(word: str) -> Sort:
    if word in _KEYWORDS:
        return Sort.KEYWORD
    if word.islower() or not word.strip("_"):
        return Sort.ARGUMENT
    return Sort.CONSTANT if word.isupper() and not word.strip("_")[0].isdigit() else Sort.MIXED


class Cursor:
    """The tokens of one text, read from left to right; `fail` ends the reading."""

    def __init__(self, text: str, places: Places, what: str) -> None:
        self.text = text
        self.places = places
        self.what = what
        self.tokens: tuple[Token, ...] = ()
        self.index = 0
        self.depth = 0
        if len(text) > MAXIMAL_LENGTH:
            whole = Token(Sort.END, "", 0, len(text))
            self.fail(f"the {what} is longer than {MAXIMAL_LENGTH} characters", whole)
        self.tokens = tokenize(text)

    @property
    def here(self) -> Token:
        """The token to be read next."""
        return self.tokens[self.index]

    def ahead(self, count: int = 1) -> Token:
        """The token that many places further on; END beyond the end."""
        return self.tokens[min(self.index + count, len(self.tokens) - 1)]

    def at_end(self) -> bool:
        """Whether everything was read."""
        return self.index == len(self.tokens) - 1

    def take(self) -> Token:
        """Reads one token."""
        token = self.tokens[self.index]
        if self.index < len(self.tokens) - 1:
            self.index += 1
        return token

    def at_symbol(self, *symbols: str) -> bool:
        """Whether one of these signs or keywords comes next."""
        return self.tokens[self.index].text in symbols

    def accept(self, *symbols: str) -> Token | None:
        """Reads one of these signs or keywords if it comes next."""
        return self.take() if self.tokens[self.index].text in symbols else None

    def expect(self, symbol: str, why: str, opened: Token | None = None) -> Token:
        """Reads this sign, which must come next."""
        token = self.accept(symbol)
        if token is None:
            related: tuple[tuple[str, Location], ...] = ()
            if opened is not None:
                related = (("it is opened here", self.place(opened)),)
            self.fail(f"`{symbol}` is missing {why}, found {self.found()}", related=related)
        return token

    def enter(self) -> None:
        """One level deeper; `leave` undoes it."""
        self.depth += 1
        if self.depth > MAXIMAL_NESTING:
            self.fail(f"nested more than {MAXIMAL_NESTING} levels deep")

    def leave(self) -> None:
        """One level up."""
        self.depth -= 1

    def found(self) -> str:
        """What comes next, for messages."""
        return "the end" if self.here.sort is Sort.END else shown(self.here.text)

    def place(self, first: Token, last: Token | None = None) -> Location:
        """Where a token, or the stretch from one token to another, stands."""
        end = (last or first).end
        if first.sort is Sort.END and first.start == first.end:
            # Behind the last character; point at it, it is what is seen.
            return self.places(max(0, first.start - 1), first.start)
        return self.places(first.start, end)

    def since(self, first: Token) -> Location:
        """From this token to the one read last."""
        return self.place(first, self.tokens[max(0, self.index - 1)])

    def fail(
        self,
        message: str,
        token: Token | None = None,
        hint: str = "",
        related: tuple[tuple[str, Location], ...] = (),
    ) -> NoReturn:
        """Ends the reading with a problem at the token, or at what comes next."""
        raise self.fault(message, token, hint, related)

    def fault(
        self,
        message: str,
        token: Token | None = None,
        hint: str = "",
        related: tuple[tuple[str, Location], ...] = (),
    ) -> InputError:
        """The error that `fail` raises."""
        at = self.place(token if token is not None else self.here)
        return InputError([Problem(message, at, hint, related)])


def parse_constant(cursor: Cursor, what: str = "a number or a constant") -> Constant:
    """constant := "(" constant ")" | atom { "|" atom }"""
    first = cursor.here
    if opened := cursor.accept("("):
        cursor.enter()
        inner = parse_constant(cursor, what)
        cursor.expect(")", "to close the parenthesis", opened)
        cursor.leave()
        return Constant(inner.terms, cursor.since(first))
    terms = [parse_atom(cursor, what)]
    while cursor.accept("|"):
        if cursor.at_symbol("("):
            cursor.fail("a parenthesis inside a constant", hint="write `A|B|C` without it")
        terms.append(parse_atom(cursor, what))
    return Constant(tuple(terms), cursor.since(first))


def parse_atom(cursor: Cursor, what: str) -> Term:
    """atom := NUMBER | CONSTANT"""
    token = cursor.here
    if token.sort is Sort.NUMBER:
        value = parse_number(cursor, token)
        cursor.take()
        if cursor.at_symbol(".") and cursor.ahead().sort is Sort.NUMBER:
            cursor.fail("only whole numbers are allowed", hint="a range is written `1..5`")
        return Term(value, cursor.place(token))
    if token.sort is Sort.CONSTANT:
        cursor.take()
        return Term(token.text, cursor.place(token))
    if token.sort in (Sort.ARGUMENT, Sort.MIXED):
        hint = f"constants are written in capitals, as `{token.text[:40].upper()}`"
        if cursor.what == "condition":
            hint += "; arguments are compared only with numbers and constants"
        cursor.fail(f"{shown(token.text)} is not a constant", hint=hint)
    if token.text == "~":
        cursor.fail("`~` is only for masks", hint="as in `flags & ~(A|B) == 0`")
    if token.text == "-":
        cursor.fail("`-` must stand directly before a decimal number", hint="write `-1`")
    raise cursor.fault(f"{what} is expected, found {cursor.found()}")


def parse_number(cursor: Cursor, token: Token) -> int:
    """NUMBER := "0" | ["-"] decimal | "0x" hex | "0o" octal"""
    text = token.text
    if _DECIMAL.fullmatch(text):
        value = int(text)
    elif _HEX.fullmatch(text):
        value = int(text[2:], 16)
    elif _OCTAL.fullmatch(text):
        value = int(text[2:], 8)
    else:
        hint = "numbers are decimal, `0x` hex or `0o` octal"
        if _LEADING_ZERO.fullmatch(text):
            digits = text.lstrip("-0") or "0"
            octal = "" if set(digits) & {"8", "9"} else f"`0o{digits}` for octal or "
            cursor.fail(
                f"{shown(text)} is octal to some readers and decimal to others",
                token,
                f"write {octal}`{digits}` for decimal",
            )
        if suffix := _SUFFIX.fullmatch(text):
            hint = f"write `{suffix[1]}`, without the suffix"
        elif text.startswith("-"):
            hint = "only decimal numbers can be negative"
        elif "_" in text:
            hint = "write it without `_`"
        cursor.fail(f"{shown(text)} is not a number", token, hint)
    if not LOWEST <= value <= HIGHEST:
        cursor.fail(f"{shown(text)} does not fit into 64 bits", token)
    return value
