"""What a policy can be compiled to: every target, its file name and the way to it.

A new target is a function here and a line in TARGETS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ..policies.errors import InputError, TargetError
from ..policies.model import Name, Policy
from ..policies.source import Problem
from . import bpf
from .build import Build, abi_called, named_abis
from .check import check
from .filter import Environment, Filter, resolve
from .lower import lower
from .optimize import compile_filter
from .optimize_presets import DEFAULT, Frequencies, preset_called
from .profile import render
from .syscalls import FAMILIES, Abi, Family


@dataclass(frozen=True, slots=True)
class Request:
    """What is compiled for."""

    build: Build
    environment: Environment
    """Capabilities and kernel, for targets that cannot keep such conditions."""
    architectures: tuple[str, ...] = ()
    """`--arch`: only these of the policy's; empty: what the target takes by itself."""
    engine: str = "29"
    """The Docker release whose JSON is written."""
    listener_path: str = ""
    """The agent's socket, for NOTIFY."""
    optimize: str = DEFAULT
    """What a BPF program is optimised for: the name of a preset."""
    frequencies: Frequencies | None = None
    """How often calls are made, where the user says so."""


@dataclass(frozen=True, slots=True)
class Target:
    """One form that a policy can be compiled to."""

    name: str
    suffix: str
    """Appended to the policy's name: `.docker.json`."""
    render: Callable[[Policy, Request], bytes]
    """The file's bytes. Raises TargetError when the target cannot say the policy."""
    by_default: bool = False
    """Written when no target is asked for."""
    settles: bool = True
    """Conditions on capabilities are settled when it is written."""
    note: Callable[[Policy, Request, bytes], str] = lambda policy, request, content: ""
    """What a file that was written does not say, in words; empty: nothing."""


def selected(policy: Policy, architectures: Sequence[str]) -> Policy:
    """The policy for some of its architectures only.

    Raises InputError for an unknown name, or one that the policy does not have.
    """
    seccomp = policy.seccomp
    if not architectures or seccomp is None:
        return policy
    for name in architectures:
        abi_called(name)
    own = None if seccomp.architectures is None else [n.text for n in seccomp.architectures]
    missing = [name for name in architectures if own is not None and name not in own]
    if missing:
        raise InputError.of(
            f"policy {policy.name} is not for {', '.join(missing)}",
            seccomp.at,
            f"it names {', '.join(own or ())}",
        )
    names = tuple(Name(name, seccomp.at) for name in dict.fromkeys(architectures))
    return replace(policy, seccomp=replace(seccomp, architectures=names))


def for_machine(policy: Policy, request: Request) -> Policy:
    """The policy for `--arch`, or else for what the build's family can run of it.

    Raises TargetError when nothing remains.
    """
    if request.architectures:
        return selected(policy, request.architectures)
    assert policy.seccomp is not None
    family = request.build.family
    named = {each.name for each in named_abis(policy.seccomp, request.build)}
    here = [each.name for each in family.abis if each.name in named]
    if not here:
        raise TargetError.of(
            f"policy {policy.name} is not for this machine ({family.native.name})",
            policy.seccomp.at,
            f"pass --arch, of {', '.join(sorted(named))}",
        )
    return selected(policy, here)


def compile_program(policy: Policy, request: Request) -> bpf.Program:
    """The program for the policy on `--arch`, or on the build's family."""
    chosen = for_machine(policy, request)
    filter_ = resolve(lower(chosen, request.build), request.environment)
    if len({each.abi.big_endian for each in filter_.abis}) > 1:
        raise TargetError.of(
            "one program cannot serve architectures of different byte order",
            hint="compile them one by one with --arch",
        )
    return compile_filter(filter_, preset_called(request.optimize), request.frequencies)


def _bpf(policy: Policy, request: Request) -> bytes:
    assert policy.seccomp is not None
    chosen = for_machine(policy, request)
    assert chosen.seccomp is not None
    native = named_abis(chosen.seccomp, request.build)[0]
    return bpf.encode(compile_program(policy, request), big_endian=native.big_endian)


def _docker(policy: Policy, request: Request) -> bytes:
    from .docker import docker_profile
    from .hosts import ENGINES

    engine = ENGINES[request.engine]
    chosen = selected(policy, request.architectures)
    filter_ = lower(chosen, request.build)
    profile = docker_profile(chosen, filter_, engine, request.listener_path)
    return render(profile, default_errno=engine.default_errno).encode()


def _oci(policy: Policy, request: Request) -> bytes:
    from .docker import oci_profile
    from .hosts import ENGINES

    engine = ENGINES[request.engine]
    chosen = for_machine(policy, request)
    _check_native(chosen, request, "oci")
    filter_ = lower(chosen, request.build)
    profile = oci_profile(chosen, filter_, request.environment, engine, request.listener_path)
    return render(profile, default_errno=engine.default_errno).encode()


