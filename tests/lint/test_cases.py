"""Each check has cases under cases/ID/: in `fires*` it finds something, in `quiet*` nothing.

What it finds in `fires*` is in the .txt beside the case, as a user sees it.
`UPDATE_GOLDEN=1 pytest tests/lint/test_cases.py` rewrites these; read the difference.
A case of host ids, `.files`, holds several files in the form of `stockade.lint.examples`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from id_files import check_files

from stockade.lint.check import Check
from stockade.lint.examples import is_files
from stockade.lint.registry import BY_ID, CHECKS
from stockade.lint.runner import Outcome, Settings, run

CASES = Path(__file__).parent / "cases"
FILES = sorted(path for path in CASES.rglob("*") if path.suffix in (".yaml", ".json", ".files"))
BESIDE = {"contradictory-rules/base.yaml": "what another case extends"}
#: The only check that depends on it is engine-ignored-field.
ENGINE = "20.10"


def named(path: Path) -> str:
    return str(path.relative_to(CASES))


def linted(path: Path, check: str, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    settings = Settings.of([check], engine=ENGINE)
    if path.suffix == ".files":
        with tempfile.TemporaryDirectory() as directory:
            monkeypatch.chdir(directory)
            outcome = check_files(path.read_text(encoding="utf-8"), settings)
            monkeypatch.chdir(path.parent)
    else:
        monkeypatch.chdir(path.parent)
        outcome = run([f"./{path.name}"], settings)
    assert not outcome.problems
    return outcome


@pytest.mark.parametrize("path", FILES, ids=named)
def test_case(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if named(path) in BESIDE:
        return
    found = linted(path, path.parent.name, monkeypatch).findings
    golden = path.with_name(f"{path.name}.txt")
    if path.name.startswith("quiet"):
        assert [each.render() for each in found] == []
        return
    assert path.name.startswith("fires")
    assert found
    text = "".join(each.render() + "\n\n" for each in found)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=named)
def test_cases_compile_but_where_they_must_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that is refused shows nothing about any other check."""
    if path.suffix == ".files":
        return
    for check in ("policy-error", "profile-error"):
        found = linted(path, check, monkeypatch).findings
        assert bool(found) == (path.parent.name == check and path.name.startswith("fires"))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_each_check_has_cases_of_both_kinds(check: Check) -> None:
    for function, suffix in (
        (check.policy, ".yaml"),
        (check.profile, ".json"),
        (check.host or check.map, ".files"),
    ):
        for kind in ("fires", "quiet"):
            have = [
                path
                for path in (CASES / check.id).iterdir()
                if path.suffix == suffix and path.name.startswith(kind)
            ]
            assert bool(have) == (function is not None), f"{kind}*{suffix}"


def test_each_directory_is_a_check() -> None:
    assert {path.name for path in CASES.iterdir()} == set(BY_ID)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
@pytest.mark.parametrize("kind", ["bad", "good"])
def test_the_examples_of_the_page_are_what_they_say(
    check: Check, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = check.bad if kind == "bad" else check.good
    if is_files(text):
        monkeypatch.chdir(tmp_path)
        found = check_files(text, Settings.of([check.id] if kind == "bad" else ())).findings
        assert bool(found) == (kind == "bad"), [each.render() for each in found]
        return
    path = tmp_path / ("case.json" if text.startswith("{") else "case.yaml")
    path.write_text(text, encoding="utf-8")
    assert bool(linted(path, check.id, monkeypatch).findings) == (kind == "bad")
    if kind == "good":
        outcome = run([str(path)], Settings.of(engine=ENGINE))
        assert [each.render() for each in outcome.findings] == []
