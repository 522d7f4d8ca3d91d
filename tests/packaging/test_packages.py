"""The wheel, the sdist and an editable install: each runs, and carries its data."""

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("policies", "seccomp", "userns", "authz")
DATA = {".yaml", ".json", ".tsv", ".txt", ".rego", ".service", ".socket"}
TESTS = "_test.rego"
"""Tests that stand beside what they test; they are not installed."""

#: Prints what an installed Stockade has: where, and which files.
LISTING = """
import json, pathlib, stockade
top = pathlib.Path(stockade.__file__).parent
files = [p for t in [top, *(p for p in top.iterdir() if p.is_symlink())] for p in t.rglob("*")]
print(json.dumps([str(top), sorted({str(p.relative_to(top)) for p in files if p.is_file()})]))
"""


def installed_path(path):
    """Where a file of the checkout belongs below stockade/."""
    return str(path.relative_to("stockade") if path.parts[0] == "stockade" else path)


@pytest.fixture(scope="module")
def code(tree):
    """Every module of the checkout, by its path below stockade/."""
    return {
        installed_path(path): (ROOT / path).read_bytes()
        for path in tree
        if path.suffix == ".py" and path.parts[0] in {*PARTS, "stockade"}
    }


@pytest.fixture(scope="module")
def data(tree):
    """Every data file of the checkout, by its path below stockade/."""
    return {
        installed_path(path): (ROOT / path).read_bytes()
        for path in tree
        if path.parts[0] in {*PARTS, "stockade"}
        and (path.suffix in DATA or path.name == "py.typed")
        and not path.name.endswith(TESTS)
    }


def test_there_is_data_to_look_for(data):
    assert "py.typed" in data
    assert any(path.startswith("policies/library/") for path in data)


def test_the_wheel_holds_the_code_and_the_data_and_nothing_else(built, code, data):
    with zipfile.ZipFile(built.wheel) as wheel:
        assert not [info for info in wheel.infolist() if info.external_attr >> 28 == 0o12]  # links
        members = {name: wheel.read(name) for name in wheel.namelist()}
    package = {
        name.removeprefix("stockade/"): content
        for name, content in members.items()
        if name.startswith("stockade/")
    }
    expected = code | data
    assert sorted(package) == sorted(expected)
    assert package == expected
    (metadata,) = {name.split("/")[0] for name in members} - {"stockade"}
    assert re.fullmatch(r"stockade-.+\.dist-info", metadata)


def test_the_sdist_holds_directories_where_the_checkout_has_links(built, code, data):
    with tarfile.open(built.sdist) as sdist:
        members = {info.name.partition("/")[2]: info for info in sdist.getmembers()}
    assert not [name for name, info in members.items() if info.issym() or info.islnk()]
    assert {f"stockade/{path}" for path in code | data} <= set(members)
    assert {"pyproject.toml", "README.md"} <= set(members)


def test_a_wheel_of_the_tree_equals_that_of_the_sdist(built, checkout, tmp_path):
    """Here the build sees the links, there it sees directories."""
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, checkout]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as direct, zipfile.ZipFile(built.wheel) as through_sdist:
        assert sorted(direct.namelist()) == sorted(through_sdist.namelist())


@pytest.mark.parametrize("kind", ["wheel", "sdist", "editable"])
def test_an_installed_stockade_runs_and_finds_its_data(
    kind, built, checkout, install, code, data, tmp_path
):
    what = {"wheel": [built.wheel], "sdist": [built.sdist], "editable": ["--editable", checkout]}
    python = install(*what[kind])

    def run(*command):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    version = re.search(r'__version__ = "(.+)"', (ROOT / "stockade/__init__.py").read_text())[1]
    assert version in run(python, "-m", "stockade", "--version")
    assert version in run(python.parent / "stockade", "--version")
    top, files = json.loads(run(python, "-c", LISTING))
    assert Path(top).is_relative_to(checkout if kind == "editable" else python.parents[1])
    assert set(code | data) <= set(files)
