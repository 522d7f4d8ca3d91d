"""`stockade prove`."""

from __future__ import annotations

import json

import click

from ..meanings import Side, in_words
from ..policies.errors import InputError
from ..policies.source import printable
from ..proofs import DIAGRAMS, Z3, Proof, prove, prove_programs
from ..seccomp import actions
from ..seccomp.diagram import Diagrams
from .inputs import InputKind, form_of, kind_of
from .options import environment_options, read_request
from .sides import read_sides, seccomp_policy

_EPILOG = """\b
Examples:
  stockade prove web.yaml
  stockade prove web.bpf --against web.yaml
  stockade prove old.json --against docker-default --cap docker
  stockade prove mine.yaml --against docker-default --no-wider
  stockade prove web.oci.json --against web.yaml --libseccomp
  stockade prove web.systemd.conf --against web.yaml
  stockade prove web.bpf --against web.yaml --engine z3
  stockade prove pid:4711 --against web.yaml     (what a process has loaded)

\b
Exit status: 0 proven, 1 not so, or not proven; 2 bad input.
"""


@click.command("prove", epilog=_EPILOG)
@click.argument("file")
@click.option("--against", metavar="FILE", help="What FILE has to equal.")
@click.option(
    "--no-wider", is_flag=True, help="FILE need not be equal, but may allow nothing more."
)
@click.option(
    "--libseccomp", is_flag=True,
    help="A profile is what this machine's libseccomp makes of it, as runc uses it.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice([DIAGRAMS, Z3]), default=DIAGRAMS, show_default=True,
    help="What proves it. z3, a second way, is the extra `prove`; it is also asked when it is "
    "there and diagrams give up.",
)  # fmt: skip
@environment_options
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(
    file: str,
    against: str | None,
    no_wider: bool,
    libseccomp: bool,
    engine: str,
    architectures: tuple[str, ...],
    capabilities: tuple[str, ...],
    kernel: str | None,
    form: str,
) -> int:
    """Prove that FILE answers every call as another file does, or show one it does not.

    Each is a policy (YAML, or a library name), a Docker or OCI profile (.json), any BPF program
    (.bpf), whoever made it, or what a running process has loaded (pid:N); or what the targets
    crun, bwrap, c, kubernetes-spo, systemd and minijail write. The proof is over all
    architectures, numbers and 64-bit arguments. Without --against, FILE is a policy, and its own
    programs are proven to mean what it says. A counterexample is a call, asked of both sides by
    evaluators that know nothing of the proof. What is too complex to decide counts as not proven.
    """
    request = read_request(architectures, capabilities, kernel)
    if against is None:
        if no_wider:
            raise InputError.of("--no-wider needs --against", hint="name what FILE may allow")
        if form_of(file) or kind_of(file) is not InputKind.POLICY:
            raise InputError.of(
                f"`{printable(file)}` has to be compared with something",
                hint="name it with --against: a policy, a profile or a program",
            )
        proofs = prove_programs(seccomp_policy(file, request), request, engine=engine)
    else:
        verb = "allows no more than" if no_wider else "equals"
        by = " by libseccomp" if libseccomp else ""
        claim = f"{printable(file)}{by} {verb} {printable(against)}"
        files = [file, against]

        def sides(store: Diagrams) -> list[Side]:
            return read_sides(files, request, store, libseccomp=libseccomp)

        proofs = [prove(claim, sides, no_wider=no_wider, engine=engine)]
    if form == "json":
        click.echo(json.dumps([_document(each) for each in proofs], indent=2))
    else:
        for each in proofs:
            click.echo(proof_in_words(each))
    return 0 if all(each.holds for each in proofs) else 1


def proof_in_words(proof: Proof) -> str:
    """One line, and for what is refuted the call and both answers."""
    if proof.undecided:
        return f"not proven: {proof.claim}: {proof.undecided}"
    if proof.counterexample is None:
        return f"proven{' by z3' if proof.by == Z3 else ''}: {proof.claim}"
    lines = [f"not so: {proof.claim}, for instance", f"  {in_words(proof.counterexample)}"]
    for side in proof.sides:
        answer = side.answer(proof.counterexample)
        lines += [f"    {actions.describe(answer.value)}, says {side.name}"]
        lines += [f"      {answer.because}"]
    return "\n".join(lines)


def _document(proof: Proof) -> dict[str, object]:
    call = proof.counterexample
    document: dict[str, object] = {
        "claim": proof.claim,
        "engine": proof.by,
        "result": "proven" if proof.holds else "undecided" if proof.undecided else "refuted",
    }
    if call is not None:
        document["counterexample"] = {
            "call": in_words(call),
            "arch": call.arch,
            "number": call.nr,
            "arguments": list(call.arguments),
            "instruction_pointer": call.instruction_pointer,
            "answers": {
                side.name: actions.describe(side.answer(call).value) for side in proof.sides
            },
        }
    return document
