"""Findings as text and as JSON, whatever stands in the files they are about."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from stockade.policies.findings import Finding, Severity, count, order, render_document
from stockade.policies.source import Location, Problem, Source

SOURCE = Source("web.yaml", "name: web\nallow: bpf\n")
AT = Location(SOURCE, 2, 8, 3)
FINDING = Finding(
    "dangerous-call",
    Severity.WARNING,
    "`bpf` is allowed",
    AT,
    "seccomp.rules[0]",
    "It loads programs into the kernel.",
    "leave it out, or allow it only with the capability that guards it in the kernel",
    (("named here", Location(SOURCE, 1, 7, 3)),),
)


def test_text() -> None:
    assert FINDING.render() == (
        "web.yaml:2:8: warning: `bpf` is allowed [dangerous-call]\n"
        "  2 | allow: bpf\n"
        "    |        ^^^\n"
        "  web.yaml:1:7: named here\n"
        "  1 | name: web\n"
        "    |       ^^^\n"
        "  help: leave it out, or allow it only with the capability that guards it in the\n"
        "        kernel"
    )


def test_text_without_a_place() -> None:
    assert Finding("x", Severity.NOTE, "hello").render() == "note: hello [x]"


def test_colour_adds_nothing_but_colour() -> None:
    import click

    coloured = FINDING.render(colour=True)
    assert "\x1b[" in coloured
    assert click.unstyle(coloured) == FINDING.render()


def test_document() -> None:
    document = json.loads(render_document([FINDING], [Problem("gone")], {"checked": 1}))
    place = {"file": "web.yaml", "width": 3}
    assert document == {
        "version": 1,
        "summary": {"errors": 0, "warnings": 1, "notes": 0, "unreadable": 1, "checked": 1},
        "findings": [
            {
                "id": "dangerous-call",
                "severity": "warning",
                "message": "`bpf` is allowed",
                **place,
                "line": 2,
                "column": 8,
                "route": "seccomp.rules[0]",
                "why": "It loads programs into the kernel.",
                "fix": FINDING.fix,
                "related": [{"message": "named here", **place, "line": 1, "column": 7}],
            }
        ],
        "unreadable": [
            {
                "message": "gone",
                "file": None,
                "line": None,
                "column": None,
                "width": None,
                "fix": "",
            }
        ],
    }


def test_worst_first_then_in_the_order_of_the_text() -> None:
    def made(severity: Severity, line: int, source: Source = SOURCE) -> Finding:
        return Finding("x", severity, "m", Location(source, line, 1))

    other = Source("a.yaml", "")
    wanted = [
        made(Severity.ERROR, 9),
        made(Severity.WARNING, 1),
        made(Severity.WARNING, 2),
        made(Severity.WARNING, 1, other),
        Finding("x", Severity.WARNING, "no place"),
        made(Severity.NOTE, 1),
    ]
    given_ = [wanted[i] for i in (1, 5, 4, 2, 0, 3, 1)]
    assert list(order(given_)) == wanted
    assert list(count(wanted).values()) == [1, 4, 1]


@given(st.text(max_size=30), st.text(max_size=600), st.integers(1, 40))
def test_no_control_character_reaches_a_terminal(name: str, text: str, column: int) -> None:
    at = Location(Source(name, text), 1, column, 5)
    finding = Finding("x", Severity.NOTE, text, at, fix=text, related=((text, at),))
    lines = finding.render().split("\n")
    assert all(character.isprintable() for line in lines for character in line)
    assert not any(line.startswith(f"{name}:9:9:") for line in lines[1:] if name.strip())
    assert render_document([finding]).isascii()
