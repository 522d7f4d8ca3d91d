"""`docker-default` and `podman-default` against the profiles that the engines ship.

Each is compared three times over, number by number, as decision diagrams, which are equal
exactly when the answers are equal for all arguments: what the engine makes of its own
profile, what our policy means, and what the engine makes of our policy compiled for it. The
only differences are those in EXCEPTIONS below, and each of them is there.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from stockade.policies import load, load_text
from stockade.policies.model import Policy
from stockade.policies.reading import read_source
from stockade.seccomp import actions
from stockade.seccomp.build import Build
from stockade.seccomp.diagram import BITS, Diagrams
from stockade.seccomp.docker import docker_profile
from stockade.seccomp.filter import AbiFilter, All, Clause, Environment, Filter, Member, resolve
from stockade.seccomp.hosts import ENGINES
from stockade.seccomp.interpret import interpret
from stockade.seccomp.libseccomp import enosys
from stockade.seccomp.lower import lower
from stockade.seccomp.numbers import breakpoints, nameless
from stockade.seccomp.profile import Entry, Profile, render
from stockade.seccomp.read_profile import read_profile
from stockade.seccomp.syscalls import FAMILIES, Abi, Family, abi, table

DOCKER_JSON = Path(__file__).resolve().parents[3] / "shared" / "data" / "docker-default.json"
PODMAN_JSON = Path("/usr/share/containers/seccomp.json")

NATIVE = [
    *("x86_64", "aarch64", "mips64", "mips64n32", "mipsel64", "mipsel64n32", "s390x"),
    *("riscv64", "loongarch64", "ppc64le"),
]
"""Docker's archMap, and ppc64le, which Docker runs on without an entry there."""
HOSTS = [family for family in FAMILIES if family.native.name in NATIVE]
assert len(HOSTS) == len(NATIVE)

#: Before and after 4.8, the one version that Docker's rules ask for; Podman's ask for none.
KERNELS = {"docker-default": ((4, 7), (6, 1)), "podman-default": ((6, 1),)}

ENOSYS_OF_AMD64 = actions.ERRNO | 38

# --- EXCEPTIONS -------------------------------------------------------------------------

#: Arguments of 32 bits that the engines compare with 64, where their ABI has 64.
WIDE = {
    "docker-default": {"socket": (0,), "personality": (0,)},
    "podman-default": {"socket": (0, 2), "personality": (0,)},
}

#: Named in ours, as ENOSYS, because they are newer than Docker's newest call. runc says ENOSYS
#: too, except on ABIs whose highest number in the profile lies far above them.
NEWER = {
    "docker-default": {
        (far, call)
        for far in ("x32", "arm")
        for call in "file_getattr file_setattr listns open_tree_attr rseq_slice_yield".split()
    },
    "podman-default": set(),
}

# And ENOSYS has its own number, 89, on mips. Docker's JSON was written on amd64 and says 38,
# which would be EL2NSYNC there; dockerd has its default built in and uses the host's number.
# Podman goes by the name beside the number ("defaultErrno": "ENOSYS"). See _at_home().


# --- what is compared -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subject:
    """A policy of the library and the profile that it is held to."""

    name: str
    profile: Profile

    def policy(self, host: Family) -> Policy:
        """The policy for one kind of host: podman-default leaves mips to those who extend it."""
        if self.name == "podman-default" and host.native.name.startswith("mips"):
            names = ", ".join(each.name for each in host.abis)
            text = "stockade: 1\nname: mips\nextends: podman-default\nseccomp:\n"
            return load_text(f"{text}  architectures: [{names}]\n").require()
        return load(self.name).require()


@pytest.fixture(scope="module", params=["docker-default", "podman-default"])
def subject(request: pytest.FixtureRequest) -> Subject:
    name = request.param
    path = DOCKER_JSON if name == "docker-default" else PODMAN_JSON
    if not path.exists():
        reason = f"needs {path}"
        if name == "podman-default":
            reason += " (Debian's golang-github-containers-common)"
            if os.environ.get("CI"):
                pytest.fail(f"{reason} (CI is set: nothing may be skipped)", pytrace=False)
        pytest.skip(reason)
    read = read_profile(read_source(path))
    assert not read.errors
    assert not read.ignored
    assert read.profile is not None
    return Subject(name, read.profile)


