"""The policy as its author wrote it: names unresolved, every part with its place.

What a name means on an architecture (a system call's number, an argument's width, a
constant's value) is not known here: `seccomp` decides that. Locations take no part in
comparisons, so two policies are equal when they say the same in the same words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal

from .source import Location

if TYPE_CHECKING:
    from .authz_model import Authz
    from .authz_tests import AuthzTest
    from .userns_model import Userns


class ActionKind(Enum):
    """What the kernel does with a call; the value is the word of the language."""

    ALLOW = "allow"
    DENY = "deny"
    KILL_PROCESS = "kill"
    KILL_THREAD = "kill-thread"
    TRAP = "trap"
    LOG = "log"
    TRACE = "trace"
    NOTIFY = "notify"


@dataclass(frozen=True, slots=True)
class Action:
    """An action and its number: the errno of `deny`, the message of `trace`."""

    kind: ActionKind
    number: int | str | None = None
    """deny: an errno by name or number (names differ per architecture); trace: 0 to 65535;
    None for every other kind."""


ALLOW = Action(ActionKind.ALLOW)


@dataclass(frozen=True, slots=True)
class Name:
    """A word of the author's with its place: an architecture, a capability."""

    text: str
    at: Location = field(compare=False, repr=False)


# --- conditions -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Term:
    """One number or named constant; a name's value may differ per architecture."""

    value: int | str
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """Terms joined by `|`; with `complement`, every bit but theirs (`~A`, `~(A|B)`), which
    only a mask can be."""

    terms: tuple[Term, ...]
    at: Location = field(compare=False, repr=False)
    complement: bool = False


@dataclass(frozen=True, slots=True)
class Operand:
    """An argument of the call, perhaps masked: `flags`, `arg1 & 0xff`, `u64(arg2)`."""

    argument: str
    """The prototype's name for it, or arg0 to arg5."""
    at: Location = field(compare=False, repr=False)
    full: bool = False
    """u64(…): the whole register, unsigned, whatever the prototype says."""
    mask: Constant | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """`low..high`, both ends included."""

    low: Constant
    high: Constant
    at: Location = field(compare=False, repr=False)


Comparator = Literal["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Comparison:
    """operand comparator constant."""

    operand: Operand
    comparator: Comparator
    value: Constant
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Membership:
    """operand `in {a, b..c}`, `in lo..hi`, or with `not in` none of them."""

    operand: Operand
    members: tuple[Constant | Range, ...]
    negated: bool
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The inner condition does not hold."""

    inner: Condition
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; at least two parts."""

    parts: tuple[Condition, ...]
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one part holds; at least two parts."""

    parts: tuple[Condition, ...]
    at: Location = field(compare=False, repr=False)


Condition = Comparison | Membership | Not | And | Or


# --- rules ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallName:
    """A system call that a rule names, directly or through a group."""

    text: str
    at: Location = field(compare=False, repr=False)
    """Where the author wrote the name, or the group."""
    group: str | None = None
    """`@file-system` when the name came from there."""


@dataclass(frozen=True, slots=True)
class KernelBound:
    """`>=5.8` or `<5.8`: the rule counts only on such kernels."""

    at_least: bool
    """True for `>=`, False for `<`."""
    version: tuple[int, int]
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `seccomp.rules`: it decides the calls it names when its condition holds."""

    action: Action
    calls: tuple[CallName, ...]
    route: str
    """`seccomp.rules[3]`, counted from 0 within its own file."""
    at: Location = field(compare=False, repr=False)
    when: Condition | None = None
    needs: tuple[Name, ...] = ()
    """Capabilities the container must all have for the rule to count."""
    kernel: KernelBound | None = None
    architectures: tuple[Name, ...] | None = None
    """None: every architecture of the policy."""


@dataclass(frozen=True, slots=True)
class Seccomp:
    """The `seccomp` section with everything it extends already joined in."""

    default: Action
    newer: Action | None
    """The answer to numbers above the table's last; None (`newer: default`): the default."""
    rules: tuple[Rule, ...]
    """In deciding order: this file's first, then those of the policy it extends."""
    architectures: tuple[Name, ...] | None
    """None: not said, so the architectures of the build decide."""
    at: Location = field(compare=False, repr=False)


# --- calls ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallArgument:
    """One argument of a written call: by name, by argN, or by position."""

    key: str | int
    value: Constant
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A system call written out: `socket(family=AF_ALG)`, `kill(1, 9)`, `#435(…)` by number."""

    name: str | int
    arguments: tuple[CallArgument, ...]
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestCase:
    """An entry of `tests`: on every listed architecture the call gets this action."""

    call: Call
    expect: Action
    at: Location = field(compare=False, repr=False)
    needs: tuple[Name, ...] = ()
    """Capabilities the container is taken to have."""
    architectures: tuple[Name, ...] | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy document, with what it extends joined in."""

    name: str
    description: str
    seccomp: Seccomp | None
    tests: tuple[TestCase, ...]
    at: Location = field(compare=False, repr=False)
    authz: Authz | None = None
    authz_tests: tuple[AuthzTest, ...] = ()
    """The entries of `tests` that are about Docker requests."""
    userns: Userns | None = None
    """That of the nearest file that has one, whole."""
