"""The `userns` section: what it is read as, and which file's counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from stockade.policies import load, load_text, userns_rules

HEAD = "stockade: 1\nname: x\n"
ONE = "userns: {span: 65536-131071, tenants: {one: {}}}\n"


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_read_as_written() -> None:
    text = "userns:\n  span: [700000-1000000, 65536-131071]\n  block: 131072\n"
    text += "  tenants: {b: {blocks: 3}, a: }\n  reserved: [800000-800001, 700000-700000]\n"
    section = load_text(HEAD + text.replace("65536-131071", "131072-262143")).require().userns
    assert section is not None
    assert [(span.first, span.last) for span in section.spans] == [
        (131072, 262143),
        (700000, 1000000),
    ]
    assert section.block == 131072
    assert [(tenant.name, tenant.blocks) for tenant in section.tenants] == [("b", 3), ("a", 1)]
    assert [span.first for span in section.reserved] == [700000, 800000]
    assert str(section.tenants[0].at) == "<text>:6:13"


def test_a_policy_may_have_nothing_else() -> None:
    policy = load_text(HEAD + ONE).require()
    assert policy.seccomp is None
    assert policy.authz is None


def test_the_nearest_section_counts_whole(tmp_path: Path) -> None:
    write(tmp_path / "top.yaml", HEAD + ONE)
    write(tmp_path / "middle.yaml", HEAD + "extends: ./top.yaml\n")
    bottom = HEAD + "extends: ./middle.yaml\n"
    inherited = load(write(tmp_path / "inherits.yaml", bottom)).require().userns
    assert inherited is not None
    assert [tenant.name for tenant in inherited.tenants] == ["one"]
    own = "userns: {span: 131072-262143, tenants: {two: {}}}\n"
    section = load(write(tmp_path / "own.yaml", bottom + own)).require().userns
    assert section is not None
    assert [tenant.name for tenant in section.tenants] == ["two"]
    assert [span.first for span in section.spans] == [131072]


def test_the_container_span_full_of_tenants() -> None:
    lines = "".join(f"    t{index}:\n" for index in range(28_664))
    start = "userns:\n  span: 524288-1879048191\n  tenants:\n"
    section = load_text(HEAD + start + lines).require().userns
    assert section is not None
    assert len(section.tenants) == 28_664


def test_too_many_tenants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(userns_rules, "MAXIMAL_TENANTS", 2)
    text = "userns: {span: 65536-131071, tenants: {a: {}, b: {}, c: {}}}\n"
    [problem] = load_text(HEAD + text).problems
    assert problem.message == "3 tenants; there are 65536 blocks in all"
