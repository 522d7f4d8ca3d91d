"""`stockade diff`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import click

from ..policies.errors import TooComplexError
from ..policies.source import printable
from ..seccomp import actions
from ..seccomp.prove import store
from ..seccomp.prove_regions import Change, changes
from .options import environment_options, read_request
from .sides import read_sides

_EPILOG = """\b
Examples:
  stockade diff old.yaml new.yaml
  stockade diff docker-default web.yaml --arch x86_64
  stockade diff profile.json web.bpf --cap docker
  stockade diff deployed.json web.yaml --fail-on widen
  stockade diff pid:4711 web.yaml      (what a process has loaded)

\b
Exit status: 0 the same; 1 different or not to be decided; with --fail-on
widen different only when NEW lets some call run further than OLD does; 2 bad
input.
"""

_KINDS = {
    "widened": "let run further",
    "narrowed": "held back",
    "changed": "answered otherwise, without running further",
}
_WIDTH = 79


@dataclass(frozen=True, slots=True)
class _Group:
    """Calls that changed in the same way on the same architectures."""

    before: int
    after: int
    conditions: tuple[str, ...]
    architectures: tuple[str, ...]
    names: tuple[str, ...]


@click.command("diff", epilog=_EPILOG)
@click.argument("old")
@click.argument("new")
@click.option(
    "--fail-on", type=click.Choice(["any", "widen"]), default="any", show_default=True,
    help="What makes the exit status 1.",
)  # fmt: skip
@environment_options
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(
    old: str,
    new: str,
    fail_on: str,
    architectures: tuple[str, ...],
    capabilities: tuple[str, ...],
    kernel: str | None,
    form: str,
) -> int:
    """Say which calls, with which arguments, NEW answers differently from OLD.

    Each is a policy (YAML, or a library name), a Docker or OCI profile (.json), a BPF program
    (.bpf) or pid:N. The list is complete: what is not in it is proven to be the same, for every
    architecture, number and 64-bit argument.
    """
    request = read_request(architectures, capabilities, kernel)
    diagrams = store()
    try:
        before, after = read_sides([old, new], request, diagrams)
        found = list(changes(diagrams, before.meaning, after.meaning))
    except TooComplexError:
        click.echo(f"{printable(old)} and {printable(new)} are too complex to compare", err=True)
        return 1
    if form == "json":
        click.echo(json.dumps([_document(each) for each in found], indent=2))
    else:
        _print(printable(old), printable(new), found)
    failing = [each for each in found if fail_on == "any" or each.kind == "widened"]
    return 1 if failing else 0


def _print(old: str, new: str, found: Sequence[Change]) -> None:
    if not found:
        click.echo(f"{old} and {new} mean the same (proven)")
        return
    click.echo(f"from {old} to {new}")
    for kind, words in _KINDS.items():
        groups = _grouped(each for each in found if each.kind == kind)
        if not groups:
            continue
        click.echo(f"\n{kind}: {words}")
        for group in groups:
            change = f"{actions.describe(group.before)} -> {actions.describe(group.after)}"
            click.echo(f"  {change}   [{_listed(group.architectures)}]")
            click.echo(
                textwrap.fill(
                    ", ".join(group.names), _WIDTH, initial_indent="    ",
                    subsequent_indent="    ", break_long_words=False, break_on_hyphens=False,
                )
            )  # fmt: skip
            for number, condition in enumerate(group.conditions):
                lead = "      when " if number == 0 else "        or "
                click.echo(
                    textwrap.fill(
                        condition, _WIDTH, initial_indent=lead, subsequent_indent=" " * 13,
                        break_long_words=False,
                    )
                )  # fmt: skip


def _grouped(found: Iterable[Change]) -> list[_Group]:
    """The changes, with calls and then architectures put together where all else is equal."""
    by_abi: dict[tuple[object, ...], dict[str, None]] = {}
    for each in found:
        key = each.before, each.after, each.conditions, _architecture(each)
        by_abi.setdefault(key, {}).update(dict.fromkeys(each.names))
    whole: dict[tuple[object, ...], list[str]] = {}
    for (before, after, conditions, name), names in by_abi.items():
        whole.setdefault((before, after, conditions, tuple(names)), []).append(str(name))
    return [
        _Group(before, after, conditions, tuple(abis), names)  # type: ignore[arg-type]
        for (before, after, conditions, names), abis in whole.items()
    ]


def _architecture(change: Change) -> str:
    return change.abi.name if change.abi is not None else "any other architecture"


def _listed(names: Sequence[str]) -> str:
    return (
        ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"
    )


def _document(change: Change) -> dict[str, object]:
    return {
        "kind": change.kind,
        "architecture": change.abi.name if change.abi is not None else None,
        "calls": list(change.names),
        "numbers": [change.first, change.last],
        "before": actions.describe(change.before),
        "after": actions.describe(change.after),
        "when": list(change.conditions),
    }
