"""`stockade userns check` on files: what it takes, how it exits, and that nothing makes it fail."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from userns_trees import tree

from stockade.cli.commands import run
from stockade.lint.oddlines import READERS
from stockade.lint.runner import Settings
from stockade.lint.runner import run as lint
from stockade.policies.findings import Severity
from stockade.userns.accounts import Accounts
from stockade.userns.dialects import DIALECTS
from stockade.userns.idmap import MapError, read_map

CLEAN = "alice:2000224256:65536\n"
ROOT = "alice:0:65536\n"
SETTINGS = Settings.of()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("clean.subuid", CLEAN),
        ("bad.subuid", ROOT),
        ("noted.subuid", "alice:100000:65536\n"),
        ("web.subuid", CLEAN),
        ("other.subgid", "alice:2000289792:65536\n"),
        ("fine.uid_map", "0 2000224256 65536\n"),
        ("bad.gid_map", "0 0 65536\n"),
    ):
        Path(name).write_text(text)
    return tmp_path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["clean.subuid"], 0),
        (["noted.subuid"], 0),
        (["bad.subuid"], 1),
        (["fine.uid_map"], 0),
        (["bad.gid_map"], 1),
        (["clean.subuid", "fine.uid_map", "bad.gid_map"], 1),
        (["web.subuid", "other.subgid"], 1),
        (["gone.subuid"], 2),
        (["clean.subuid", "gone.subuid"], 2),
        (["something.txt"], 2),
        ([], 2),
        (["--host", "--pid", "1"], 2),
        (["clean.subuid", "--root", "/"], 2),
        (["--pid", "0"], 2),
        (["--pid", "4194305"], 2),
        (["--pid", "1", "--fix"], 2),
        (["--root", "nowhere"], 2),
        (["--root", "."], 2),
        (["--container", "web", "--docker-socket", "no.sock"], 2),
        (["--container", "../x", "--docker-socket", "clean.subuid"], 2),
        (["clean.subuid", "--policy", "no-such-policy"], 2),
    ],
)
def test_exit_status(words: list[str], code: int) -> None:
    assert run(["userns", "check", *words]) == code


@pytest.mark.usefixtures("here")
def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["userns", "check", "--format", "json", "bad.subuid", "gone.subuid"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in document["findings"]] == ["subid-host-root"]
    assert document["summary"]["unreadable"] == 1


@pytest.mark.usefixtures("here")
def test_files_of_different_places_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    run(["userns", "check", "web.subuid", "other.subgid"])
    assert "[subid-uid-gid-differ]" in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_text_fits_a_terminal_but_for_messages(capsys: pytest.CaptureFixture[str]) -> None:
    run(["userns", "check", "--help"])
    assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines())


def test_a_policy_lifts_reservations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("subuid").write_text("web:1800011776:65536\n")
    Path("p.yaml").write_text(
        "stockade: 1\nname: p\nuserns:\n  span: 524288-1879048191\n  tenants: {web: {}}\n"
    )
    run(["userns", "check", "subuid"])
    assert "systemd containers" in capsys.readouterr().out
    run(["userns", "check", "subuid", "--policy", "p.yaml"])
    assert "systemd containers" not in capsys.readouterr().out


def test_lint_finds_them_below_a_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree(tmp_path / "image", subuid=ROOT.encode(), subgid=CLEAN.encode(), passwd=b"")
    assert run(["lint", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "[subid-host-root]" in out
    assert "[subid-uid-gid-differ]" in out
    assert "2 files checked" in err


# --- hostile files ---------------------------------------------------------------------------

HOSTILE = {
    "NUL": b"alice:100000:65536\n\0\0\n",
    "a line of 10 MB": b"a" * 10_000_000 + b":100000:65536\n",
    "a number of 10 kB": b"alice:" + b"9" * 10_000 + b":65536\n",
    "bytes that are no text": bytes(range(1, 256)) * 20,
    "nothing": b"",
    "many odd lines": b"x:1\n" * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["subuid", "subgid", "uid_map"])
def test_hostile_bytes(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / kind
    path.write_bytes(HOSTILE[name])
    before = path.read_bytes()
    code = run(["userns", "check", str(path)])
    assert code in (0, 1, 2)
    if name in ("NUL", "a line of 10 MB"):
        assert code == 2
    if kind != "uid_map":
        assert run(["userns", "check", str(path), "--fix"]) in (0, 1, 2)
    out, err = capsys.readouterr()
    assert "internal error" not in err
    assert all(c.isprintable() or c == "\n" for c in out + err)
    assert path.read_bytes() == before


def test_a_million_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it takes is shown with `pytest -rP`; `make bench-userns` has the figures."""
    path = tmp_path / "subuid"
    path.write_text("".join(f"u{i}:{70000 + i * 4000}:4000\n" for i in range(1_000_000)))
    started = time.process_time()
    assert run(["userns", "check", str(path)]) == 1
    seconds = time.process_time() - started
    out = capsys.readouterr().out
    assert "and 999,990 more owners like those above" in out
    assert out.count("[subid-") < 20
    print(f"1,000,000 lines: {seconds:.2f} s of CPU")


