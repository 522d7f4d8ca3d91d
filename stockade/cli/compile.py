"""`stockade compile`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import fill

import click

from ..policies.errors import InputError
from ..policies.model import Policy
from ..policies.problems import arrange, did_you_mean
from ..policies.source import Problem
from ..seccomp.hosts import ENGINES
from ..seccomp.optimize_presets import DEFAULT, preset_called
from ..seccomp.targets import TARGETS, Request, compile_targets
from .files import write_all
from .frequencies import read_frequencies
from .maps import TARGETS as MAP_TARGETS
from .maps import MapRequest, compiled_maps, map_options, targets_of
from .options import environment_options, read_policy, read_request

OPA = "opa"
"""The target of the `authz` section."""
OPA_SUFFIX = ".opa.tar.gz"
ALL_TARGETS = (*TARGETS, *MAP_TARGETS, OPA)

_EPILOG = """\b
Examples:
  stockade compile web.yaml       (web.docker.json, web.oci.json, web.bpf)
  stockade compile docker-default -o - --target docker > profile.json
  stockade compile web.yaml --target oci --cap docker --kernel 6.1
  stockade compile web.yaml --target bpf --arch aarch64 --arch arm -o out
  stockade compile web.yaml --target bpf --optimize size --check
  stockade compile web.yaml --target podman --target kubernetes-spo --target c
  stockade compile ci.yaml --target opa       (ci.opa.tar.gz)
  stockade compile hosts.yaml --tenant web    (hosts.daemon.json, ...)

