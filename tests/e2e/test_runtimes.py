"""What crun, Podman, bubblewrap and a C program enforce of a policy, against the oracle."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from differential import Trial, answer, trials

from stockade.policies import load, load_text
from stockade.policies.model import ActionKind, Policy
from stockade.seccomp import actions
from stockade.seccomp.build import DOCKER_CAPABILITIES, Build, running_kernel
from stockade.seccomp.filter import Environment, resolve
from stockade.seccomp.lower import lower
from stockade.seccomp.syscalls import abi, family_of, table
from stockade.seccomp.targets import Request, compile_targets

pytestmark = pytest.mark.runtimes

X86 = Build(family_of(abi("x86_64")))
ENVIRONMENT = Environment(DOCKER_CAPABILITIES, running_kernel())
REQUEST = Request(X86, ENVIRONMENT)
NUMBERS = table(abi("x86_64")).by_name
GAP, NEWER = 400, 999
HIGH = 1 << 32

POLICY = """
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
    - deny: setpriority
      with: 107
      when: not (niceval >= -4 and niceval < 96) or which == 0x80
    - deny: setpriority
      with: 108
"""
CHECKED = {"kcmp": {101, 102}, "ioprio_get": {103, 104}, "setpriority": {107, 108}}

Call = tuple[int, ...]
Probe = Callable[[Sequence[Call], bool], list[int]]
"""The raw results of calls made under the policy, through syscall or int 0x80."""


def compiled(policy: Policy, target: str, directory: Path) -> Path:
    """The target's file in the directory."""
    [(made, content)] = compile_targets(policy, [target], REQUEST)
    path = directory / f"{policy.name}{made.suffix}"
    path.write_bytes(content)
    return path


def words(calls: Sequence[Call], native: bool) -> list[str]:
    """The probe's command line."""
    parts = " -- ".join(" ".join(map(str, call)) for call in calls).split()
    return ["/probe" if native else "/probe32", *parts]


