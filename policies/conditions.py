"""The `when` of a rule: text to Condition.

    condition   := conjunction { "or" conjunction }
    conjunction := negation { "and" negation }
    negation    := "not" negation | "(" condition ")" | comparison
    comparison  := operand ( COMPARATOR constant | ["not"] "in" members )
    COMPARATOR  := "==" | "!=" | "<" | "<=" | ">" | ">="
    operand     := ( ARGUMENT | "u64" "(" ARGUMENT ")" ) [ "&" mask ]
    mask        := ["~"] ( atom | "(" constant ")" ) | constant
    members     := "{" member { "," member } "}" | constant ".." constant
    member      := constant [ ".." constant ]

Unlike in C, `&` binds tighter than the comparison: `flags & CLONE_NEWUSER == 0` is what it
seems to be. `constant`, the names and the numbers are in `tokens`. What the names mean is not
known here.
"""

from __future__ import annotations

from typing import NoReturn

from .model import (
    And,
    Comparator,
    Comparison,
    Condition,
    Constant,
    Membership,
    Not,
    Operand,
    Or,
    Range,
)
from .nodes import Places
from .problems import shown
from .source import Location
from .tokens import Cursor, Sort, Token, parse_constant, parse_number

_COMPARATORS: dict[str, Comparator] = {
    "==": "==",
    "!=": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_FOREIGN = {
    "=": "==",
    "=<": "<=",
    "=>": ">=",
    "<>": "!=",
    "&&": "and",
    "||": "or",
    "!": "not",
    "AND": "and",
    "OR": "or",
    "NOT": "not",
    "IN": "in",
}
"""What people write who come from elsewhere, and the language's word for it."""


def parse_condition(text: str, at: Location) -> Condition:
    """The condition in the text, whose first character stands at `at`; raises InputError."""
    return read_condition(text, lambda start, end: at.part(start, end - start))


def read_condition(text: str, places: Places) -> Condition:
    """The condition in the text; raises InputError with the one problem that ended the reading."""
    cursor = Cursor(text, places, "condition")
    if cursor.at_end():
        cursor.fail("the condition is empty", hint="write one as `arg0 == 1`, or delete `when`")
    condition = _condition(cursor)
    if not cursor.at_end():
        _unexpected(cursor)
    return condition


def _condition(cursor: Cursor) -> Condition:
    """condition := conjunction { "or" conjunction }"""
    first = cursor.here
    parts = [_conjunction(cursor)]
    while cursor.accept("or"):
        parts.append(_conjunction(cursor))
    return parts[0] if len(parts) == 1 else Or(tuple(parts), cursor.since(first))


def _conjunction(cursor: Cursor) -> Condition:
    """conjunction := negation { "and" negation }"""
    first = cursor.here
    parts = [_negation(cursor)]
    while cursor.accept("and"):
        parts.append(_negation(cursor))
    return parts[0] if len(parts) == 1 else And(tuple(parts), cursor.since(first))


def _negation(cursor: Cursor) -> Condition:
    """negation := "not" negation | "(" condition ")" | comparison"""
    first = cursor.here
    if not cursor.at_symbol("not", "("):
        return _comparison(cursor)
    cursor.take()
    cursor.enter()
    inner: Condition
    if first.text == "not":
        inner = Not(_negation(cursor), cursor.since(first))
    else:
        inner = _condition(cursor)
        if not cursor.at_symbol(")"):
            _unexpected(cursor, first)
        cursor.take()
    cursor.leave()
    return inner


def _comparison(cursor: Cursor) -> Condition:
    """comparison := operand ( COMPARATOR constant | ["not"] "in" members )"""
    first = cursor.here
    operand = _operand(cursor)
    token = cursor.here
    if cursor.accept("in"):
        members = _members(cursor)
        result: Condition = Membership(operand, members, False, cursor.since(first))
    elif cursor.accept("not"):
        cursor.expect("in", "after `not`")
        members = _members(cursor)
        result = Membership(operand, members, True, cursor.since(first))
    elif token.sort is Sort.SYMBOL and token.text in _COMPARATORS:
        cursor.take()
        value = _value(cursor)
        result = Comparison(operand, _COMPARATORS[token.text], value, cursor.since(first))
    else:
        _no_comparator(cursor, first)
    if cursor.here.sort is Sort.SYMBOL and cursor.here.text in _COMPARATORS:
        name = operand.argument
        cursor.fail(
            "a comparison cannot be chained",
            hint=f"write a range as `{name} in LOW..HIGH`, or two comparisons joined by `and`",
        )
    return result


def _value(cursor: Cursor) -> Constant:
    """The constant on the right of a comparator."""
    if cursor.at_symbol("{"):
        cursor.fail("a set follows only `in` or `not in`", hint="write `x in {A, B}`")
    value = parse_constant(cursor)
    if cursor.at_symbol(".."):
        cursor.fail("a range follows only `in` or `not in`", hint="write `x in 2..4`")
    if cursor.at_symbol("&"):
        cursor.fail("a mask belongs to the argument", hint="write `flags & MASK == VALUE`")
    return value


def _operand(cursor: Cursor) -> Operand:
    """operand := ( ARGUMENT | "u64" "(" ARGUMENT ")" ) [ "&" mask ]"""
    first = cursor.here
    if first.sort is not Sort.ARGUMENT:
        _no_argument(cursor)
    cursor.take()
    name, full = first.text, False
    if cursor.at_symbol("(") and first.text != "u64":
        cursor.fail(
            f"unknown function {shown(first.text)}",
            first,
            "the only one is `u64(argument)`, which takes the whole register",
        )
    if opened := cursor.accept("("):
        if cursor.here.sort is not Sort.ARGUMENT:
            cursor.fail(f"an argument's name is expected, found {cursor.found()}")
        name, full = cursor.take().text, True
        if cursor.at_symbol("&"):
            cursor.fail("a mask stands behind the parenthesis", hint=f"as `u64({name}) & 0xff`")
        cursor.expect(")", "to close `u64(`", opened)
    mask = _mask(cursor) if cursor.accept("&") else None
    if mask and cursor.at_symbol("&"):
        cursor.fail("only one mask is possible", hint="write the bits that both have in common")
    return Operand(name, cursor.since(first), full, mask)


def _mask(cursor: Cursor) -> Constant:
    """mask := ["~"] ( atom | "(" constant ")" ) | constant"""
    first = cursor.here
    complement = cursor.accept("~") is not None
    grouped = cursor.at_symbol("(")
    if cursor.at_symbol("~"):
        cursor.fail("`~` can be written only once")
    value = parse_constant(cursor, "a mask")
    if complement and not grouped and len(value.terms) > 1:
        joined = "|".join(str(term.value) for term in value.terms)
        cursor.fail("`~` before several bits needs parentheses", first, f"write `~({joined[:60]})`")
    return Constant(value.terms, cursor.since(first), complement)


def _members(cursor: Cursor) -> tuple[Constant | Range, ...]:
    """members := "{" member { "," member } "}" | constant ".." constant"""
    opened = cursor.accept("{")
    if opened is None:
        if cursor.at_symbol("[", "("):
            cursor.fail("a set is written in braces", hint="write `x in {A, B}`")
        member = _member(cursor)
        if not isinstance(member, Range):
            cursor.fail(
                f"after `in` comes a set or a range, found {cursor.found()}",
                hint="write `x in {A, B}`, `x in 2..4` or `x == A`",
            )
        return (member,)
    if cursor.at_symbol("}"):
        cursor.fail("the set is empty, so the condition decides nothing", hint="name a value")
    members = [_member(cursor)]
    while cursor.accept(","):
        if cursor.at_symbol("}"):
            cursor.fail("a comma before `}`", hint="delete it, or add a value")
        members.append(_member(cursor))
    if cursor.here.sort in (Sort.NUMBER, Sort.CONSTANT):
        cursor.fail("a `,` is missing between the values of the set")
    cursor.expect("}", "to close the set", opened)
    return tuple(members)


def _member(cursor: Cursor) -> Constant | Range:
    """member := constant [ ".." constant ]"""
    first = cursor.here
    low = parse_constant(cursor)
    if cursor.at_symbol("..."):
        cursor.fail("`...` is not a range", hint="a range has two dots: `2..4`")
    if not cursor.accept(".."):
        return low
    high = parse_constant(cursor, "the range's upper end")
    found = Range(low, high, cursor.since(first))
    ends = [part.terms[0].value for part in (low, high) if len(part.terms) == 1]
    if len(ends) == 2 and isinstance(ends[0], int) and isinstance(ends[1], int):
        # Across zero the order depends on the argument's signedness, which is not known here.
        same_sign = (ends[0] < 0) == (ends[1] < 0)
        if same_sign and ends[0] > ends[1]:
            cursor.fail(
                f"the range {ends[0]}..{ends[1]} is empty",
                Token(Sort.SYMBOL, "", first.start, cursor.tokens[cursor.index - 1].end),
                "write the smaller end first",
            )
    return found


# --- what went wrong ------------------------------------------------------------------


def _no_argument(cursor: Cursor) -> NoReturn:
    """No operand begins here."""
    token = cursor.here
    _foreign(cursor)
    if token.sort in (Sort.NUMBER, Sort.CONSTANT):
        sign, name = cursor.ahead(1), cursor.ahead(2)
        hint = "an argument comes first, as in `flags & MASK == 0`"
        if sign.text in _MIRRORED and name.sort is Sort.ARGUMENT:
            hint = f"write `{name.text} {_MIRRORED[sign.text]} {token.text}`"
            if cursor.ahead(3).text in _COMPARATORS:
                hint = f"write a range as `{name.text} in {_between(cursor)}`"
        elif token.sort is Sort.CONSTANT:
            hint = f"arguments are written small, as `{token.text[:40].lower()}`; " + hint
        cursor.fail(f"a comparison begins with an argument, not {shown(token.text)}", hint=hint)
    if token.sort is Sort.MIXED:
        cursor.fail(
            f"{shown(token.text)} is neither an argument nor a constant",
            hint=f"arguments are written small: `{token.text[:40].lower()}`",
        )
    cursor.fail(f"an argument is expected, found {cursor.found()}")


def _between(cursor: Cursor) -> str:
    """The range that `1 < x < 5` means, for a hint: `2..4`."""
    low, first, second, high = (cursor.ahead(count) for count in (0, 1, 3, 4))
    if {low.sort, high.sort} == {Sort.NUMBER} and {first.text, second.text} <= {"<", "<="}:
        least, most = parse_number(cursor, low), parse_number(cursor, high)
        return f"{least + (first.text == '<')}..{most - (second.text == '<')}"
    return "LOW..HIGH"


def _no_comparator(cursor: Cursor, first: Token) -> NoReturn:
    """An operand stands alone."""
    _foreign(cursor)
    written = cursor.text[first.start : cursor.tokens[cursor.index - 1].end]
    written = " ".join(written.split())
    if cursor.at_symbol(")") and cursor.depth:
        cursor.fail(
            f"nothing is compared with {shown(written)} inside the parentheses",
            first,
            "leave them out: `&` binds tighter than the comparison here",
        )
    if cursor.at_symbol("|", "^", "+", "-", "*", "/", "%", "<<", ">>"):
        cursor.fail(
            f"arguments cannot be calculated with: {cursor.found()}",
            hint="only `& mask` is possible, before a comparison",
        )
    hint = f"write `{written[:60]} != 0`, or whatever it should equal"
    message = f"{shown(written)} is compared with nothing"
    if cursor.here.sort is Sort.END or cursor.at_symbol("and", "or"):
        cursor.fail(message, first, hint)
    cursor.fail(
        f"a comparison is expected after {shown(written)}, found {cursor.found()}",
        hint="one of `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not in`",
    )


def _unexpected(cursor: Cursor, opened: Token | None = None) -> NoReturn:
    """A complete condition is followed by something that does not belong there."""
    _foreign(cursor)
    if opened is not None:
        cursor.expect(")", "to close the parenthesis", opened)
    if cursor.at_symbol(")"):
        cursor.fail("a `)` that closes nothing", hint="delete it, or open it further left")
    if cursor.here.sort in (Sort.ARGUMENT, Sort.NUMBER, Sort.CONSTANT, Sort.KEYWORD):
        cursor.fail(
            f"unexpected {cursor.found()} after the comparison",
            hint="join comparisons with `and` or `or`",
        )
    cursor.fail(f"unexpected {cursor.found()} after the comparison")


def _foreign(cursor: Cursor) -> None:
    """Fails when the next token is another language's spelling of one of ours."""
    token = cursor.here
    ours = _FOREIGN.get(token.text)
    if ours and token.sort in (Sort.SYMBOL, Sort.CONSTANT):
        cursor.fail(f"{shown(token.text)} is not known here", hint=f"write `{ours}`")
