"""Reading how often programs make which call, for `--frequencies`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..policies.errors import InputError
from ..policies.problems import did_you_mean
from ..policies.reading import read_source
from ..seccomp.optimize_presets import Frequencies
from ..seccomp.syscalls import known_names

_MILLION = 1_000_000
_TOO_MANY = 1e18


def read_frequencies(path: Path) -> Frequencies:
    """Calls in a million by name, from a share or a count of each.

    A file is a JSON object, or has a line for each call as `seccomp/frequencies.tsv` does: its
    name and the number. Raises InputError when it is anything else, or names what is no call.
    """
    text = read_source(path).text
    found = _of_json(path, text) if text.lstrip()[:1] in ("{", "[") else _of_lines(path, text)
    for name, share in found.items():
        if name not in known_names():
            guess = did_you_mean(name, known_names())
            raise InputError.of(f"{path}: unknown system call `{name}`{guess}")
        if (
            isinstance(share, bool)
            or not isinstance(share, int | float)
            or not 0 <= share < _TOO_MANY
        ):
            raise InputError.of(
                f"{path}: `{name}` has {json.dumps(share)}, which is no share and no count"
            )
    total = sum(found.values())
    if not total:
        raise InputError.of(f"{path}: all of it is 0")
    return {name: round(share / total * _MILLION) for name, share in found.items()}


def _of_json(path: Path, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError.of(f"{path}: this is no JSON: {error}") from error
    if not isinstance(found, dict) or not found:
        raise InputError.of(f"{path}: a JSON object is wanted", hint='such as {"read": 0.1}')
    return found


def _of_lines(path: Path, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, *rest = line.split()
        try:
            (share,) = map(float, rest)
        except ValueError:
            share = -1
        if not 0 <= share < _TOO_MANY or name in found:
            raise InputError.of(
                f"{path}:{number}: a call's name and how often it is made are wanted, once",
                hint='such as `read 94775`, or all of it as JSON: {"read": 0.1}',
            )
        found[name] = share
    if not found:
        raise InputError.of(f"{path}: it names no call", hint="a line is such as `read 94775`")
    return found
