"""Policies as a real dockerd, runc and libseccomp enforce them, against the oracle."""

import json
from typing import Any

import pytest
from differential import Trial, answer, trials

from stockade.policies import load, load_text
from stockade.policies.errors import TargetError
from stockade.policies.model import ActionKind, Policy
from stockade.seccomp import actions
from stockade.seccomp.build import DOCKER_CAPABILITIES, Build, running_kernel
from stockade.seccomp.check import check
from stockade.seccomp.filter import Environment, resolve
from stockade.seccomp.lower import lower
from stockade.seccomp.syscalls import abi, family_of, table
from stockade.seccomp.targets import Request, compile_targets

pytestmark = pytest.mark.docker

X86 = Build(family_of(abi("x86_64")))
NUMBERS = table(abi("x86_64")).by_name
NUMBERS_X86 = table(abi("x86")).by_name
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
ENVIRONMENT = Environment(DOCKER_CAPABILITIES, running_kernel())
HIGH = 1 << 32


def compiled(policy: Policy) -> str:
    """The Docker JSON for the engine that the tests start."""
    assert check(policy, X86) == []
    request = Request(X86, ENVIRONMENT, engine="20.10")
    [(_, content)] = compile_targets(policy, ["docker"], request)
    return content.decode()


@pytest.fixture(scope="module")
def docker_default() -> str:
    return compiled(load("docker-default").require())


def test_container_runs_and_is_filtered(docker: Any, docker_default: str) -> None:
    done = docker.run("grep", "Seccomp:", "/proc/self/status", profile=docker_default)
    assert done.stdout.split() == ["Seccomp:", "2"], done.stderr


def test_inspect_shows_the_profile(docker: Any, docker_default: str) -> None:
    created = docker.command(
        "create", "--network", "none", "--security-opt", docker.profile(docker_default),
        docker.image, "true",
    )  # fmt: skip
    assert created.returncode == 0, created.stderr
    name = created.stdout.strip()
    shown = docker.command("inspect", "--format", "{{json .HostConfig.SecurityOpt}}", name)
    docker.command("rm", name)
    [option] = json.loads(shown.stdout)
    assert json.loads(option.removeprefix("seccomp=")) == json.loads(docker_default)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (("getppid",), 0),
        (("unshare", 0x10000000), -EPERM),
        (("clone3", 0, 0), -ENOSYS),
        (("socket", 38, 5, 0), -EPERM),
        (("socket", 40, 1, 0), -EPERM),
        (("socket", 38 | HIGH, 5, 0), -EPERM),
        (("socket", 40 | 7 * HIGH, 1, 0), -EPERM),
        (("personality", 3), -EPERM),
        (("personality", 0x20000 | 3), -EPERM),
        (("personality", 0xFFFFFFFF), 0),
        (("personality", 0xFFFFFFFF | 5 * HIGH), 0),
        (("mount", 0, 0, 0, 0, 0), -EPERM),
        (("chroot", ":/"), 0),
    ],
    ids=str,
)
def test_docker_default(docker: Any, docker_default: str, call: Any, expected: int) -> None:
    name, *registers = call
    [result] = docker.probe((NUMBERS[name], *registers), profile=docker_default)
    assert result >= 0 if expected == 0 else result == expected


def test_capabilities_switch_rules(docker: Any, docker_default: str) -> None:
    call = (NUMBERS["unshare"], 0x04000000)
    assert docker.probe(call, profile=docker_default) == [-EPERM]
    allowed = docker.probe(call, profile=docker_default, options=("--cap-add", "SYS_ADMIN"))
    assert allowed == [0]
    chroot = (NUMBERS["chroot"], ":/")
    dropped = docker.probe(chroot, profile=docker_default, options=("--cap-drop", "SYS_CHROOT"))
    assert dropped == [-EPERM]


def test_compat_calls_are_filtered_too(docker: Any, docker_default: str) -> None:
    calls = [(NUMBERS_X86["personality"], 3), (NUMBERS_X86["clone3"], 0, 0),
             (NUMBERS_X86["personality"], 0xFFFFFFFF)]  # fmt: skip
    first, second, third = docker.probe(*calls, profile=docker_default, i386=True)
    assert (first, second) == (-EPERM, -ENOSYS)
    assert third >= 0


