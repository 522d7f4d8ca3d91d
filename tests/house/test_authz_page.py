"""docs/authz.md says what is so: its examples are run, its lists are complete."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stockade.authz.compile import policy_data
from stockade.authz.documents import (
    Build,
    Connect,
    Exec,
    Network,
    Service,
    Spec,
    Volume,
)
from stockade.authz.metrics import Totals
from stockade.authz.protected import PROTECTED
from stockade.policies import load

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "authz.md").read_text("utf-8")
DENYING = {"Denied", "deny", "_Mistake", "_bad"}


def block(kind: str) -> str:
    """The only block of its kind."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def named(text: str) -> set[str]:
    """All that stands between backquotes, in its words too."""
    spans = re.findall(r"`([^`\n]+)`", text)
    return {*spans, *re.findall(r"[a-z_]+", " ".join(spans))}


def run(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "stockade", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_the_input_is_what_rules_see(tmp_path: Path) -> None:
    asked = re.search(r"This is `(docker run [^`]+)`", PAGE)
    assert asked is not None
    done = run("authz", "explain", "team", "--json", *asked[1].split(), cwd=tmp_path)
    (create,) = [each for each in json.loads(done.stdout) if each["note"] is None][:1]
    assert create["operation"] == "container.create"
    assert json.loads(block("json")) == create["input"]


def test_every_key_of_the_input_is_named() -> None:
    page = section("The input document")
    shown = named(page)
    for part in (Exec, Volume, Network, Connect, Build, Service):
        assert set(part.__annotations__) <= shown, part.__name__
    assert set(Spec.__annotations__) == set(json.loads(block("json"))["spec"])
    assert set(json.loads(block("json"))) <= shown


def test_every_key_of_the_data_is_named() -> None:
    authz = load("team").require().authz
    assert authz is not None
    data = policy_data(authz, "team")
    shown = named(section("The policy's data"))
    assert set(data) <= shown
    assert set(data["rules"][0]) <= shown


def test_protected_paths_are_listed() -> None:
    assert set(PROTECTED) <= named(section("Protected paths"))


def codes() -> Iterator[str]:
    """Every code of a denial in the sources."""
    for path in sorted((ROOT / "authz").rglob("*.py")):
        if path.parent.name in ("dockercli", "generate"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0]
            if name in DENYING and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def test_every_code_of_a_denial_is_listed() -> None:
    found = {code for code in codes() if re.fullmatch("[a-z]+(-[a-z]+)+", code)}
    assert len(found) > 40
    spans = set(re.findall(r"`([^`\n]+)`", section("Denied before any rule")))
    families = tuple(span.removesuffix("…") for span in spans if span.endswith("-…"))
    assert {code for code in found if code not in spans and not code.startswith(families)} == set()


def test_every_metric_is_listed() -> None:
    made = set(re.findall(rb"^# TYPE (\S+)", Totals().text(), re.MULTILINE))
    assert {name.decode() for name in made} <= named(section("The service"))


def test_the_rego_works(tmp_path: Path) -> None:
    (tmp_path / "extra.rego").write_text(block("rego"))
    (tmp_path / "mine.yaml").write_text(
        "stockade: 1\nname: mine\nextends: team\nauthz:\n  rego: [extra.rego]\n"
        "tests:\n"
        "  - {as: local, docker: create alpine, expect: deny, because: carry the label team}\n"
        "  - {as: local, docker: create --label team=a alpine, expect: allow}\n"
        "  - {as: {cn: backup}, docker: pause web, expect: allow, because: rego.allow}\n"
        "  - {as: {cn: other}, docker: pause web, expect: deny}\n"
    )
    done = run("authz", "test", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 requests passed, 0 failed" in done.stderr


def anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    plain = (re.sub(r"[^a-z0-9 -]", "", each.lower()) for each in headings)
    return {each.replace(" ", "-") for each in plain}


@pytest.mark.parametrize("name", ["docs/authz.md", "docs/language.md", "README.md"])
def test_links_lead_to_headings(name: str) -> None:
    page = (ROOT / name).read_text("utf-8")
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", page):
        path = (ROOT / name).parent / target if target else ROOT / name
        assert anchor in anchors(path.read_text("utf-8")), f"{name}: {target}#{anchor}"
    for link in re.findall(r"\]\(([^)#\s]+)", page):
        assert ((ROOT / name).parent / link).exists(), f"{name}: {link}"