\b
Then: docker run --security-opt seccomp=web.docker.json IMAGE
"""


@click.command("compile", epilog=_EPILOG)
@click.argument("policies", nargs=-1, required=True, metavar="POLICY...")
@click.option(
    "-o", "output", default=".", metavar="DIR|-",
    help="Where the files go; `-`: one target to stdout. Default: here.",
)  # fmt: skip
@click.option(
    "--target", "targets", multiple=True, metavar="T",
    help=f"{', '.join(ALL_TARGETS)}; repeatable. Default: those of the policy's sections.",
)  # fmt: skip
@click.option(
    "--engine", default="29", type=click.Choice(list(ENGINES)), show_default=True,
    help="The oldest Docker that reads the profile: decides which fields are used.",
)  # fmt: skip
@click.option(
    "--listener", "listener_path", default="", metavar="SOCKET",
    help="The agent's socket, for policies that notify.",
)  # fmt: skip
@click.option(
    "--optimize", default=DEFAULT, show_default=True, metavar="P",
    help="BPF for: cached (Linux 5.11 and newer), legacy (older), size (fewest instructions).",
)  # fmt: skip
@click.option(
    "--frequencies", metavar="FILE",
    help="How often calls are made: lines `read 94775`, or JSON. Default: what is usual.",
)  # fmt: skip
@click.option(
    "--check", "proving", is_flag=True,
    help="Prove of every filter that it means the policy, before any is written.",
)  # fmt: skip
@map_options
@environment_options
def command(
    policies: tuple[str, ...],
    output: str,
    targets: tuple[str, ...],
    engine: str,
    listener_path: str,
    optimize: str,
    frequencies: str | None,
    proving: bool,
    architectures: tuple[str, ...],
    capabilities: tuple[str, ...],
    kernel: str | None,
    tenant: str,
    root: str,
    merge: str | None,
) -> int:
    """Write what enforces a POLICY: Docker JSON, OCI JSON, BPF, id maps, an OPA bundle.

    POLICY is a path or the name of a library policy. Docker JSON is for all architectures of
    the policy and keeps its conditions on capabilities and kernel; OCI JSON and BPF are for
    one kind of machine (this one, or --arch) and settle them by --cap and --kernel. The OPA
    bundle has the `authz` section as data, and the Rego that decides by it. Maps have the ids
    that the registry gives to the tenants of the `userns` section. docs/targets.md and
    docs/userns-targets.md say what each target can say; it is exact or refused.
    """
    for name in targets:
        if name not in ALL_TARGETS:
            raise InputError.of(
                f"unknown target `{name}`{did_you_mean(name, ALL_TARGETS)}",
                hint=f"there are {', '.join(ALL_TARGETS)}",
            )
    maps = MapRequest(tenant, root, merge)
    request = replace(
        read_request(architectures, capabilities, kernel, engine, listener_path),
        optimize=preset_called(optimize).name,
        frequencies=read_frequencies(Path(frequencies)) if frequencies else None,
    )
    if output == "-":
        return _to_stdout(policies, targets, request, capabilities, maps, proving)
    files: dict[Path, bytes] = {}
    sources: dict[Path, str] = {}
    for reference in policies:
        policy = read_policy(reference, request.build)
        made = _compiled(policy, targets, request, capabilities, maps)
        if proving and not _proven(policy, made, request):
            return 1
        for suffix, content in made:
            path = Path(output) / f"{policy.name}{suffix}"
            if path in files:
                raise InputError.of(
                    f"both {sources[path]} and {reference} are named {policy.name}",
                    policy.at,
                    "give them different names",
                )
            files[path], sources[path] = content, reference
    write_all(files)
    for path in files:
        click.echo(f"wrote {path}", err=True)
    return 0


def _targets_of(policy: Policy, wanted: Iterable[str], maps: MapRequest) -> tuple[str, ...]:
    """The targets asked for, or else those of the sections that the policy has."""
    chosen = tuple(dict.fromkeys(wanted))
    if chosen:
        return chosen
    usual = tuple(name for name, target in TARGETS.items() if target.by_default)
    seccomp = usual if policy.seccomp is not None else ()
    authz = (OPA,) if policy.authz is not None else ()
    return (*seccomp, *targets_of(policy, maps), *authz) or usual


def _compiled(
    policy: Policy,
    wanted: Iterable[str],
    request: Request,
    capabilities: object,
    maps: MapRequest,
) -> list[tuple[str, bytes]]:
    """The suffix and content of every file, complete or not at all; raises InputError."""
    names = _targets_of(policy, wanted, maps)
    filters = [name for name in names if name in TARGETS]
    made: list[tuple[str, bytes]] = []
    notes: list[tuple[str, str]] = []
    problems: list[Problem] = []
    if filters:
        try:
            for target, content in compile_targets(policy, filters, request):
                made.append((target.suffix, content))
                notes.append((target.name, target.note(policy, request, content)))
        except InputError as error:
            problems += error.problems
    mapped = [name for name in names if name in MAP_TARGETS]
    if mapped:
        try:
            made += compiled_maps(policy, mapped, maps)
        except InputError as error:
            problems += error.problems
    if OPA in names:
        try:
            made.append((OPA_SUFFIX, _bundle(policy)))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(arrange(problems))
    _tell_what_was_settled(policy, filters, capabilities)
    for name, text in notes:
        if text:
            click.echo(fill(f"note: {name}: {text}", 79, subsequent_indent="      "), err=True)
    return made


def _proven(policy: Policy, made: Iterable[tuple[str, bytes]], request: Request) -> bool:
    """Whether every file of a filter is proven to mean the policy; says of each what became."""
    from ..proofs import prove_target
    from .prove import proof_in_words

    by_suffix = {target.suffix: target.name for target in TARGETS.values()}
    proven = True
    for suffix, content in made:
        file = f"{policy.name}{suffix}"
        if suffix not in by_suffix:
            click.echo(f"not a filter, so not looked at: {file}", err=True)
            continue
        proofs = prove_target(by_suffix[suffix], content, policy, request)
        failed = [proof for proof in proofs if not proof.holds]
        for proof in failed:
            click.echo(proof_in_words(proof), err=True)
        if not failed:
            but = next((proof.but for proof in proofs if proof.but), "")
            words = f"proven: {file} equals {policy.name}" + (f", but: {but}" if but else "")
            click.echo(fill(words, 79, subsequent_indent="  ") if but else words, err=True)
        proven = proven and not failed
    if not proven:
        click.echo("nothing was written", err=True)
    return proven


def _bundle(policy: Policy) -> bytes:
    from ..authz.compile import compile_bundle

    if policy.authz is None:
        raise InputError.of(f"policy {policy.name} has no `authz` section", policy.at)
    return compile_bundle(policy.authz, policy.name)


def _tell_what_was_settled(policy: Policy, targets: Iterable[str], capabilities: object) -> None:
    """Say that rules were left out of targets that cannot keep `needs:`, unless --cap was given."""
    rules = policy.seccomp.rules if policy.seccomp is not None else ()
    needed = sorted({name.text for rule in rules for name in rule.needs})
    settled = [name for name in targets if TARGETS[name].settles]
    if needed and settled and not capabilities:
        click.echo(
            f"note: {' and '.join(settled)}: rules with `needs:` are left out; --cap docker puts "
            "in those\n      of Docker's default capabilities",
            err=True,
        )


def _to_stdout(
    policies: tuple[str, ...],
    targets: Sequence[str],
    request: Request,
    capabilities: tuple[str, ...],
    maps: MapRequest,
    proving: bool,
) -> int:
    several = InputError.of(
        "`-o -` writes one policy and one target to stdout",
        hint=f"add --target, one of {', '.join(ALL_TARGETS)}",
    )
    if len(policies) > 1 or len(set(targets)) > 1:
        raise several
    policy = read_policy(policies[0], request.build)
    if len(_targets_of(policy, targets, maps)) > 1:
        raise several
    made = _compiled(policy, targets, request, capabilities, maps)
    if proving and not _proven(policy, made, request):
        return 1
    stream = sys.stdout.buffer
    for _, content in made:
        stream.write(content)
    stream.flush()
    return 0
