"""`stockade lint` as it is called: what it takes, where it prints, how it exits."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from stockade.cli.commands import run
from stockade.policies import library_names

CLEAN = "stockade: 1\nname: clean\nseccomp:\n  default: deny\n  rules:\n    - allow: [read]\n"
NOTED = CLEAN.replace("read", "ioctl")
FAULTY = CLEAN.replace("read", "bpf")
WRONG = CLEAN.replace("read", "raed")
OPEN = '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"]}'
PROFILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "docker-default.json"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("clean", CLEAN), ("noted", NOTED), ("faulty", FAULTY), ("wrong", WRONG)):
        Path(f"{name}.yaml").write_text(text)
    Path("open.json").write_text(OPEN)
    return tmp_path


def ids(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    run(["lint", "--format", "json", *words])
    return [each["id"] for each in json.loads(capsys.readouterr().out)["findings"]]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["clean.yaml"], 0),
        (["noted.yaml"], 0),
        (["faulty.yaml"], 1),
        (["wrong.yaml"], 1),
        (["open.json"], 1),
        (["clean.yaml", "open.json"], 1),
        (["faulty.yaml", "--ignore", "dangerous-call"], 0),
        (["faulty.yaml", "--select", "default-allow"], 0),
        (["gone.yaml"], 2),
        (["clean.yaml", "gone.yaml"], 2),
        (["no-such-library-policy"], 2),
        (["a/file.txt"], 2),
        (["faulty.yaml", "--select", "dangerous-cal"], 2),
        (["faulty.yaml", "--ignore", "dangerous-cal"], 2),
        (["faulty.yaml", "--engine", "17"], 2),
        ([], 2),
        (["--explain", "clone3-answer"], 0),
        (["--explain", "clone4-answer"], 2),
    ],
)
def test_exit_status(words: list[str], code: int) -> None:
    assert run(["lint", *words]) == code


@pytest.mark.usefixtures("here")
def test_findings_go_to_stdout_and_the_rest_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    run(["lint", "faulty.yaml", "gone.yaml"])
    out, err = capsys.readouterr()
    assert out.startswith("faulty.yaml:6:")
    assert "[dangerous-call]" in out
    assert "gone.yaml" not in out
    assert "`gone.yaml` does not exist" in err
    assert err.endswith("1 file checked: 1 warning, 1 problem\n")
    assert "\x1b" not in out


@pytest.mark.usefixtures("here")
def test_json_is_one_document_whatever_happens(capsys: pytest.CaptureFixture[str]) -> None:
    run(["lint", "--format", "json", "faulty.yaml", "clean.yaml", "gone.yaml"])
    document = json.loads(capsys.readouterr().out)
    assert document["summary"] == {
        "errors": 0, "warnings": 1, "notes": 0, "unreadable": 1, "checked": 2, "skipped": 0,
    }  # fmt: skip
    assert document["findings"][0]["why"]


def test_a_directory(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "below" / ".hidden").mkdir(parents=True)
    (here / "below" / ".hidden" / "x.yaml").write_text(FAULTY)
    (here / "below" / "deep.yml").write_text(FAULTY)
    (here / "below" / "compose.yaml").write_text("services: {web: {image: nginx}}\n")
    (here / "below" / "package.json").write_text('{"name": "x"}')
    (here / "below" / "list.json").write_text("[1, 2]")
    (here / "below" / "many.yaml").write_text("a: 1\n---\nb: 2\n")
    (here / "below" / "binary.json").write_bytes(b"\xff\xfe\x00")
    (here / "below" / "big.json").write_text("[" + " " * (1 << 21) + "]")
    (here / "below" / "readme.txt").write_text("stockade: 1")
    os.mkfifo(here / "below" / "pipe.yaml")
    assert run(["lint", "."]) == 1
    out, err = capsys.readouterr()
    assert "below/deep.yml:6:" in out
    assert ".hidden" not in out
    assert "6 files checked" in err
    assert "6 other files skipped" in err


def test_what_was_meant_to_be_ours_is_not_skipped(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "broken.json").write_text('{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [}')
    (here / "broken.yaml").write_text("stockade: 1\nname: [x\n")
    assert run(["lint", "."]) == 2
    err = capsys.readouterr().err
    assert "broken.json:1:" in err
    assert "broken.yaml:2:" in err or "broken.yaml:3:" in err


def test_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for text, wanted in ((FAULTY, "dangerous-call"), (OPEN, "default-allow")):
        stdin = SimpleNamespace(buffer=io.BytesIO(text.encode()))
        monkeypatch.setattr("sys.stdin", stdin)
        assert wanted in ids(capsys, "-")


@pytest.mark.usefixtures("here")
def test_a_policy_may_be_json(capsys: pytest.CaptureFixture[str]) -> None:
    policy = {
        "stockade": 1,
        "name": "x",
        "seccomp": {"default": "deny", "rules": [{"allow": "bpf"}]},
    }
    Path("policy.json").write_text(json.dumps(policy))
    assert ids(capsys, "policy.json") == ["dangerous-call"]


def test_what_is_inherited_from_the_library_is_not_reported(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "hidden-arguments" in ids(capsys, "docker-default")
    (here / "mine.yaml").write_text(
        "stockade: 1\nname: mine\nextends: docker-default\nseccomp:\n  rules:\n    - allow: bpf\n"
    )
    assert ids(capsys, "mine.yaml") == ["dangerous-call"]
    (here / "other.yaml").write_text("stockade: 1\nname: other\nextends: ./faulty.yaml\n")
    assert ids(capsys, "other.yaml") == ["dangerous-call"]


def test_control_characters_do_not_get_through(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "\\u001b[2J\\n/etc/passwd:1:1: error: forged"
    text = f'{{"defaultAction": "SCMP_ACT_ERRNO", "{evil}": 1, "syscalls": [{{"names": ["{evil}"], '
    text += (
        f'"action": "SCMP_ACT_ALLOW", "includes": {{"caps": ["{evil}"], "arches": ["{evil}"]}}}}]}}'
    )
    (here / "\x1b[2J.json").write_text(text)
    assert run(["lint", "\x1b[2J.json"]) == 1
    assert run(["lint", "\x1b[2J"]) == 2
    out, err = capsys.readouterr()
    assert all(c.isprintable() or c == "\n" for c in out + err)
    assert not any(line.startswith("/etc/passwd") for line in out.splitlines())


def test_explain_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lint", "--explain", "wide-comparison"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# wide-comparison\n")
    assert "CVE-2019-7303" in out


def test_the_engine_counts(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "listens.json").write_text(
        OPEN.replace("ALLOW", "ERRNO")[:-1] + ', "defaultErrnoRet": 38}'
    )
    assert "engine-ignored-field" not in ids(capsys, "listens.json")
    assert "engine-ignored-field" in ids(capsys, "listens.json", "--engine", "20.10")


def test_the_library_has_no_errors_and_only_known_findings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = {"docker-default": ["hidden-arguments", "terminal-injection"]}
    for name in library_names():
        if name in known:
            assert ids(capsys, name) == known[name]
        else:
            assert not {"policy-error", "contradictory-rules"} & set(ids(capsys, name))


@pytest.mark.skipif(not PROFILE.exists(), reason="needs Docker's default profile")
def test_dockers_default_has_only_true_findings(capsys: pytest.CaptureFixture[str]) -> None:
    """Sockets and personality are compared as 64 bits, socketcall hides socket's arguments."""
    run(["lint", "--format", "json", str(PROFILE)])
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [(each["id"], each["severity"]) for each in findings] == [
        ("hidden-arguments", "warning"),
        ("wide-comparison", "warning"),
        ("terminal-injection", "note"),
        ("wide-comparison", "note"),
    ]
    assert "`family` of socket" in findings[1]["message"]
    assert "`personality` of personality" in findings[3]["message"]
