"""Names in profiles, of calls, capabilities and architectures: engines skip unknown ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from ...policies.capabilities import CAPABILITIES
from ...policies.findings import Severity
from ...policies.problems import listed, shown, suggest
from ...seccomp.syscalls import ABIS, known_names
from ..check import Check, Found
from ..subjects import Place, ProfileSubject, Step, find

MAXIMAL_SUGGESTIONS = 50
"""Names of one profile for which a known one is looked for; that is slow, and a profile with
more unknown names is no profile."""

# libseccomp knows these too, Stockade has no tables for them.
_OTHER_SCMP = frozenset(
    f"SCMP_ARCH_{name}" for name in ("PPC", "PPC64", "PARISC", "PARISC64", "SH", "SHEB", "M68K")
)
SCMP_NAMES = frozenset(each.scmp for each in ABIS.values()) | _OTHER_SCMP
DOCKER_NAMES = frozenset(each.docker for each in ABIS.values()) | {"ppc", "ppc64"}
_SYNONYMS: Mapping[str, str] = MappingProxyType(
    {
        **{name: each.docker for each in ABIS.values() for name in (each.name, each.scmp)},
        **{machine: each.docker for each in ABIS.values() for machine in each.machines},
        "386": "x86",
        "i386": "x86",
        "mips64le": "mipsel64",
        "mipsle": "mipsel",
    }
)
"""From what an architecture is called elsewhere to Docker's name."""
_SCMP_OF_DOCKER = {each.docker: each.scmp for each in ABIS.values()}


def _empty_names(subject: ProfileSubject) -> Iterator[Found]:
    for index, entry in enumerate(subject.entries):
        if not entry.names:
            yield Found(
                "the entry names no call, so it has no effect",
                Place(f"syscalls[{index}]", entry.at),
                "name the calls it is for, or delete it",
            )


def _unknown_syscall(subject: ProfileSubject) -> Iterator[Found]:
    seen: dict[str, str | None] = {}
    for index in range(len(subject.entries)):
        for name, route, at in subject.names(index):
            if name in known_names():
                continue
            if name not in seen:
                fast = name.strip().lower()
                seen[name] = fast if fast in known_names() else _near(seen, name, known_names())
            close = seen[name]
            fix = "delete it" if close is None else f"write `{close}`"
            yield Found(
                f"unknown system call {shown(name)}: the engine skips it",
                Place(route, at),
                fix,
            )


def _near(seen: Mapping[str, object], name: str, known: Iterable[str]) -> str | None:
    return suggest(name, known) if len(seen) < MAXIMAL_SUGGESTIONS else None


def _items(subject: ProfileSubject, key: str) -> Iterator[tuple[str, str, Place]]:
    """The condition (includes or excludes), text and place of every item of their lists."""
    for index, entry in enumerate(subject.entries):
        for side, condition in (("includes", entry.includes), ("excludes", entry.excludes)):
            texts = condition.capabilities if key == "caps" else condition.architectures
            for number, text in enumerate(texts):
                steps: tuple[Step, ...] = ("syscalls", index, side, key, number)
                route = f"syscalls[{index}].{side}.{key}[{number}]"
                yield side, text, Place(route, subject.at(*steps))


def _effect(side: str, text: str) -> str:
    if side == "includes":
        return f"no host or container has {shown(text)}, so the entry never counts"
    return f"no host or container has {shown(text)}, so nothing is excluded"


def _unknown_capability(subject: ProfileSubject) -> Iterator[Found]:
    seen: dict[str, str | None] = {}
    for side, text, place in _items(subject, "caps"):
        if text in CAPABILITIES:
            continue
        if text not in seen:
            full = text.strip().upper().removeprefix("CAP_")
            exact = f"CAP_{full}"
            seen[text] = exact if exact in CAPABILITIES else _near(seen, exact, CAPABILITIES)
        close = seen[text]
        fix = f"write `{close}`" if close else "names are those of capabilities(7), with CAP_"
        yield Found(f"unknown capability: {_effect(side, text)}", place, fix)