def results(command: Sequence[object], directory: Path, **options: object) -> list[int]:
    done = subprocess.run(
        [str(word) for word in command], cwd=directory, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=120, **options,  # type: ignore[call-overload]
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


#: crun 1.8 refuses hosts where cgroup v2 has controllers beside v1: it does not see that here.
NO_UNIFIED = (
    *("unshare", "--mount", "sh", "-c"),
    'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"',
    "sh",
)


@pytest.fixture
def programs(require: Callable[[object, str], None]) -> Callable[..., None]:
    """Root, and these programs."""

    def check(*names: str) -> None:
        require(os.geteuid() == 0, "needs root")
        for name in names:
            require(shutil.which(name), f"needs {name}")

    return check


@pytest.fixture
def crun(probe_root: Path, tmp_path: Path, programs: Callable[..., None]) -> Probe:
    programs("crun")

    def run(calls: Sequence[Call], native: bool) -> list[int]:
        policy = load_text(POLICY).require()
        piece = json.loads(compiled(policy, "crun", tmp_path).read_text())
        namespaces = [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")]
        config = {
            "ociVersion": "1.0.2",
            "process": {"user": {"uid": 0, "gid": 0}, "args": words(calls, native), "cwd": "/"},
            "root": {"path": str(probe_root), "readonly": True},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {"namespaces": namespaces},
            **piece,
        }
        if not native:  # a section that is there too is replaced
            config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW"}
        (tmp_path / "config.json").write_text(json.dumps(config))
        command = ["crun", "--root", tmp_path / "state", "--cgroup-manager=disabled", "run"]
        return results([*NO_UNIFIED, *command, f"stockade-{os.getpid()}"], tmp_path)

    return run


@pytest.fixture
def bwrap(probe_root: Path, tmp_path: Path, programs: Callable[..., None]) -> Probe:
    programs("bwrap")
    script = compiled(load_text(POLICY).require(), "bwrap", tmp_path)

    def run(calls: Sequence[Call], native: bool) -> list[int]:
        return results(["sh", script, "--bind", probe_root, "/", *words(calls, native)], tmp_path)

    return run


LOADER = """
#include <stdio.h>
#include "arguments.h"

int main(int count, char **words)
{
    if (count < 2 || arguments_load(0) != 0) {
        perror("arguments_load");
        return 1;
    }
    execv(words[1], words + 1);
    return 1;
}
"""


def build_loader(
    directory: Path, source: str, compiler: str = "gcc", standard: str = "c11"
) -> Path:
    (directory / "loader.c").write_text(source)
    loader = directory / "loader"
    flags = [f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-O2", "-o", loader]
    subprocess.run([compiler, *flags, directory / "loader.c"], check=True)
    return loader


@pytest.fixture
def c(probe_root: Path, tmp_path: Path, programs: Callable[..., None]) -> Probe:
    programs("gcc")
    compiled(load_text(POLICY).require(), "c", tmp_path)
    loader = build_loader(tmp_path, LOADER)

    def run(calls: Sequence[Call], native: bool) -> list[int]:
        name, *rest = words(calls, native)
        return results([loader, f"{probe_root}{name}", *rest], tmp_path)

    return run


Podman = Callable[..., list[int]]


@pytest.fixture
def podman(probe_root: Path, tmp_path: Path, programs: Callable[..., None]) -> Iterator[Podman]:
    """`podman(runtime, options, calls)`, with everything that it keeps in one directory."""
    programs("podman", "crun", "runc")
    group = f"stockade-test-{os.getpid()}"
    home = Path(tempfile.mkdtemp(prefix="stockade-"))  # Podman wants a short --runroot
    keeps = ["--root", home / "root", "--runroot", home / "run", "--tmpdir", home / "tmp",
             "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]  # fmt: skip
    # This machine's limits may be below Podman's own.
    run = ["run", "--rm", "--network", "none", "--cgroup-parent", f"/{group}", "--ulimit",
           "nofile=256:256", "--ulimit", "nproc=256:256"]  # fmt: skip

    def start(runtime: str, options: Sequence[object], calls: Sequence[Call], native: bool = True):
        command = ["podman", *keeps, "--runtime", runtime, *run, *options, "--rootfs", probe_root]
        return results([*NO_UNIFIED, *command, *words(calls, native)], tmp_path)

    yield start
    shutil.rmtree(home, ignore_errors=True)
    groups = [path for path in Path("/sys/fs/cgroup").glob(f"**/{group}/**/") if path.is_dir()]
    for path in sorted(groups, reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()


def argument_trials(native: bool) -> list[tuple[Trial, int]]:
    """Calls at the limits of the conditions and their answers, a spread of each answer."""
    policy, mine = load_text(POLICY).require(), abi("x86_64" if native else "x86")
    wanted = {(mine.audit_arch, table(mine).by_name[name]) for name in CHECKED}
    by_answer: dict[int, list[tuple[Trial, int]]] = {}
    filter_ = resolve(lower(policy, X86), ENVIRONMENT)
    for arch, nr, registers in trials(filter_, every_number=False):
        if (arch, nr) in wanted:
            # int 0x80 cuts registers to 32 bits
            cut = registers if native else tuple(each & 0xFFFFFFFF for each in registers)
            trial = (arch, nr, cut)
            value = answer(policy, X86, ENVIRONMENT, trial)
            by_answer.setdefault(value, []).append((trial, value))
    return [pair for found in by_answer.values() for pair in found[:: len(found) // 20 + 1]]


def hold_to_the_oracle(probe: Probe, native: bool) -> None:
    """Conditions at their limits: the errno of every call is the oracle's."""
    chosen = argument_trials(native)
    got = probe([(nr, *registers) for (_, nr, registers), _ in chosen], native)
    assert len(got) == len(chosen) > 50
    for (trial, value), result in zip(chosen, got, strict=True):
        assert actions.kind_of(value) is ActionKind.DENY
        assert result == -(value & actions.NUMBER_MASK), trial
    assert {-result for result in got} == set().union(*CHECKED.values())


FIXED: list[Call] = [
    (NUMBERS["getppid"],), (NUMBERS["unshare"], 0x10000000), (NUMBERS["clone3"], 0, 0),
    (NUMBERS["socket"], 38 | HIGH, 5, 0), (NUMBERS["personality"], 0xFFFFFFFF | 5 * HIGH),
    (NEWER,), (GAP,),
]  # fmt: skip


def hold_fixed(got: Sequence[int], gap: int) -> None:
    assert got[0] >= 0
    assert got[1:4] == [-1, -38, -1]
    assert got[4] >= 0
    assert got[5:] == [-38, gap]


@pytest.mark.parametrize("native", [True, False], ids=["x86_64", "x86"])
@pytest.mark.parametrize("name", ["crun", "bwrap", "c"])
def test_the_program_itself(name: str, native: bool, request: pytest.FixtureRequest) -> None:
    probe: Probe = request.getfixturevalue(name)
    hold_to_the_oracle(probe, native)
    if native:
        hold_fixed(probe(FIXED, True), -1)


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_podman(runtime: str, podman: Podman, tmp_path: Path) -> None:
    """Numbers in a gap get ENOSYS, as the note says; newer ones do under both runtimes."""
    profile = compiled(load_text(POLICY).require(), "podman", tmp_path)
    option = f"--security-opt=seccomp={profile}"
    hold_to_the_oracle(lambda calls, native: podman(runtime, [option], calls, native), True)
    hold_fixed(podman(runtime, [option], FIXED), -38)
    if runtime == "runc":
        assert podman(runtime, [option], [(1 << 31,)]) == [-38]
    else:  # as the note says
        with pytest.raises(AssertionError):
            podman(runtime, [option], [(1 << 31,)])


def test_podman_asks_for_capabilities(podman: Podman, tmp_path: Path) -> None:
    profile = compiled(load("docker-default").require(), "podman", tmp_path)
    option, calls = f"--security-opt=seccomp={profile}", [(NUMBERS["unshare"], 0x04000000)]
    assert podman("crun", [option], calls) == [-1]
    assert podman("crun", [option, "--cap-add=SYS_ADMIN"], calls) == [0]


def test_podman_hands_crun_the_program(podman: Podman, tmp_path: Path) -> None:
    """The annotations work with an engine in front; there is no libseccomp between."""
    piece = json.loads(compiled(load_text(POLICY).require(), "crun", tmp_path).read_text())
    options = [f"--annotation={key}={value}" for key, value in piece["annotations"].items()]
    hold_fixed(podman("crun", options, FIXED), -1)


def test_bwrap_passes_streams_and_status_and_takes_no_other_filter(
    probe_root: Path, tmp_path: Path, programs: Callable[..., None]
) -> None:
    programs("bwrap")
    script = compiled(load("docker-default").require(), "bwrap", tmp_path)
    base = ["sh", script, "--ro-bind", "/", "/"]
    done = subprocess.run([*base, "sh", "-c", "cat; exit 7"], input=b"streams", capture_output=True)
    assert (done.stdout, done.returncode) == (b"streams", 7)
    other = subprocess.run(
        [*base, "--seccomp", "0", "true"], stdin=subprocess.DEVNULL, capture_output=True
    )
    assert other.returncode != 0
    assert b"--seccomp cannot be combined with --add-seccomp-fd" in other.stderr
    # Without base64 there is no program, and so nothing runs.
    (tmp_path / "bin").mkdir()
    for name in ("sh", "bwrap", "true"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    bare = subprocess.run(
        ["/bin/sh", *base[1:], "sh", "-c", "echo ran"],
        env={"PATH": str(tmp_path / "bin")}, stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    assert bare.returncode != 0
    assert b"ran" not in bare.stdout


@pytest.mark.parametrize("standard", ["c99", "gnu17", "c11"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_header_compiles_without_a_warning(
    compiler: str, standard: str, tmp_path: Path, programs: Callable[..., None]
) -> None:
    programs("gcc")
    if shutil.which(compiler) is None:
        compiler = "gcc"
    compiled(load_text(POLICY).require(), "c", tmp_path)
    build_loader(tmp_path, LOADER, compiler, standard)


NOTIFIES = """
stockade: 1
name: listening
seccomp:
  default: allow
  newer: default
  architectures: [x86_64]
  rules:
    - notify: getppid
"""
LISTENER = """
#include <stdio.h>
#include "listening.h"

int main(void)
{
    if (listening_load(0) != -1 || errno != EINVAL)
        return 1;
    printf("%d\\n", listening_load(SECCOMP_FILTER_FLAG_NEW_LISTENER));
    return 0;
}
"""


def test_the_header_gives_out_the_listener(tmp_path: Path, programs: Callable[..., None]) -> None:
    programs("gcc")
    compiled(load_text(NOTIFIES).require(), "c", tmp_path)
    [descriptor] = results([build_loader(tmp_path, LISTENER)], tmp_path)
    assert descriptor > 2
