"""The `userns` section of a policy against itself and against what hosts reserve."""

from __future__ import annotations

from collections.abc import Iterator

from ...policies.findings import Severity
from ...policies.userns_model import Span, Userns
from ...userns.ids import BLOCK, RESERVATIONS, IdRange
from ..check import Check, Found
from ..subjects import Place, PolicySubject
from .userns_common import SHADOW, UIDS_GIDS

_PAGE = "Stockade, docs/language.md: userns"


def _section(subject: PolicySubject) -> Userns | None:
    if subject.problems or subject.policy is None:
        return None
    return subject.policy.userns


def _lifted(subject: PolicySubject) -> Iterator[Found]:
    section = _section(subject)
    for span in section.spans if section is not None else ():
        for each in RESERVATIONS:
            if _range(span).overlaps(each.range):
                yield Found(
                    f"the span has ids of {each.range}, which is for {each.name}",
                    Place("userns.span", span.at),
                    f"make sure that no host of this policy uses them so ({each.source}), or name "
                    "2000224256-2147352575, which no program takes by default",
                )


def _full(subject: PolicySubject) -> Iterator[Found]:
    section = _section(subject)
    if section is None:
        return
    room = sum(_blocks(span, section) for span in section.spans)
    wanted = sum(tenant.blocks for tenant in section.tenants)
    if wanted > room:
        yield Found(
            f"the tenants want {wanted:,} blocks of {section.block}, the spans hold {room:,}",
            Place("userns.tenants", section.spans[0].at if section.spans else section.at),
            "name a larger span, or fewer blocks",
        )


def _blocks(span: Span, section: Userns) -> int:
    """Whole blocks in a span that are not reserved; at most so many can be given out."""
    free = [(span.first, span.last)]
    for gap in section.reserved:
        parts = [
            part
            for first, last in free
            for part in ((first, min(last, gap.first - 1)), (max(first, gap.last + 1), last))
        ]
        free = [(first, last) for first, last in parts if first <= last]
    return sum(max(0, last + 1 - _aligned(first)) // section.block for first, last in free)


def _aligned(number: int) -> int:
    """The first multiple of 65536 from a number on."""
    return -(-number // BLOCK) * BLOCK


def _ragged(subject: PolicySubject) -> Iterator[Found]:
    section = _section(subject)
    for span in section.spans if section is not None else ():
        first, end = _aligned(span.first), (span.last + 1) // BLOCK * BLOCK
        lost = (first - span.first) + (span.last + 1 - end)
        if lost:
            yield Found(
                f"{lost:,} ids of the span are in no whole block and are never given out",
                Place("userns.span", span.at),
                f"write {first}-{end - 1}",
            )


def _range(span: Span) -> IdRange:
    return IdRange.between(span.first, span.last)


def _example(userns: str) -> str:
    return f"stockade: 1\nname: hosts\nuserns:\n{userns}"


_FREE = "2000224256-2147352575"
_GOOD = _example(f"  span: {_FREE}\n  tenants: {{web: {{}}}}\n")

CHECKS = (
    Check(
        "userns-reserved-span",
        "A span in which other programs give out ids",
        Severity.NOTE,
        "Naming a span says that this host gives its ids to nobody else. systemd-nspawn, SSSD and "
        "FreeIPA give out theirs by a rule of their own and never look into subuid; useradd does, "
        "but takes the first gap that it finds.",
        (_PAGE, UIDS_GIDS, SHADOW),
        _example("  span: 524288-1879048191\n  tenants: {web: {}}\n"),
        _GOOD,
        policy=_lifted,
    ),
    Check(
        "userns-full-span",
        "More blocks are wanted than the spans hold",
        Severity.ERROR,
        "`stockade userns plan` refuses the policy on every host.",
        (_PAGE,),
        _example("  span: 2000224256-2000355327\n  tenants: {web: {blocks: 3}}\n"),
        _example("  span: 2000224256-2000355327\n  tenants: {web: {blocks: 2}}\n"),
        policy=_full,
    ),
    Check(
        "userns-ragged-span",
        "A span that does not begin and end with a block",
        Severity.NOTE,
        "Blocks begin at multiples of 65536. What a span has before its first and after its last "
        "whole block is never given out.",
        (_PAGE,),
        _example("  span: 2000224257-2147352575\n  tenants: {web: {}}\n"),
        _GOOD,
        policy=_ragged,
    ),
)