def environments(subject: Subject) -> list[Environment]:
    """Every capability that matters alone, all, none, some at random; old and new kernels."""
    named = {name for rule in _rules(subject) for name in rule}
    for entry in subject.profile.entries:
        named |= {*entry.includes.capabilities, *entry.excludes.capabilities}
    ordered = sorted(named)
    random_ = random.Random(20261123)
    some = [frozenset(random_.sample(ordered, len(ordered) // 2)) for _ in range(4)]
    each = [frozenset({name}) for name in ordered]
    sets = [frozenset[str](), frozenset(ordered), *each, *some]
    versions = {bound for e in subject.profile.entries for bound in _versions(e)}
    assert versions == ({(4, 8)} if subject.name == "docker-default" else set())
    return [
        Environment(capabilities, kernel)
        for kernel in KERNELS[subject.name]
        for capabilities in sets
    ]


def _versions(entry: Entry) -> set[tuple[int, int]]:
    bounds = entry.includes.min_kernel, entry.excludes.min_kernel
    return {bound for bound in bounds if bound is not None}


def _rules(subject: Subject) -> Iterator[set[str]]:
    seccomp = load(subject.name).require().seccomp
    assert seccomp is not None
    yield from ({name.text for name in rule.needs} for rule in seccomp.rules)


def compiled(policy: Policy, host: Family, tmp_path: Path) -> Profile:
    """Our Docker JSON, written and read again."""
    profile = docker_profile(policy, lower(policy, Build(host)), ENGINES["29"])
    path = tmp_path / "ours.json"
    path.write_text(render(profile))
    read = read_profile(read_source(path))
    assert read.profile is not None
    assert not read.errors + read.ignored
    return read.profile


# --- how it is compared -------------------------------------------------------------------


class Meanings:
    """What filters answer, as diagrams of one store."""

    def __init__(self) -> None:
        self.store = Diagrams()
        self._known: dict[tuple[tuple[Clause, ...], int], int] = {}

    def of(self, filter_: AbiFilter, nr: int) -> int:
        """The answer to a number, for all arguments."""
        clauses = filter_.calls.get(nr)
        if clauses is None:
            return self.store.leaf(nameless(filter_, nr, x32_named=True))
        key = (clauses, filter_.default)
        if key not in self._known:
            self._known[key] = self.store.clauses(*key)
        return self._known[key]

    def where_upper_is_zero(self, function: int, arguments: tuple[int, ...]) -> int:
        """The function where the upper halves of the arguments are 0; elsewhere 0."""
        upper = 0xFFFFFFFF << 32
        zero = All(tuple(Member(argument, 64, upper, ((0, 0),)) for argument in arguments))
        return self.store.choose(self.store.test(zero), function, self.store.false)

    def asks_upper(self, function: int, arguments: tuple[int, ...]) -> bool:
        """Whether the function depends on the upper half of one of the arguments."""
        stack, seen = [function], set[int]()
        while stack:
            number = stack.pop()
            if number in seen or self.store.is_leaf(number):
                continue
            seen.add(number)
            bit, low, high = self.store.parts(number)
            if bit // BITS in arguments and bit % BITS < 32:
                return True
            stack += (low, high)
        return False


def numbers(filters: tuple[AbiFilter, ...]) -> list[int]:
    """Every number that has a name, those beside it, and where answers to others change."""
    named = set(table(filters[0].abi).by_number)
    named |= {edge for each in filters for edge in breakpoints(each)}
    return sorted({nr + step for nr in named for step in (-1, 0, 1) if 0 <= nr + step < 1 << 32})


@cache
def _at_home(value: int, abi_: Abi) -> int:
    """The value with amd64's ENOSYS as this ABI's."""
    return actions.ERRNO | enosys(abi_) if value == ENOSYS_OF_AMD64 else value


def at_home(filter_: AbiFilter) -> AbiFilter:
    """The filter with amd64's ENOSYS as its ABI's."""
    calls = {
        nr: tuple(replace(clause, value=_at_home(clause.value, filter_.abi)) for clause in clauses)
        for nr, clauses in filter_.calls.items()
    }
    return replace(filter_, default=_at_home(filter_.default, filter_.abi), calls=calls)


def part(filter_: Filter, abi_: Abi) -> AbiFilter:
    found = filter_.of(abi_)
    assert found is not None, f"{abi_.name} is missing"
    return found


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.native.name)
def test_equal_but_for_the_exceptions(subject: Subject, host: Family, tmp_path: Path) -> None:
    policy = subject.policy(host)
    lowered, json = lower(policy, Build(host)), compiled(policy, host, tmp_path)
    meanings = Meanings()
    seen: set[tuple[str, str, str]] = set()
    for environment in environments(subject):
        theirs = interpret(subject.profile, host, environment)
        ours = resolve(lowered, environment)
        engine = interpret(json, host, environment)
        assert {each.abi for each in theirs.abis} == {each.abi for each in engine.abis}
        for original in theirs.abis:
            abi_ = original.abi
            their, our, read = at_home(original), part(ours, abi_), part(engine, abi_)
            if their != original:
                seen.add(("ENOSYS", abi_.name, ""))
            for nr in numbers((their, our, read)):
                name = table(abi_).by_number.get(nr, f"#{nr}")
                wanted, got = meanings.of(their, nr), meanings.of(our, nr)
                where = f"{name} on {abi_.name} with {environment}"
                assert meanings.of(read, nr) == got, f"{where}: our JSON is not our policy"
                if wanted == got:
                    continue
                wide = WIDE[subject.name].get(name, ())
                if wide and abi_.bits == 64:
                    low = [meanings.where_upper_is_zero(each, wide) for each in (wanted, got)]
                    assert low[0] == low[1], f"{where}: not the same on low words"
                    assert meanings.asks_upper(wanted, wide)
                    assert not meanings.asks_upper(got, wide)
                    seen.add(("width", abi_.name, name))
                else:
                    assert (abi_.name, name) in NEWER[subject.name], where
                    denied = actions.ERRNO | 1, actions.ERRNO | 38
                    assert (wanted, got) == tuple(map(meanings.store.leaf, denied))
                    seen.add(("newer", abi_.name, name))
    assert seen == expected(subject, host)


def expected(subject: Subject, host: Family) -> set[tuple[str, str, str]]:
    """The exceptions that there are on one kind of host."""
    served = {each.name for each in host.abis}
    found = {
        ("width", each.name, name)
        for each in host.abis
        if each.bits == 64
        for name in WIDE[subject.name]
    }
    found |= {("newer", *pair) for pair in NEWER[subject.name] if pair[0] in served}
    return found | {("ENOSYS", name, "") for name in served if enosys(abi(name)) != 38}


def test_our_newer_names_are_all_newer_than_dockers(subject: Subject) -> None:
    """When tables grow, docker-default must name the new calls, and when Docker's does, fewer."""
    if subject.name != "docker-default":
        return
    by_name = table(abi("x86_64")).by_name
    theirs = {name for entry in subject.profile.entries for name in entry.names}
    newest = max(by_name[name] for name in theirs if name in by_name)
    newer = {name for name, nr in by_name.items() if nr > newest}
    assert newer == {name for _, name in NEWER["docker-default"]}
