"""Our Docker JSON as runc and the installed libseccomp compile it, against the oracle."""

from collections.abc import Iterable

import pytest
from differential import BARE, Trial, answer, data, trials

from stockade.policies import load, load_text
from stockade.policies.errors import TargetError
from stockade.policies.model import Policy
from stockade.policies.source import Source
from stockade.seccomp import runc
from stockade.seccomp.actions import lets_run
from stockade.seccomp.build import Build
from stockade.seccomp.docker import oci_profile
from stockade.seccomp.hosts import ENGINES
from stockade.seccomp.libseccomp import MUX_NUMBERS
from stockade.seccomp.lower import lower
from stockade.seccomp.profile import render
from stockade.seccomp.read_profile import read_profile
from stockade.seccomp.simulate import simulate
from stockade.seccomp.syscalls import Abi, abi, family_of, table
from stockade.seccomp.targets import selected

pytestmark = pytest.mark.libseccomp

X86 = Build(family_of(abi("x86_64")))
ABIS = ["x86_64", "x86", "x32"]
POLICIES = 2000


Unknown = set[tuple[int, int]]
"""AUDIT_ARCH_* and number of the calls that the installed libseccomp has no name for."""


@pytest.fixture(scope="module")
def unknown() -> Unknown:
    pyseccomp = pytest.importorskip("pyseccomp")

    def resolves(each: Abi, name: str) -> bool:
        arch = getattr(pyseccomp.Arch, each.name.upper())
        number = pyseccomp.resolve_syscall(arch, name)
        multiplexed = each.name == "x86" and name in MUX_NUMBERS  # a negative stand-in
        return bool(number == table(each).by_name[name] or (multiplexed and number < -1))

    found = {
        (each.audit_arch, nr)
        for each in map(abi, ABIS)
        for name, nr in table(each).by_name.items()
        if not resolves(each, name)
    }
    assert len(found) < 100
    return found


def differences(policy: Policy, unknown: Unknown) -> list[str]:
    """Calls that the program from our JSON answers differently from the policy.

    What libseccomp has no name for gets the default, or ENOSYS as newer than the profile,
    whatever a profile says; such calls are left out, but must not run unless by default.
    """
    filter_ = lower(policy, X86)
    text = render(oci_profile(policy, filter_, BARE, ENGINES["29"]))
    profile = read_profile(Source("profile.json", text)).profile
    assert profile is not None
    program = runc.compile_profile(profile, abi("x86_64"))
    found = []
    chosen: dict[Trial, None] = dict.fromkeys(trials(filter_, every_number=False))
    for trial in chosen:
        expected = answer(policy, X86, BARE, trial)
        got = simulate(program, data(trial)).value
        if trial[:2] in unknown:
            assert got == profile.default or not lets_run(got)
        elif got != expected:
            found.append(f"{trial}: oracle {expected:#x}, libseccomp {got:#x}")
    return found


@pytest.mark.parametrize("name", ["docker-default", "podman-default", "web"])
def test_library_policy(name: str, unknown: Unknown) -> None:
    assert differences(selected(load(name).require(), ABIS), unknown) == []


MULTIPLEXED = """
stockade: 1
name: multiplexed
seccomp:
  default: deny
  architectures: [x86_64, x86, x32]
  rules:
    - allow: [write, accept4, zz, shmat, bind]
    - allow: socket
      when: family == AF_UNIX
    - deny: [socketcall, ipc]
      with: ENOSYS
"""


@pytest.mark.parametrize("sibling", ["connect", "sendto", "socketpair"])
def test_a_denied_socketcall_stays_denied(unknown: Unknown, sibling: str) -> None:
    """libseccomp opens socketcall for every allowed socket call unless a plain rule forbids it."""
    policy = load_text(MULTIPLEXED.replace("zz", sibling)).require()
    assert differences(policy, unknown) == []


def test_random_policies(unknown: Unknown, sound_policies: Iterable[tuple[str, Policy]]) -> None:
    compared = refused = 0
    for text, policy in sound_policies:
        try:
            wrong = differences(policy, unknown)
        except TargetError:
            refused += 1
            continue
        assert wrong == [], text
        compared += 1
        if compared == POLICIES:
            break
    assert refused < 2 * compared
