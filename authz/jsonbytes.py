"""JSON as bytes, by orjson where it writes what Python's own encoder would.

orjson is several times quicker, and differs: a number that is not finite becomes null (no
decoder here lets one in), integers beyond 64 bits and half characters are errors, other than
ASCII letters stand as they are. What it refuses, and what is not ASCII then, Python writes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import orjson

from .model import Json


def dumps(document: Json) -> bytes:
    """The document without white space, in ASCII.

    Raises TypeError, ValueError, RecursionError for what is no JSON.
    """
    try:
        text = orjson.dumps(document, _plain)
    except TypeError:  # of which orjson's own error is one
        return _encoder.encode(document).encode()
    return text if text.isascii() else _encoder.encode(document).encode()


def finite(text: str) -> float:
    """For `parse_float` of decoders: `1e999`, which Go refuses, is no number.

    Raises ValueError.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is beyond every number")
    return number


def _plain(value: object) -> Json:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


_encoder = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=_plain
)
