"""Docker JSON means what the policy means: proven with diagrams, for every environment."""

from itertools import product

import pytest
from differential import resolved
from hypothesis import assume, given
from random_policies import policies

from stockade.policies import load_text
from stockade.policies.errors import TargetError
from stockade.policies.model import Policy
from stockade.policies.source import Source
from stockade.seccomp import actions
from stockade.seccomp.build import Build
from stockade.seccomp.check import check
from stockade.seccomp.docker import docker_profile
from stockade.seccomp.equal import differences
from stockade.seccomp.filter import Environment, Filter
from stockade.seccomp.hosts import ENGINES
from stockade.seccomp.interpret import interpret
from stockade.seccomp.lower import lower
from stockade.seccomp.profile import render
from stockade.seccomp.read_profile import read_profile
from stockade.seccomp.syscalls import Family, abi, family_of, table
from stockade.seccomp.targets import Request, compile_targets

ENVIRONMENTS = [
    Environment(frozenset(capabilities), kernel)
    for capabilities, kernel in product(
        [(), ("CAP_SYS_ADMIN",), ("CAP_BPF",), ("CAP_SYS_ADMIN", "CAP_BPF")],
        [(4, 7), (5, 8), (6, 1)],
    )
]


def compare(policy: Policy, families: list[Family]) -> None:
    build = Build(families[0])
    text = render(docker_profile(policy, lower(policy, build), ENGINES["29"]))
    read = read_profile(Source("profile.json", text))
    assert (read.errors, read.ignored) == ((), ())
    assert read.profile is not None
    for family, environment in product(families, ENVIRONMENTS):
        ours = resolved(policy, build, environment)
        here = Filter(tuple(each for each in ours.abis if each.abi in family.abis))
        theirs = interpret(read.profile, family, environment)
        served = Filter(tuple(each for each in theirs.abis if here.of(each.abi)))
        assert list(differences(here, served)) == []


@pytest.mark.parametrize(
    "architectures",
    [["x86_64", "x86", "x32"], ["x86_64"], ["aarch64", "arm", "x86_64"], ["s390x", "s390"]],
    ids="+".join,
)
def test_random_policies(architectures: list[str]) -> None:
    families = [
        family_of(abi(name)) for name in architectures if name in ("x86_64", "aarch64", "s390x")
    ]

    @given(policies(architectures))
    def check_one(text: str) -> None:
        loaded = load_text(text)
        assume(loaded.policy is not None and not loaded.problems)
        policy = loaded.require()
        assume(not check(policy, Build(families[0])))
        try:
            compare(policy, families)
        except TargetError:
            assume(False)

    check_one()


GUARDS = """
stockade: 1
name: guards
seccomp:
  default: deny
  architectures: [x86_64, x86, aarch64, arm]
  rules:
    - allow: bpf
      needs: [CAP_BPF, CAP_SYS_ADMIN]
    - log: bpf
      needs: CAP_BPF
      kernel: "<5.8"
    - trap: bpf
      kernel: ">=6.1"
    - allow: ptrace
      kernel: ">=4.8"
    - allow: ptrace
      needs: CAP_SYS_ADMIN
    - deny: clone3
      with: ENOSYS
    - allow: clone
      needs: CAP_SYS_ADMIN
    - allow: clone
      when: flags & CLONE_NEWUSER == 0
    - allow: arch_prctl
      architectures: [x86_64, x86]
    - allow: [socketcall, socket]
"""


def test_capabilities_kernels_and_hosts_become_conditions() -> None:
    policy = load_text(GUARDS).require()
    compare(policy, [family_of(abi("x86_64")), family_of(abi("aarch64"))])
    profile = docker_profile(policy, lower(policy, Build(family_of(abi("x86_64")))), ENGINES["29"])
    clone = [entry for entry in profile.entries if "clone" in entry.names]
    guards = {(e.includes.capabilities, e.excludes.capabilities, len(e.checks)) for e in clone}
    assert guards == {((), ("CAP_SYS_ADMIN",), 1), (("CAP_SYS_ADMIN",), (), 0)}


def refusal(rules: str, default: str = "deny", **options: str) -> str:
    """The first line of why Docker JSON for x86_64 and x86 is refused."""
    text = (
        f"stockade: 1\nname: p\nseccomp:\n  default: {default}\n"
        f"  architectures: [{options.get('architectures', 'x86_64, x86')}]\n"
        + "".join(f"  {line}\n" for line in options.get("more", "").splitlines())
        + "  rules:\n"
        + "".join(f"    {line}\n" for line in rules.splitlines())
    )
    loaded = load_text(text)
    assert loaded.problems == ()
    policy, build = loaded.require(), Build(family_of(abi("x86_64")))
    assert check(policy, build) == []
    engine = ENGINES[options.get("engine", "29")]
    with pytest.raises(TargetError) as raised:
        docker_profile(policy, lower(policy, build), engine)
    return raised.value.problems[0].message


