"""Paths -> subjects -> findings.

What cannot be read, or is not what it should be at all, is a problem and not a finding: a run
with problems never looks clean.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..policies import load, load_text
from ..policies.errors import InputError, TooComplexError
from ..policies.findings import Finding, Severity, order
from ..policies.jsontext import parse_json
from ..policies.loader import Loaded
from ..policies.nodes import MappingNode, Node
from ..policies.problems import Report as Problems
from ..policies.problems import arrange, did_you_mean
from ..policies.reading import MAXIMAL_SIZE, read_source, read_stdin
from ..policies.source import Problem, Source, printable
from ..policies.yamltext import parse_yaml
from ..seccomp.build import Build
from ..seccomp.check import check
from ..seccomp.hosts import ENGINES, Engine
from ..seccomp.read_profile import read_profile
from .check import Check, Found
from .checks.language import is_profile
from .idfiles import HostSubject, MapSubject
from .load_ids import is_map, kind_of, read_beside, read_map, stem_of
from .registry import BY_ID, CHECKS
from .subjects import Place, PolicySubject, ProfileSubject, Subject

_SUFFIXES = (".yaml", ".yml", ".json")
_LIBRARY = "library:"

Checkable = Subject | HostSubject | MapSubject
"""Whatever checks look at."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is checked, and for whom."""

    checks: tuple[Check, ...]
    build: Build
    engine: Engine

    @classmethod
    def of(
        cls, select: Collection[str] = (), ignore: Collection[str] = (), engine: str = "29"
    ) -> Settings:
        """The checks selected (none said: all) but for those ignored, for this machine.

        Raises InputError for an unknown id.
        """
        for name in (*select, *ignore):
            known_check(name)
        chosen = tuple(c for c in CHECKS if (not select or c.id in select) and c.id not in ignore)
        return cls(chosen, Build.of_machine(), ENGINES[engine])


