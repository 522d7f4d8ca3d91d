"""What a program is optimised for, and how often calls are made.

Since Linux 5.11 the kernel runs a filter once, at attach, for every number of its native and
compat tables, and remembers those that are allowed whatever their arguments
(kernel/seccomp.c: seccomp_cache_prepare()). Such a call never runs the filter again. What is
left to be quick about are the calls that look at arguments or are not allowed, and the attach
itself. On older kernels every call counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ..policies.errors import InputError, InternalError
from ..policies.problems import did_you_mean

Frequencies = Mapping[str, int]
"""By name of the call: how many of a million calls it is."""


@dataclass(frozen=True, slots=True)
class Preset:
    """The weights of what can be made cheaper."""

    name: str
    cached: int
    """A call in a million that the kernel answers from its cache."""
    filtered: int
    """A call in a million that always runs the filter."""
    known: int
    """Every number that has a call: at attach, and so that no call is much worse than others."""
    argument: int
    """Every interval of an argument's values; nobody knows how often each occurs."""
    instruction: int
    """One more instruction in the program."""


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("cached", cached=1, filtered=400, known=1_000, argument=40_000, instruction=20_000),
        Preset("legacy", cached=20, filtered=20, known=12_500, argument=40_000, instruction=1_000),
        Preset("size", cached=0, filtered=0, known=1, argument=1, instruction=1_000_000),
    )
}
DEFAULT = "cached"


def preset_called(name: str) -> Preset:
    """The preset of that name.

    Raises InputError with the name that was probably meant.
    """
    if name not in PRESETS:
        raise InputError.of(
            f"unknown optimisation `{name}`{did_you_mean(name, PRESETS)}",
            hint=f"there are {', '.join(PRESETS)}",
        )
    return PRESETS[name]


@cache
def frequencies() -> Frequencies:
    """How often programs make which call: `frequencies.tsv`, which says where from."""
    text = (resources.files(__package__) / "frequencies.tsv").read_text("utf-8")
    found: dict[str, int] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, per_million = line.split("\t")
            found[name] = int(per_million)
    if not found:
        raise InternalError("frequencies.tsv is empty")
    return found
