"""The example for a web service: what it says, that every target takes it, and that it works."""

from __future__ import annotations

import platform
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from stockade.policies import load
from stockade.policies.catalog import LIBRARY, library_names
from stockade.policies.model import ActionKind, Policy
from stockade.seccomp.actions import ALLOW
from stockade.seccomp.build import Build
from stockade.seccomp.cases import run_cases
from stockade.seccomp.check import check
from stockade.seccomp.filter import ALWAYS, Environment, resolve
from stockade.seccomp.lower import lower
from stockade.seccomp.syscalls import FAMILIES, abi, table
from stockade.seccomp.targets import TARGETS, Request, compile_targets

Run = Callable[..., subprocess.CompletedProcess[str]]

BARE = Environment(frozenset(), (6, 1))
X86, ARM = (next(f for f in FAMILIES if f.native.name == name) for name in ("x86_64", "aarch64"))


@pytest.fixture(scope="module")
def web() -> Policy:
    return load("web").require()


# --- every seccomp policy of the library ----------------------------------------------------

FILTERS = [name for name in library_names() if load(name).require().seccomp is not None]


@pytest.mark.parametrize("name", FILTERS)
def test_a_policy_of_the_library_is_sound(name: str) -> None:
    policy = load(name).require()
    assert policy.name == name
    assert policy.description
    assert not check(policy, Build(X86))
    assert len(policy.tests) >= 12


@pytest.mark.parametrize("name", FILTERS)
def test_its_own_tests_pass(name: str) -> None:
    outcomes = list(run_cases(load(name).require(), Build(X86), BARE))
    assert [f"{o.case.call}: {o.got}, not {o.expected}" for o in outcomes if not o.passed] == []
    assert len(outcomes) >= 24


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("family", [X86, ARM], ids=lambda family: family.native.name)
@pytest.mark.parametrize("target", ["docker", "oci", "bpf"])
def test_it_compiles(name: str, family: object, target: str) -> None:
    assert target in TARGETS
    [(_, content)] = compile_targets(
        load(name).require(), [target], Request(Build(X86 if family is X86 else ARM), BARE)
    )
    assert len(content) > 1000


def test_lines_fit_a_terminal() -> None:
    for path in LIBRARY.glob("*.yaml"):
        assert [line for line in path.read_text().splitlines() if len(line) > 100] == []


# --- what web says --------------------------------------------------------------------------


def test_no_call_is_open_without_condition_that_docker_closes(web: Policy) -> None:
    """Stricter than Docker's default, with the capabilities of neither."""
    open_ = {}
    for name in ("web", "docker-default"):
        [filter_] = [
            each
            for each in resolve(lower(load(name).require(), Build(X86)), BARE).abis
            if each.abi.name == "x86_64"
        ]
        calls = table(abi("x86_64")).by_number
        open_[name] = {
            calls[nr]
            for nr, clauses in filter_.calls.items()
            if clauses and clauses[0].test == ALWAYS and clauses[0].value == ALLOW
        }
    newer = {"file_getattr", "file_setattr", "rseq_slice_yield"}
    assert open_["web"] - open_["docker-default"] == newer
    assert not open_["web"] & {"clone", "clone3", "socket", "ioctl", "prctl", "mknod", "splice"}


def test_each_condition_has_a_case_on_either_side(web: Policy) -> None:
    """Whoever copies the file sees how a condition is tested."""
    assert web.seccomp is not None
    conditional = {c.text for rule in web.seccomp.rules if rule.when for c in rule.calls}
    conditional -= {"mknod", "socketpair"}  # the one like mknodat, the other like socket
    for name in conditional:
        kinds = {case.expect.kind for case in web.tests if case.call.name == name}
        assert kinds == {ActionKind.ALLOW, ActionKind.DENY}, name


# --- in the real kernel ----------------------------------------------------------------------

SERVICE = """
import concurrent.futures, http.server, multiprocessing, socket, subprocess, tempfile
import threading, urllib.request

class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        with open(f"{directory}/page", "w") as page:
            page.write("served")
        handler = lambda *args: Handler(*args, directory=directory)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/page"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            pages = set(pool.map(lambda _: opener.open(url, timeout=20).read(), range(16)))
        server.shutdown()
    assert pages == {b"served"}, pages
    with multiprocessing.Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
    assert socket.getaddrinfo("localhost", 80)
    assert b"usr" in subprocess.run(["ls", "/"], capture_output=True, check=True).stdout
    print("works")
"""