def test_what_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dir.subuid").mkdir()
    os.mkfifo(tmp_path / "pipe.subuid")
    (tmp_path / "loop.subuid").symlink_to("loop.subuid")
    for name in ("dir", "pipe", "loop"):
        assert run(["userns", "check", str(tmp_path / f"{name}.subuid")]) == 2
        assert capsys.readouterr().err.startswith("error: ")


def test_a_tree_reaches_nothing_outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tree(tmp_path / "image", subgid=CLEAN.encode())
    (tmp_path / "secret").write_text("secret:0:1\n")
    (root / "etc/subuid").symlink_to("../../secret")
    run(["userns", "check", "--root", str(root)])
    out, err = capsys.readouterr()
    assert "secret" not in out + err.replace(str(root), "")


def test_a_bad_registry_is_said(tmp_path: Path) -> None:
    root = tree(tmp_path / "image", subuid=CLEAN.encode(), registry=b"{")
    assert run(["userns", "check", "--root", str(root)]) == 2


# --- whatever is in a file -------------------------------------------------------------------

WORDS = st.sampled_from(
    [b"alice", b"bob", b"1000", b"0", b"root", b"kubelet", b"containers", b":", b"\n", b"\r\n",
     b" ", b"\t", b"#", b"0x1F", b"0100000", b"65536", b"100000", b"2000224256", b"4294967295",
     b"4294967296", b"-1", b"+5", b"\\\n", b"\xc3\xb6", b"\xff", b"\x01", b"99999999999999999999"]
)  # fmt: skip
LINES = st.builds(
    lambda owner, first, count, end: b"%b:%b:%b%b" % (owner, first, count, end),
    st.sampled_from([b"alice", b"bob", b"1000", b"", b" a", b"+"]),
    st.sampled_from([b"100000", b"0", b"0x186a0", b"0303240", b" 70000", b"4294967296", b"x"])
    | st.integers(0, 1 << 33).map(lambda n: b"%d" % n),
    st.sampled_from([b"65536", b"1", b"0", b"0x10000", b"65536 ", b""])
    | st.integers(0, 1 << 33).map(lambda n: b"%d" % n),
    st.sampled_from([b"\n", b"\n", b"\r\n", b"", b":x\n"]),
)
FILES = st.lists(LINES | WORDS, max_size=12).map(b"".join) | st.binary(max_size=60)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ids")


@given(uids=FILES, gids=FILES, passwd=st.sampled_from([b"", b"alice:x:1000:1::/:/bin/sh\n"]))
def test_checks_never_raise(directory: Path, uids: bytes, gids: bytes, passwd: bytes) -> None:
    for name, data in (("subuid", uids), ("subgid", gids), ("passwd", passwd)):
        (directory / name).write_bytes(data)
    outcome = lint([str(directory / "subuid")], SETTINGS)
    text = "".join(each.render() for each in outcome.findings)
    assert all(c.isprintable() or c == "\n" for c in text)


@given(data=FILES)
def test_what_a_reader_gives_of_the_host_is_an_error(directory: Path, data: bytes) -> None:
    """The whole file as each reader takes it: root or system ids for anybody never look clean,
    and neither does a file that one reader refuses and another takes."""
    (directory / "subuid").write_bytes(data)
    (directory / "subgid").unlink(missing_ok=True)
    (directory / "passwd").unlink(missing_ok=True)
    outcome = lint([str(directory / "subuid")], SETTINGS)
    if outcome.problems:
        return
    owners = {line.partition(b":")[0].strip() for line in data.split(b"\n")}
    logins = Accounts.read(
        b"".join(b"%b:x:%d:1::/:/bin/sh\n" % (o, 1000 + i) for i, o in enumerate(sorted(owners))),
        None,
    )
    readings = {name: DIALECTS[name].read(data, logins) for name in READERS}
    errors = [each for each in outcome.findings if each.severity is Severity.ERROR]
    for name, reading in readings.items():
        for grant in reading.grants:
            single = grant.range.count == 1 and grant.owner == "root"
            if grant.range.first < 65536 and grant.owner.strip() and not single:
                assert errors, (name, grant)
    if len({reading.refused for reading in readings.values()}) > 1:
        assert errors


@given(
    data=st.lists(WORDS, max_size=12).map(b" ".join)
    | st.lists(
        st.builds(lambda *n: b"%d %d %d\n" % n, *[st.integers(0, 1 << 33) for _ in range(3)]),
        max_size=5,
    ).map(b"".join)
)
def test_checks_of_maps_never_raise(directory: Path, data: bytes) -> None:
    """And what the kernel refuses is never clean."""
    path = directory / "uid_map"
    path.write_bytes(data)
    outcome = lint([str(path)], SETTINGS)
    try:
        read_map(data)
        refused = False
    except MapError:
        refused = True
    assert not (refused and outcome.clean and not outcome.problems)
