"""`stockade compile` and `disasm`: files, streams, refusals, and what stays untouched."""

import json
from pathlib import Path

import pytest

SOUND = """\
stockade: 1
name: sound
seccomp:
  default: deny
  architectures: [x86_64, x86]
  rules:
    - allow: [read, write, exit_group, socketcall]
    - allow: socket
      when: family in {AF_UNIX, AF_INET}
"""


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound.yaml"
    path.write_text(SOUND)
    return path


def test_writes_every_target(stockade, sound, tmp_path):
    done = stockade("compile", "sound.yaml")
    assert done.returncode == 0, done.stderr
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == ["sound.bpf", "sound.docker.json", "sound.oci.json", "sound.yaml"]
    assert json.loads((tmp_path / "sound.docker.json").read_text())["archMap"]
    assert json.loads((tmp_path / "sound.oci.json").read_text())["architectures"] == [
        "SCMP_ARCH_X86_64",
        "SCMP_ARCH_X86",
    ]
    assert (tmp_path / "sound.bpf").stat().st_mode & 0o777 == 0o644
    listing = stockade("disasm", "sound.bpf")
    assert listing.returncode == 0
    assert "return allow" in listing.stdout


def test_output_is_the_same_every_time(stockade, sound, tmp_path):
    made = {}
    for seed in ("0", "1", "2"):
        stockade("compile", "sound.yaml", "docker-default", PYTHONHASHSEED=seed)
        for path in tmp_path.glob("*.*"):
            assert made.setdefault(path.name, path.read_bytes()) == path.read_bytes()
    assert len(made) == 7


def test_to_stdout_and_into_disasm(stockade, sound):
    done = stockade("compile", "sound.yaml", "-o", "-", "--target", "docker")
    assert json.loads(done.stdout)["defaultAction"] == "SCMP_ACT_ERRNO"
    assert stockade("compile", "sound.yaml", "-o", "-").returncode == 2
    piped = stockade("compile", "-", "-o", "-", "--target", "oci", stdin=SOUND)
    assert piped.returncode == 0, piped.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compile", "sound.yaml", "--target", "dokcer"], "did you mean `docker`?"),
        (["compile", "sound.yaml", "--arch", "x86-64"], "unknown architecture `x86-64`"),
        (["compile", "sound.yaml", "--arch", "aarch64"], "policy sound is not for aarch64"),
        (["compile", "sound.yaml", "--cap", "SYS_ADMIN"], "unknown capability `SYS_ADMIN`"),
        (["compile", "sound.yaml", "--kernel", "six"], "`six` is no kernel version"),
        (["compile", "sound.yaml", "-o", "missing"], "`missing` is no directory"),
        (["compile", "missing.yaml"], "`missing.yaml` does not exist"),
        (["compile", "sound.yaml", "sound.yaml"], "both sound.yaml and sound.yaml are named"),
        (["compile"], "Missing argument 'POLICY...'"),
        (["comple"], "no command `comple`; did you mean `compile`?"),
        (["disasm", "sound.yaml"], "a BPF program is a whole number of 8-byte instructions"),
        (["disasm", "missing"], "`missing` cannot be read"),
        (["disasm", "/dev/zero"], "is no regular file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage(stockade, sound, tmp_path, words, message):
    done = stockade(*words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sound.yaml"]


def test_a_refusal_leaves_every_file_as_it_was(stockade, sound, tmp_path):
    assert stockade("compile", "sound.yaml").returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    sound.write_text(SOUND.replace(", socketcall", ""))
    before[sound] = sound.read_bytes()
    done = stockade("compile", "sound.yaml", "docker-default")
    assert done.returncode == 2
    assert "sound.yaml:8:" in done.stderr
    assert "libseccomp extends the rule for socket to socketcall" in done.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_never_through_a_link(stockade, sound, tmp_path):
    target = tmp_path / "elsewhere"
    target.write_text("mine")
    (tmp_path / "sound.bpf").symlink_to(target)
    done = stockade("compile", "sound.yaml")
    assert done.returncode == 2
    assert "is a symbolic link" in done.stderr
    assert target.read_text() == "mine"
    assert not (tmp_path / "sound.oci.json").exists()


def test_an_unreadable_directory_is_bad_input(stockade, sound, monkeypatch, capfd):
    from stockade.cli.commands import run

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.chdir(sound.parent)
    monkeypatch.setattr(Path, "is_dir", refuse)
    assert run(["compile", "sound.yaml", "-o", "/secret"]) == 2
    assert "cannot write `/secret/sound.docker.json`" in capfd.readouterr().err


def test_all_errors_at_once_with_places(stockade, tmp_path):
    (tmp_path / "bad.yaml").write_text(
        "stockade: 1\nname: bad\nseccomp:\n  rules:\n    - allow: [reed, write]\n"
        "    - deny: socket\n      when: famly == AF_INET\n    - deny: kill\n"
        "      when: sig == 9 and sig == 10\n    - allw: brk\n"
    )
    done = stockade("compile", "bad.yaml")
    assert done.returncode == 2
    for expected in (
        "bad.yaml:5:15: unknown system call `reed`; did you mean `read`?",
        "bad.yaml:7:13: socket has no argument `famly`; did you mean `family`?",
        "    7 |       when: famly == AF_INET".removeprefix("  "),
        "bad.yaml:9:13: impossible condition: it can never hold",
        "bad.yaml:10:7: unknown key `allw`",
    ):
        assert expected in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "bad.yaml"]


def test_notes_say_what_a_consumer_cannot(stockade, sound, tmp_path):
    done = stockade("compile", "sound.yaml", "--target", "podman", "--target", "crun")
    assert done.returncode == 0
    note, *rest = done.stderr.split("wrote ")
    assert " ".join(note.split()) == (
        "note: podman: numbers that are no calls, in the gaps of the tables and -1, get deny "
        "ENOSYS too; under crun numbers from 2^31 up, which are no calls, kill the thread"
    )
    assert max(map(len, done.stderr.splitlines())) <= 80
    assert [each.strip() for each in rest] == ["sound.podman.json", "sound.crun.json"]


def test_version_and_help(stockade):
    assert stockade("--version").stdout.startswith("stockade ")
    for command in ("compile", "explain", "lint", "run", "test", "disasm", "init"):
        text = stockade(command, "--help").stdout
        assert "Example" in text
        assert max(map(len, text.splitlines())) <= 80
