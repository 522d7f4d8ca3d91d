"""From a meaning back to a policy: the YAML that says what a profile or program does.

What comes out is a proposal. Whether the language can say the meaning at all (a number without a
name may have an answer of its own, a program may look at what the kernel does not) only the proof
tells that compares the policy with what it was made from.
"""

from __future__ import annotations

import errno
import textwrap
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..policies.catalog import groups
from ..policies.errors import InputError
from ..policies.model import ActionKind
from . import actions, numbers
from .diagram import ARCHITECTURE, NUMBER, Diagrams
from .prove_words import LONGEST_CONDITION, conditions, pieces
from .syscalls import ABIS, Abi, errno_names, errno_number, table
from .syscalls.abi import X32_BIT

_WIDTH = 98

_USUAL = frozenset(errno.errorcode.values())
"""Of several names for one errno (EAGAIN, EWOULDBLOCK) those that Python prefers."""

Signature = tuple[tuple[int, tuple[str, ...]], ...]
"""The answers to a call and under which conditions, in deciding order."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule to be written, but for its calls."""

    value: int
    condition: str
    """Empty: always."""
    architectures: tuple[str, ...]
    """Empty: all of the policy's."""


def lift(diagrams: Diagrams, meaning: int, name: str) -> str:
    """A policy in YAML that means the same, as far as the language can say it.

    Raises InputError when it can say none of it, TooComplexError when conditions are too many.
    """
    abis = _abis(diagrams, meaning)
    if not abis:
        raise InputError.of("it serves no architecture that Stockade knows: every call is killed")
    default, newer = _defaults(diagrams, abis)
    lines = ["stockade: 1", f"name: {name}", "seccomp:"]
    lines += [f"  default: {actions_word(default)}"]
    lines += [f"  with: {word}" for word in _with(default, abis)]
    if newer == default:
        lines.append("  newer: default")
    elif actions.kind_of(newer) is ActionKind.DENY:
        lines += [f"  newer: {word}" for word in _with(newer, abis)]
    else:
        lines.append(f"  newer: {actions_word(newer)}")
    lines.append(f"  architectures: [{', '.join(each.name for each in abis)}]")
    rules = _rules(diagrams, abis, default)
    lines.append("  rules:" if rules else "  rules: []")
    for rule, calls in rules.items():
        lines += _written(rule, list(calls), [each.name for each in abis])
    return "\n".join(lines) + "\n"


def _abis(diagrams: Diagrams, meaning: int) -> dict[Abi, list[tuple[int, int]]]:
    """The ABIs that are not wholly killed, each with where its numbers' answers change."""
    foreign = diagrams.leaf(numbers.FOREIGN)
    by_arch = pieces(diagrams, ARCHITECTURE, meaning)
    starts = [low for low, _, _ in by_arch]
    found: dict[Abi, list[tuple[int, int]]] = {}
    for each in ABIS.values():
        function = by_arch[bisect_right(starts, each.audit_arch) - 1][2]
        if function == foreign:
            continue
        edges = [(low, inside) for low, _, inside in pieces(diagrams, NUMBER, function)]
        known = sorted(table(each).by_number)
        if any(_at(edges, nr) != foreign for nr in known):
            found[each] = edges
    return found


def _at(edges: Sequence[tuple[int, int]], nr: int) -> int:
    return edges[bisect_right(edges, (nr, 1 << 62)) - 1][1]


def _defaults(diagrams: Diagrams, abis: Mapping[Abi, Sequence[tuple[int, int]]]) -> tuple[int, int]:
    """The answers that numbers in gaps, and above all known ones, get most."""
    gaps: Counter[int] = Counter()
    newer: Counter[int] = Counter()
    for each, edges in abis.items():
        known = table(each).by_number
        first = X32_BIT if each.name == "x32" else 0
        last = numbers.last_number(each)
        inside = [nr for nr in range(first, min(last, first + 1_024)) if nr not in known]
        functions = [_at(edges, nr) for nr in inside or known]
        gaps.update(diagrams.value(f) for f in functions if diagrams.is_leaf(f))
        if diagrams.is_leaf(_at(edges, last + 1)):
            newer[diagrams.value(_at(edges, last + 1))] += 1
    if not gaps or not newer:
        raise InputError.of("even numbers without a call depend on arguments")
    return gaps.most_common(1)[0][0], newer.most_common(1)[0][0]


