"""The values of docker's options: sizes, times, numbers, lists, as docker's client reads them.

Each raises InputError that names the option. Sources: docker/cli opts/, docker/go-units.
"""

from __future__ import annotations

import csv
import ipaddress
import re
from collections.abc import Iterable
from fractions import Fraction

from ...policies.errors import InputError

_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}
_SIZE = re.compile(r"(\d+(?:\.\d+)?|\.\d+) ?([kKmMgGtTpP])?[iI]?[bB]?")
_STEP = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_TIME = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9,
    "m": 60 * 10**9, "h": 3600 * 10**9,
}  # fmt: skip
ULIMITS = frozenset(
    "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime "
    "sigpending stack".split()
)


def wrong(option: str, value: str, why: str) -> InputError:
    """The error for a value that docker's client would refuse."""
    return InputError.of(f"`{option}`: `{value}` {why}")


def boolean(text: str, option: str) -> bool:
    """Go's strconv.ParseBool."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise wrong(option, text, "is no truth value")


def integer(text: str, option: str, least: int | None = None, most: int | None = None) -> int:
    """A decimal, hexadecimal or octal number, as pflag reads it."""
    try:
        sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
        octal = re.fullmatch(r"0[0-7]+", digits)
        number = sign * (int(digits, 8) if octal else int(digits, 0))
    except ValueError:
        raise wrong(option, text, "is no number") from None
    if (least is not None and number < least) or (most is not None and number > most):
        raise wrong(option, text, f"is not within {least} and {most}")
    if not -(2**63) <= number < 2**64:
        raise wrong(option, text, "is too large a number")
    return number


def size(text: str, option: str) -> int:
    """Bytes: `64m`, `1.5g`, `1024`; units of 1024 (go-units RAMInBytes)."""
    found = _SIZE.fullmatch(text.strip(" "))
    if found is None:
        raise wrong(option, text, "is no size; write it like 512m or 2g")
    return int(Fraction(found[1]) * 1024 ** _STEP[(found[2] or "").lower()])


def swap(text: str, option: str) -> int:
    """A size, or -1 for no limit."""
    return -1 if text == "-1" else size(text, option)


def duration(text: str, option: str) -> int:
    """Nanoseconds: `1m30s` (Go's time.ParseDuration)."""
    rest = text.lstrip("+-")
    parts = list(_TIME.finditer(rest))
    if rest == "0":
        return 0
    if not parts or "".join(part.group() for part in parts) != rest:
        raise wrong(option, text, "is no time; write it like 30s or 1m30s")
    total = int(sum(Fraction(part[1]) * _NANOSECONDS[part[2]] for part in parts))
    if text.startswith("-"):
        raise wrong(option, text, "cannot be negative")
    return total


def cpus(text: str, option: str) -> int:
    """Billionths of a CPU."""
    try:
        nano = Fraction(text) * 10**9
    except (ValueError, ZeroDivisionError):
        raise wrong(option, text, "is no number of CPUs") from None
    if nano.denominator != 1:
        raise wrong(option, text, "is too precise")
    return int(nano)


def fields(text: str, option: str) -> list[str]:
    """One line of comma-separated values, quotes as in CSV."""
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        raise wrong(option, text, "has a misplaced quote") from None
    if len(rows) != 1 or ('"' in text and any('"' in part for part in _bare(text))):
        raise wrong(option, text, "has a misplaced quote")
    return rows[0]


def _bare(text: str) -> list[str]:
    """The stretches of a CSV line that are not quoted fields."""
    return [part for part in re.sub(r'(^|,)"(?:[^"]|"")*"(?=,|$)', r"\1", text).split(",") if part]


def pairs(values: Iterable[str]) -> dict[str, str]:
    """`key=value` to a mapping; without `=` the value is empty, the last of a key counts."""
    found: dict[str, str] = {}
    for value in values:
        key, _, rest = value.partition("=")
        found[key] = rest
    return found


def address(text: str, option: str) -> str:
    """An IPv4 or IPv6 address."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise wrong(option, text, "is no IP address") from None


def hardware(text: str, option: str) -> str:
    """A MAC address, as Go writes it."""
    digits = re.sub(r"[:.-]", "", text.strip())
    shapes = r"([0-9a-fA-F]{2}[:-]){5,19}[0-9a-fA-F]{2}|([0-9a-fA-F]{4}\.){2,9}[0-9a-fA-F]{4}"
    if not re.fullmatch(shapes, text.strip()) or len(digits) not in (12, 16, 40):
        raise wrong(option, text, "is no MAC address")
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)).lower()


def labels(values: Iterable[str], option: str = "--label") -> list[str]:
    """Labels whose names docker's client accepts."""
    found = list(values)
    for value in found:
        key = value.partition("=")[0].lstrip(" \t")
        if not key or " " in key or "\t" in key:
            raise wrong(option, value, "has no name, or blanks in it")
    return found


def ulimit(text: str, option: str) -> dict[str, object]:
    """`nofile=1024:2048`."""
    name, equals, rest = text.partition("=")
    parts = rest.split(":")
    if not equals or name not in ULIMITS or len(parts) > 2:
        raise wrong(option, text, "is no limit; write it like nofile=1024:2048")
    soft = integer(parts[0], option)
    hard = integer(parts[1], option) if len(parts) == 2 else soft
    if (soft == -1 and hard != -1) or (hard != -1 and soft > hard):
        raise wrong(option, text, "has a soft limit above the hard one")
    return {"Name": name, "Hard": hard, "Soft": soft}
