"""@runtime-base in a real container: runc gets from loading the filter to starting the program."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stockade.policies import load, load_text
from stockade.policies.model import Policy
from stockade.seccomp.build import DOCKER_CAPABILITIES, Build
from stockade.seccomp.filter import Environment
from stockade.seccomp.syscalls import FAMILIES
from stockade.seccomp.targets import Request, compile_targets

pytestmark = pytest.mark.kernel

BUSYBOX = Path("/bin/busybox")
FAMILY = next(family for family in FAMILIES if family.native.name == "x86_64")

#: Beside the group only what a static program needs to print a word, and Go's threads.
LEAST = """
stockade: 1
name: least
seccomp:
  default: deny
  architectures: [x86_64, x86, x32]
  rules:
    - allow: clone
      when: flags & (CLONE_NEWNS|CLONE_NEWUSER|CLONE_NEWNET|CLONE_NEWPID) == 0
    - allow: ["@runtime-base", arch_prctl, brk, getrandom, getuid, ioctl, mprotect, prlimit64,
              readlink, readlinkat, rseq, set_robust_list, set_tid_address]
"""


def least() -> Policy:
    return load_text(LEAST).require()


def web() -> Policy:
    return load("web").require()


@pytest.fixture
def bundle(require: Callable[[object, str], None], tmp_path: Path) -> Path:
    """An OCI bundle with busybox, for runc."""
    require(platform.machine() == "x86_64", "needs Linux on x86_64")
    require(os.geteuid() == 0, "runc needs root here")
    require(shutil.which("runc"), "needs runc (Debian's runc)")
    require(BUSYBOX.exists(), "needs /bin/busybox (Debian's busybox-static)")
    for name in ("bin", "dev", "proc", "sys"):
        (tmp_path / "rootfs" / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, tmp_path / "rootfs" / "bin" / "busybox")
    subprocess.run(["runc", "spec"], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize("policy", [least, web], ids=["least", "web"])
@pytest.mark.parametrize("no_new_privileges", [False, True], ids=["plain", "no_new_privs"])
@pytest.mark.parametrize("user", [0, 1000])
def test_runc_starts_a_program(
    bundle: Path, policy: Callable[[], Policy], no_new_privileges: bool, user: int
) -> None:
    request = Request(Build(FAMILY), Environment(DOCKER_CAPABILITIES, (6, 1)))
    [(_, seccomp)] = compile_targets(policy(), ["oci"], request)
    config = json.loads((bundle / "config.json").read_text())
    config["process"] |= {
        "args": ["/bin/busybox", "echo", "started"],
        "terminal": False,
        "noNewPrivileges": no_new_privileges,
        "user": {"uid": user, "gid": user, "additionalGids": [5]},
    }
    config["linux"]["seccomp"] = json.loads(seccomp)
    config["linux"].pop("resources", None)
    config["linux"]["cgroupsPath"] = f"/stockade-library-{os.getpid()}"
    (bundle / "config.json").write_text(json.dumps(config))
    done = subprocess.run(
        ["runc", "--root", str(bundle / "state"), "run", f"library-{os.getpid()}"],
        cwd=bundle,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr
