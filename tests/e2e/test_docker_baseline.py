"""The fixture works: a hand-written profile is enforced by a real dockerd, and all can be seen."""

import errno
import json
import re

import pytest

pytestmark = pytest.mark.docker

UNAME, GETPID, SETHOSTNAME, PERSONALITY, SOCKET = 63, 39, 170, 135, 41
I386_GETPID, I386_PERSONALITY = 20, 136

#: Allows all but four calls, each refused in its own way.
PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "syscalls": [
        {"names": ["sethostname"], "action": "SCMP_ACT_ERRNO"},
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOTTY},
        {
            "names": ["personality"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": errno.EXDEV,
            # All of the low word, and nothing of the high one.
            "args": [
                {"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 0xFFFFFFFF, "valueTwo": 0x20008}
            ],
        },
    ],
}


def test_the_profile_is_in_force(docker):
    status = docker.run("cat", "/proc/self/status", profile=PROFILE)
    assert status.returncode == 0, status.stderr
    assert re.search(r"^Seccomp:\t2$", status.stdout, re.MULTILINE)


def test_unconfined_is_told_apart(docker):
    status = docker.run(
        "cat", "/proc/self/status", options=["--security-opt", "seccomp=unconfined"]
    )
    assert re.search(r"^Seccomp:\t0$", status.stdout, re.MULTILINE)


def test_allowed_calls_work_and_denied_ones_fail_with_their_errno(docker):
    assert docker.run("echo", "hello", profile=PROFILE).stdout == "hello\n"
    uname, pid, sethostname = docker.probe(
        (UNAME, "@"), (GETPID,), (SETHOSTNAME, ":x", 1), profile=PROFILE
    )
    assert (uname, pid, sethostname) == (0, 1, -errno.EPERM)
    mkdir = docker.run("mkdir", "/x", profile=PROFILE)
    assert mkdir.returncode == 1
    assert "Inappropriate ioctl" in mkdir.stderr


def test_rules_on_arguments_hold_with_high_bits_set(docker):
    values = (0x20008, 0x20008 | 1 << 32, 0x20008 | 1 << 63, 0)
    calls = [(PERSONALITY, value) for value in values]
    assert docker.probe(*calls, profile=PROFILE) == [-errno.EXDEV] * 3 + [0]


def test_the_probe_reaches_the_compat_calls(docker):
    results = docker.probe(
        (I386_GETPID,), (I386_PERSONALITY, 0x20008), (-1,), profile=PROFILE, i386=True
    )
    assert results == [1, -errno.EXDEV, -errno.ENOSYS]


def test_the_probe_survives_fork(docker):
    fork, clone, pid = docker.probe((57,), (56, 17), (GETPID,), profile=PROFILE)
    assert fork > 1
    assert clone > fork
    assert pid == 1


def test_a_bad_word_for_the_probe_is_an_error(docker):
    with pytest.raises(RuntimeError, match="ended with 2"):
        docker.probe(("12ab",), profile=PROFILE)


def test_inspect_shows_the_profile(docker):
    created = docker.command(
        "create", "--network=none", "--security-opt", docker.profile(PROFILE), docker.image, "true"
    )
    assert created.returncode == 0, created.stderr
    container = created.stdout.strip()
    try:
        (shown,) = json.loads(docker.command("inspect", container).stdout)
    finally:
        docker.command("rm", container)
    (option,) = shown["HostConfig"]["SecurityOpt"]
    assert json.loads(option.removeprefix("seccomp=")) == PROFILE


def test_docker_refuses_a_broken_profile(docker):
    refused = docker.run("true", profile='{"defaultAction": ')
    assert refused.returncode == 125
    assert "json" in refused.stderr.lower()
