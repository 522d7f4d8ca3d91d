"""The registry's file: JSON, one tenant a line, so that a diff of it can be read.

    {
      "version": 1,
      "blocks": {
        "ci": "589824:131072",
        "web": "720896:65536"
      },
      "tombstones": {}
    }

A range is `first:count`, as in subuid(5). Text that is exactly what `render` makes of it is
taken at once; anything else goes through the reader that knows places, and is either the same
thing laid out in another way or refused with every fault in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from operator import attrgetter

from ..policies.errors import InputError
from ..policies.fields import Fields, expected, read_mapping, read_text
from ..policies.jsontext import parse_json
from ..policies.nodes import Kind, Node, ScalarNode
from ..policies.problems import Report, shown
from ..policies.source import Location, Source
from .ids import BLOCK, FIRST_SUBORDINATE, LAST_ID, IdRange
from .model import Registry

VERSION = 1
"""Of the format; a file of another version is refused."""

_NAME = re.compile(r"[^:\s\x00-\x1f\x7f]+")
_RANGE = re.compile(r"(0|[1-9][0-9]{0,9}):([1-9][0-9]{0,9})")
_FORM = "write it `first:count`, decimal, as in /etc/subuid"
_REMEDY = "put back the file from a backup; Stockade changes nothing while it cannot read it"


def render(registry: Registry) -> bytes:
    """The file's text: canonical, so that equal registries are equal bytes."""
    parts = [f'{{\n  "version": {VERSION},\n']
    for key, ranges in (("blocks", registry.blocks), ("tombstones", registry.tombstones)):
        lines = ",\n".join(
            f'    {json.dumps(name, ensure_ascii=True)}: "{each.first}:{each.count}"'
            for name, each in sorted(ranges.items())
        )
        end = ",\n" if key == "blocks" else "\n"
        parts.append(f'  "{key}": ' + (f"{{\n{lines}\n  }}" if lines else "{}") + end)
    parts.append("}\n")
    return "".join(parts).encode("ascii")


def read(data: bytes | None, name: str) -> Registry:
    """The registry; an empty one where there is no file (None).

    `name` is how messages call the file. Raises InputError with every fault found.
    """
    if data is None:
        return Registry()
    quick = _canonical(data)
    return quick if quick is not None else _careful(data, name)


def _canonical(data: bytes) -> Registry | None:
    """The registry when the data is exactly what `render` makes of it, and it is sound."""
    try:
        document = json.loads(data)
        registry = Registry(_quick(document["blocks"]), _quick(document["tombstones"]))
        if render(registry) != data:
            return None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    names = (*registry.blocks, *registry.tombstones)
    whole = all(map(_NAME.fullmatch, names)) and len(set(names)) == len(names)
    ranges = (*registry.blocks.values(), *registry.tombstones.values())
    sound = whole and not any(map(_fault, ranges)) and not any(_overlapping(ranges))
    return registry if sound else None


def _quick(entries: Mapping[str, str]) -> dict[str, IdRange]:
    found = {}
    for name, text in entries.items():
        first, _, count = text.partition(":")
        found[name] = IdRange(int(first), int(count))
    return found


def _careful(data: bytes, name: str) -> Registry:
    try:
        source = Source(name, data.decode("utf-8"))
    except UnicodeDecodeError:
        raise InputError.of(f"`{name}` is not UTF-8", hint=_REMEDY) from None
    report = Report()
    registry = _read_document(parse_json(source, report), report)
    if report.problems or registry is None:
        raise InputError(report.arranged())
    return registry


def _read_document(node: Node | None, report: Report) -> Registry | None:
    mapping = None if node is None else read_mapping(node, "the registry", report, _REMEDY)
    if mapping is None:
        return None
    fields = Fields(mapping, "the registry", ("version", "blocks", "tombstones"), report)
    version = fields.require("version", _REMEDY)
    if version is not None and not (
        isinstance(version, ScalarNode)
        and version.kind is Kind.INTEGER
        and version.text == str(VERSION)
    ):
        hint = "a newer Stockade wrote it; use that one"
        expected(report, "`version`", f"the number {VERSION}", version, hint)
    places: dict[str, Location] = {}
    both = [_read_ranges(fields, key, places, report) for key in ("blocks", "tombstones")]
    at = {id(each): places[name] for part in both for name, each in part.items()}
    for one, other in _overlapping([each for part in both for each in part.values()]):
        report.add(
            f"{one} and {other} overlap", at[id(other)], _REMEDY, (("the other", at[id(one)]),)
        )
    return Registry(*both)


def _read_ranges(
    fields: Fields, key: str, places: dict[str, Location], report: Report
) -> dict[str, IdRange]:
    node = fields.require(key, _REMEDY)
    mapping = None if node is None else read_mapping(node, f"`{key}`", report)
    found: dict[str, IdRange] = {}
    for entry in mapping.entries if mapping is not None else ():
        name, at = entry.key.text, entry.key.at
        if not _NAME.fullmatch(name):
            report.add(f"{shown(name)} is no tenant's name", at, "no `:` and no white space")
        elif name in places:
            related = (("and here", places[name]),)
            report.add(f"`{name}` has a block and a tombstone", at, _REMEDY, related)
        else:
            places[name] = at
            value = _read_range(entry.value, f"the range of `{name}`", report)
            if value is not None:
                found[name] = value
    return found


def _read_range(node: Node, what: str, report: Report) -> IdRange | None:
    text = read_text(node, what, report, "a text", _FORM)
    if text is None:
        return None
    match = _RANGE.fullmatch(text.text)
    if match is None:
        expected(report, what, "`first:count`", node, _FORM)
        return None
    found = IdRange(int(match[1]), int(match[2]))
    fault = _fault(found)
    if fault:
        report.add(f"{what}: {fault}", node.at, _REMEDY)
        return None
    return found


def _fault(each: IdRange) -> str:
    """What is wrong with a range of the registry; empty when nothing is."""
    if each.first % BLOCK or each.count % BLOCK or each.count < BLOCK:
        return f"{each} is not made of whole blocks of {BLOCK} ids"
    if each.first < FIRST_SUBORDINATE:
        return f"{each} reaches the host's own users"
    if each.last > LAST_ID:
        return f"{each} goes beyond {LAST_ID}, the last id"
    return ""


def _overlapping(ranges: Iterable[IdRange]) -> Iterable[tuple[IdRange, IdRange]]:
    """Neighbours, in order of their ids, that share some."""
    ordered = sorted(ranges, key=attrgetter("first"))
    return ((one, other) for one, other in pairwise(ordered) if other.first <= one.last)
