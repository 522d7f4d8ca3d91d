"""`stockade import`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from ..meanings import policy_side
from ..policies import load_text
from ..policies.errors import InputError, TooComplexError
from ..policies.source import printable
from ..proofs import Proof
from ..seccomp.check import check
from ..seccomp.lift import lift
from ..seccomp.prove import difference, store
from .files import write_all
from .inputs import InputKind, form_of, kind_of
from .options import environment_options, read_request
from .prove import proof_in_words
from .sides import read_sides

_EPILOG = """\b
Examples:
  stockade import profile.json > web.yaml
  stockade import profile.json --cap docker --name web -o web.yaml
  stockade import dumped.bpf -o web.yaml
  stockade import --pid 4711 --name web  (what a process has loaded)

\b
Exit status: 0 written; 1 the language cannot say it exactly, nothing is
written; 2 bad input.
"""


@click.command("import", epilog=_EPILOG)
@click.argument("file", required=False)
@click.option("--pid", type=click.IntRange(1), metavar="N", help="The same as pid:N for FILE.")
@click.option("-o", "output", default="-", metavar="FILE", help="Where it goes. Default: stdout.")
@click.option("--name", metavar="NAME", help="The policy's name. Default: the file's.")
@environment_options
def command(
    file: str | None,
    pid: int | None,
    output: str,
    name: str | None,
    architectures: tuple[str, ...],
    capabilities: tuple[str, ...],
    kernel: str | None,
) -> int:
    """Write what FILE does as a policy: groups, calls by name, conditions by argument.

    FILE is a Docker or OCI profile (.json), a BPF program (.bpf) or pid:N. A profile is taken as an
    engine reads it on this machine (or on that of --arch), with the capabilities of --cap: its
    includes and excludes are settled. Nothing is written unless the policy is proven to equal
    FILE for every call.
    """
    if (file is None) is (pid is None):
        raise InputError.of("a FILE or --pid is wanted, one of them")
    file = file if file is not None else f"pid:{pid}"
    if form_of(file) is None and kind_of(file) is InputKind.POLICY:
        raise InputError.of(f"`{printable(file)}` is a policy already")
    request = read_request(architectures, capabilities, kernel)
    diagrams = store()
    try:
        (original,) = read_sides([file], request, diagrams)
        text = lift(diagrams, original.meaning, name or _name_of(file))
        loaded = load_text(text)
        policy = loaded.policy
        problems = [*loaded.problems, *(check(policy, request.build) if policy else ())]
        if policy is None or problems:
            click.echo(f"the language cannot say this: {problems[0].message}", err=True)
            return 1
        made = policy_side("the policy", policy, request.build, request.environment, diagrams)
        call = difference(diagrams, original.meaning, made.meaning)
    except TooComplexError:
        click.echo(f"{printable(file)} is too complex to import", err=True)
        return 1
    if call is not None:
        claim = f"a policy can equal {printable(file)}"
        proof = Proof(claim, diagrams, (original, made), call)
        click.echo(proof_in_words(proof), err=True)
        return 1
    if output == "-":
        sys.stdout.write(text)
    else:
        write_all({Path(output): text.encode()})
        click.echo(f"wrote {printable(output)}, proven to equal {printable(file)}", err=True)
    return 0


def _name_of(file: str) -> str:
    """A policy's name made of a file's."""
    stem = re.sub(r"[^a-z0-9]+", "-", Path(file).name.split(".")[0].lower()).strip("-")
    return stem if stem[:1].isalpha() else "imported"
