"""Reading how often programs make which call, for `--frequencies`."""

from __future__ import annotations

import json
from pathlib import Path

from ..policies.errors import InputError
from ..policies.problems import did_you_mean
from ..policies.reading import read_source
from ..seccomp.optimize_presets import Frequencies
from ..seccomp.syscalls import known_names

_MILLION = 1_000_000


def read_frequencies(path: Path) -> Frequencies:
    """Calls in a million by name, from a JSON object that gives names a share or a count.

    Raises InputError when it is anything else, or names what is no call.
    """
    try:
        found = json.loads(read_source(path).text)
    except (ValueError, RecursionError) as error:
        raise InputError.of(f"{path}: this is no JSON: {error}") from error
    if not isinstance(found, dict) or not found:
        raise InputError.of(f"{path}: a JSON object is wanted", hint='such as {"read": 0.1}')
    for name, share in found.items():
        if name not in known_names():
            guess = did_you_mean(name, known_names())
            raise InputError.of(f"{path}: unknown system call `{name}`{guess}")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1e18:
            raise InputError.of(
                f"{path}: `{name}` has {json.dumps(share)}, which is no share and no count"
            )
    total = sum(found.values())
    if not total:
        raise InputError.of(f"{path}: all of it is 0")
    return {name: round(share / total * _MILLION) for name, share in found.items()}
