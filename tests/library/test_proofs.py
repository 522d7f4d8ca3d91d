"""Every library policy with a `seccomp` section is proven, on every kind of machine it is for."""

import pytest

from stockade.policies import load
from stockade.policies.catalog import library_names
from stockade.policies.model import Policy
from stockade.proofs import prove_programs, prove_target
from stockade.seccomp.build import DOCKER_CAPABILITIES, Build, named_abis
from stockade.seccomp.filter import Environment
from stockade.seccomp.optimize_presets import PRESETS
from stockade.seccomp.syscalls import FAMILIES, Family, abi, family_of
from stockade.seccomp.targets import Request, compile_targets

DOCKER = Environment(DOCKER_CAPABILITIES, (6, 18))


def with_seccomp() -> list[str]:
    return [name for name in library_names() if load(name).require().seccomp is not None]


def machines(policy: Policy) -> list[tuple[Family, tuple[str, ...]]]:
    """Each kind of machine whose own ABI the policy names, with all of its ABIs that it names."""
    assert policy.seccomp is not None
    found = []
    for family in FAMILIES:
        named = named_abis(policy.seccomp, Build(family))
        here = tuple(each.name for each in family.abis if each in named)
        if family.native.name in here:
            found.append((family, here))
    return found


@pytest.mark.parametrize("name", with_seccomp())
def test_programs_are_proven_everywhere(name: str) -> None:
    policy = load(name).require()
    proven = set()
    for number, (family, here) in enumerate(machines(policy)):
        request = Request(Build(family), DOCKER, here, optimize=list(PRESETS)[number % 3])
        [(_, content)] = compile_targets(policy, ["bpf"], request)
        [proof] = prove_target("bpf", content, policy, request)
        assert proof.holds, (family.native.name, proof.counterexample)
        proven |= set(here)
    assert policy.seccomp is not None
    assert proven >= {each.name for each in named_abis(policy.seccomp, Build(FAMILIES[0]))}
    print(f"{name}: proven on {', '.join(sorted(proven))}")


@pytest.mark.parametrize("name", with_seccomp())
def test_presets_and_json_are_proven(name: str) -> None:
    policy = load(name).require()
    request = Request(Build(family_of(abi("x86_64"))), DOCKER)
    proofs = prove_programs(policy, request)
    [(_, content)] = compile_targets(policy, ["docker"], request)
    proofs += prove_target("docker", content, policy, request)
    assert len(proofs) > len(PRESETS)
    assert [proof.claim for proof in proofs if not proof.holds] == []


def test_the_library_has_seccomp_policies() -> None:
    assert {"docker-default", "podman-default", "web"} <= set(with_seccomp())
