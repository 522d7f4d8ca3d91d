"""What a FILE argument is: a policy, a Docker or OCI profile, or a BPF program."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from ..policies.errors import InputError
from ..policies.jsontext import parse_json
from ..policies.nodes import MappingNode
from ..policies.problems import Report
from ..policies.reading import read_source
from ..policies.source import Source
from .programs import is_process


class InputKind(Enum):
    """What can be explained and linted."""

    POLICY = "policy"
    PROFILE = "profile"
    PROGRAM = "program"


def kind_of(reference: str) -> InputKind:
    """The kind, by the file's ending; JSON is a policy when it has the key `stockade`."""
    if reference.endswith((".bpf", ".bin")) or is_process(reference):
        return InputKind.PROGRAM
    if reference.endswith(".json"):
        root = parse_json(read_source(Path(reference)), Report())
        is_policy = isinstance(root, MappingNode) and any(
            entry.key.text == "stockade" for entry in root.entries
        )
        return InputKind.POLICY if is_policy else InputKind.PROFILE
    if reference.endswith((".yaml", ".yml")) or "/" not in reference:
        return InputKind.POLICY
    raise InputError.of(
        f"cannot tell what `{reference}` is",
        hint="name it .yaml (a policy), .json (a Docker profile) or .bpf (a program)",
    )


def profile_source(reference: str) -> Source:
    """The text of a JSON profile."""
    return read_source(Path(reference))
