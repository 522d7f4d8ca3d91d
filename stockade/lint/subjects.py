"""What is looked at: a policy or a profile, with its meaning and its places.

Both give their meaning in the same form, a filter for each ABI, as it is in a container
without any capability on a kernel newer than every `minKernel`. So a check that judges the
meaning is written once. What is allowed only with a capability never shows there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..policies.model import Policy, Rule
from ..policies.nodes import MappingNode, Node, SequenceNode
from ..policies.problems import Report
from ..policies.source import Location, Problem, Source
from ..seccomp.build import Build
from ..seccomp.filter import AbiFilter, Environment, Filter, resolve
from ..seccomp.hosts import Engine
from ..seccomp.interpret import interpret
from ..seccomp.lower import lower
from ..seccomp.profile import Entry, Profile
from ..seccomp.read_profile import ReadProfile
from ..seccomp.syscalls import ABIS, FAMILIES, Family
from .answers import Answer, Budget, answers

BARE = Environment(frozenset(), (999, 0))
"""A container without capabilities, on a kernel that no `minKernel` excludes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a document: its route in the document, and where that stands."""

    route: str
    at: Location | None


Step = str | int
"""A key or an index on the way into a document."""


def find(root: Node | None, *steps: Step) -> Node | None:
    """The node that the steps lead to; keys match whatever their case, as in Docker."""
    node = root
    for step in steps:
        if isinstance(step, int):
            if not isinstance(node, SequenceNode) or step >= len(node.items):
                return None
            node = node.items[step]
        else:
            if not isinstance(node, MappingNode):
                return None
            wanted = step.lower()
            node = next((e.value for e in node.entries if e.key.text.lower() == wanted), None)
    return node


@dataclass(frozen=True)
class PolicySubject:
    """A policy in the language."""

    policy: Policy | None
    """None when it is nothing like a policy."""
    problems: tuple[Problem, ...]
    """Of the loader and of seccomp.check; with any of them the meaning is not looked at."""
    build: Build
    """The machine whose ABIs count where the policy names none."""
    budget: Budget = field(default_factory=Budget, repr=False, compare=False)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """In deciding order; those of other files come after the file's own."""
        if self.policy is None or self.policy.seccomp is None:
            return ()
        return self.policy.seccomp.rules

    @cached_property
    def lowered(self) -> Filter:
        """What the policy means, what it requires included; empty when it cannot be compiled."""
        if self.problems or self.policy is None or self.policy.seccomp is None:
            return Filter(())
        return lower(self.policy, self.build)

    @cached_property
    def filters(self) -> tuple[AbiFilter, ...]:
        """What the policy means without capabilities, for each of its ABIs."""
        return resolve(self.lowered, BARE).abis

    def answers(self, call: str) -> Iterator[Answer]:
        """What each ABI that has the call answers to it."""
        return answers(self.filters, call, self.budget)

    @cached_property
    def default(self) -> Place:
        """Route and place of the default's word."""
        if self.policy is None or self.policy.seccomp is None:
            return Place("seccomp", None)
        at = self.policy.seccomp.at
        node = find(_root(at.source), "seccomp", "default")
        return Place("seccomp.default", at if node is None else node.at)

    def default_for(self, call: str) -> Place:
        """The place to show when the default answers this call."""
        del call
        return self.default

    def place(self, rule: int, call: str) -> Place:
        """Route and place of a call in the rule with this index, or of the rule."""
        found = self.rules[rule]
        at = next((each.at for each in found.calls if each.text == call), found.at)
        return Place(found.route, at)

    def kernel_from(self, rule: int) -> tuple[int, int]:
        """The oldest kernel on which the rule with this index counts."""
        bound = self.rules[rule].kernel
        return bound.version if bound is not None and bound.at_least else (0, 0)

    def condition(self, rule: int, argument: int) -> Place:
        """Place of what the rule with this index asks of the arguments."""
        del argument
        found = self.rules[rule]
        if found.when is None:
            return Place(found.route, found.at)
        return Place(f"{found.route}.when", found.when.at)

    def named_itself(self, rule: int, call: str) -> bool:
        """Whether the rule names the call, and not only a group in which it is."""
        return any(c.text == call and c.group is None for c in self.rules[rule].calls)


