"""The `userns` section: nodes to spans and tenants, in the author's own words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .fields import Fields, expected, one_or_many, read_integer, read_list, read_mapping
from .nodes import Kind, Node, ScalarNode
from .problems import Report, listed, shown
from .userns_model import BLOCK, Span, Tenant, Userns

USERNS_KEYS = ("span", "block", "tenants", "reserved")
TENANT_KEYS = ("blocks",)
FIRST_ID = 65536
"""Below are the host's own users."""
LAST_ID = 4294967294
"""4294967295 is (uid_t)-1, "no change" to setuid(2)."""
MAXIMAL_TENANTS = 65536
MAXIMAL_BLOCKS = 65536
"""Of one tenant: all there are of 65536 ids."""

# What useradd makes everywhere: shadow's is_valid_name without the names that other readers take
# for something else: a colon ends the field, `-` and `+` in front are NIS entries, `#` begins a
# comment, digits alone are a UID.
TENANT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")

_SPAN = re.compile(r"(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,9})")
_NO_SPAN = (
    "name the ids that this host may give out: `span: 524288-1879048191`, systemd's for "
    "containers, where systemd-nspawn runs none (28,664 blocks); else "
    "`span: 2000224256-2147352575`, which no program takes by default (2,245 blocks)"
)
_HINTS = {
    "spans": "write `span`; it takes a list, too",
    "range": "write `span: first-last`",
    "ranges": "write `span`; it takes a list, too",
    "size": "write `block`: how many ids a block has",
    "count": "write `block`: how many ids a block has",
    "users": "write `tenants`",
    "owners": "write `tenants`",
    "blocks": "it belongs to a tenant: `tenants: {ci: {blocks: 2}}`",
    "exclude": "write `reserved`",
}
_TENANT_HINTS = {
    "block": "write `blocks`: how many this tenant gets",
    "count": "write `blocks`: how many blocks, not how many ids",
    "size": "write `blocks`: how many blocks, not how many ids",
    "span": "where a tenant's blocks are, Stockade chooses and remembers",
    "start": "where a tenant's blocks are, Stockade chooses and remembers",
}


def read_userns(node: Node, report: Report) -> Userns | None:
    """The section; None when no span can be made out. Everything wrong is reported."""
    hint = "as in {span: 524288-1879048191, tenants: {web: {}}}"
    mapping = read_mapping(node, "`userns`", report, hint)
    if mapping is None:
        return None
    fields = Fields(mapping, "`userns`", USERNS_KEYS, report, _HINTS)
    block = _block(fields, report)
    spans = _spans(fields, block, report)
    tenants = _tenants(fields, report)
    reserved = _reserved(fields, spans, report)
    return Userns(spans, block, tenants, reserved, fields.at) if spans else None


def _block(fields: Fields, report: Report) -> int:
    node = fields.get("block")
    if node is None:
        return BLOCK
    value = read_integer(node, "`block`", report, BLOCK, LAST_ID)
    if value is not None and value % BLOCK:
        nearest = max(1, round(value / BLOCK)) * BLOCK
        message = f"`block` must be a multiple of {BLOCK}, found {value}"
        hint = f"write {nearest}; a container's ids have 16 bits, and engines expect all of them"
        report.add(message, node.at, hint)
        return BLOCK
    return value or BLOCK


