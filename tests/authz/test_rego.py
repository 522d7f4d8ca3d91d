"""The shipped Rego: its own tests (authz/rego/*_test.rego) in both engines, its style, coverage."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from authz_samples import create, document, endpoint, person, rule
from opa_server import find_opa

import stockade.authz
from stockade.authz.compile import REGO, shipped_modules

Require = Callable[[object, str], None]
Opa = Callable[..., subprocess.CompletedProcess[str]]

LEAST_TESTS = 180
LEAST_COVERAGE = 95
TESTS = sorted(REGO.glob("*_test.rego"))
IMPORTS = re.compile(r"^(?:package|import) .*\n", re.M)
TEST = re.compile(r"^(test_\w+)", re.M)


@pytest.fixture
def opa(require: Require) -> Opa:
    """Runs opa on the modules and gives what it says."""
    program = find_opa()
    require(program, "needs opa (.ci/opa)")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(program), *words, str(REGO)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    return run


def joined(package: str, texts: list[str], *imports: str) -> str:
    """One module of several of a package.

    Under `with`, regorus takes some rules for undefined when they stand in another module.
    """
    head = [f"package {package}", *(f"import {each}" for each in ("rego.v1", *imports))]
    return "\n".join([*head, *(IMPORTS.sub("", text) for text in texts)])


@pytest.fixture(scope="module")
def regorus(require: Require) -> Any:
    """The interpreter with the modules and their tests."""
    try:
        from stockade.authz.engines.regorus import regorus_module

        engine = regorus_module().Engine()
    except ImportError:
        require(False, "needs gordon-to-regorus")
    shipped = shipped_modules()
    engine.add_policy("extra.rego", shipped.pop("extra.rego"))
    engine.add_policy("shipped.rego", joined("stockade.authz", list(shipped.values())))
    tests = [path.read_text() for path in TESTS]
    engine.add_policy("tests.rego", joined("stockade.authz_test", tests, "data.stockade.authz"))
    return engine


def test_it_is_strict(opa: Opa) -> None:
    done = opa("check", "--strict", "--v1-compatible")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_is_formatted(opa: Opa) -> None:
    done = opa("fmt", "--list", "--v1-compatible")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_its_tests_pass_in_opa(opa: Opa) -> None:
    done = opa("test", "--timeout", "120s", "--format", "json")
    results = json.loads(done.stdout)
    assert [each["name"] for each in results if each.get("fail") or each.get("error")] == []
    assert done.returncode == 0
    assert sorted(each["name"] for each in results) == sorted(names())


def test_its_tests_cover_it(opa: Opa) -> None:
    done = opa("test", "--timeout", "120s", "--coverage", "--format", "json")
    assert done.returncode == 0, done.stdout
    files = {Path(name).name: lines for name, lines in json.loads(done.stdout)["files"].items()}
    shipped = shipped_modules()
    assert set(shipped) <= set(files)
    covered = sum(files[name].get("covered_lines", 0) for name in shipped)
    missed = sum(files[name].get("not_covered_lines", 0) for name in shipped)
    assert 100 * covered >= LEAST_COVERAGE * (covered + missed)


def names() -> list[str]:
    return [name for path in TESTS for name in TEST.findall(path.read_text())]


def test_there_are_tests() -> None:
    assert len(names()) == len(set(names())) >= LEAST_TESTS
    tested = {path.name.replace("_test.rego", ".rego") for path in TESTS}
    assert tested == {*shipped_modules(), "helpers.rego"}


@pytest.mark.parametrize("name", names())
def test_it_holds_in_the_embedded_engine(regorus: Any, name: str) -> None:
    assert regorus.eval_rule(f"data.stockade.authz_test.{name}") is True


def test_the_tests_ask_of_documents_as_the_plugin_makes_them(regorus: Any) -> None:
    """A key that is misspelled here or there would be tested for nothing."""

    def value(name: str) -> Any:
        return json.loads(regorus.eval_rule_as_json(f"data.stockade.authz_test.{name}"))

    assert set(value("base_rule")) == set(rule()) - {"operations"}
    assert shape(value("base_spec")) <= shape(create()["spec"])
    assert set(value("list")) <= set(document("container.list"))
    assert shape(value("base_image")) == shape(create()["images"][0])
    assert set(value("carol")) == set(person())
    assert set(value("endpoint")) <= set(endpoint())


def shape(value: Any, path: str = "") -> set[str]:
    """The paths of all keys."""
    if not isinstance(value, dict):
        return {path}
    return {path}.union(*(shape(each, f"{path}/{key}") for key, each in value.items()))


def test_the_tests_are_not_shipped() -> None:
    assert TESTS
    assert [name for name in shipped_modules() if name.endswith("_test.rego")] == []
    assert Path(stockade.authz.__file__).with_name("rego") == REGO
