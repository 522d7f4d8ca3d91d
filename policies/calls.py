"""A system call written out, for `tests:` and for `stockade explain`: text to Call.

    call     := ( NAME | "#" NUMBER ) [ "(" [ argument { "," argument } ] ")" ]
    argument := [ ARGUMENT "=" ] constant
    constant := "(" constant ")" | atom { "|" atom }

`socket(family=AF_ALG)`, `kill(1, 9)`, `getpid`, `#435(arg0=1)`. A call by number has no
prototype, so its arguments are positional or `arg0` to `arg5`. Arguments left out are not said
to be anything; what that means is the evaluator's to decide.
"""

from __future__ import annotations

from .model import Call, CallArgument
from .nodes import Places
from .problems import shown
from .source import Location
from .tokens import Cursor, Sort, Token, parse_constant, parse_number

MAXIMAL_ARGUMENTS = 6
"""Registers that a system call has."""
HIGHEST_NUMBER = (1 << 32) - 1
"""A system call's number is an unsigned 32-bit one."""


def parse_call(text: str, at: Location) -> Call:
    """The call in the text, whose first character stands at `at`; raises InputError."""
    return read_call(text, lambda start, end: at.part(start, end - start))


def read_call(text: str, places: Places) -> Call:
    """The call in the text; raises InputError with the one problem that ended the reading."""
    cursor = Cursor(text, places, "call")
    first = cursor.here
    name = _name(cursor)
    arguments: list[CallArgument] = []
    if (opened := cursor.accept("(")) and not cursor.accept(")"):
        arguments.append(_argument(cursor, name, arguments))
        while cursor.accept(","):
            arguments.append(_argument(cursor, name, arguments))
        cursor.expect(")", "to close the call", opened)
    if cursor.here.sort is not Sort.END:
        cursor.fail(
            f"unexpected {cursor.found()} after the call",
            hint="a call is written `name(argument=value, …)`",
        )
    return Call(name, tuple(arguments), cursor.since(first))


def _name(cursor: Cursor) -> str | int:
    """NAME | "#" NUMBER"""
    token = cursor.take()
    if token.sort in (Sort.ARGUMENT, Sort.KEYWORD):
        return token.text
    if token.text in ("#", "@") and cursor.here.sort is Sort.NUMBER:
        if token.text == "@":
            cursor.fail("`@` names groups", token, f"a number is written `#{cursor.here.text}`")
        number = parse_number(cursor, cursor.here)
        if not 0 <= number <= HIGHEST_NUMBER:
            cursor.fail(f"{cursor.found()} is no system call number; they have 32 bits")
        cursor.take()
        return number
    if token.sort is Sort.NUMBER:
        cursor.fail(
            f"a call begins with a name, not {shown(token.text)}",
            token,
            f"a call by number is written `#{token.text[:20]}`",
        )
    if token.sort in (Sort.CONSTANT, Sort.MIXED):
        cursor.fail(
            f"{shown(token.text)} is no system call",
            token,
            f"they are written small: `{token.text[:40].lower()}`",
        )
    if token.text == "@":
        cursor.fail("a group cannot be called", token, "name one system call")
    found = "the end" if token.sort is Sort.END else shown(token.text)
    raise cursor.fault(f"a system call's name is expected, found {found}", token)


def _argument(cursor: Cursor, name: str | int, before: list[CallArgument]) -> CallArgument:
    """argument := [ ARGUMENT "=" ] constant"""
    first = cursor.here
    if len(before) == MAXIMAL_ARGUMENTS:
        cursor.fail(f"more than {MAXIMAL_ARGUMENTS} arguments")
    key: str | int = len(before)
    if first.sort in (Sort.ARGUMENT, Sort.KEYWORD) and cursor.ahead().text in ("=", "==", ":"):
        cursor.take()
        if cursor.take().text != "=":
            cursor.fail(
                f"{shown(cursor.tokens[cursor.index - 1].text)} cannot stand here",
                cursor.tokens[cursor.index - 1],
                f"an argument is written `{first.text[:40]}=value`",
            )
        key = _key(cursor, name, first, before)
    elif before and isinstance(before[-1].key, str):
        cursor.fail(
            "a value without a name follows one with a name", hint="write `name=value` here too"
        )
    value = parse_constant(cursor)
    return CallArgument(key, value, cursor.since(first))


def _key(cursor: Cursor, name: str | int, token: Token, before: list[CallArgument]) -> str:
    """The name of an argument; one that was given already fails."""
    key = token.text
    position = int(key[3:]) if key[:3] == "arg" and key[3:].isdigit() and len(key) < 8 else None
    if position is not None and (position >= MAXIMAL_ARGUMENTS or key != f"arg{position}"):
        cursor.fail(f"{shown(key)} is no argument", token, "they are `arg0` to `arg5`")
    if isinstance(name, int) and position is None:
        cursor.fail(f"a call by number has no argument {shown(key)}", token, "use `arg0` to `arg5`")
    for other in before:
        if other.key == key or other.key == position:
            related = (("first here", other.at),)
            cursor.fail(f"argument {shown(key)} is given twice", token, "", related)
    return key
