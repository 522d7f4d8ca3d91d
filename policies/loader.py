"""Text to Policy: finding the file, reading it, and joining in what it extends.

reference ─find─► Source ─parse─► Node ─read─► Document ─join (extends)─► Policy
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from .catalog import library_names, library_path
from .document import Document, read_document
from .errors import InputError
from .jsontext import parse_json
from .model import Policy, Seccomp
from .problems import Report, did_you_mean, listed, shown
from .reading import read_source, read_stdin
from .rules import DENIED, NEWER, Section
from .source import Location, Problem, Source, printable
from .yamltext import parse_yaml

MAXIMAL_EXTENDS = 8
"""Policies above one another."""


@dataclass(frozen=True)
class Loaded:
    """A policy and everything that is wrong with it."""

    policy: Policy | None
    """As much as could be understood, so that later stages can add what they find; only to be
    compiled when there are no problems. None when nothing sensible remains."""
    problems: tuple[Problem, ...]
    """In the order of the text."""

    def require(self) -> Policy:
        """The policy, if nothing is wrong with it; raises InputError."""
        if self.problems or self.policy is None:
            raise InputError(self.problems)
        return self.policy


@dataclass(frozen=True)
class _Found:
    """A text with what is needed to resolve and recognise it."""

    source: Source
    directory: Path
    """Where the paths in its `extends` start."""
    identity: str
    """Equal for two references to the same file."""


def load(reference: str) -> Loaded:
    """The policy that a path, the name of a library policy, or `-` (standard input) names."""
    report = Report()
    try:
        found = _find(reference, Path(), None)
    except InputError as error:
        return Loaded(None, error.problems)
    return _load(found, report)


def load_text(text: str, name: str = "<text>", directory: Path | None = None) -> Loaded:
    """The policy in a text; paths in its `extends` start at `directory`, else where we are."""
    found = _Found(Source(printable(name), text), directory or Path(), f"text:{name}")
    return _load(found, Report())


def is_path(reference: str) -> bool:
    """Whether a reference means a file and not a library policy."""
    return "/" in reference or reference.endswith((".yaml", ".yml", ".json"))


def _load(found: _Found, report: Report) -> Loaded:
    document = _parse(found, report)
    if document is None:
        return Loaded(None, report.arranged())
    chain = _chain(document, found, report)
    policy = _join([each for each, _ in chain])
    if any(each.authz is not None for each, _ in chain):
        from .authz_join import join_authz

        parts = [(each.authz, where.directory) for each, where in chain if each.authz is not None]
        policy = replace(policy, authz=join_authz(parts, found.directory, report))
    return Loaded(policy, report.arranged())


def _parse(found: _Found, report: Report) -> Document | None:
    parse = parse_json if found.source.name.endswith(".json") else parse_yaml
    root = parse(found.source, report)
    return read_document(root, report) if root is not None else None


def _find(reference: str, directory: Path, at: Location | None) -> _Found:
    """The text a reference names, asked for at `at`; raises InputError."""
    try:
        if reference == "-" and at is None:
            return _Found(read_stdin(), directory, "stdin")
        if is_path(reference):
            path = directory / reference
            source = read_source(path)
            return _Found(source, path.parent, str(path.resolve()))
        shipped = library_path(reference)
        if shipped is None:
            raise InputError([_unknown(reference, directory, at)])
        source = read_source(shipped, f"library:{reference}")
        return _Found(source, shipped.parent, str(shipped.resolve()))
    except InputError as error:
        if at is None:
            raise
        # A file that cannot be read has no place of its own; show where it was asked for.
        raise InputError(_placed(problem, at) for problem in error.problems) from None


def _placed(problem: Problem, at: Location) -> Problem:
    if problem.at is not None:
        return problem
    hint = problem.hint
    if hint == "check the path":
        hint = "check the path; in `extends` it starts at the directory of this file"
    return Problem(problem.message, at, hint)


def _unknown(reference: str, directory: Path, at: Location | None) -> Problem:
    names = library_names()
    message = f"unknown library policy {shown(reference)}{did_you_mean(reference, names)}"
    hint = f"the library has {listed(names)}; " if names else ""
    for candidate in (reference, f"{reference}.yaml", f"{reference}.yml"):
        try:
            exists = bool(reference) and (directory / candidate).is_file()
        except (OSError, ValueError):
            exists = False
        if exists:
            return Problem(message, at, f"for the file here, write `./{candidate}`")
    return Problem(message, at, f"{hint}a path has a `/` in it or ends in .yaml")


def _chain(document: Document, found: _Found, report: Report) -> list[tuple[Document, _Found]]:
    """The document and what it extends, nearest first, each with its text."""
    chain = [(document, found)]
    seen = {found.identity: found.source.name}
    while (wanted := chain[-1][0].extends) is not None:
        if len(chain) > MAXIMAL_EXTENDS:
            report.add(f"more than {MAXIMAL_EXTENDS} policies extend one another", wanted.at)
            break
        try:
            found = _find(wanted.text, found.directory, wanted.at)
        except InputError as error:
            report.extend(error.problems)
            break
        if found.identity in seen:
            names = list(seen.values())
            path = [*names[list(seen).index(found.identity) :], found.source.name]
            cycle = " -> ".join(path)
            report.add(f"`extends` goes round in a circle: {cycle}", wanted.at, "cut it open")
            break
        seen[found.identity] = found.source.name
        parent = _parse(found, report)
        if parent is None:
            break
        chain.append((parent, found))
    return chain


def _join(chain: list[Document]) -> Policy:
    """The nearest document, with the `seccomp` of all and the nearest `userns`."""
    first = chain[0]
    userns = next((document.userns for document in chain if document.userns is not None), None)
    sections = [document.section for document in chain if document.section is not None]
    seccomp = _join_sections(sections) if sections else None
    return Policy(
        first.name,
        first.description,
        seccomp,
        first.tests,
        first.at,
        authz_tests=first.authz_tests,
        userns=userns,
    )


def _join_sections(sections: list[Section]) -> Seccomp:
    """Nearest first: its word counts, and its rules come first."""
    defaults = (s.default for s in sections if s.default is not None)
    newer = (s.newer for s in sections if s.newer_said)
    architectures = (s.architectures for s in sections if s.architectures is not None)
    return Seccomp(
        next(defaults, DENIED),
        next(newer, NEWER),
        tuple(rule for section in sections for rule in section.rules),
        next(architectures, None),
        sections[0].at,
    )
