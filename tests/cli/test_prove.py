"""`stockade prove`, `stockade diff`, `stockade compile --check`: on policies, JSON and BPF."""

import json
import os
import shutil
import struct
import subprocess
import sys

import pytest

OLD = """\
stockade: 1
name: web
seccomp:
  default: deny
  architectures: [x86_64, x86]
  rules:
    - allow: [read, write, socketcall, exit_group]
    - allow: socket
      when: family in {AF_UNIX, AF_INET}
    - allow: ptrace
      needs: CAP_SYS_PTRACE
"""
NEW = OLD.replace("write, ", "").replace("AF_INET}", "AF_INET, AF_INET6}")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Both policies and what they are compiled to, proven."""
    directory = tmp_path_factory.mktemp("compiled")
    (directory / "web.yaml").write_text(OLD)
    (directory / "new.yaml").write_text(NEW.replace("name: web", "name: new"))
    done = subprocess.run(
        [sys.executable, "-m", "stockade", "compile", "web.yaml", "new.yaml", "--check"],
        cwd=directory,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for name in ("web", "new"):
        for suffix in ("docker.json", "oci.json", "bpf"):
            assert f"proven: {name}.{suffix} equals {name}\n" in done.stderr
    return directory


@pytest.fixture
def files(compiled, tmp_path):
    for path in compiled.iterdir():
        shutil.copy(path, tmp_path)


def test_own_programs_are_proven(stockade, files):
    done = stockade("prove", "web.yaml")
    assert (done.returncode, done.stdout.count("proven: ")) == (0, 3)


@pytest.mark.parametrize("made", ["web.bpf", "web.docker.json", "web.oci.json", "web.yaml"])
def test_every_form_equals_the_policy(stockade, files, made):
    done = stockade("prove", made, "--against", "web.yaml")
    assert done.returncode == 0, done.stdout
    assert done.stdout == f"proven: {made} equals web.yaml\n"
    assert "rules with `needs:` are left out" in done.stderr
    same = stockade("diff", made, "web.yaml", "--arch", "x86_64", "--arch", "x86")
    assert (same.returncode, same.stdout) == (0, f"{made} and web.yaml mean the same (proven)\n")


def test_a_counterexample_is_a_call_that_can_be_explained(stockade, files):
    done = stockade("prove", "web.bpf", "--against", "new.yaml")
    assert done.returncode == 1
    first, call, *answers = done.stdout.splitlines()
    assert first == "not so: web.bpf equals new.yaml, for instance"
    assert any("says web.bpf" in line for line in answers)
    architecture, words = call.split(maxsplit=1)
    explained = [
        stockade("explain", file, words, "--arch", architecture, "--format", "json")
        for file in ("web.yaml", "new.yaml")
    ]
    actions = [json.loads(each.stdout)[0]["action"] for each in explained]
    assert len(set(actions)) == 2


def test_no_wider(stockade, files, tmp_path):
    (tmp_path / "less.yaml").write_text(OLD.replace("write, ", ""))
    assert stockade("prove", "less.yaml", "--against", "web.yaml", "--no-wider").returncode == 0
    done = stockade("prove", "web.yaml", "--against", "less.yaml", "--no-wider")
    assert done.returncode == 1
    assert "write" in done.stdout
    assert stockade("diff", "web.yaml", "less.yaml", "--fail-on", "widen").returncode == 0
    assert stockade("diff", "less.yaml", "web.yaml", "--fail-on", "widen").returncode == 1


@pytest.mark.parametrize("old", ["web.yaml", "web.docker.json", "web.oci.json", "web.bpf"])
def test_diff_is_complete_and_the_same_for_every_form(stockade, files, old):
    done = stockade("diff", old, "new.yaml")
    assert done.returncode == 1
    assert done.stdout == (
        f"from {old} to new.yaml\n\n"
        "widened: let run further\n"
        "  deny EPERM -> allow   [x86_64, x86]\n"
        "    socket\n"
        "      when family == 0xa\n\n"
        "narrowed: held back\n"
        "  allow -> deny EPERM   [x86_64, x86]\n"
        "    write\n"
    )


def test_nothing_that_is_not_proven_is_written(stockade, files, tmp_path):
    """A fault put into the assembler, as if it were there."""
    (tmp_path / "sitecustomize.py").write_text(
        "from stockade.seccomp import generate\n"
        "emit = generate.emit\n"
        "generate.emit = lambda graph, plan: graph.answer(0x7fff0000)\n"
    )
    (tmp_path / "web.bpf").unlink()
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    words = ["compile", "web.yaml", "--target", "bpf", "--target", "docker"]
    done = stockade(*words, "--check", PYTHONPATH=path)
    assert done.returncode == 1
    assert "not so: web.bpf equals web, for instance" in done.stderr
    assert done.stderr.endswith("nothing was written\n")
    assert not (tmp_path / "web.bpf").exists()


UNIT = OLD.replace("  architectures", "  newer: default\n  architectures").replace(
    "    - allow: socket\n      when: family in {AF_UNIX, AF_INET}\n", "    - allow: execve\n"
)
JAIL = (
    OLD.replace("default: deny", "default: kill-thread\n  newer: default")
    .replace("x86_64, x86", "x86_64")
    .replace("socketcall, ", "")
)
FORMS = [
    ("crun", "crun.json", OLD, True),
    ("bwrap", "bwrap.sh", OLD, True),
    ("c", "h", OLD, True),
    ("kubernetes-spo", "kubernetes-spo.yaml", OLD, True),
    ("systemd", "systemd.conf", UNIT, False),  # beyond 2^31: the drop-in says so itself
    ("minijail", "policy", JAIL, True),
]


@pytest.mark.parametrize(("target", "suffix", "text", "equal"), FORMS, ids=[f[0] for f in FORMS])
def test_every_other_form(stockade, tmp_path, target, suffix, text, equal):
    """Compiled with a proof, and proven again from the file by its name alone."""
    (tmp_path / "web.yaml").write_text(text)
    done = stockade("compile", "web.yaml", "--target", target, "--check")
    assert done.returncode == 0, done.stderr
    assert f"proven: web.{suffix} equals web" in done.stderr
    assert ("numbers from 2^31 up" in done.stderr) is (target in ("systemd", "kubernetes-spo"))
    made = f"web.{suffix}"
    done = stockade("prove", made, "--against", "web.yaml")
    assert done.returncode == (not equal), done.stdout
    assert equal or "#2147483648\n    kill-thread, says web.systemd.conf" in done.stdout
    assert stockade("prove", made, "--against", "web.yaml", "--no-wider").returncode == 0
    (tmp_path / "less.yaml").write_text(text.replace("write, ", ""))
    done = stockade("prove", made, "--against", "less.yaml", "--no-wider")
    assert done.returncode == 1
    assert "write" in done.stdout
    done = stockade("prove", made)
    assert (done.returncode, "name it with --against" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", ["x.sh", "x.h", "x.conf", "x.policy"])
def test_a_file_of_another_hand_is_refused(stockade, files, tmp_path, name):
    (tmp_path / name).write_text("#!/bin/sh\nexec true\n")
    done = stockade("prove", name, "--against", "web.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert name in done.stderr


NO_VSOCK = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
        {
            "names": ["socket"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}],
        },
    ],
}


def test_a_hole_in_a_profile_is_told_in_words(stockade, tmp_path):
    """libseccomp compares 64 bits where the kernel takes 32: junk above them gets round it."""
    (tmp_path / "theirs.json").write_text(json.dumps(NO_VSOCK))
    (tmp_path / "ours.yaml").write_text(
        "stockade: 1\nname: ours\nseccomp:\n  default: deny\n  newer: ENOSYS\n"
        "  rules:\n    - allow: read\n    - allow: socket\n      when: family != 40\n"
    )
    words = ["theirs.json", "ours.yaml", "--arch", "x86_64", "--format", "json"]
    changes = json.loads(stockade("diff", *words).stdout)
    (hole,) = [each for each in changes if "socket" in each["calls"]]
    assert hole["kind"] == "narrowed"
    assert hole["when"] == ["u64(family) >= 0x100000000 and family == 0x28"]


def test_json(stockade, files):
    changes = json.loads(stockade("diff", "web.yaml", "new.yaml", "--format", "json").stdout)
    assert {(c["kind"], c["architecture"], *c["calls"]) for c in changes} == {
        ("widened", "x86_64", "socket"),
        ("widened", "x86", "socket"),
        ("narrowed", "x86_64", "write"),
        ("narrowed", "x86", "write"),
    }
    done = stockade("prove", "web.yaml", "--against", "new.yaml", "--format", "json")
    (proof,) = json.loads(done.stdout)
    assert proof["result"] == "refuted"
    assert set(proof["counterexample"]["answers"]) == {"web.yaml", "new.yaml"}


def test_an_empty_profile_is_no_filter_at_all(stockade, files, tmp_path):
    (tmp_path / "empty.json").write_text("{}")
    done = stockade("prove", "web.yaml", "--against", "empty.json", "--no-wider")
    assert done.returncode == 0
    done = stockade("prove", "empty.json", "--against", "web.yaml", "--no-wider")
    assert done.returncode == 1
    assert "the engine uses no filter" in done.stdout


@pytest.fixture
def product(tmp_path):
    """The product of two arguments: beyond diagrams."""
    instructions = [
        (0x20, 0, 0, 16), (0x07, 0, 0, 0), (0x20, 0, 0, 24), (0x2C, 0, 0, 0),
        (0x15, 0, 1, 0x12345677), (0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0),
    ]  # fmt: skip
    raw = b"".join(struct.pack("<HBBI", *each) for each in instructions)
    (tmp_path / "product.bpf").write_bytes(raw)
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['z3'] = None\n")
    return f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"


def test_what_cannot_be_decided_is_never_equal(stockade, files, product):
    done = stockade("prove", "product.bpf", "--against", "web.yaml", PYTHONPATH=product)
    assert done.returncode == 1
    assert done.stdout == (
        "not proven: product.bpf equals web.yaml: it is too complex to decide; with stockade[prove]"
        " z3 would try\n"
    )
    done = stockade("diff", "product.bpf", "web.yaml", "--fail-on", "widen")
    assert (done.returncode, done.stdout) == (1, "")
    done = stockade("prove", "web.yaml", "--engine", "z3", PYTHONPATH=product)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'stockade[prove]'" in done.stderr


def test_the_second_engine(stockade, files, product, tmp_path):
    pytest.importorskip("z3")
    (tmp_path / "sitecustomize.py").unlink()
    done = stockade("prove", "web.yaml", "--engine", "z3")
    assert (done.returncode, done.stdout.count("proven by z3: ")) == (0, 3)
    done = stockade("prove", "web.bpf", "--against", "new.yaml", "--engine", "z3")
    assert done.returncode == 1
    assert "says web.bpf" in done.stdout
    done = stockade("prove", "product.bpf", "--against", "web.yaml")
    assert (done.returncode, done.stdout[:7]) == (1, "not so:")
    done = stockade("prove", "product.bpf", "--against", "product.bpf")
    assert (done.returncode, done.stdout[:14]) == (0, "proven by z3: ")


@pytest.mark.libseccomp
def test_what_libseccomp_makes_of_a_profile(stockade, files):
    """Debian's gives calls that it does not know ENOSYS; it opens nothing."""
    pytest.importorskip("pyseccomp")
    words = ["--libseccomp", "--no-wider"]
    done = stockade("prove", "web.oci.json", "--against", "web.yaml", *words)
    assert done.returncode == 0, done.stdout
    assert done.stdout == "proven: web.oci.json by libseccomp allows no more than web.yaml\n"
    assert stockade("prove", "web.oci.json", "--against", "new.yaml", *words).returncode == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prove", "web.bpf"], "name it with --against"),
        (["prove", "web.yaml", "--no-wider"], "--no-wider needs --against"),
        (["prove", "web.yaml", "--against", "missing.yaml"], "`missing.yaml` does not exist"),
        (["prove", "web.yaml", "--against", "web.yaml", "--arch", "arm"], "is not for arm"),
        (["prove", "web.docker.json", "--against", "web.bpf", "--arch", "x86", "--arch", "arm"],
         "no host has x86, arm together"),
        (["diff", "web.yaml"], "Missing argument 'NEW'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_bad_usage(stockade, files, words, message):
    done = stockade(*words)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("command", ["prove", "diff", "import"])
def test_help(stockade, command):
    text = stockade(command, "--help").stdout
    assert "Example" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("made", ["web.bpf", "web.docker.json", "web.oci.json"])
def test_import_and_back(stockade, files, tmp_path, made):
    done = stockade("import", made, "-o", "again.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"wrote again.yaml, proven to equal {made}\n"
    text = (tmp_path / "again.yaml").read_text()
    assert 'when: "family in {1, 2}"' in text
    assert stockade("prove", "again.yaml", "--against", "web.yaml").returncode == 0
    assert stockade("import", made).stdout == text


def test_what_the_language_cannot_say_is_not_written(stockade, files, tmp_path):
    """A filter that asks where the call came from."""
    instructions = [(0x20, 0, 0, 8), (0x15, 0, 1, 5), (0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0)]
    raw = b"".join(struct.pack("<HBBI", *each) for each in instructions)
    (tmp_path / "pointer.bpf").write_bytes(raw)
    done = stockade("import", "pointer.bpf", "-o", "out.yaml")
    assert done.returncode in (1, 2)
    assert done.stderr
    assert not (tmp_path / "out.yaml").exists()
    assert stockade("import", "web.yaml").returncode == 2


@pytest.mark.parametrize("words", [(), ("web.bpf", "--pid", "1")])
def test_import_takes_a_file_or_a_process(stockade, files, words):
    done = stockade("import", *words)
    assert done.returncode == 2
    assert "a FILE or --pid is wanted" in done.stderr
