"""Rules for the same call that contradict one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from ...policies.errors import TooComplexError
from ...policies.findings import Severity
from ...policies.problems import listed
from ...policies.source import Location
from ...seccomp.filter import ALWAYS, Clause, Requirement, Test
from ...seccomp.interpret import interpret
from ...seccomp.lower import disjunction
from ...seccomp.profile import EVERYWHERE, Condition, Entry, Profile
from ...seccomp.syscalls import FAMILIES, table
from ..answers import covered, overlap
from ..check import Check, Found
from ..subjects import BARE, PolicySubject, ProfileSubject

MAXIMAL_PAIRS = 20_000
"""Pairs of entries for the same call that are compared in one profile."""
_NO_ACTION = -1
"""A default that no entry's action equals, so that none is dropped."""

# --- policies: the first rule that matches decides ---------------------------------------


def _in_policy(subject: PolicySubject) -> Iterator[Found]:
    dead: dict[tuple[int, str], int] = {}
    alive: set[tuple[int, str]] = set()
    for filter_ in subject.lowered.abis:
        names = table(filter_.abi).by_number
        for nr, clauses in filter_.calls.items():
            for at, clause in enumerate(clauses):
                winner = _winner(subject, clauses[:at], clause)
                key = (clause.rule, names[nr])
                if winner is None:
                    alive.add(key)
                else:
                    dead.setdefault(key, winner)
    yield from _dead_rules(subject, {k: w for k, w in dead.items() if k not in alive}, alive)


def _winner(subject: PolicySubject, earlier: Sequence[Clause], clause: Clause) -> int | None:
    """The rule of the same file that takes every call from the clause, with another answer."""
    rules = subject.rules
    file = rules[clause.rule].at.source
    rivals = [
        each
        for each in earlier
        if rules[each.rule].at.source is file and _implied(each.requires, clause.requires)
    ]
    if not any(each.value != clause.value for each in rivals):
        return None
    always = next((each for each in rivals if each.test == ALWAYS), None)
    if always is not None:
        return always.rule if always.value != clause.value else None
    if covered(clause.test, [each.test for each in rivals], subject.budget):
        return next(each.rule for each in rivals if each.value != clause.value)
    return None


def _implied(weaker: Requirement, stronger: Requirement) -> bool:
    """Whether the one is met wherever the other is."""
    low, high = weaker.kernel_from, weaker.kernel_below
    return (
        weaker.capabilities <= stronger.capabilities
        and (low is None or (stronger.kernel_from or (0, 0)) >= low)
        and (high is None or (stronger.kernel_below is not None and stronger.kernel_below <= high))
    )


def _dead_rules(
    subject: PolicySubject, dead: dict[tuple[int, str], int], alive: set[tuple[int, str]]
) -> Iterator[Found]:
    places: dict[tuple[int, Location], dict[str, int]] = {}
    for (rule, name), winner in dead.items():
        call = next(each for each in subject.rules[rule].calls if each.text == name)
        if call.group is not None and _some_alive(subject, rule, call.group, alive):
            continue  # an exception stands before the group it is an exception of
        places.setdefault((rule, call.at), {})[name] = winner
    for (rule, at), found in places.items():
        name, winner = next(iter(found.items()))
        first = subject.place(winner, name)
        related = () if first.at is None else (("this rule decides first", first.at),)
        place = replace(subject.place(rule, name), at=at)
        yield Found(
            f"this never decides {_these(list(found))}: an earlier rule always does",
            place,
            "delete one of the two, or put the narrower rule first",
            related,
        )


def _some_alive(subject: PolicySubject, rule: int, group: str, alive: set[tuple[int, str]]) -> bool:
    calls = subject.rules[rule].calls
    return any(each.group == group and (rule, each.text) in alive for each in calls)


def _these(names: list[str]) -> str:
    return listed(names[:4]) + (f" and {len(names) - 4} more" if names[4:] else "")


# --- profiles: what libseccomp makes of contradictions -------------------------------------


def _in_profile(subject: ProfileSubject) -> Iterator[Found]:
    profile = subject.profile
    if profile is None:
        return
    entries: dict[str, dict[int, None]] = {}
    for index, entry in enumerate(profile.entries):
        for name in entry.names:
            entries.setdefault(name, {})[index] = None
    found: dict[tuple[int, int, str], list[str]] = {}
    pairs = 0
    test = _Tests(subject)
    for name, indexes in entries.items():
        for first, second in combinations(indexes, 2):
            one, two = profile.entries[first], profile.entries[second]
            pairs += 1
            if pairs > MAXIMAL_PAIRS:
                raise TooComplexError
            if one.value == two.value or not _both_count(one, two):
                continue
            loser, winner, reason = _judged(test, profile, name, (first, second))
            if reason:
                found.setdefault((loser, winner, reason), []).append(name)
    for (loser, winner, reason), names in found.items():
        other = subject.place(winner, names[0]).at
        yield Found(
            f"another entry gives {_these(names)} a different action: {reason}",
            subject.place(loser, names[0]),
            "keep one of the two, or make their conditions exclude one another",
            () if other is None else (("the other entry", other),),
        )