def _spans(fields: Fields, block: int, report: Report) -> tuple[Span, ...]:
    node = fields.require("span", _NO_SPAN)
    nodes = one_or_many(node, "`span`", report, "span") if node is not None else None
    spans = []
    for item in nodes or ():
        span = _span(item, "`span`", report)
        if span is None:
            continue
        if span.first < FIRST_ID or span.last > LAST_ID:
            message = f"`span` must lie in {FIRST_ID}-{LAST_ID}, found {span.first}-{span.last}"
            report.add(message, span.at, _beyond(span))
        elif -(-span.first // block) * block + block - 1 > span.last:
            message = f"`span`: {span.first}-{span.last} holds no block of {block} ids"
            first = max(1, span.first // block) * block
            hint = f"blocks begin at multiples of {block}: {first}-{first + block - 1} is one"
            report.add(message, span.at, hint)
        else:
            spans.append(span)
    ordered = sorted(spans, key=lambda span: span.first)
    _disjoint(ordered, "`span`", report)
    return tuple(ordered)


def _beyond(span: Span) -> str:
    if span.first < FIRST_ID:
        return f"the ids below {FIRST_ID} are the host's own users"
    return f"{LAST_ID + 1} stands for no id at all, and larger numbers are cut to 32 bits"


def _disjoint(spans: Iterable[Span], what: str, report: Report) -> None:
    widest: Span | None = None
    for span in spans:
        if widest is not None and span.first <= widest.last:
            message = f"{what}: {span.first}-{span.last} overlaps {widest.first}-{widest.last}"
            report.add(message, span.at, "join the two", (("the other one", widest.at),))
        if widest is None or span.last > widest.last:
            widest = span


def _span(node: Node, what: str, report: Report) -> Span | None:
    """`first-last`, whatever its numbers."""
    wanted = "`first-last`"
    if not isinstance(node, ScalarNode) or node.kind is not Kind.TEXT:
        hint = ""
        if isinstance(node, ScalarNode) and node.kind is Kind.INTEGER:
            hint = "both ends are written, as in 524288-589823"
        expected(report, what, wanted, node, hint)
        return None
    match = _SPAN.fullmatch(node.text)
    if match is None:
        expected(report, what, wanted, node, _span_hint(node.text))
        return None
    first, last = int(match[1]), int(match[2])
    if first > last:
        report.add(f"{what}: {first}-{last} ends before it begins", node.at, "swap the two")
        return None
    return Span(first, last, node.at)


def _span_hint(text: str) -> str:
    counted = re.fullmatch(r"([0-9]{1,10})[:+]([0-9]{1,10})", text)
    if counted is not None:
        first, count = int(counted[1]), int(counted[2])
        return f"first and last, not first and count: {first}-{first + count - 1}"
    if re.search(r"0[xo]|(?<![0-9])0[0-9]", text):
        return "decimal numbers without leading zeros; readers of /etc/subuid disagree on others"
    if re.fullmatch(r"[0-9]{1,10}(?:\.\.+|\s*-\s*|\s*\u2013\s*)[0-9]{1,10}", text):
        return "one `-` between the numbers, without blanks"
    if re.search(r"[0-9]{11}", text):
        return f"the last id is {LAST_ID}"
    if "_" in text or "," in text:
        return "the numbers without `_` and `,`; several spans are a list"
    return "decimal numbers, as in 524288-1879048191"


def _tenants(fields: Fields, report: Report) -> tuple[Tenant, ...]:
    node = fields.require("tenants", "as in {web: {}, ci: {blocks: 2}}; {} if there are none yet")
    hint = "names to settings, as in {web: {}, ci: {blocks: 2}}"
    mapping = read_mapping(node, "`tenants`", report, hint) if node is not None else None
    if mapping is None:
        return ()
    if len(mapping.entries) > MAXIMAL_TENANTS:
        message = f"{len(mapping.entries)} tenants; there are {MAXIMAL_BLOCKS} blocks in all"
        report.add(message, mapping.at)
        return ()
    return tuple(
        Tenant(entry.key.text, _blocks(entry.value, report), entry.key.at)
        for entry in mapping.entries
        if _is_tenant(entry.key, report)
    )


def _is_tenant(key: ScalarNode, report: Report) -> bool:
    if TENANT.fullmatch(key.text):
        return True
    report.add(f"{shown(key.text)} cannot be a tenant", key.at, _tenant_hint(key.text))
    return False


def _tenant_hint(name: str) -> str:
    if re.fullmatch(r"[0-9]+", name):
        return "readers of /etc/subuid take a number for a UID; write the login's name"
    if len(name) > 32:
        return "useradd makes names of at most 32 characters"
    if name.startswith(("+", "-")):
        return "a line that begins with `+` or `-` is one of NIS, and shadow passes it over"
    if ":" in name:
        return "a colon ends the name in /etc/subuid"
    return (
        "letters, digits, `_`, `.` and `-`, beginning with a letter or `_`, as useradd makes them"
    )


def _blocks(node: Node, report: Report) -> int:
    """How many blocks a tenant's settings ask for; nothing and {} mean one."""
    if isinstance(node, ScalarNode):
        if node.kind is Kind.NULL:
            return 1
        if node.kind is Kind.INTEGER:
            hint = f"write {{blocks: {node.text}}} if it is meant as a number of blocks"
            expected(report, "a tenant", "a mapping", node, hint)
            return 1
    mapping = read_mapping(node, "a tenant", report, "as in {blocks: 2}, or {}")
    if mapping is None:
        return 1
    fields = Fields(mapping, "a tenant", TENANT_KEYS, report, _TENANT_HINTS)
    blocks = fields.get("blocks")
    if blocks is None:
        return 1
    return read_integer(blocks, "`blocks`", report, 1, MAXIMAL_BLOCKS) or 1


def _reserved(fields: Fields, spans: tuple[Span, ...], report: Report) -> tuple[Span, ...]:
    node = fields.get("reserved")
    items = read_list(node, "`reserved`", report, "spans") if node is not None else None
    found = []
    for item in items or ():
        span = _span(item, "`reserved`", report)
        if span is None:
            continue
        if spans and not any(s.first <= span.last and span.first <= s.last for s in spans):
            message = f"`reserved`: {span.first}-{span.last} lies in no span"
            inside = listed(f"{each.first}-{each.last}" for each in spans)
            report.add(message, span.at, f"nothing outside of {inside} is given out anyway")
            continue
        found.append(span)
    return tuple(sorted(found, key=lambda span: span.first))
