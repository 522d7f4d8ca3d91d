"""data/overlay.tsv: what the headers do not say about arguments, with the source of each fact."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..abi import ABIS, Abi
from .declarations import TYPES, Parameters, parameters
from .errors import GenerateError


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file, without its source."""

    kind: str
    """`sig`, `names` or `narrow`."""
    name: str
    """The system call."""
    where: str
    """The ABIs, else the argument to narrow."""
    what: str
    """The parameters, the names, or the narrower type."""

    def holds(self, abi: Abi) -> bool:
        """Whether the line is about an ABI; a narrow one is about all of them."""
        return self.kind == "narrow" or bool(
            {"*", str(abi.registers), abi.name} & set(self.where.split(","))
        )

    def change(self, before: Parameters | None) -> Parameters | None:
        """What it makes of a system call's parameters."""
        if self.kind == "sig":
            return parameters(self.what)
        if self.kind == "names":
            return _renamed(before, self.what.split(","))
        return _narrowed(before, self.where, TYPES[self.what])


@dataclass(frozen=True, slots=True)
class Overlay:
    """The lines, and a tally of those that were of use."""

    lines: tuple[Line, ...]
    """In the order of the file."""
    used: set[int] = field(default_factory=set)
    """The indices of those that changed something; `apply` adds to it."""

    def apply(self, kind: str, name: str, abi: Abi, before: Parameters | None) -> Parameters | None:
        """What the lines of one kind make of a system call's parameters."""
        result = before
        for index, line in enumerate(self.lines):
            if (line.kind, line.name) == (kind, name) and line.holds(abi):
                after = line.change(result)
                if after != result:
                    self.used.add(index)
                    result = after
        return result

    def check_all_used(self) -> None:
        """Raises GenerateError if a line changed nothing."""
        for index, line in enumerate(self.lines):
            if index not in self.used:
                raise GenerateError(
                    f"overlay.tsv: {line.kind} {line.name} {line.where} changes nothing"
                )


def _renamed(before: Parameters | None, names: list[str]) -> Parameters | None:
    if before is None or len(names) != len(before):
        return before
    return tuple((name, kind) for name, (_, kind) in zip(names, before, strict=True))


def _narrowed(before: Parameters | None, argument: str, narrow: str) -> Parameters | None:
    if before is None:
        return None
    return tuple((name, narrow if name == argument else kind) for name, kind in before)


def read_overlay(path: Path) -> Overlay:
    """Reads the overlay.

    Raises:
        GenerateError: a line without its five fields, or naming an ABI that there is not.
    """
    lines = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 5 or not all(fields):
            raise GenerateError(f"{path.name}:{number}: five fields are wanted")
        kind, name, where, what, _ = fields
        if kind not in ("sig", "names", "narrow"):
            raise GenerateError(f"{path.name}:{number}: unknown kind {kind!r}")
        if kind != "narrow" and (bad := set(where.split(",")) - {*ABIS, "*", "32", "64"}):
            raise GenerateError(f"{path.name}:{number}: unknown ABI {min(bad)!r}")
        lines.append(Line(kind, name, where, what))
    return Overlay(tuple(lines))
