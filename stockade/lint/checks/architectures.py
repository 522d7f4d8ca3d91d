"""Which ABIs a profile opens, and what that does to argument rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...policies.findings import Severity
from ...policies.problems import listed
from ...seccomp import libseccomp
from ...seccomp.filter import Clause
from ...seccomp.syscalls import FAMILIES, Abi
from ..answers import Answer, answers, runs_freely
from ..check import Check, Found
from ..subjects import Place, ProfileSubject, Step, Subject


def _compat(subject: ProfileSubject) -> Iterator[Found]:
    profile = subject.profile
    if profile is None or profile.disabled:
        return
    if not profile.arch_map and not profile.architectures:
        yield Found(
            "no architectures are named, so only the host's own may be used",
            Place("", subject.root.at),
            "add an `archMap` as in Docker's default profile, or be sure that no 32-bit "
            "program has to run",
        )
    for index, (native, subs) in enumerate(profile.arch_map):
        yield from _missing(subject, native, subs, ("archMap", index, "architecture"))
    for index, name in enumerate(profile.architectures):
        others = tuple(each for each in profile.architectures if each != name)
        yield from _missing(subject, name, others, ("architectures", index))


def _missing(
    subject: ProfileSubject, native: str, named: Sequence[str], steps: tuple[Step, ...]
) -> Iterator[Found]:
    family = next((each for each in FAMILIES if each.native.scmp == native), None)
    if family is None or family.native.bits == 32:
        return
    lacking = [each.scmp for each in family.compat if _is_32_bit(each) and each.scmp not in named]
    if lacking:
        yield Found(
            f"{native} without {lacking[0]}: 32-bit programs are killed",
            Place(f"{steps[0]}[{steps[1]}]", subject.at(*steps)),
            f"add {lacking[0]}, unless no 32-bit program has to run",
        )


def _is_32_bit(abi: Abi) -> bool:
    """Not x32 and n32, which hardly a program uses."""
    return abi.bits == 32 and abi.registers == 32


def _hidden(subject: Subject) -> Iterator[Found]:
    for mux, members in libseccomp.MULTIPLEXED.items():
        open_: dict[tuple[Place, bool], tuple[dict[str, None], dict[str, None]]] = {}
        for each in subject.filters:
            found = next(answers([each], mux, subject.budget), None)
            if each.abi.name not in libseccomp.MULTIPLEXING_ABIS or found is None:
                continue
            for name in members:
                clause = _goes_round(subject, found, name)
                if clause is not None:
                    itself = subject.named_itself(clause.rule, mux)
                    place = subject.place(clause.rule, mux if itself else name)
                    abis, names = open_.setdefault((place, itself), ({}, {}))
                    abis[each.abi.name] = None
                    names[name] = None
        for (place, itself), (abis, names) in open_.items():
            where = f"{mux} on {', '.join(abis)}"
            yield Found(
                f"through {where} the rules for {listed(names)} do not count"
                if itself
                else f"libseccomp opens {where} for this, where the rules for {listed(names)} "
                "do not count",
                place,
                f"deny {mux} where no old 32-bit program needs it, or leave 32-bit "
                "architectures out"
                if itself
                else f"answer {mux} with errno 38 (ENOSYS) in an entry without `args`, which "
                "then wins, or leave 32-bit architectures out",
            )


def _goes_round(subject: Subject, mux: Answer, name: str) -> Clause | None:
    """The clause that lets a call run through the mux whatever its arguments, where the call
    itself is not let run with all of them; None: there is none, or the default does."""
    direct = next(answers([mux.filter], name, subject.budget), None)
    if direct is None or not direct.decided or direct.always_runs:
        return None
    number = libseccomp.MUX_NUMBERS[name]
    if not all(runs_freely(value) for value in mux.values_where(0, number)):
        return None
    return mux.deciding((number, 0, 0, 0, 0, 0))


CHECKS = (
    Check(
        "compat-architecture",
        "A 64-bit architecture without its 32-bit one",
        Severity.NOTE,
        "A call that comes through an architecture that the filter does not have kills the "
        "process, whatever the default action is. That is right where no 32-bit program runs, "
        "and closes the one way to socketcall and ipc; where one has to run, it dies without a "
        "message. x32 is killed in the same way, and hardly anything uses it.",
        ("libseccomp, SCMP_FLTATR_ACT_BADARCH", "moby, profiles/seccomp/default.json: archMap"),
        '{\n  "defaultAction": "SCMP_ACT_ERRNO",\n  "architectures": ["SCMP_ARCH_X86_64"],\n'
        '  "syscalls": []\n}\n',
        '{\n  "defaultAction": "SCMP_ACT_ERRNO",\n  "architectures": ["SCMP_ARCH_X86_64", '
        '"SCMP_ARCH_X86"],\n  "syscalls": []\n}\n',
        profile=_compat,
    ),
    Check(
        "hidden-arguments",
        "socketcall or ipc goes round rules for what they hide",
        Severity.WARNING,
        "On x86 (32-bit), s390 and some others a program reaches socket, connect and the System "
        "V ipc calls through socketcall and ipc too, which take the arguments behind a pointer. "
        "Where these are allowed, a condition on socket's arguments binds nobody: a 64-bit "
        "program too can enter the kernel through the 32-bit ABI. In a profile an entry for socket "
        "with a comparison opens socketcall by itself: libseccomp makes a second rule of it that "
        "drops the comparison of argument 0. An entry for socketcall without `args` wins over "
        "that, but one that does what the default does is dropped.",
        ("socketcall(2), ipc(2)", "libseccomp, src/db.c: pseudo system calls"),
        "stockade: 1\nname: web\nseccomp:\n  default: deny\n  architectures: [x86_64, x86]\n"
        "  rules:\n    - allow: socket\n      when: family == AF_UNIX\n    - allow: socketcall\n",
        "stockade: 1\nname: web\nseccomp:\n  default: deny\n  architectures: [x86_64, x86]\n"
        "  rules:\n    - allow: socket\n      when: family == AF_UNIX\n    - deny: socketcall\n",
        policy=_hidden,
        profile=_hidden,
    ),
)