PROBE = """
import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
for line in sys.stdin:
    words = [ctypes.c_long(int(word, 0)) for word in line.split()]
    ctypes.set_errno(0)
    result = libc.syscall(*words)
    print("allowed" if result >= 0 else errno.errorcode[ctypes.get_errno()])
"""


@pytest.fixture(scope="module")
def confined(require: Callable[[object, str], None]) -> Run:
    """`stockade run --policy web -- COMMAND`."""
    here = sys.platform == "linux" and platform.machine() == "x86_64"
    require(here, "needs Linux on x86_64")

    def run(*command: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "stockade", "run", "--policy", "web", "--", *command],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.mark.kernel
def test_a_threaded_server_works(confined: Run, tmp_path: Path) -> None:
    script = tmp_path / "service.py"
    script.write_text(SERVICE)
    done = confined(sys.executable, str(script))
    assert (done.returncode, done.stdout) == (0, "works\n"), done.stderr


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("command", "printed"),
    [
        (["ls", "-d", "/usr"], "/usr\n"),
        (["sh", "-c", "echo a | cat; exit 7"], "a\n"),
        (["sh", "-c", "grep -o Seccomp:.* /proc/self/status; exit 7"], "Seccomp:\t2\n"),
    ],
)
def test_ordinary_commands_work(confined: Run, command: list[str], printed: str) -> None:
    done = confined(*command)
    assert (done.returncode, done.stdout) == (7 if "exit" in command[-1] else 0, printed)


#: A call by number and arguments, and what comes of it: the policy's errno, or the kernel's own
#: (EFAULT, EBADF) for a call that may run but cannot succeed with such arguments.
CALLS = {
    "getpid": ("getpid", "allowed"),
    "thread without stack": ("clone 0x10000", "EINVAL"),
    "new user namespace by clone": ("clone 0x10000011", "EPERM"),
    "new user namespace by unshare": ("unshare 0x10000000", "EPERM"),
    "new user namespace by clone3": ("clone3 0 0", "ENOSYS"),
    "mount": ("mount 0 0 0 0 0", "EPERM"),
    "fsopen": ("fsopen 0 0", "EPERM"),
    "ptrace": ("ptrace 0 0 0 0", "EPERM"),
    "bpf": ("bpf 0 0 0", "EPERM"),
    "keyctl": ("keyctl 0 0 0", "EPERM"),
    "perf_event_open": ("perf_event_open 0 0 0 0 0", "EPERM"),
    "userfaultfd": ("userfaultfd 0", "EPERM"),
    "io_uring_setup": ("io_uring_setup 1 0", "ENOSYS"),
    "init_module": ("init_module 0 0 0", "EPERM"),
    "a TCP socket": ("socket 2 0x80001 0", "allowed"),
    "a raw socket": ("socket 2 3 1", "EAFNOSUPPORT"),
    "AF_ALG": ("socket 38 5 0", "EAFNOSUPPORT"),
    "AF_ALG with high bits": ("socket 0x100000026 5 0", "EAFNOSUPPORT"),
    "AF_INET with high bits": ("socket 0x100000002 1 0", "allowed"),
    "AF_VSOCK": ("socket 40 1 0", "EAFNOSUPPORT"),
    "routes": ("socket 16 3 0", "allowed"),
    "netfilter": ("socket 16 3 12", "EAFNOSUPPORT"),
    "terminal size": ("ioctl 99 0x5413 0", "EBADF"),
    "TIOCSTI": ("ioctl 99 0x5412 0", "EPERM"),
    "TIOCSTI with high bits": ("ioctl 99 0x100005412 0", "EPERM"),
    "TIOCLINUX": ("ioctl 99 0x541c 0", "EPERM"),
    "PR_GET_DUMPABLE": ("prctl 3 0 0 0 0", "allowed"),
    "PR_SET_MM": ("prctl 35 0 0 0 0", "EPERM"),
    "a block device": ("mknodat -100 0 0x61ff 0", "EPERM"),
    "a pipe in the file system": ("mknodat -100 0 0x11ff 0", "EFAULT"),
    "a call of tomorrow": ("9999", "ENOSYS"),
}


@pytest.mark.kernel
def test_the_kernel_denies_what_it_should(confined: Run) -> None:
    numbers = table(abi("x86_64")).by_name
    lines = [line.split() for line, _ in CALLS.values()]
    text = "\n".join(" ".join([str(numbers.get(n, n)), *rest]) for n, *rest in lines)
    done = confined(sys.executable, "-c", textwrap.dedent(PROBE), text=text)
    assert done.returncode == 0, done.stderr
    got = dict(zip(CALLS, done.stdout.split(), strict=True))
    assert got == {name: answer for name, (_, answer) in CALLS.items()}
