"""`stockade compile` of policies with an `authz` section."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = "stockade: 1\nname: ci\nauthz:\n  subjects: {ci: {ou: builders}}\n  rules:\n"
ONLY = HEAD + "    []\n"
BOTH = "stockade: 1\nname: both\nseccomp: {default: deny}\nauthz: {rules: []}\n"
NO_AUTHZ = "stockade: 1\nname: x\nseccomp: {default: deny}\n"
WRONG = (
    "stockade: 1\nname: x\nseccomp: {default: deny, rules: [{allow: no_such}]}\n"
    "authz: {rules: [{deny: no.such, subjects: no-one}]}\n"
)


@pytest.mark.parametrize(
    ("text", "options", "made"),
    [
        (ONLY, [], ["ci.opa.tar.gz"]),
        (ONLY, ["--target", "opa"], ["ci.opa.tar.gz"]),
        (BOTH, [], ["both.bpf", "both.docker.json", "both.oci.json", "both.opa.tar.gz"]),
        (BOTH, ["--target", "bpf"], ["both.bpf"]),
        (BOTH, ["--target", "opa", "--target", "docker"], ["both.docker.json", "both.opa.tar.gz"]),
    ],
)
def test_targets(
    text: str, options: list[str], made: list[str], stockade: Callable, tmp_path: Path
) -> None:
    (tmp_path / "p.yaml").write_text(text)
    (tmp_path / "out").mkdir()
    done = stockade("compile", "p.yaml", "-o", "out", *options)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == made


@pytest.mark.parametrize(
    ("text", "options", "messages"),
    [
        (ONLY, ["--target", "bpf"], ["policy ci has no `seccomp` section"]),
        (ONLY, ["--target", "opq"], ["unknown target `opq`; did you mean `opa`?"]),
        (NO_AUTHZ, ["--target", "opa"], ["policy x has no `authz` section"]),
        (BOTH, ["-o", "-"], ["`-o -` writes one policy and one target"]),
        (
            HEAD + "    - {allow: image.lst, subjects: ci}\n",
            [],
            ["p.yaml:6:15: unknown operation `image.lst`; did you mean `image.list`?", "^^^^^^^^^"],
        ),
        (WRONG, [], ["no_such", "unknown operation `no.such`", "unknown subject `no-one`"]),
    ],
)
def test_what_is_refused(
    text: str, options: list[str], messages: list[str], stockade: Callable, tmp_path: Path
) -> None:
    (tmp_path / "p.yaml").write_text(text)
    done = stockade("compile", "p.yaml", *options)
    assert done.returncode == 2
    for message in messages:
        assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["p.yaml"]


def test_the_one_target_goes_to_stdout(stockade: Callable, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(ONLY)
    assert stockade("compile", "p.yaml").returncode == 0
    with tarfile.open(tmp_path / "ci.opa.tar.gz") as tar:
        assert "data.json" in tar.getnames()
    done = stockade("compile", "p.yaml", "-o", "-")
    assert done.returncode == 0
    assert done.stdout


@pytest.mark.parametrize("words", [("explain", "p.yaml", "kill"), ("test", "p.yaml")])
def test_commands_for_seccomp_say_so(words: tuple[str, ...], stockade: Callable, tmp_path) -> None:
    (tmp_path / "p.yaml").write_text(ONLY)
    done = stockade(*words)
    assert done.returncode == 2
    assert "policy ci has no" in done.stderr
