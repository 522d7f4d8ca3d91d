"""`stockade run`, `init` and `test`, in the real kernel."""

import errno
import os
import platform
import sys

import pytest

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(
        (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="needs Linux on x86_64"
    ),
]


def test_exit_status_is_the_commands(stockade):
    run = ("run", "--policy", "docker-default", "--")
    assert stockade(*run, "sh", "-c", "exit 7").returncode == 7
    assert stockade(*run, "true").returncode == 0
    assert stockade(*run, "sh", "-c", "kill -TERM $$").returncode == -15


def test_the_filter_and_no_new_privs_are_on(stockade):
    done = stockade("run", "--policy", "docker-default", "--", "cat", "/proc/self/status")
    fields = dict(line.split(":\t") for line in done.stdout.splitlines() if ":\t" in line)
    assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "1")


def test_options_of_the_command_are_its_own(stockade):
    done = stockade("run", "--policy", "docker-default", "--", "echo", "--help", "-x")
    assert done.stdout == "--help -x\n"


def test_denied_calls_fail_with_the_policys_errno(stockade, tmp_path):
    (tmp_path / "p.yaml").write_text(
        "stockade: 1\nname: p\nextends: docker-default\nseccomp:\n  rules:\n"
        "    - deny: [getppid]\n      with: EXDEV\n"
        "    - deny: personality\n      with: ENOTTY\n      when: personality == 8\n"
    )
    program = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(*args):\n"
        "    wide = [ctypes.c_ulong(a) for a in args]\n"
        "    libc.syscall.restype = ctypes.c_long\n"
        "    return 0 if libc.syscall(*wide) >= 0 else ctypes.get_errno()\n"
        "print(call(110), call(135, 8), call(135, 8 | 1 << 32), call(135, 0xffffffff), call(39))"
    )
    done = stockade("run", "--policy", "p.yaml", "--", sys.executable, "-c", program)
    expected = [errno.EXDEV, errno.ENOTTY, errno.ENOTTY, 0, 0]
    assert [int(word) for word in done.stdout.split()] == expected, done.stderr


def test_rules_for_capabilities_count_only_when_named(stockade):
    command = ("--", "unshare", "--uts", "true")
    assert stockade("run", "--policy", "docker-default", *command).returncode == 1
    if os.geteuid() == 0:
        named = ("run", "--policy", "docker-default", "--cap", "CAP_SYS_ADMIN")
        assert stockade(*named, *command).returncode == 0


def test_what_cannot_be_started(stockade, tmp_path):
    missing = stockade("run", "--policy", "docker-default", "--", "no-such-command")
    assert (missing.returncode, "no such command" in missing.stderr) == (127, True)
    (tmp_path / "p.yaml").write_text(
        "stockade: 1\nname: p\nextends: docker-default\nseccomp:\n  rules: [{deny: execve}]\n"
    )
    denied = stockade("run", "--policy", "p.yaml", "--", "true")
    assert (denied.returncode, "cannot execute" in denied.stderr) == (126, True)
    assert stockade("run", "--policy", "none", "--", "true").returncode == 2
    assert stockade("run", "--policy", "docker-default").returncode == 2


def test_init_leads_to_a_policy_that_works(stockade, tmp_path):
    done = stockade("init", "my-App.yaml")
    assert done.returncode == 0
    steps = [
        line.split("stockade ", 1)[1] for line in done.stderr.splitlines() if "stockade" in line
    ]
    assert len(steps) == 5
    assert stockade("lint", "my-App.yaml").returncode in (0, 1)
    assert stockade("test", "my-App.yaml").returncode == 0
    assert stockade("run", "--policy", "my-App.yaml", "--", "ls").returncode == 0
    assert stockade("compile", "my-App.yaml").returncode == 0
    assert (tmp_path / "my-app.docker.json").exists()
    assert stockade("init", "my-App.yaml").returncode == 2
    assert stockade("init", "other.txt").returncode == 2


def test_cases_that_fail_are_shown(stockade, tmp_path):
    (tmp_path / "p.yaml").write_text(
        "stockade: 1\nname: p\nextends: docker-default\ntests:\n"
        '  - {call: "mount", expect: allow}\n'
        '  - {call: "socket(type=1)", expect: allow}\n'
        '  - {call: "clone3", expect: deny, with: EPERM}\n'
        '  - {call: "mount", expect: allow, needs: [CAP_SYS_ADMIN]}\n'
    )
    done = stockade("test", "p.yaml")
    assert done.returncode == 1
    assert "p.yaml:5:5: on x86_64: expected allow, got deny EPERM" in done.stdout
    assert "got depends: deny EPERM for socket(family=0x26, type=1)" in done.stdout
    assert "expected deny EPERM, got deny ENOSYS" in done.stdout
    assert "16 passed" in done.stderr
