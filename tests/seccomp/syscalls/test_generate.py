"""The generator: the same packages give the committed bytes, other packages are refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stockade.seccomp.syscalls import abi, generate
from stockade.seccomp.syscalls.generate.__main__ import main
from stockade.seccomp.syscalls.generate.declarations import parameters
from stockade.seccomp.syscalls.generate.errors import FetchError, GenerateError
from stockade.seccomp.syscalls.generate.fetch import cache_directory, fetch
from stockade.seccomp.syscalls.generate.overlay import read_overlay
from stockade.seccomp.syscalls.generate.pins import PINS, verify
from stockade.seccomp.syscalls.generate.sources import SOURCES
from stockade.seccomp.syscalls.generate.write import DATA
from stockade.seccomp.syscalls.generate.write import generate as make


@pytest.fixture(scope="module")
def debs() -> Path:
    """The pinned packages: from $STOCKADE_DEBS or the cache, else fetched with apt's mirror."""
    directory = cache_directory()
    try:
        fetch(directory)
    except GenerateError as error:
        pytest.skip(str(error))
    return directory


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc evaluates the constants")
def test_generating_again_gives_the_same_bytes(debs: Path) -> None:
    for name, text in make(debs).items():
        assert text == (DATA / name).read_text(), f"{name} is not what the packages give"


def test_another_package_is_refused(tmp_path: Path) -> None:
    for pin in PINS:
        with pytest.raises(GenerateError, match="SHA256"):
            verify(pin, b"!<arch>\nnot it")
    (tmp_path / PINS[0].file).write_bytes(b"!<arch>\n")
    with pytest.raises(GenerateError, match="SHA256"):
        fetch(tmp_path)
    with pytest.raises(GenerateError, match="SHA256"):
        make(tmp_path)


def test_a_file_that_no_mirror_has_is_an_error(tmp_path: Path) -> None:
    empty = tmp_path / "archive"
    empty.mkdir()
    with pytest.raises(FetchError, match="cannot fetch"):
        fetch(tmp_path / "debs", [empty.as_uri()])


@pytest.mark.parametrize("mirrors", [["file:///nonexistent"], ["no-url", "file:///nonexistent/"]])
def test_the_command_says_in_one_line_that_a_package_cannot_be_fetched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mirrors: list[str]
) -> None:
    options = [word for mirror in mirrors for word in ("--mirror", mirror)]
    before = {path: path.read_bytes() for path in DATA.iterdir()}
    assert main(["--debs", str(tmp_path / "debs"), "--fetch", *options]) == 3
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith(f"cannot fetch {PINS[0].file} (")
    assert err.count("\n") == 1
    assert all(mirror in err for mirror in mirrors)
    assert before == {path: path.read_bytes() for path in DATA.iterdir()}


def test_the_command_says_that_there_is_no_apt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--debs", str(tmp_path / "debs"), "--fetch"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("apt-get ")
    assert err.count("\n") == 1


def test_the_command_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--debs", str(tmp_path), "--check"]) == 2
    assert "--fetch" in capsys.readouterr().err


def test_parameters() -> None:
    assert parameters("void") == ()
    assert parameters("unsigned int fd, const char __user *const __user *argv, loff_t pos") == (
        ("fd", "u32"),
        ("argv", "p"),
        ("pos", "s64"),
    )
    assert parameters("int, struct sockaddr __user *, umode_t") == (
        ("", "s32"),
        ("", "p"),
        ("", "u16"),
    )
    with pytest.raises(GenerateError, match="float x"):
        parameters("float x")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sig\tread\t*\tint fd", "five fields"),
        ("sort\tread\t*\tint fd\tme", "unknown kind 'sort'"),
        ("sig\tread\tvax\tint fd\tme", "unknown ABI 'vax'"),
    ],
)
def test_a_bad_overlay_line_is_an_error(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "overlay.tsv"
    path.write_text(f"# ok\n{line}\n")
    with pytest.raises(GenerateError, match=f"overlay.tsv:2: {message}"):
        read_overlay(path)


def test_overlay_lines_that_change_nothing_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "overlay.tsv"
    path.write_text(
        "sig\tread\t*\tint fd\tme\n"
        "names\tread\tx86\tfd\tme\n"
        "narrow\tread\tcount\tunsigned int\tme\n"
    )
    overlay = read_overlay(path)
    assert overlay.apply("sig", "read", abi("x86"), None) == (("fd", "s32"),)
    assert overlay.apply("names", "read", abi("x86"), (("fd", "s32"),)) == (("fd", "s32"),)
    before = (("fd", "s32"), ("count", "L"))
    assert overlay.apply("narrow", "read", abi("x86"), before) == (("fd", "s32"), ("count", "u32"))
    assert overlay.used == {0, 2}


def test_every_pin_is_used_and_no_host_is_named() -> None:
    used = {source.table[0] for source in SOURCES.values()}
    used |= {"libc", "libc-s390", "common", "common-mips"}
    assert {pin.key for pin in PINS} == used
    for path in Path(generate.__file__).parent.glob("*.py"):
        assert "://" not in path.read_text(), path