def _check_native(policy: Policy, request: Request, target: str) -> None:
    """Refuse ABIs without their host's own: libseccomp always serves that one too."""
    assert policy.seccomp is not None
    named = {each.name for each in named_abis(policy.seccomp, request.build)}
    for family in FAMILIES:
        native = family.native
        compat = named & {each.name for each in family.compat}
        if not compat or native.name in named:
            continue
        if request.build.family.native.name in named and native != request.build.family.native:
            continue  # such as x86 on a 32-bit machine
        raise TargetError.of(
            f"{target}: a runtime on {native.name} also serves {native.name} itself, which the "
            f"policy closes by naming only {', '.join(sorted(compat))}",
            policy.seccomp.at,
            f"name {native.name} too, or use the bpf target",
        )


def _podman(policy: Policy, request: Request) -> bytes:
    from .podman import podman_json

    chosen = for_machine(policy, request)
    return podman_json(chosen, lower(chosen, request.build), request.environment).encode()


def _podman_note(policy: Policy, request: Request, content: bytes) -> str:
    from .podman import note

    return note(lower(for_machine(policy, request), request.build), content)


def _kubernetes(policy: Policy, request: Request) -> bytes:
    from .kubernetes import localhost_json

    chosen = for_machine(policy, request)
    _check_native(chosen, request, "kubernetes")
    return localhost_json(chosen, lower(chosen, request.build), request.environment).encode()


def _kubernetes_spo(policy: Policy, request: Request) -> bytes:
    from .kubernetes import operator_yaml

    chosen = for_machine(policy, request)
    _check_native(chosen, request, "kubernetes-spo")
    return operator_yaml(chosen, lower(chosen, request.build), request.environment).encode()


def _kubernetes_note(policy: Policy, request: Request, content: bytes) -> str:
    from .podman import under_crun

    return under_crun(lower(for_machine(policy, request), request.build))


def _crun(policy: Policy, request: Request) -> bytes:
    from .wrappers import crun_annotations

    program, abis = _program(policy, request)
    return crun_annotations(policy, program, abis[0], request.listener_path).encode()


def _bwrap(policy: Policy, request: Request) -> bytes:
    from .wrappers import bwrap_script

    program, abis = _program(policy, request)
    return bwrap_script(policy, program, abis[0]).encode()


def _c(policy: Policy, request: Request) -> bytes:
    from .wrappers import c_header

    return c_header(policy, *_program(policy, request)).encode()


def _systemd(policy: Policy, request: Request) -> bytes:
    from .systemd import dropin

    filter_, family = _settled(policy, request)
    return dropin(policy, filter_, family).encode()


def _minijail(policy: Policy, request: Request) -> bytes:
    from .minijail import minijail_policy

    filter_, _ = _settled(policy, request)
    return minijail_policy(policy, filter_).encode()


def _settled(policy: Policy, request: Request) -> tuple[Filter, Family]:
    """The filter in the request's environment, and the one kind of machine that serves it."""
    chosen = for_machine(policy, request)
    filter_ = resolve(lower(chosen, request.build), request.environment)
    named = [each.abi for each in filter_.abis]
    families = (request.build.family, *FAMILIES)
    family = next((each for each in families if set(named) <= set(each.abis)), None)
    if family is None:
        raise TargetError.of(
            f"no machine serves {', '.join(each.name for each in named)} together",
            policy.at,
            "pass --arch, once for each ABI of one machine",
        )
    return filter_, family


def _program(policy: Policy, request: Request) -> tuple[bpf.Program, tuple[Abi, ...]]:
    """The program of the bpf target and the ABIs that it is for."""
    chosen = for_machine(policy, request)
    assert chosen.seccomp is not None
    return compile_program(policy, request), named_abis(chosen.seccomp, request.build)


TARGETS = {
    target.name: target
    for target in (
        Target("docker", ".docker.json", _docker, by_default=True, settles=False),
        Target("oci", ".oci.json", _oci, by_default=True),
        Target("bpf", ".bpf", _bpf, by_default=True),
        Target("podman", ".podman.json", _podman, settles=False, note=_podman_note),
        Target("kubernetes", ".kubernetes.json", _kubernetes, note=_kubernetes_note),
        Target("kubernetes-spo", ".kubernetes-spo.yaml", _kubernetes_spo, note=_kubernetes_note),
        Target("crun", ".crun.json", _crun),
        Target("systemd", ".systemd.conf", _systemd),
        Target("minijail", ".policy", _minijail),
        Target("bwrap", ".bwrap.sh", _bwrap),
        Target("c", ".h", _c),
    )
}


def compile_targets(
    policy: Policy, names: Iterable[str], request: Request
) -> list[tuple[Target, bytes]]:
    """The files of the named targets, complete or not at all.

    Raises InputError with every problem of the policy and every refusal of a target.
    """
    if policy.seccomp is None:
        raise InputError.of(f"policy {policy.name} has no `seccomp` section", policy.at)
    problems = check(policy, request.build)
    if problems:
        raise InputError(problems)
    made: list[tuple[Target, bytes]] = []
    refusals: list[Problem] = []
    for name in names:
        try:
            made.append((TARGETS[name], TARGETS[name].render(policy, request)))
        except TargetError as error:
            refusals += error.problems
    if refusals:
        raise TargetError(dict.fromkeys(refusals))
    return made