def _both_count(one: Entry, two: Entry) -> bool:
    """Whether some host and container make both entries count."""
    return not (
        _excluded(one.includes, two.excludes)
        or _excluded(two.includes, one.excludes)
        or (
            one.includes.architectures
            and two.includes.architectures
            and not set(one.includes.architectures) & set(two.includes.architectures)
        )
    )


def _excluded(included: Condition, excluded: Condition) -> bool:
    """Whether what the one needs keeps the other out."""
    if set(included.capabilities) & set(excluded.capabilities):
        return True
    needed = set(included.architectures)
    if needed and needed <= set(excluded.architectures):
        return True
    low, high = included.min_kernel, excluded.min_kernel
    return low is not None and high is not None and low >= high


def _judged(
    test_of: _Tests, profile: Profile, name: str, pair: tuple[int, int]
) -> tuple[int, int, str]:
    """Loser, winner and why; without a reason there is no contradiction."""
    first, second = pair
    one, two = profile.entries[first], profile.entries[second]
    tests = [test_of(index, name) for index in pair]
    nothing = (second, first, "")
    if tests[0] is None or tests[1] is None:
        return nothing
    plain = [test == ALWAYS for test in tests]
    if not overlap(tests[0], tests[1], test_of.subject.budget):
        return nothing
    for mine, index, rival in ((one, 0, second), (two, 1, first)):
        if mine.value == profile.default:
            loser = pair[index]
            if plain[index] and not plain[1 - index]:
                return nothing  # says what holds anyhow wherever the other does not
            return loser, rival, "this one does what the default does, so runc drops it"
    if plain[0] and plain[1]:
        return second, first, "the first one wins"
    if sorted(map(repr, one.checks)) == sorted(map(repr, two.checks)):
        return second, first, "libseccomp refuses the second, so the container does not start"
    if plain[0] or plain[1]:
        loser, winner = (second, first) if plain[0] else (first, second)
        return loser, winner, "the one without `args` always wins"
    return second, first, "which one wins where both match is libseccomp's choice"


class _Tests:
    """When an entry applies to a call, wherever it counts; each worked out once."""

    def __init__(self, subject: ProfileSubject) -> None:
        self.subject = subject
        self._known: dict[tuple[int, str], Test | None] = {}

    def __call__(self, index: int, name: str) -> Test | None:
        """The test of the entry with this index; None for a name that no host has."""
        key = (index, name)
        if key not in self._known:
            self._known[key] = self._test(self.subject.entries[index], name)
        return self._known[key]

    def _test(self, entry: Entry, name: str) -> Test | None:
        hosts = (*self.subject.hosts, *FAMILIES)
        host = next((each for each in hosts if name in table(each.native).by_name), None)
        if host is None:
            return None
        everywhere = replace(entry, names=(name,), includes=EVERYWHERE, excludes=EVERYWHERE)
        own = interpret(Profile(_NO_ACTION, (everywhere,)), host, BARE).abis[0]
        clauses = own.calls.get(table(host.native).by_name[name], ())
        return disjunction([clause.test for clause in clauses])


CHECKS = (
    Check(
        "contradictory-rules",
        "Two rules answer the same call differently",
        Severity.WARNING,
        "In a policy the first rule that matches decides, so a later one that it always "
        "precedes is dead; overriding what `extends` brings in is meant, and not reported. In "
        "a profile it is less clear: of two entries without `args` the first wins, one without "
        "`args` wins over any with, two with the same `args` are an error at the start, an "
        "entry whose action equals the default is dropped altogether, and Docker says no word.",
        (
            "libseccomp, src/db.c: db_rule_add(), _db_tree_add()",
            "runc, libcontainer/seccomp: matchCall()",
        ),
        "stockade: 1\nname: web\nseccomp:\n  default: deny\n  rules:\n    - allow: [read, kill]\n"
        "    - deny: kill\n      with: ENOSYS\n",
        "stockade: 1\nname: web\nseccomp:\n  default: deny\n  rules:\n    - deny: kill\n"
        "      with: ENOSYS\n      when: sig == 9\n    - allow: [read, kill]\n",
        policy=_in_policy,
        profile=_in_profile,
    ),
)