@pytest.mark.parametrize(
    ("rules", "options", "message"),
    [
        ("- allow: socket", {}, "on x86 libseccomp extends the rule for socket to socketcall"),
        ("- allow: shmat", {}, "on x86 libseccomp extends the rule for shmat to ipc"),
        ("- allow: brk", {"more": "newer: EPERM"}, "runc answers ENOSYS to every number newer"),
        ("- deny: brk", {"default": "allow"}, "runc lets newer calls run too"),
        ("- allow: brk", {"default": "notify", "more": "newer: ENOSYS"}, "runc refuses notify as"),
        ("- notify: brk", {}, "notify needs the socket of the agent that answers"),
        ("- notify: brk", {"engine": "20.10"}, "engine 20.10 drops listenerPath"),
        ("- allow: brk", {"more": "with: EACCES", "engine": "20.10"}, "engine 20.10 ignores"),
        ("- allow: madvise\n  when: len > 4096", {}, "madvise would mean something else on x86"),
        (
            "- allow: madvise\n  when: len == 4096",
            {"architectures": "x86_64, x32"},
            "madvise would mean something else on x32",
        ),
        (
            "- allow: kcmp\n  when: pid1 == 1 and pid2 == 2 and type == 3",
            {},
            "the conditions on kcmp compare more than 2 arguments together",
        ),
        (
            "- allow: kcmp\n  when: pid1 != 1 and pid2 != 2",
            {},
            "the conditions on kcmp need 1024 entries of masked equality",
        ),
        (  # cut to 32 bits, the two answers overlap
            "- trap: clone\n  when: u64(flags) != 0\n- allow: clone\n  when: flags == 0",
            {"architectures": "aarch64, arm"},
            "clone would mean something else on arm",
        ),
        (  # libseccomp would compare the architecture with call numbers
            "- deny: [socketcall, ipc]\n  with: ENOSYS\n- deny: socket\n  when: family == AF_ALG",
            {"default": "allow", "more": "newer: default", "architectures": "x86_64, x86, x32"},
            "without a plain rule libseccomp forgets to load the number",
        ),
        ("- allow: brk", {"architectures": "x32"}, "no host has x32 as its own architecture"),
        ("- deny: brk\n  with: 4095", {}, "libseccomp refuses the errno 4095"),
        (
            "- allow: brk\n  architectures: [x86_64]",
            {},
            "brk would mean something else on x86: a profile's rule serves every architecture",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused(rules: str, options: dict[str, str], message: str) -> None:
    assert message in refusal(rules, options.pop("default", "deny"), **options)


@pytest.mark.parametrize("default", ["deny", "allow"])
def test_nothing_starts_on_a_host_that_is_not_named(default: str) -> None:
    text = (
        f"stockade: 1\nname: p\nseccomp:\n  default: {default}\n  architectures: [x86_64]\n"
        f"  newer: {'ENOSYS' if default == 'deny' else 'default'}\n"
        "  rules:\n    - log: [brk, read, execve]\n"
    )
    policy, build = load_text(text).require(), Build(family_of(abi("x86_64")))
    profile = docker_profile(policy, lower(policy, build), ENGINES["29"])
    here = interpret(profile, family_of(abi("x86_64")), ENVIRONMENTS[0]).abis[0]
    there = interpret(profile, family_of(abi("aarch64")), ENVIRONMENTS[0]).abis[0]
    assert here.calls[table(here.abi).by_name["execve"]][0].value == actions.LOG
    clauses = there.calls.get(table(there.abi).by_name["execve"], ())
    values = [clause.value for clause in clauses] or [there.default]
    assert not any(actions.lets_run(value) for value in values)


@pytest.mark.parametrize("name", ["x86", "x32", "arm"])
def test_oci_serves_the_hosts_own_architecture_too(name: str) -> None:
    text = (
        f"stockade: 1\nname: p\nseccomp:\n  default: deny\n  architectures: [{name}]\n"
        "  rules:\n    - allow: [read, brk]\n"
    )
    build = Build(family_of(abi("x86_64")))
    request = Request(build, ENVIRONMENTS[0], architectures=(name,))
    with pytest.raises(TargetError, match="itself, which the policy closes"):
        compile_targets(load_text(text).require(), ["oci"], request)


def test_default_action_word_for_engines() -> None:
    policy = load_text(GUARDS).require()
    filter_ = lower(policy, Build(family_of(abi("x86_64"))))
    profile = docker_profile(policy, filter_, ENGINES["20.10"])
    assert profile.default == actions.ERRNO | 1
    assert "defaultErrnoRet" not in render(profile, default_errno=False)
    assert '"defaultErrnoRet": 1' in render(profile)
