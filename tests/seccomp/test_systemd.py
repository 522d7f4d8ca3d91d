"""The systemd drop-in, read as systemd reads it and compiled with libseccomp, is the oracle's."""

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from differential import BARE, answer, data, trials
from systemd_units import answer as stacked
from systemd_units import programs, read_unit, unknown_calls

from stockade.policies import load_text
from stockade.policies.errors import TargetError
from stockade.policies.model import Policy
from stockade.seccomp import actions
from stockade.seccomp.build import Build
from stockade.seccomp.check import check
from stockade.seccomp.lower import lower
from stockade.seccomp.syscalls import abi, family_of, known_names, table
from stockade.seccomp.targets import Request, compile_targets

X86 = Build(family_of(abi("x86_64")))
ALL = ("x86_64", "x86", "x32")
EARLIER = "[Service]\nSystemCallFilter=stime reboot\nSystemCallErrorNumber=EXDEV\n"
RANDOM_POLICIES = 20


def dropin(policy: Policy) -> str:
    assert check(policy, X86) == []
    [(_, content)] = compile_targets(policy, ["systemd"], Request(X86, BARE))
    return content.decode()


def unit_policy(
    rules: str, head: str = "default: deny", architectures: str = ", ".join(ALL)
) -> str:
    lines = "".join(f"    {line}\n" for line in rules.splitlines())
    settings = "".join(f"  {line}\n" for line in head.splitlines())
    return (
        f"stockade: 1\nname: unit\nseccomp:\n{settings}  newer: default\n"
        f"  architectures: [{architectures}]\n  rules:\n{lines}"
    )


SERVICE = """\
- deny: [clone3, socketcall, ipc]
  with: ENOSYS
- deny: gettimeofday
- kill: [ptrace, process_vm_readv]
- allow: ["@base", "@file-system", "@basic-io", "@runtime-base", socket, connect, execve, shmat]
"""
ALLOW_ALL = """\
- deny: [reboot, swapon]
- deny: [socketcall, ipc, socket]
  with: ENOSYS
- kill: kexec_load
"""


def compare(policy: Policy) -> None:
    """Every number and every architecture, through the programs that systemd would load.

    Numbers from 2^31 up are left out where x32 is closed: the drop-in says what they get. A call
    that the installed libseccomp has no name for gets the default.
    """
    pytest.importorskip("pyseccomp")
    text, nameless = dropin(policy), unknown_calls(ALL)
    unit = read_unit(text, known_names(), EARLIER)
    filter_ = lower(policy, X86)
    named = {each.abi.name for each in filter_.abis}
    loaded = programs(unit)
    wrong = []
    for trial in dict.fromkeys(trials(filter_)):
        arch, nr, _ = trial
        expected, got = answer(policy, X86, BARE, trial), stacked(loaded, data(trial))
        if "x32" not in named and nr >> 31 and nr != 0xFFFFFFFF:
            assert got == actions.KILL_THREAD
            if expected != got:
                assert "# Numbers from 0x80000000 up" in text
        elif got != expected:
            if (arch, nr) in nameless:
                assert got == unit.default
            else:
                wrong.append((hex(arch), nr, hex(expected), hex(got)))
    assert wrong == []


@pytest.mark.libseccomp
@pytest.mark.parametrize("architectures", ["x86_64, x86, x32", "x86_64, x86", "x86_64"])
@pytest.mark.parametrize(
    ("rules", "head"),
    [
        (SERVICE, "default: deny"),
        (SERVICE, "default: deny\nwith: EACCES"),
        (SERVICE, "default: kill"),
        (ALLOW_ALL, "default: allow"),
    ],
    ids=["EPERM", "EACCES", "kill", "allow"],
)
def test_library_programs_answer_as_the_policy(rules: str, head: str, architectures: str) -> None:
    compare(load_text(unit_policy(rules, head, architectures)).require())


@pytest.mark.libseccomp
def test_random_policies() -> None:
    dice = random.Random(7)
    names = sorted(name for name in known_names() if name in table(abi("x86_64")).by_name)
    compared = 0
    while compared < RANDOM_POLICIES:
        rules = ["- allow: [execve, write, read]"]
        if dice.random() < 0.7:
            rules += ["- deny: [socketcall, ipc]", f"  with: {dice.choice(['ENOSYS', '13'])}"]
        for _ in range(dice.randrange(1, 6)):
            action = dice.choice(["allow", "allow", "deny", "kill"])
            rules.append(f"- {action}: [{', '.join(dice.sample(names, dice.randrange(1, 30)))}]")
            if action == "deny":
                rules.append(f"  with: {dice.choice(['EPERM', 'ENOSYS', '7', '4094'])}")
        head = dice.choice(["default: deny", "default: deny\nwith: 13", "default: kill",
                            "default: allow"])  # fmt: skip
        which = dice.choice(["x86_64, x86, x32", "x86_64, x86", "x86_64", "x86_64, x32"])
        policy = load_text(unit_policy("\n".join(rules), head, which)).require()
        try:
            compare(policy)
        except TargetError:
            continue
        compared += 1