def _unknown_architecture(subject: ProfileSubject) -> Iterator[Found]:
    seen: dict[str, str | None] = {}
    for side, text, place in _items(subject, "arches"):
        if text not in DOCKER_NAMES:
            if text not in seen:
                seen[text] = _SYNONYMS.get(text) or _near(seen, text, DOCKER_NAMES)
            close = seen[text]
            fix = f"write `{close}`" if close else f"Docker's are {listed(sorted(DOCKER_NAMES))}"
            yield Found(f"unknown architecture: {_effect(side, text)}", place, fix)
    for text, place in _scmp_names(subject):
        if text not in SCMP_NAMES:
            if text not in seen:
                docker = _SYNONYMS.get(text, text)
                seen[text] = _SCMP_OF_DOCKER.get(docker) or _near(seen, text, SCMP_NAMES)
            close = seen[text]
            yield Found(
                f"unknown architecture {shown(text)}: libseccomp does not have it",
                place,
                f"write `{close}`" if close else "names here begin with SCMP_ARCH_",
            )


def _scmp_names(subject: ProfileSubject) -> Iterator[tuple[str, Place]]:
    profile = subject.profile
    if profile is None:
        return
    for index, text in enumerate(profile.architectures):
        yield text, Place(f"architectures[{index}]", subject.at("architectures", index))
    for index, (native, subs) in enumerate(profile.arch_map):
        where = f"archMap[{index}]"
        at = subject.at("archMap", index, "architecture")
        yield native, Place(f"{where}.architecture", at)
        listing = find(subject.root, "archMap", index, "subArchitectures")
        for number, text in enumerate(subs):
            step = find(listing, number)
            route = f"{where}.subArchitectures[{number}]"
            yield text, Place(route, None if step is None else step.at)


_HEAD = (
    '{\n  "defaultAction": "SCMP_ACT_ERRNO",\n  "architectures": ["SCMP_ARCH_X86_64", '
    '"SCMP_ARCH_X86"],\n  "syscalls": [\n    '
)


def profile_example(entry: str) -> str:
    return f"{_HEAD}{entry}\n  ]\n}}\n"


CHECKS = (
    Check(
        "empty-names",
        "An entry that names no call",
        Severity.WARNING,
        "Docker accepts an entry whose `names` are empty or missing and makes no rule of it.",
        ("moby, profiles/seccomp: setupSeccomp()",),
        profile_example('{"names": [], "action": "SCMP_ACT_ALLOW"}'),
        profile_example('{"names": ["read"], "action": "SCMP_ACT_ALLOW"}'),
        profile=_empty_names,
    ),
    Check(
        "unknown-syscall",
        "A name that no architecture has for a call",
        Severity.WARNING,
        "runc and crun skip a name that libseccomp does not know, so that one profile serves "
        "many versions; a typo or a capital letter is skipped just as silently. A call that "
        "was to be denied then stays allowed, and one that was to be allowed is denied.",
        ("runc, libcontainer/seccomp: matchCall() ignores unknown names", "firejail#2931"),
        profile_example('{"names": ["raed"], "action": "SCMP_ACT_ALLOW"}'),
        profile_example('{"names": ["read"], "action": "SCMP_ACT_ALLOW"}'),
        profile=_unknown_syscall,
    ),
    Check(
        "unknown-capability",
        "A capability that does not exist",
        Severity.WARNING,
        "Docker compares the names in `includes.caps` and `excludes.caps` with those that the "
        "container has, letter by letter. A name that no container can have makes an entry with "
        "`includes` never count, and takes the effect of `excludes` away.",
        ("moby, profiles/seccomp: setupSeccomp()", "capabilities(7)"),
        profile_example(
            '{"names": ["bpf"], "action": "SCMP_ACT_ALLOW",\n'
            '     "includes": {"caps": ["CAP_SYSADMIN"]}}'
        ),
        profile_example(
            '{"names": ["bpf"], "action": "SCMP_ACT_ALLOW",\n'
            '     "includes": {"caps": ["CAP_SYS_ADMIN"]}}'
        ),
        profile=_unknown_capability,
    ),
    Check(
        "unknown-architecture",
        "An architecture that does not exist, or under another name",
        Severity.WARNING,
        "Architectures have two sets of names. `architectures` and `archMap` take libseccomp's "
        "(SCMP_ARCH_X86_64), and with an unknown one the container does not start. `arches` in "
        "`includes` and `excludes` takes Docker's (amd64, arm64, x86), and an unknown one "
        "matches no host.",
        ("moby, profiles/seccomp/seccomp_linux.go: goToNative", "seccomp_arch_add(3)"),
        profile_example(
            '{"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW",\n'
            '     "includes": {"arches": ["x86_64"]}}'
        ),
        profile_example(
            '{"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW",\n'
            '     "includes": {"arches": ["amd64"]}}'
        ),
        profile=_unknown_architecture,
    ),
)
