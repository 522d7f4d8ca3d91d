"""Comparisons of arguments that do not compare what they seem to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ...policies.findings import Severity
from ...policies.source import Location
from ...seccomp.filter import Clause, members
from ...seccomp.syscalls import Abi, Argument, arguments, table
from ..answers import Answer, Sensitivity, answers, sensitivity
from ..check import Check, Found
from ..subjects import PolicySubject, ProfileSubject, Subject
from .names import profile_example

# --- width ---------------------------------------------------------------------------------


def _wide(subject: Subject) -> Iterator[Found]:
    seen: set[tuple[str, int, bool]] = set()
    for filter_ in subject.filters:
        names = table(filter_.abi).by_number
        for nr, clauses in filter_.calls.items():
            for index in sorted(_wide_arguments(names[nr], filter_.abi, clauses)):
                answer = next(answers([filter_], names[nr], subject.budget))
                known = arguments(names[nr], filter_.abi)
                assert known is not None
                found = sensitivity(answer, index, known[index].bits)
                key = (names[nr], index, found.opens is not None)
                if key not in seen and (found.opens is not None or found.closes):
                    seen.add(key)
                    yield _width(subject, answer, index, known[index], found)


def _wide_arguments(call: str, abi: Abi, clauses: tuple[Clause, ...]) -> set[int]:
    """Arguments that are compared on more bits than the kernel looks at."""
    known = arguments(call, abi) or ()
    return {
        member.argument
        for clause in clauses
        for member in members(clause.test)
        if member.argument < len(known)
        and not known[member.argument].pointer
        and member.mask >> known[member.argument].bits
    }


def _width(
    subject: Subject, answer: Answer, index: int, argument: Argument, found: Sensitivity
) -> Found:
    what = f"the {argument.bits}-bit argument `{argument.name}` of {answer.name}"
    guilty = [
        clause
        for clause in answer.clauses
        if any(m.argument == index and m.mask >> argument.bits for m in members(clause.test))
    ]
    if found.opens is None:
        message, severity = f"{what} is compared with bits that the kernel drops", Severity.NOTE
    else:
        message = f"{what} is compared with bits that the kernel drops: a call can get round this"
        severity = Severity.WARNING
        guilty = _deciding(answer, found.opens, guilty)
    places = [subject.condition(clause.rule, index) for clause in guilty]
    related: list[tuple[str, Location]] = []
    for each in places[1:4]:
        if each.at is not None and each.at != places[0].at:
            related.append(("here too", each.at))
    return Found(message, places[0], _width_fix(subject, argument.bits), tuple(related), severity)


def _deciding(
    answer: Answer, opens: tuple[tuple[int, ...], tuple[int, ...]], guilty: list[Clause]
) -> list[Clause]:
    """The guilty clauses, the one first that lets the call run or fails to stop it."""
    for registers in opens:
        clause = answer.deciding(registers)
        if clause in guilty:
            return [clause, *(each for each in guilty if each != clause)]
    return guilty


def _width_fix(subject: Subject, bits: int) -> str:
    if isinstance(subject, PolicySubject):
        return "leave u64(…) away, and the argument is compared at its width"
    mask = (1 << bits) - 1
    return (
        f"for equality use SCMP_CMP_MASKED_EQ with {mask} as `value` and the number as "
        "`valueTwo`; other comparisons take several of these, as `stockade compile` writes them"
    )


# --- pointers and what is not there ----------------------------------------------------------


def _odd_argument(subject: ProfileSubject, pointer: bool) -> Iterator[Found]:
    """Comparisons of pointers, or of arguments that the call does not take on any ABI."""
    for number, entry in enumerate(subject.entries):
        for check in entry.checks:
            if pointer and check.value == 0 and check.op in ("SCMP_CMP_EQ", "SCMP_CMP_NE"):
                continue  # whether there is a pointer at all is a sensible question
            for name in dict.fromkeys(entry.names):
                here = _prototypes(subject, name)
                if not here:
                    continue
                place = subject.condition(number, check.index)
                if pointer and all(len(a) > check.index and a[check.index].pointer for a in here):
                    yield Found(
                        f"argument {check.index} of {name} is a pointer, and a filter sees only "
                        "the address",
                        place,
                        "decide on another argument, or deny the call",
                    )
                    break
                if not pointer and all(len(known) <= check.index for known in here):
                    yield Found(
                        f"{name} has no argument {check.index}: what is compared is left over",
                        place,
                        f"it takes {len(here[0])}, counted from 0",
                    )
                    break


def _prototypes(subject: ProfileSubject, name: str) -> list[tuple[Argument, ...]]:
    """What the call takes, on each ABI of the profile where that is known."""
    found = (arguments(name, each.abi) for each in subject.filters)
    return [each for each in found if each is not None]


def _pointer(subject: ProfileSubject) -> Iterator[Found]:
    return _odd_argument(subject, pointer=True)


def _missing(subject: ProfileSubject) -> Iterator[Found]:
    return _odd_argument(subject, pointer=False)


# --- alternatives ----------------------------------------------------------------------------


def _repeated(subject: ProfileSubject) -> Iterator[Found]:
    for number, entry in enumerate(subject.entries):
        counts = Counter(check.index for check in entry.checks)
        for index, count in counts.items():
            if count > 1:
                others = len(entry.checks) - count
                also = ", and those of other arguments do too" if others else ""
                yield Found(
                    f"argument {index} is compared {count} times: any one of the comparisons "
                    f"then suffices{also}",
                    subject.condition(number, index),
                    "for an interval use SCMP_CMP_MASKED_EQ, or let `stockade compile` write it; "
                    "for alternatives write one entry for each",
                )


_KILL = '{"names": ["kill"], "action": "SCMP_ACT_ALLOW",\n     "args": ['

CHECKS = (
    Check(
        "wide-comparison",
        "A comparison of bits that the kernel drops",
        Severity.WARNING,
        "Of an `int` the kernel uses the low 32 bits of the register, while a filter compares "
        "all 64. On a rule that allows, `>`, `>=` and `!=` hold for any value that has a high "
        "bit set, and on a rule that denies `==`, `<` and `<=` miss it: the call runs. The other "
        "way round (`==` on a rule that allows) a legitimate call fails when its register "
        "holds junk or a sign, as with AT_FDCWD; that is a note. Docker's own rule for socket "
        "families has both. 32-bit ABIs are not concerned.",
        (
            "CVE-2019-7303 (snapd), CVE-2019-10063 (Flatpak)",
            "libseccomp#383",
            "Linux, include/linux/syscalls.h: __SC_DELOUSE and the calling convention",
        ),
        profile_example(f'{_KILL}{{"index": 1, "op": "SCMP_CMP_GT", "value": 15}}]}}'),
        profile_example(
            f'{_KILL}{{"index": 1, "op": "SCMP_CMP_MASKED_EQ", "value": 4294967295,\n'
            '              "valueTwo": 15}]}'
        ),
        policy=_wide,
        profile=_wide,
    ),
    Check(
        "pointer-comparison",
        "A comparison of an address",
        Severity.WARNING,
        "A filter sees the registers of a call and never the memory they point to. A path or a "
        "structure cannot be compared; an address can, and is different in every run. Only "
        "whether it is 0 means something.",
        ("seccomp(2)", "Linux, Documentation/userspace-api/seccomp_filter.rst"),
        profile_example(
            '{"names": ["statfs"], "action": "SCMP_ACT_ALLOW",\n'
            '     "args": [{"index": 1, "op": "SCMP_CMP_EQ", "value": 4096}]}'
        ),
        profile_example('{"names": ["statfs"], "action": "SCMP_ACT_ALLOW"}'),
        profile=_pointer,
    ),
    Check(
        "no-such-argument",
        "A comparison of an argument that the call does not take",
        Severity.WARNING,
        "Registers beyond a call's arguments hold what the program last left there: chance for "
        "an honest program, and a free choice for one that wants to pass. Indexes count from 0.",
        ("syscall(2): calling conventions",),
        profile_example(
            '{"names": ["close"], "action": "SCMP_ACT_ALLOW",\n'
            '     "args": [{"index": 1, "op": "SCMP_CMP_MASKED_EQ", "value": 4294967295, '
            '"valueTwo": 0}]}'
        ),
        profile_example(
            '{"names": ["close"], "action": "SCMP_ACT_ALLOW",\n'
            '     "args": [{"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 4294967295, '
            '"valueTwo": 0}]}'
        ),
        profile=_missing,
    ),
    Check(
        "repeated-argument",
        "The same argument compared twice in one entry",
        Severity.WARNING,
        "All comparisons of an entry have to hold, unless two are about the same argument: then "
        "runc and crun make a rule of each comparison, and any one suffices. An interval "
        "written as `>= low` and `<= high` allows everything.",
        ("runc#2735", "runc, libcontainer/seccomp: matchCall()"),
        profile_example(
            f'{_KILL}{{"index": 1, "op": "SCMP_CMP_MASKED_EQ", "value": 4294967295, '
            '"valueTwo": 1},\n              {"index": 1, "op": "SCMP_CMP_MASKED_EQ", '
            '"value": 4294967295, "valueTwo": 2}]}'
        ),
        profile_example(
            f'{_KILL}{{"index": 1, "op": "SCMP_CMP_MASKED_EQ", "value": 4294967295, '
            '"valueTwo": 1}]},\n    '
            f'{_KILL}{{"index": 1, "op": "SCMP_CMP_MASKED_EQ", "value": 4294967295, '
            '"valueTwo": 2}]}'
        ),
        profile=_repeated,
    ),
)