def _rules(
    diagrams: Diagrams, abis: Mapping[Abi, Sequence[tuple[int, int]]], default: int
) -> dict[_Rule, dict[str, None]]:
    """The rules in deciding order, each with its calls."""
    signatures: dict[str, dict[Signature, list[str]]] = {}
    for each, edges in abis.items():
        for nr, name in sorted(table(each).by_number.items()):
            signature = _signature(diagrams, _at(edges, nr), each, nr, default)
            signatures.setdefault(name, {}).setdefault(signature, []).append(each.name)
    rules: dict[_Rule, dict[str, None]] = {}
    for name, by_signature in signatures.items():
        for signature, here in by_signature.items():
            only = () if len(by_signature) == 1 else tuple(here)
            for value, alternatives in signature:
                for condition in _bundled(alternatives):
                    rules.setdefault(_Rule(value, condition, only), {})[name] = None
    # A rule without a condition is what remains after those with one.
    return dict(sorted(rules.items(), key=lambda item: not item[0].condition))


def _signature(diagrams: Diagrams, function: int, abi: Abi, nr: int, default: int) -> Signature:
    """What decides a call: all answers with their conditions, but for the default or the last."""
    values = diagrams.values(function)
    said = {
        value: conditions(diagrams, diagrams.where(function, value), abi, nr) for value in values
    }
    rest = default if default in said else max(values, key=lambda value: len(str(said[value])))
    signature = [(value, said[value]) for value in values if value != rest]
    return tuple(signature) if rest == default else (*signature, (rest, ()))


def _bundled(alternatives: Sequence[str]) -> Iterator[str]:
    """Alternatives joined by `or`, in as few conditions as are short enough; `""`: none needed."""
    if not alternatives:
        yield ""
        return
    bundle: list[str] = []
    for each in alternatives:
        if bundle and sum(map(len, bundle)) + len(each) > LONGEST_CONDITION:
            yield " or ".join(bundle)
            bundle = []
        bundle.append(each if len(alternatives) == 1 or " and " not in each else f"({each})")
    yield " or ".join(bundle)


def _written(rule: _Rule, calls: list[str], abis: Sequence[str]) -> Iterator[str]:
    here = rule.architectures or abis
    names = [f'"{name}"' if name[0] == "@" else name for name in _with_groups(calls, here)]
    text = f"    - {actions_word(rule.value)}: "
    if len(names) == 1:
        yield text + names[0]
    else:
        yield from textwrap.wrap(
            f"{text}[{', '.join(names)}]", _WIDTH, subsequent_indent=" " * 9,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    for word in _with(rule.value, [ABIS[name] for name in here]):
        yield f"      with: {word}"
    if rule.condition:
        yield f'      when: "{rule.condition}"'
    if rule.architectures:
        yield f"      architectures: [{', '.join(rule.architectures)}]"


def _with_groups(calls: Sequence[str], abis: Iterable[str]) -> list[str]:
    """The calls, with groups in the place of three or more that are all of a group there."""
    exist = {name for abi in abis for name in table(ABIS[abi]).by_name}
    left, result = set(calls), []
    sized = [(set(group.calls) & exist, name) for name, group in groups().items()]
    for members, name in sorted(sized, key=lambda each: (-len(each[0]), each[1])):
        if len(members) > 2 and members <= left:
            result.append(name)
            left -= members
    return sorted(result) + [name for name in sorted(calls) if name in left]


def actions_word(value: int) -> str:
    """The language's word for an answer.

    Raises InputError for one that no policy can give.
    """
    kind = actions.kind_of(value)
    numbered = kind in (ActionKind.DENY, ActionKind.TRACE)
    if kind is None or (value & actions.NUMBER_MASK and not numbered):
        raise InputError.of(f"no policy can give the answer {value:#010x}")
    return kind.value


def _with(value: int, abis: Iterable[Abi]) -> list[str]:
    """What stands behind `with:`; nothing for answers that have no number.

    An errno by its name, where it has one and the same on all of the ABIs.
    """
    kind, number = actions.kind_of(value), value & actions.NUMBER_MASK
    if kind is ActionKind.DENY:
        here = tuple(abis)
        names = sorted(errno_names(), key=lambda name: (name not in _USUAL, name))
        same = (name for name in names if all(errno_number(name, e) == number for e in here))
        return [next(same, str(number))]
    return [str(number)] if kind is ActionKind.TRACE else []
