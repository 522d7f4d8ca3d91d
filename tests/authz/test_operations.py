"""The operations and their groups, and the page that shows them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stockade.authz import document
from stockade.authz.operations import DATA, RISKS, expand, groups, operations, with_object

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


def test_the_page_is_what_the_tables_say() -> None:
    """If not: python -m stockade.authz.document docs/operations.md"""
    assert PAGE.read_text(encoding="utf-8") == document.page()


def test_writing_the_page(tmp_path: Path) -> None:
    assert document.main([str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == document.page()
    assert document.main([]) == 2


def test_every_route_has_its_operation() -> None:
    rows = (DATA / "operations.tsv").read_text(encoding="utf-8").splitlines()[1:]
    routes = [route for each in operations().values() for route in each.routes]
    names = {name for row in rows for name in row.split("\t")[2].split(",")}
    assert set(routes) == {" ".join(row.split("\t")[:2]) for row in rows}
    assert set(operations()) == names
    assert len(operations()) > 100


def test_operations_are_named_alike() -> None:
    for each in operations().values():
        assert re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)*", each.name)
        assert each.risk in RISKS


@pytest.mark.parametrize(
    ("name", "risk", "kind"),
    [
        ("container.create", "root", None),
        ("exec.start", "root", "exec"),
        ("image.pull", "high", None),
        ("image.import", "high", None),
        ("container.inspect", "disclosure", "container"),
        ("checkpoint.list", "low", "container"),
        ("image.save", "disclosure", "image"),
        ("session.grpc", "root", None),
    ],
)
def test_operations(name: str, risk: str, kind: str | None) -> None:
    found = operations()[name]
    assert (found.risk, found.object) == (risk, kind)
    assert (name in with_object(operations())) == (kind is not None)


def test_groups_are_documented() -> None:
    for group in groups().values():
        assert re.fullmatch("@[a-z]+", group.name)
        assert group.why.endswith(".")
        assert len(group.why) <= 100
        assert group.operations
        assert list(group.operations) == sorted(set(group.operations))
        assert set(group.operations) <= set(operations())


def test_looking_around_shows_no_secret() -> None:
    for name in ("@ping", "@read"):
        assert {operations()[each].risk for each in groups()[name].operations} == {"low"}


def test_few_groups_have_what_makes_root_without_constraints() -> None:
    """Plugins, sessions and the swarm are only in groups that say so."""
    unguarded = {
        name
        for name, each in operations().items()
        if each.risk == "root" and name.split(".")[0] in ("plugin", "session", "swarm", "node")
    }
    found = {name for name, group in groups().items() if unguarded & set(group.operations)}
    assert found == {"@plugins", "@buildkit", "@swarm"}


def test_expand() -> None:
    assert expand("container.create") == ("container.create",)
    assert expand("exec.*") == ("exec.create", "exec.inspect", "exec.resize", "exec.start")
    assert expand("*") == tuple(operations())
    assert "container.create" in expand("@run")
    for nothing in ("container", "containers.*", "@no-such", "", "container.", ".*", "cont*"):
        assert expand(nothing) == ()
