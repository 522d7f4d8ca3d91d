"""A real systemd runs a service with our drop-in: every denied call gets the oracle's errno.

systemd runs as a user manager in namespaces of its own: processes, mounts, and cgroups, where it
sees nothing but one group of ours. The machine's own service manager, if it has one, is not asked.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from differential import BARE, answer

from stockade.policies import load_text
from stockade.policies.model import Policy
from stockade.seccomp import actions
from stockade.seccomp.build import Build
from stockade.seccomp.syscalls import abi, family_of, table
from stockade.seccomp.targets import Request, compile_targets

pytestmark = pytest.mark.runtimes

SYSTEMD = Path("/lib/systemd/systemd")
X86 = Build(family_of(abi("x86_64")))
GAP, NEWER = 400, 999

POLICY = """
stockade: 1
name: unit
seccomp:
  default: deny
  with: EACCES
  newer: default
  architectures: [x86_64, x86, x32]
  rules:
    - deny: [clone3, socketcall, ipc]
      with: ENOSYS
    - deny: [getppid, gettimeofday, futex]      # the last two are in systemd's @default
    - allow: ["@base", "@file-system", "@basic-io", "@runtime-base", socket, connect, shmat]
"""

UNIT = """
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart={command}
StandardOutput=file:{output}
"""

#: Puts the shell into cgroups of our own, and systemd where these are the only ones.
SCRIPT = """
for top in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ -f $top/cgroup.procs ] || continue
    mkdir -p $top/$GROUP
    echo $$ > $top/$GROUP/cgroup.procs
done
exec unshare --cgroup --mount --pid --fork --mount-proc --kill-child sh -euc '
    hybrid=
    [ ! -f /sys/fs/cgroup/systemd/cgroup.procs ] || hybrid=1
    umount -R -l /sys/fs/cgroup
    if [ "$hybrid" ]; then
        mount -t tmpfs none /sys/fs/cgroup
        mkdir /sys/fs/cgroup/systemd /sys/fs/cgroup/unified
        mount -t cgroup -o none,name=systemd none /sys/fs/cgroup/systemd
        mount -t cgroup2 none /sys/fs/cgroup/unified
    else
        mount -t cgroup2 none /sys/fs/cgroup
    fi
    mount -t tmpfs none /run
    mkdir -p /run/systemd/system /run/user/0
    env -i PATH=/usr/bin HOME=/ XDG_RUNTIME_DIR=/run/user/0 SYSTEMD_UNIT_PATH="$UNITS" \\
        SYSTEMD_LOG_TARGET=console SYSTEMD_GENERATOR_PATH=/nowhere \\
        SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/nowhere "$SYSTEMD" --user --unit=probe.service
    exit $?' # not exec: systemd would be process 1, and no user manager
"""

Serve = Callable[[str, list[str]], list[int]]


@pytest.fixture
def serve(require: Callable[[object, str], None], probe_root: Path, tmp_path: Path) -> Serve:
    """`serve(drop-in, words)` runs the probe as a service; what it printed."""
    require(os.geteuid() == 0, "needs root")
    require(SYSTEMD.exists(), f"needs {SYSTEMD} (Debian's systemd)")
    require(shutil.which("unshare"), "needs unshare")
    units, output = tmp_path / "units", tmp_path / "output"
    (units / "probe.service.d").mkdir(parents=True)
    group = f"stockade-test-{os.getpid()}-service"

    def run(dropin: str, words: list[str]) -> list[int]:
        command = " ".join([f"{probe_root}{words[0]}", *words[1:]])
        output.unlink(missing_ok=True)
        (units / "probe.service").write_text(UNIT.format(command=command, output=output))
        (units / "probe.service.d" / "seccomp.conf").write_text(dropin)
        environment = {"GROUP": group, "UNITS": str(units), "SYSTEMD": str(SYSTEMD)}
        done = subprocess.run(
            ["sh", "-euc", SCRIPT], env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        groups = list(Path("/sys/fs/cgroup").glob(f"**/{group}/**/"))
        for path in sorted(groups, reverse=True):
            with contextlib.suppress(OSError):
                path.rmdir()
        assert output.exists(), done.stderr
        return [int(line) for line in output.read_text().split()]

    return run


def dropin(policy: Policy) -> str:
    [(_, content)] = compile_targets(policy, ["systemd"], Request(X86, BARE))
    return content.decode()


def test_without_the_drop_in(serve: Serve) -> None:
    """So that a denial below is the drop-in's."""
    [result] = serve("[Service]\n", ["/probe", str(table(abi("x86_64")).by_name["getppid"])])
    assert result > 0


@pytest.mark.parametrize("name", ["x86_64", "x86"])
def test_every_denied_call(serve: Serve, name: str) -> None:
    """What is denied is never executed, so all of it can be tried."""
    policy, mine = load_text(POLICY).require(), abi(name)
    numbers = [*table(mine).by_number, GAP, NEWER] if name == "x86_64" else [*table(mine).by_number]
    denied: dict[int, int] = {}
    for nr in numbers:
        value = answer(policy, X86, BARE, (mine.audit_arch, nr, (0,) * 6))
        if value & actions.ACTION_MASK == actions.ERRNO and nr not in (335, 336):
            denied[nr] = -(value & actions.NUMBER_MASK)
    assert len(denied) > 150
    words = " -- ".join(map(str, denied)).split()
    got = serve(dropin(policy), ["/probe" if name == "x86_64" else "/probe32", *words])
    assert dict(zip(denied, got, strict=True)) == denied
    assert set(denied.values()) == {-1, -13, -38}


def test_killed_calls_end_the_service(serve: Serve) -> None:
    policy = load_text(POLICY.replace("deny: [getppid", "kill: [getppid")).require()
    by_name = table(abi("x86_64")).by_name
    got = serve(dropin(policy), ["/probe", str(by_name["getuid"]), "--", str(by_name["getppid"])])
    assert got == [0]
