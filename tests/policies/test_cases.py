"""Every file under cases/ is loaded and shows what the .txt beside it says.

`UPDATE_GOLDEN=1 pytest tests/policies/test_cases.py` rewrites them; read the difference.
A last test holds that every place in the code that makes a message is reached by a case.
"""

from __future__ import annotations

import ast
import os
import sys
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import stockade.policies
from stockade.policies import load

CASES = Path(__file__).parent / "cases"
FILES = sorted(
    str(path.relative_to(CASES)) for path in CASES.rglob("*") if path.suffix in (".yaml", ".json")
)
PACKAGE = Path(stockade.policies.__file__).parent
MODULES = (
    "authz_entries",
    "authz_join",
    "authz_rules",
    "authz_values",
    "calls",
    "conditions",
    "document",
    "fields",
    "jsontext",
    "loader",
    "rules",
    "tokens",
    "userns_rules",
    "yamlerrors",
    "yamltext",
)
NOT_BY_CASES = {
    "fields.read_boolean": "for Docker profiles; test_fields.py",
    "conditions.read_condition": "an empty text is refused before; test_conditions.py",
    "jsontext._Scanner.value": "many values take a large file; test_loading.py",
    "yamltext._Composer.node": "the same",
    "yamlerrors.explain": "what libyaml may say that the table does not know",
    "tokens.Cursor.fail": "the messages are its callers'",
    "tokens.Cursor.fault": "the messages are its callers'",
    "fields.read_mapping": "the message is made by `expected`",
    "loader._chain": "the depth of `extends` takes nine files; test_loading.py",
    "userns_rules._tenants": "too many tenants take a large file; test_userns.py",
    "yamltext.parse_yaml": "what no version of PyYAML is known to raise",
}


def shown(name: str) -> str:
    return "".join(problem.render() + "\n" for problem in load(f"./{name}").problems)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("small_library")
def test_case(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    golden = CASES / f"{name}.txt"
    found = shown(name)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


def test_good_cases_are_good() -> None:
    good = [name for name in FILES if Path(name).stem.startswith("good")]
    assert good
    for name in FILES:
        assert ((CASES / f"{name}.txt").read_text(encoding="utf-8") == "") == (name in good), name


@pytest.mark.usefixtures("small_library")
def test_every_message_is_shown_by_a_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    reached: dict[str, set[int]] = defaultdict(set)

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        path = Path(frame.f_code.co_filename)
        if path.parent.name != "policies" or path.stem not in MODULES:
            return None
        lines = reached[path.stem]

        def line(frame: FrameType, event: str, arg: Any) -> Any:
            lines.add(frame.f_lineno)
            return line

        return line

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        for name in FILES:
            load(f"./{name}")
    finally:
        sys.settrace(previous)
    missing = []
    for module in MODULES:
        for where, first, last in messages(module):
            if where in NOT_BY_CASES or not reached[module].isdisjoint(range(first, last + 1)):
                continue
            missing.append(f"{module}.py:{first} ({where})")
    assert not missing


def messages(module: str) -> list[tuple[str, int, int]]:
    """Function, first and last line of every statement that makes a message."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    found: list[tuple[str, int, int]] = []

    def visit(node: ast.AST, where: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = where
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = f"{where}.{child.name}"
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute | ast.Name):
                func = child.func
                name = func.attr if isinstance(func, ast.Attribute) else func.id
                is_add = name == "add" and ast.unparse(func).endswith("report.add")
                if is_add or name in ("fail", "fault", "expected", "Problem"):
                    found.append((where, child.lineno, child.end_lineno or child.lineno))
            visit(child, inner)

    visit(tree, module)
    return found
