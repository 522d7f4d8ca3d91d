"""Docker with a map for each container: what the kernel shows is the evidence."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mapped_docker import COUNT, FIRST, Mapped

pytestmark = [pytest.mark.docker, pytest.mark.userns]

BUSYBOX = "stockade-test:busybox"
SLEEP = (BUSYBOX, "sleep", "1000")


@pytest.fixture(autouse=True)
def _nothing_left(mapped: Mapped) -> Iterator[None]:
    yield
    containers = mapped.ask("ps", "--all", "--quiet").split()
    if containers:
        mapped.ask("rm", "--force", "--volumes", *containers)
    assert mapped.leases() == []


def test_containers_have_disjoint_maps(mapped: Mapped) -> None:
    maps = [mapped.map(mapped.start(*SLEEP)) for _ in range(3)]
    for inside, outside, count in maps:
        assert (inside, count) == (0, 65536)
        assert FIRST <= outside <= FIRST + COUNT - 65536
        assert outside % 65536 == 0
    assert len({outside for _, outside, _ in maps}) == 3
    assert len(mapped.leases()) == 3


def test_inside_everything_is_as_ever(mapped: Mapped) -> None:
    script = (
        "id -u; stat -c %u:%g / /bin/busybox /etc/hosts /etc/resolv.conf; "
        "echo x > /new; chown 33:34 /new; stat -c %u:%g /new; echo out > /dev/stdout; "
        "ping -c 1 -W 5 127.0.0.1 > /dev/null && echo pong; "
        "cat /proc/sys/net/ipv4/ping_group_range"
    )
    code, output = mapped.run("--rm", BUSYBOX, "sh", "-c", script)
    assert code == 0, output
    lines = output.splitlines()
    assert lines[:8] == ["0", *["0:0"] * 4, "33:34", "out", "pong"]
    assert lines[8].split() == ["0", "65535"]


def test_what_it_writes_is_stored_without_the_map(mapped: Mapped) -> None:
    name = mapped.start("--volume=data:/data", BUSYBOX, "sh", "-c", "echo x > /data/x; sleep 1000")
    mapped.ask("exec", name, "sh", "-c", "echo y > /y; chown 5:6 /y; echo z > /data/z")
    layers = mapped.ask("inspect", "--format={{.GraphDriver.Data.UpperDir}}", name)
    stored = Path(layers, "y").stat()
    assert (stored.st_uid, stored.st_gid) == (5, 6)
    volume = mapped.ask("volume", "inspect", "--format={{.Mountpoint}}", "data")
    assert {each.stat().st_uid for each in Path(volume).iterdir()} == {0}
    mapped.ask("commit", name, "stockade-test:committed")
    code, output = mapped.run("--rm", "stockade-test:committed", "stat", "-c%u:%g", "/y")
    assert (code, output) == (0, "5:6")


def test_a_private_file_is_unreadable_to_another_container(mapped: Mapped, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    volume = f"--volume={shared}:/shared"
    write = "umask 077; echo secret > /shared/secret; cat /shared/secret; sleep 1000"
    one = mapped.start(volume, BUSYBOX, "sh", "-c", write, runtime="keep")
    _until(lambda: mapped.ask("logs", one) == "secret")
    code, output = mapped.run("--rm", volume, BUSYBOX, "cat", "/shared/secret", runtime="keep")
    assert code == 1
    assert "Permission denied" in output
    assert (shared / "secret").stat().st_uid == mapped.map(one)[1]
    # The control: without a map of its own the container's root is the host's.
    code, output = mapped.run("--rm", volume, BUSYBOX, "cat", "/shared/secret", runtime="runc")
    assert (code, output) == (0, "secret")


def test_exec_cp_logs_restart(mapped: Mapped, tmp_path: Path) -> None:
    name = mapped.start(BUSYBOX, "sh", "-c", "echo up > /dev/stderr; sleep 1000")
    before = mapped.map(name)
    shown = mapped.ask("exec", name, "sh", "-c", "cat /proc/self/uid_map; echo > /dev/stdout")
    assert [int(word) for word in shown.split()] == before
    shown = mapped.ask("exec", "--user=33:33", name, "sh", "-c", "id -u; echo x > /dev/stdout")
    assert shown.split() == ["33", "x"]

    (tmp_path / "in").write_text("from the host")
    mapped.ask("cp", str(tmp_path / "in"), f"{name}:/var/in")
    mapped.ask("exec", name, "sh", "-c", "test -O /var/in && cp /var/in /var/out")
    mapped.ask("cp", f"{name}:/var/out", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "from the host"

    mapped.ask("restart", "--time=0", name)
    assert mapped.map(name) == before  # its own block, as long as nobody else has it
    assert mapped.ask("exec", name, "cat", "/var/out") == "from the host"
    assert len(mapped.leases()) == 1


@pytest.mark.parametrize(
    "options",
    [
        ("--network=none", "--read-only", "--init", "--tmpfs=/t:uid=5", "--user=65534:65534"),
        ("--tty", "--ipc=shareable", "--cap-add=SYS_ADMIN", "--volume=other:/v:ro"),
    ],
    ids=" ".join,
)
def test_ordinary_options_work(mapped: Mapped, options: tuple[str, ...]) -> None:
    code, output = mapped.run("--rm", *options, BUSYBOX, "cat", "/proc/self/uid_map")
    assert code == 0, output
    assert FIRST <= int(output.split()[1]) < FIRST + COUNT


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--privileged",), "is privileged"),
        (("--pid=host",), "process ids of the host"),
        (("--ipc=host",), "System V IPC of the host"),
        (("--volume=/etc:/x:ro",), "bind mount of the host's /etc"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_would_reach_the_host_is_refused(
    mapped: Mapped, options: tuple[str, ...], reason: str
) -> None:
    code, output = mapped.run("--rm", *options, BUSYBOX, "true")
    assert code == 125
    assert "stockade-runtime: " in output
    assert reason in output


def test_a_volume_that_is_a_mount_of_the_host_is_refused(mapped: Mapped) -> None:
    """The local driver mounts anything at a path that looks like a volume's."""
    options = ("--opt=type=none", "--opt=o=bind", "--opt=device=/etc")
    mapped.ask("volume", "create", *options, "trick")
    code, output = mapped.run("--rm", "--volume=trick:/x", BUSYBOX, "cat", "/x/shadow")
    assert code == 125
    assert "bind mount of the host's" in output
    # It can be kept as it is, and read-only where that was asked for.
    code, output = mapped.run(
        "--rm", "--volume=trick:/x:ro", BUSYBOX, "grep", " /x ", "/proc/mounts", runtime="keep"
    )
    assert (code, " ro,nosuid" in output) == (0, True), output
    # Kept as it is, it is no more than the host's files to somebody without rights.
    code, output = mapped.run(
        "--rm", "--volume=trick:/x", BUSYBOX, "cat", "/x/shadow", runtime="keep"
    )
    assert code == 1
    assert "Permission denied" in output
    mapped.ask("volume", "rm", "trick")


