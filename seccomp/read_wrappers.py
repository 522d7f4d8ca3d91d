"""The programs in crun's annotation, in bubblewrap's script and in the C header, taken out again.

A script and a header are read only when they are, to the last character, what Stockade writes
around their program: nothing here understands shell or C.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass

from ..policies.errors import InputError
from ..policies.source import Source
from . import bpf
from .syscalls import ABIS, Abi
from .wrappers import CRUN_PROGRAM, bwrap_text, c_text

_NAME = r"[A-Za-z0-9_.-]+"
_BWRAP = re.compile(
    rf"#!/bin/sh\n# bubblewrap with the policy ({_NAME}), compiled by Stockade for (\w+):\n"
    rf".*?^program='\n([\w+/=\n]+)\n'$",
    re.MULTILINE | re.DOTALL,
)
_C = re.compile(rf"^ \* The policy ({_NAME}) for ([\w, ]+), compiled by Stockade\.", re.MULTILINE)
_C_ROW = re.compile(r"^    \{ 0x([0-9a-f]{2}), (\d{1,3}), (\d{1,3}), 0x([0-9a-f]{8}) \},$", re.M)


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A program that was found in another file."""

    program: bpf.Program
    big_endian: bool
    """How the machine that it is for orders the halves of a register."""


def is_crun_text(text: str) -> bool:
    """Whether a JSON text has crun's annotation."""
    return f'"{CRUN_PROGRAM}"' in text


def read_crun(source: Source, *, big_endian: bool) -> Wrapped:
    """The program in the annotations of a config.json, or of a piece of one.

    Raises InputError when there is none, or two readers could find different ones.
    """
    try:
        document = json.loads(source.text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise InputError.of(f"{source.name}: no JSON object without doubles: {error}") from error
    annotations = document.get("annotations") if isinstance(document, dict) else None
    data = annotations.get(CRUN_PROGRAM) if isinstance(annotations, dict) else None
    if not isinstance(data, str):
        raise InputError.of(f"{source.name}: no annotation `{CRUN_PROGRAM}`")
    return Wrapped(_decoded(source, data, big_endian), big_endian)


def read_bwrap(source: Source) -> Wrapped:
    """The program in a script of the bwrap target; raises InputError for any other script."""
    found = _BWRAP.match(source.text)
    native = ABIS.get(found[2]) if found else None
    if found is None or native is None:
        raise _not_ours(source, "bwrap")
    program = _decoded(source, found[3].replace("\n", ""), native.big_endian)
    if bwrap_text(found[1], program, native) != source.text:
        raise _not_ours(source, "bwrap")
    return Wrapped(program, native.big_endian)


def read_c(source: Source) -> Wrapped:
    """The program in a header of the c target; raises InputError for any other header."""
    found = _C.search(source.text)
    abis = _abis(found[2]) if found else ()
    if found is None or not abis:
        raise _not_ours(source, "c")
    rows = [(int(a, 16), int(b), int(c), int(d, 16)) for a, b, c, d in _C_ROW.findall(source.text)]
    if any(max(jt, jf) > 255 for _, jt, jf, _ in rows):
        raise _not_ours(source, "c")
    big_endian = abis[0].big_endian
    raw = bpf.encode([bpf.Instruction(*row) for row in rows], big_endian=big_endian)
    program = bpf.decode(raw, source.name, big_endian=big_endian)
    if c_text(found[1], program, abis) != source.text:
        raise _not_ours(source, "c")
    return Wrapped(program, big_endian)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands there twice")
    return made


def _decoded(source: Source, data: str, big_endian: bool) -> bpf.Program:
    try:
        raw = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise InputError.of(f"{source.name}: the program is not base64: {error}") from error
    return bpf.decode(raw, source.name, big_endian=big_endian)


def _abis(listed: str) -> tuple[Abi, ...]:
    names = listed.split(", ")
    return tuple(ABIS[name] for name in names) if all(name in ABIS for name in names) else ()


def _not_ours(source: Source, target: str) -> InputError:
    return InputError.of(
        f"{source.name} is not as the {target} target writes it, so nothing here can read it",
        hint=f"compile the policy again with `--target {target}`, or name a .bpf file",
    )