@dataclass(slots=True)
class Outcome:
    """What a run came to."""

    findings: tuple[Finding, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    """What could not be read."""
    checked: int = 0
    """Files and library policies."""
    skipped: int = 0
    """Files below a directory that are nothing that is checked."""

    @property
    def clean(self) -> bool:
        """Whether there is nothing worse than a note."""
        return all(each.severity is Severity.NOTE for each in self.findings)


def known_check(name: str) -> Check:
    """The check with this id; raises InputError."""
    found = BY_ID.get(name)
    if found is None:
        raise InputError.of(
            f"unknown check `{printable(name)}`{did_you_mean(name, BY_ID)}",
            hint="docs/checks lists them",
        )
    return found


def run(references: Iterable[str], settings: Settings) -> Outcome:
    """Check every path, library policy and file below a directory; `-` is standard input."""
    outcome = Outcome()
    findings: list[Finding] = []
    sets: set[str] = set()
    for reference in dict.fromkeys(references):
        for path in _expanded(reference, outcome):
            if kind_of(path.name) and not is_map(path.name):
                # What belongs together is checked together, once.
                if stem_of(path.name) in sets:
                    outcome.checked += 1
                    continue
                sets.add(stem_of(path.name))
            try:
                subject = _subject(path, settings)
            except InputError as error:
                outcome.problems += error.problems
                continue
            outcome.checked += 1
            findings += examine(subject, settings, keep_library=path.name == reference)
    outcome.findings = order(findings)
    return outcome


def examine(
    subject: Checkable, settings: Settings, *, keep_library: bool = True
) -> Iterator[Finding]:
    """What the checks find in one subject.

    Findings in a library policy that the subject only extends are left out: its user cannot
    mend them, and `stockade lint NAME` shows them.
    """
    own = _own_library(subject) if keep_library else ""
    for each in settings.checks:
        for found in _found(each, subject):
            at = found.place.at
            if each.severity is not Severity.ERROR and at is not None:
                name = at.source.name
                if name.startswith(_LIBRARY) and name != own:
                    continue
            yield each.finding(found)


def _own_library(subject: Checkable) -> str:
    if isinstance(subject, PolicySubject) and subject.policy is not None:
        return subject.policy.at.source.name
    return ""


def _found(each: Check, subject: Checkable) -> Iterator[Found]:
    if isinstance(subject, HostSubject):
        yield from each.host(subject) if each.host is not None else ()
        return
    if isinstance(subject, MapSubject):
        yield from each.map(subject) if each.map is not None else ()
        return
    subject.budget.renew()
    try:
        if isinstance(subject, PolicySubject):
            yield from each.policy(subject) if each.policy is not None else ()
        else:
            yield from each.profile(subject) if each.profile is not None else ()
    except TooComplexError:
        at = subject.root.at if isinstance(subject, ProfileSubject) else subject.default.at
        yield Found(
            "the conditions on one call are too complex to be judged; this check gave up",
            Place("", at),
            "compare fewer arguments together",
            severity=Severity.WARNING,
        )


# --- from references to subjects ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reference:
    """Something to check: a path, a library policy's name, or `-`."""

    name: str


def _expanded(reference: str, outcome: Outcome) -> Iterator[_Reference]:
    """The reference, or what lies below it when it is a directory."""
    try:
        is_directory = Path(reference).is_dir()
    except (OSError, ValueError):
        is_directory = False
    if not is_directory:
        yield _Reference(reference)
        return
    for path in _below(reference, outcome):
        if _wanted(path, outcome):
            yield _Reference(path)


def _below(directory: str, outcome: Outcome) -> Iterator[str]:
    """Files that may be ours, in order; hidden directories and links to directories are left."""

    def failed(error: OSError) -> None:
        message = f"`{printable(str(error.filename))}` cannot be read: {error.strerror}"
        outcome.problems.append(Problem(message))

    for parent, directories, files in os.walk(directory, onerror=failed):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        for name in sorted(files):
            path = str(Path(parent) / name)
            ours = name.endswith(_SUFFIXES) or kind_of(name) is not None
            if ours and Path(path).is_file():
                # A path without `/` would be taken for the name of a library policy.
                yield path if "/" in path else f"./{path}"


def _wanted(path: str, outcome: Outcome) -> bool:
    """Whether a file below a directory is a policy or profile, or was meant to be one."""
    if not os.access(path, os.R_OK):
        outcome.problems.append(Problem(f"`{printable(path)}` cannot be read: permission denied"))
        return False
    if kind_of(path) is not None:
        return True
    try:
        ours = Path(path).stat().st_size <= MAXIMAL_SIZE and _is_ours(read_source(Path(path)))
    except (InputError, OSError):
        ours = False
    outcome.skipped += not ours
    return ours


def _is_ours(source: Source) -> bool:
    root = _parse(source)
    if root is None:  # broken: by what its text says
        words = ('"defaultAction"', '"stockade"') if _is_json(source.name) else ("\nstockade:",)
        return any(word in f"\n{source.text}" for word in words)
    return _is_policy(root) or (_is_json(source.name) and is_profile(root))


def _parse(source: Source) -> Node | None:
    parse = parse_json if _is_json(source.name) else parse_yaml
    return parse(source, Problems())


def _is_json(name: str) -> bool:
    return name.endswith(".json")


def _is_policy(root: Node | None) -> bool:
    return isinstance(root, MappingNode) and any(e.key.text == "stockade" for e in root.entries)


def _subject(reference: _Reference, settings: Settings) -> Checkable:
    """What a reference names; raises InputError when that is nothing of ours, or not readable."""
    name = reference.name
    if is_map(name):
        return read_map(name)
    if kind_of(name) is not None:
        return read_beside(name)
    if name == "-":
        source = read_stdin()
        profile = _profile(source, settings) if source.text.lstrip().startswith("{") else None
        return profile or _policy(load_text(source.text, source.name), settings)
    if _is_json(name):
        source = read_source(Path(name))
        return _profile(source, settings) or _policy(load(name), settings)
    if name.endswith(_SUFFIXES) or "/" not in name:
        return _policy(load(name), settings)
    raise InputError.of(
        f"cannot tell what `{printable(name)}` is",
        hint="name it .yaml (a policy), .json (a Docker profile), .subuid or .subgid",
    )


def _profile(source: Source, settings: Settings) -> ProfileSubject | None:
    """The profile in a JSON text; None when it is a policy; raises InputError for neither."""
    report = Problems()
    root = parse_json(source, report)
    if _is_policy(root):
        return None
    if not isinstance(root, MappingNode):
        if root is not None:
            report.add("a seccomp profile is a JSON object", root.at)
        raise InputError(report.arranged())
    return ProfileSubject(root, read_profile(source), settings.build, settings.engine)


def _policy(loaded: Loaded, settings: Settings) -> PolicySubject:
    if loaded.policy is None:
        raise InputError(loaded.problems)
    problems = [*loaded.problems]
    if loaded.policy.seccomp is not None:
        problems += check(loaded.policy, settings.build)
    if loaded.policy.authz is not None:
        from ..authz.check import check as check_authz  # most policies have no such section

        problems += check_authz(loaded.policy.authz)
    return PolicySubject(loaded.policy, arrange(problems), settings.build)
