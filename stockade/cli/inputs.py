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
from ..seccomp.read_operator import is_operator_text
from ..seccomp.read_wrappers import is_crun_text
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


class Form(Enum):
    """What else can be proven and compared: files that wrap a program, or say it in other words."""

    CRUN = "crun"
    BWRAP = "bwrap"
    C = "c"
    OPERATOR = "kubernetes-spo"
    SYSTEMD = "systemd"
    MINIJAIL = "minijail"


_FORMS = {
    ".sh": Form.BWRAP, ".h": Form.C, ".conf": Form.SYSTEMD, ".policy": Form.MINIJAIL,
}  # fmt: skip


def form_of(reference: str) -> Form | None:
    """The form, by the file's ending, and of JSON and YAML by what is in it; None: another kind."""
    if is_process(reference):
        return None
    suffix = Path(reference).suffix
    if suffix in _FORMS:
        return _FORMS[suffix]
    if suffix == ".json" and is_crun_text(profile_source(reference).text):
        return Form.CRUN
    if suffix in (".yaml", ".yml") and is_operator_text(profile_source(reference).text):
        return Form.OPERATOR
    return None


def profile_source(reference: str) -> Source:
    """The text of a JSON profile, or of another form."""
    return read_source(Path(reference))