@dataclass(frozen=True)
class ProfileSubject:
    """A Docker profile or an OCI section."""

    root: MappingNode = field(repr=False)
    read: ReadProfile
    build: Build
    """The machine that counts where the profile names no architecture."""
    engine: Engine
    """The Docker that will read it."""
    budget: Budget = field(default_factory=Budget, repr=False, compare=False)

    @property
    def profile(self) -> Profile | None:
        """None when the engine would refuse the profile."""
        return self.read.profile

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The profile's `syscalls`; the index is that of the list."""
        return self.profile.entries if self.profile is not None else ()

    @cached_property
    def filters(self) -> tuple[AbiFilter, ...]:
        """What a container without capabilities gets, for each ABI of every kind of host."""
        if self.profile is None or self.profile.disabled:
            return ()
        known = _of_known_architectures(self.profile)
        found: dict[str, AbiFilter] = {}
        for host in self.hosts:
            for each in interpret(known, host, BARE).abis:
                found.setdefault(each.abi.name, each)
        return tuple(found.values())

    @cached_property
    def hosts(self) -> tuple[Family, ...]:
        """The kinds of host that the profile has architectures for; without any, this one."""
        profile = self.profile
        if profile is None:
            return ()
        if profile.arch_map:
            named = {native for native, _ in profile.arch_map}
            return tuple(f for f in FAMILIES if f.native.scmp in named) or (self.build.family,)
        listed = [f for f in FAMILIES if f.native.scmp in profile.architectures]
        return (listed[0] if listed else self.build.family,)

    def answers(self, call: str) -> Iterator[Answer]:
        """What each ABI that has the call answers to it."""
        return answers(self.filters, call, self.budget)

    @property
    def default(self) -> Place:
        """Route and place of `defaultAction`."""
        return Place("defaultAction", self.at("defaultAction") or self.root.at)

    def at(self, *steps: Step) -> Location | None:
        """Where the part stands that the steps lead to; None when it is not there."""
        node = find(self.root, *steps)
        return None if node is None else node.at

    def names(self, entry: int) -> Iterator[tuple[str, str, Location]]:
        """Every name of an entry, with its route and place."""
        route = f"syscalls[{entry}]"
        single = not find(self.root, "syscalls", entry, "names", 0)
        for index, name in enumerate(self.entries[entry].names):
            key: tuple[Step, ...] = ("name",) if single else ("names", index)
            at = self.at("syscalls", entry, *key) or self.root.at
            yield name, f"{route}.name" if single else f"{route}.names[{index}]", at

    def default_for(self, call: str) -> Place:
        """The place to show when the default answers this call: an entry that says the same
        as the default, which runc drops, or the default."""
        for index, entry in enumerate(self.entries):
            if self.profile is not None and entry.value == self.profile.default:
                for name, route, at in self.names(index):
                    if name == call:
                        return Place(route, at)
        return self.default

    def place(self, rule: int, call: str) -> Place:
        """Route and place of a call in the entry with this index, or of the entry."""
        for name, route, at in self.names(rule):
            if name == call:
                return Place(route, at)
        return Place(f"syscalls[{rule}]", self.entries[rule].at)

    def kernel_from(self, rule: int) -> tuple[int, int]:
        """The oldest kernel on which the entry with this index counts."""
        return self.entries[rule].includes.min_kernel or (0, 0)

    def condition(self, rule: int, argument: int) -> Place:
        """Place of what the entry with this index asks of an argument."""
        for index, check in enumerate(self.entries[rule].checks):
            if check.index == argument:
                at = self.at("syscalls", rule, "args", index, "op")
                return Place(f"syscalls[{rule}].args[{index}].op", at)
        return Place(f"syscalls[{rule}]", self.entries[rule].at)

    def named_itself(self, rule: int, call: str) -> bool:
        """Whether the entry names the call; libseccomp extends some to socketcall and ipc."""
        return call in self.entries[rule].names


Subject = PolicySubject | ProfileSubject


def _of_known_architectures(profile: Profile) -> Profile:
    """The profile without architectures that Stockade does not know; a check of its own says so."""
    known = {each.scmp for each in ABIS.values()}
    return replace(
        profile,
        arch_map=tuple(
            (native, tuple(sub for sub in subs if sub in known))
            for native, subs in profile.arch_map
            if native in known
        ),
        architectures=tuple(name for name in profile.architectures if name in known),
    )


def _root(source: Source) -> Node | None:
    from ..policies.jsontext import parse_json
    from ..policies.yamltext import parse_yaml

    parse = parse_json if source.name.endswith(".json") else parse_yaml
    return parse(source, Report())
