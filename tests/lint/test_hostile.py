"""Whatever is in a file: findings or problems, never another exception, in bounded time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockade.lint.runner import Outcome, Settings, run
from stockade.policies.findings import render_document

ARCHITECTURES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
SETTINGS = Settings.of(engine="20.10")
WORDS = st.sampled_from(
    [
        "defaultAction", "defaultErrnoRet", "architectures", "archMap", "architecture",
        "subArchitectures", "syscalls", "names", "name", "action", "args", "index", "value",
        "valueTwo", "op", "includes", "excludes", "caps", "arches", "minKernel", "errnoRet",
        "listenerPath", "flags", "comment", "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY",
        "SCMP_ACT_KILL", "SCMP_CMP_EQ", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", "SCMP_ARCH_X86_64",
        "SCMP_ARCH_ARM", "amd64", "CAP_SYS_ADMIN", "4.8", "clone", "clone3", "socket",
        "socketcall", "write", "personality", "stockade", "\u0000", "",
    ]
)  # fmt: skip
SCALARS = (
    WORDS
    | st.none()
    | st.booleans()
    | st.integers(-(1 << 65), 1 << 65)
    | st.integers(0, 6)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=20,
)

NAMES = st.sampled_from(
    ["read", "write", "socket", "clone", "clone3", "ioctl", "personality", "ptrace", "socketcall",
     "ipc", "openat", "openat2", "kill", "wriite", "uretprobe", "close", "mmap"]
)  # fmt: skip
ACTIONS = st.sampled_from(
    [f"SCMP_ACT_{each}" for each in ("ALLOW", "ERRNO", "KILL", "LOG", "TRACE", "TRAP", "NOTIFY")]
)
CHECKS = st.fixed_dictionaries(
    {
        "index": st.integers(0, 5),
        "value": st.integers(0, 50) | st.sampled_from([0xFFFFFFFF, 0x7E020000, (1 << 64) - 1]),
        "op": st.sampled_from(
            [f"SCMP_CMP_{each}" for each in ("EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ")]
        ),
    },
    optional={"valueTwo": st.integers(0, (1 << 64) - 1)},
)
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "caps": st.lists(st.sampled_from(["CAP_BPF", "CAP_SYS_ADMIN", "bpf"]), max_size=2),
        "arches": st.lists(st.sampled_from(["amd64", "arm64", "x86_64"]), max_size=2),
        "minKernel": st.sampled_from(["4.8", "5.8"]),
    },
)
ENTRIES = st.fixed_dictionaries(
    {"names": st.lists(NAMES, max_size=3), "action": ACTIONS},
    optional={
        "args": st.lists(CHECKS, max_size=3),
        "errnoRet": st.integers(0, 40),
        "includes": CONDITIONS,
        "excludes": CONDITIONS,
    },
)
PROFILES = st.fixed_dictionaries(
    {"defaultAction": ACTIONS, "syscalls": st.lists(ENTRIES, max_size=8)},
    optional={
        "architectures": st.sampled_from([[], ARCHITECTURES, ["SCMP_ARCH_S390X"], ["SCMP_ARCH_X"]]),
        "listenerPath": st.just("/run/agent.sock"),
        "defaultErrnoRet": st.sampled_from([0, 1, 38]),
    },
)
EXAMPLE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["read", "socketcall"], "action": "SCMP_ACT_ALLOW"},
        {
            "names": ["socket"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_GT"}],
        },
        {
            "names": ["clone3"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 38,
            "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390x"], "minKernel": "5.8"},
        },
    ],
}


def lint(directory: Path, content: bytes, name: str = "case.json") -> Outcome:
    path = directory / name
    path.write_bytes(content)
    outcome = run([str(path)], SETTINGS)
    assert outcome.findings or outcome.problems or outcome.checked
    text = "".join(each.render() for each in (*outcome.findings, *outcome.problems))
    assert all(c.isprintable() or c == "\n" for c in text)
    json.loads(render_document(outcome.findings, outcome.problems))
    return outcome


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@given(value=VALUES)
def test_any_json(directory: Path, value: object) -> None:
    lint(directory, json.dumps(value).encode())


@given(data=st.binary(max_size=200), name=st.sampled_from(["case.json", "case.yaml"]))
def test_any_bytes(directory: Path, data: bytes, name: str) -> None:
    lint(directory, data, name)


@given(profile=PROFILES)
def test_any_profile_in_form(directory: Path, profile: object) -> None:
    lint(directory, json.dumps(profile).encode())


@given(data=st.data())
def test_one_value_changed(directory: Path, data: st.DataObject) -> None:
    copy = json.loads(json.dumps(EXAMPLE))
    places: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], dict | list):
                visit(node[key])

    visit(copy)
    node, key = data.draw(st.sampled_from(places))
    change: Callable[[], None] = data.draw(
        st.sampled_from([lambda: node.__setitem__(key, data.draw(VALUES)), lambda: node.pop(key)])
    )
    change()
    lint(directory, json.dumps(copy).encode())


@given(data=st.data())
def test_one_stretch_of_text_changed(directory: Path, data: st.DataObject) -> None:
    text = json.dumps(EXAMPLE, indent=1).encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    lint(directory, text[:start] + data.draw(st.binary(max_size=8)) + text[end:])


def entries(number: int, make: Callable[[int], dict[str, Any]]) -> bytes:
    document = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ARCHITECTURES,
        "syscalls": [make(each) for each in range(number)],
    }
    return json.dumps(document).encode()


def masked(index: int, bit: int) -> dict[str, Any]:
    return {"index": index, "op": "SCMP_CMP_MASKED_EQ", "value": 1 << bit, "valueTwo": 1 << bit}


def allowed(names: list[str], **more: Any) -> dict[str, Any]:
    return {"names": names, "action": "SCMP_ACT_ALLOW", **more}


HOSTILE = {
    "a diagram of 2 to the 64": entries(
        64, lambda i: allowed(["socket", "mount", "bpf"], args=[masked(0, i), masked(1, i)])
    ),
    "many entries for one call": entries(
        3000,
        lambda i: {
            "names": ["socket"],
            "action": f"SCMP_ACT_{('ALLOW', 'LOG', 'KILL')[i % 3]}",
            "args": [{"index": i % 3, "op": "SCMP_CMP_EQ", "value": i}],
        },
    ),
    "many unknown names": entries(1, lambda i: allowed([f"call{n}" for n in range(20_000)])),
    "many unknown keys": entries(
        300, lambda i: allowed(["read"], **{f"key{n}": n for n in range(50)})
    ),
    "many unknown capabilities": entries(
        100, lambda i: allowed(["read"], includes={"caps": [f"CAP_{i}_{n}" for n in range(100)]})
    ),
    "a long name": entries(1, lambda i: allowed(["x" * 900_000])),
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_bounded_time(name: str, directory: Path) -> None:
    assert len(HOSTILE[name]) < 1 << 20
    started = time.process_time()
    outcome = lint(directory, HOSTILE[name])
    assert time.process_time() - started < 20
    assert not outcome.clean or outcome.problems


def test_giving_up_is_said(directory: Path) -> None:
    outcome = lint(directory, HOSTILE["a diagram of 2 to the 64"])
    gave_up = [each for each in outcome.findings if "gave up" in each.message]
    assert gave_up
    assert not outcome.clean