def test_whatever_systemd_thinks_is_default() -> None:
    """@default differs between releases; what the policy denies is denied under any of them."""
    text = dropin(load_text(unit_policy(SERVICE)).require())
    nothing, everything = read_unit(text, ()), read_unit(text, known_names(), EARLIER)
    present = {n for a in map(abi, ALL) for n in table(a).by_name}
    assert nothing.default == everything.default == actions.ERRNO | 1
    assert nothing.architectures == everything.architectures
    assert "gettimeofday" not in everything.rules()
    for name in present:
        assert nothing.rules().get(name) == everything.rules().get(name), name


@pytest.mark.parametrize(
    ("rules", "head", "message"),
    [
        ("- allow: [execve, write]\n- allow: socket\n  when: family == AF_UNIX",
         "default: deny", "the answer to socket depends on its arguments"),
        ("- allow: [execve, write, socket]", "default: deny\narchitectures: [x86_64, x86]",
         "on x86 libseccomp extends rules for the calls behind socketcall"),
        ("- allow: [write, brk]", "default: deny", "systemd needs execve itself"),
        ("- allow: [execve, brk]", "default: deny", "systemd needs write itself"),
        ("- allow: [execve, write]", "default: trap", "the default can be allow, deny or kill"),
        ("- allow: [execve, write]\n- log: brk", "default: deny", "brk is to get log"),
        ("- allow: [execve, write]\n- kill-thread: brk", "default: deny", "brk is to get kill-thr"),
        ("- allow: [execve, write]\n- deny: brk\n  with: 4095", "default: deny", "errno 4095"),
        ("- allow: [execve, write]\n- allow: brk\n  architectures: [x86]",
         "default: deny", "brk has one answer for all architectures"),
        ("- allow: [execve, write]", "default: deny\nwith: 0", "SystemCallErrorNumber= takes no 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused(rules: str, head: str, message: str) -> None:
    which = "x86_64, x86" if "architectures" in head else ", ".join(ALL)
    text = unit_policy(rules, head.partition("\narch")[0], which)
    with pytest.raises(TargetError) as raised:
        dropin(load_text(text).require())
    assert message in raised.value.problems[0].message


def test_newer_calls_are_the_defaults() -> None:
    text = unit_policy(SERVICE).replace("newer: default", "newer: ENOSYS")
    with pytest.raises(TargetError, match="newer calls get the default, deny EPERM, not deny ENO"):
        dropin(load_text(text).require())


def test_a_closed_native_architecture_is_refused() -> None:
    policy = load_text(unit_policy(SERVICE, architectures="x32")).require()
    with pytest.raises(TargetError, match="a service on x86_64 can always make calls of x86_64"):
        compile_targets(policy, ["systemd"], Request(X86, BARE))


def test_systemd_verifies_the_unit(tmp_path: Path, require: Callable[[object, str], None]) -> None:
    """systemd's own parser takes every line, but for names that its libseccomp does not know."""
    require(shutil.which("systemd-analyze"), "needs systemd-analyze (Debian's systemd)")
    (tmp_path / "x.service.d").mkdir()
    (tmp_path / "x.service").write_text("[Service]\nExecStart=/bin/true\n")
    for head in ("default: deny", "default: kill\n", "default: allow"):
        text = dropin(load_text(unit_policy(SERVICE, head)).require())
        (tmp_path / "x.service.d" / "x.conf").write_text(text)
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", tmp_path / "x.service"],
            capture_output=True, text=True, env={"SYSTEMD_LOG_LEVEL": "info", "PATH": "/usr/bin"},
        )  # fmt: skip
        complaints = [line for line in done.stderr.splitlines() if "x.conf:" in line]
        words = [line.rpartition("Failed to parse system call, ignoring: ") for line in complaints]
        assert all(before and word in known_names() for _, before, word in words), done.stderr
        assert len(complaints) < 60
        assert done.returncode == 0, done.stderr
    (tmp_path / "x.service.d" / "x.conf").write_text("[Service]\nSystemCallErrorNumber=EWHAT\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "x.service"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "EWHAT" in done.stderr  # so that silence means something
