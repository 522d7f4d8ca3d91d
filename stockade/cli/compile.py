"""`stockade compile`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from ..policies.errors import InputError
from ..policies.model import Policy
from ..policies.problems import did_you_mean
from ..seccomp.hosts import ENGINES
from ..seccomp.targets import TARGETS, Request, compile_targets
from .files import write_all
from .options import environment_options, read_policy, read_request

_EPILOG = """\b
Examples:
  stockade compile web.yaml       (web.docker.json, web.oci.json, web.bpf)
  stockade compile docker-default -o - --target docker > profile.json
  stockade compile web.yaml --target oci --cap docker --kernel 6.1
  stockade compile web.yaml --target bpf --arch aarch64 --arch arm -o out

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
    help=f"{', '.join(TARGETS)}; repeatable. Default: all of them.",
)  # fmt: skip
@click.option(
    "--engine", default="29", type=click.Choice(list(ENGINES)), show_default=True,
    help="The oldest Docker that reads the profile: decides which fields are used.",
)  # fmt: skip
@click.option(
    "--listener", "listener_path", default="", metavar="SOCKET",
    help="The agent's socket, for policies that notify.",
)  # fmt: skip
@environment_options
def command(
    policies: tuple[str, ...],
    output: str,
    targets: tuple[str, ...],
    engine: str,
    listener_path: str,
    architectures: tuple[str, ...],
    capabilities: tuple[str, ...],
    kernel: str | None,
) -> int:
    """Write what enforces a POLICY: Docker JSON, OCI JSON, BPF.

    POLICY is a path or the name of a library policy. Docker JSON is for all architectures of
    the policy and keeps its conditions on capabilities and kernel; OCI JSON and BPF are for
    one kind of machine (this one, or --arch) and settle them by --cap and --kernel.
    """
    for name in targets:
        if name not in TARGETS:
            raise InputError.of(
                f"unknown target `{name}`{did_you_mean(name, TARGETS)}",
                hint=f"there are {', '.join(TARGETS)}",
            )
    request = read_request(architectures, capabilities, kernel, engine, listener_path)
    names = tuple(dict.fromkeys(targets)) or tuple(TARGETS)
    if output == "-":
        return _to_stdout(policies, names, request, capabilities)
    files: dict[Path, bytes] = {}
    sources: dict[Path, str] = {}
    for reference in policies:
        policy = read_policy(reference, request.build)
        made = compile_targets(policy, names, request)
        _tell_what_was_settled(policy, names, capabilities)
        for target, content in made:
            path = Path(output) / f"{policy.name}{target.suffix}"
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


def _tell_what_was_settled(policy: Policy, targets: Iterable[str], capabilities: object) -> None:
    """Say that rules were left out of targets that cannot keep `needs:`, unless --cap was given."""
    rules = policy.seccomp.rules if policy.seccomp is not None else ()
    needed = sorted({name.text for rule in rules for name in rule.needs})
    settled = [name for name in targets if name != "docker"]
    if needed and settled and not capabilities:
        click.echo(
            f"note: {' and '.join(settled)}: rules with `needs:` are left out; --cap docker puts "
            "in those\n      of Docker's default capabilities",
            err=True,
        )


def _to_stdout(
    policies: tuple[str, ...],
    targets: tuple[str, ...],
    request: Request,
    capabilities: tuple[str, ...],
) -> int:
    if len(policies) > 1 or len(targets) > 1:
        raise InputError.of(
            "`-o -` writes one policy and one target to stdout",
            hint=f"add --target, one of {', '.join(TARGETS)}",
        )
    policy = read_policy(policies[0], request.build)
    made = compile_targets(policy, targets, request)
    _tell_what_was_settled(policy, targets, capabilities)
    stream = sys.stdout.buffer
    for _, content in made:
        stream.write(content)
    stream.flush()
    return 0