def test_web_starts_serves_and_refuses(docker: Any) -> None:
    """The example policy, under which nothing but the example's own calls may run."""
    profile = compiled(load("web").require())
    script = "mkdir -p /tmp/w && cd /tmp/w && echo hello > f && cat f | tr a-z A-Z && ls -l f"
    done = docker.run("sh", "-c", script, profile=profile)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("HELLO\n")
    mount = docker.run("mount", "-t", "tmpfs", "none", "/tmp", profile=profile)
    assert mount.returncode != 0
    calls = [(NUMBERS["unshare"], 0x10000000), (NUMBERS["clone3"], 0, 0),
             (NUMBERS["socket"], 38 | HIGH, 5, 0), (NUMBERS["ioctl"], 0, 0x5412 | HIGH, "@"),
             (NUMBERS["prctl"], 35, 1, 0, 0, 0), (NUMBERS["io_uring_setup"], 1, "@")]  # fmt: skip
    assert docker.probe(*calls, profile=profile) == [
        -EPERM, -ENOSYS, -EAFNOSUPPORT, -EPERM, -EPERM, -ENOSYS,
    ]  # fmt: skip


ARGUMENTS = """
stockade: 1
name: arguments
extends: docker-default
seccomp:
  architectures: [x86_64, x86]
  rules:
    - deny: kcmp
      with: 101
      when: type in 4..1007 and pid1 & 7 != 7
    - deny: kcmp
      with: 102
    - deny: ioprio_get
      with: 103
      when: which < 0 or who & 0xf0 == 0x30
    - deny: ioprio_get
      with: 104
    - deny: sched_getscheduler
      with: 105
      when: pid not in {1, 2, 3, 40..71}
    - deny: sched_getscheduler
      with: 106
    - deny: setpriority
      with: 107
      when: not (niceval >= -4 and niceval < 96) or which == 0x80
    - deny: setpriority
      with: 108
"""
CHECKED = ("kcmp", "ioprio_get", "sched_getscheduler", "setpriority")


@pytest.mark.parametrize("native", [True, False], ids=["x86_64", "x86"])
def test_every_boundary_of_argument_rules(docker: Any, native: bool) -> None:
    """Ranges, `not in`, masks, and/or/not, signs: the errno of each call is the oracle's."""
    loaded = load_text(ARGUMENTS)
    assert loaded.problems == ()
    policy = loaded.require()
    profile = compiled(policy)
    filter_ = resolve(lower(policy, X86), ENVIRONMENT)
    mine = abi("x86_64" if native else "x86")
    wanted = {(mine.audit_arch, table(mine).by_name[name]) for name in CHECKED}
    chosen: list[Trial] = [
        # int 0x80 cuts registers to 32 bits
        (arch, nr, registers if native else tuple(each & 0xFFFFFFFF for each in registers))
        for arch, nr, registers in trials(filter_, every_number=False)
        if (arch, nr) in wanted
    ]
    chosen = chosen[::5]
    assert len(chosen) > 100
    got: list[int] = []
    for start in range(0, len(chosen), 100):
        calls = [(nr, *registers) for _, nr, registers in chosen[start : start + 100]]
        got += docker.probe(*calls, profile=profile, i386=not native)
    seen = set()
    for trial, result in zip(chosen, got, strict=True):
        value = answer(policy, X86, ENVIRONMENT, trial)
        assert actions.kind_of(value) is ActionKind.DENY
        assert result == -(value & 0xFFFF), trial
        seen.add(-result)
    assert seen == set(range(101, 109))


REFUSED = """
stockade: 1
name: refused
extends: docker-default
seccomp:
  architectures: [x86_64, x86]
  rules:
    - deny: mbind
      with: 110
      when: len >= 0x180000000
      architectures: [x86_64]
"""


def test_what_docker_json_cannot_say_is_refused() -> None:
    policy = load_text(REFUSED).require()
    with pytest.raises(TargetError) as raised:
        compiled(policy)
    [problem] = raised.value.problems
    assert "mbind would mean something else on x86" in problem.message
    assert problem.at is not None
    assert problem.at.line == 8