@pytest.mark.parametrize("part", ["volumes", "overlay2"])
def test_dockerds_own_directories_are_refused(mapped: Mapped, part: str) -> None:
    path = mapped.docker.directory / "data" / part
    code, output = mapped.run("--rm", f"--volume={path}:/x", BUSYBOX, "true")
    assert code == 125
    assert "bind mount of the host's" in output


def test_the_engines_socket_is_of_no_use(mapped: Mapped) -> None:
    socket = f"--volume={mapped.docker.socket}:/docker.sock"
    code, output = mapped.run("--rm", socket, BUSYBOX, "true")
    assert code == 125, output
    connect = ("nc", "-w", "1", "local:/docker.sock")
    code, output = mapped.run("--rm", socket, BUSYBOX, *connect, runtime="keep")
    assert code != 0


def test_a_dedicated_directory_is_seen_through_the_map(mapped: Mapped) -> None:
    directory = mapped.docker.directory / "dedicated"
    directory.mkdir()
    (directory / "ours").write_text("x")
    volume = f"--volume={directory}:/d"
    script = "stat -c %u /d/ours; cp /bin/busybox /d/tool; chmod 4755 /d/tool; grep /d /proc/mounts"
    code, output = mapped.run("--rm", volume, BUSYBOX, "sh", "-c", script)
    assert code == 0, output
    assert output.splitlines()[0] == "0"
    assert "nosuid" in output
    assert (directory / "tool").stat().st_uid == 0
    # Once users of the host can come to it, such a program would be theirs.
    mapped.docker.directory.chmod(0o755)
    try:
        code, output = mapped.run("--rm", volume, BUSYBOX, "true")
    finally:
        mapped.docker.directory.chmod(0o700)
    assert code == 125
    assert "setuid program" in output


def test_a_block_comes_back_after_a_kill_of_everything(mapped: Mapped) -> None:
    name = mapped.start(*SLEEP)
    assert len(mapped.leases()) == 1
    pid = int(mapped.ask("inspect", "--format={{.State.Pid}}", name))
    shim = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(shim, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    _until(lambda: mapped.leases() == [])  # containerd has the runtime delete what was left
    mapped.ask("start", name)
    assert len(mapped.leases()) == 1


def test_when_all_blocks_are_leased_the_next_is_refused(mapped: Mapped) -> None:
    block = FIRST
    directory = mapped.state / "leases"
    planted = [directory / f"{block + n * 65536}.65536.other{n}" for n in range(16)]
    for each in planted:
        each.write_text("not to be read")  # so nothing says that it may be given back
    code, output = mapped.run("--rm", BUSYBOX, "true")
    for each in planted:
        each.unlink()
    assert code == 125
    assert "no block of 65536 ids is free" in output


def _until(true: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)
