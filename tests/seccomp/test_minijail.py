"""The .policy file, read as minijail0 reads it, answers as the oracle."""

import random

import pytest
from differential import BARE, answer, foreign_trials, trials
from minijail_policies import answer as minijail_answer
from minijail_policies import read_policy
from random_policies import policy as random_policy

from stockade.policies import load, load_text
from stockade.policies.errors import TargetError
from stockade.policies.model import Policy
from stockade.seccomp import actions
from stockade.seccomp.build import Build
from stockade.seccomp.check import check
from stockade.seccomp.lower import lower
from stockade.seccomp.syscalls import abi, family_of
from stockade.seccomp.targets import Request, compile_targets, selected

POLICIES = 60


def compiled(policy: Policy, build: Build, arch: str) -> str:
    request = Request(build, BARE, architectures=(arch,))
    [(_, content)] = compile_targets(policy, ["minijail"], request)
    return content.decode()


def compare(policy: Policy, arch: str) -> set[int]:
    """Nothing differs; the answers that were given."""
    mine = abi(arch)
    build = Build(family_of(mine))
    read = read_policy(compiled(policy, build, arch), mine)
    chosen = selected(policy, [arch])
    seen = set()
    for trial in dict.fromkeys([*trials(lower(chosen, build)), *foreign_trials()]):
        expected = answer(chosen, build, BARE, trial)
        assert minijail_answer(read, mine, *trial) == expected, trial
        seen.add(expected)
    return seen


RULES = """
stockade: 1
name: jail
seccomp:
  default: kill-thread
  newer: default
  architectures: [{arch}]
  rules:
    - allow: [read, write, exit_group, kill]
    - deny: kcmp
      with: EACCES
      when: type in 4..1007 and pid1 & 7 != 7
    - allow: kcmp
    - allow: socket
      when: family in {{AF_UNIX, AF_INET}} and type & 0xf == 1
    - deny: socket
      with: EAFNOSUPPORT
    - allow: setpriority
      when: niceval >= -4
    - allow: personality
      when: u64(personality) == 0xffffffff
    - deny: [ptrace, bpf]
"""


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "arm", "s390x", "x86"])
def test_every_boundary(arch: str) -> None:
    seen = compare(load_text(RULES.format(arch=arch)).require(), arch)
    assert seen == {actions.ALLOW, actions.KILL_THREAD, *(actions.ERRNO | n for n in (1, 13, 97))}


def test_how_it_reads() -> None:
    policy = load_text(RULES.format(arch="x86_64")).require()
    lines = compiled(policy, Build(family_of(abi("x86_64"))), "x86_64").splitlines()
    assert lines[2:] == sorted(lines[2:])
    assert "read: 1" in lines
    assert "ptrace: return 1" in lines
    assert "personality: arg0 == 0xffffffff" in lines
    [socket] = [line for line in lines if line.startswith("socket:")]
    # AF_UNIX or AF_INET, low half only; the type's other bits, and the upper halves, may be any.
    assert socket == (
        "socket: arg0 & 0x1 && arg0 in 0xffffffff00000001 && arg1 & 0x1 && "
        "arg1 in 0xfffffffffffffff1 || arg0 & 0x2 && arg0 in 0xffffffff00000002 && "
        "arg1 & 0x1 && arg1 in 0xfffffffffffffff1; return 97"
    )


def test_random_policies() -> None:
    dice = random.Random(3)
    compared = refused = 0
    while compared < POLICIES:
        arch = dice.choice(["x86_64", "x86_64", "aarch64", "arm"])
        text = random_policy(dice.choice, [arch], rules=3)
        head, _, rules = text.partition("  architectures:")
        text = (
            "stockade: 1\nname: random\nseccomp:\n  default: kill-thread\n  newer: default\n"
            f"  architectures:{rules}"
        )
        loaded = load_text(text)
        if loaded.problems or check(loaded.require(), Build(family_of(abi(arch)))):
            continue
        try:
            compare(loaded.require(), arch)
        except TargetError:
            refused += 1
            continue
        compared += 1
    assert head
    assert refused < 4 * compared


@pytest.mark.parametrize(
    ("default", "rules", "message"),
    [
        ("deny", "- allow: brk", "the default is deny EPERM"),
        ("kill", "- allow: brk", "the default is kill"),
        ("kill-thread", "- log: brk", "brk is to get log"),
        ("kill-thread", "- kill: brk", "brk is to get kill"),
        (
            "kill-thread",
            "- deny: socket\n  when: family == 1\n- allow: socket\n  when: family == 2",
            "one answer where its expression does not hold, and socket has kill-thread and deny",
        ),
        (
            "kill-thread",
            "- allow: kcmp\n  when: pid1 != 1 and pid2 != 2 and idx1 != 3",
            "the conditions on kcmp become too many conjunctions",
        ),
        (
            "kill-thread",
            "- allow: kcmp\n  when: pid1 != 1 and pid2 != 2",
            "minijail would need 1026 labels",
        ),
        (
            "kill-thread",
            "- allow: kcmp\n  when: pid1 not in {1, 2, 1000} and pid2 & 7 != 7 and type & 3 != 3",
            "minijail would need up to",
        ),
    ],
)
def test_what_cannot_be_said_is_refused(default: str, rules: str, message: str) -> None:
    text = (
        f"stockade: 1\nname: p\nseccomp:\n  default: {default}\n  newer: default\n"
        "  architectures: [x86_64]\n  rules:\n"
        + "".join(f"    {line}\n" for line in rules.splitlines())
    )
    policy = load_text(text).require()
    with pytest.raises(TargetError) as raised:
        compiled(policy, Build(family_of(abi("x86_64"))), "x86_64")
    assert message in raised.value.problems[0].message


def test_one_architecture_only() -> None:
    build = Build(family_of(abi("x86_64")))
    with pytest.raises(TargetError, match="a file serves one architecture"):
        compile_targets(load("web").require(), ["minijail"], Request(build, BARE))
