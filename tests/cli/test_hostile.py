"""Hostile input through the whole command line: exit 0, 1 or 2 and a message, nothing else."""

import contextlib
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stockade.cli.commands import run

POLICY = """\
stockade: 1
name: web
extends: docker-default
seccomp:
  default: deny
  with: EPERM
  newer: ENOSYS
  architectures: [x86_64, x86]
  rules:
    - deny: [ptrace, "@keyring"]
    - allow: socket
      when: family in {AF_UNIX, 3..5} and type & SOCK_TYPE_MASK == SOCK_STREAM or not (type < -1)
    - allow: [bpf]
      needs: [CAP_BPF]
      kernel: ">=5.8"
tests:
  - {call: "clone(flags=CLONE_NEWUSER)", expect: deny}
"""
PROFILE = json.dumps(
    {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            {
                "names": ["read", "socket"],
                "action": "SCMP_ACT_ALLOW",
                "args": [{"index": 0, "value": 7, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"}],
                "includes": {"caps": ["CAP_BPF"], "minKernel": "4.8", "arches": ["amd64"]},
                "excludes": {},
            }
        ],
    }
)

COMMANDS = {
    ".yaml": [["compile", "FILE", "-o", "-", "--target", "docker"], ["lint", "FILE"],
              ["explain", "FILE", "socket(family=1)"], ["test", "FILE"],
              ["compile", "FILE", "-o", "-", "--target", "bpf"]],
    ".json": [["lint", "FILE"], ["explain", "FILE", "socket(family=1)"]],
    ".bpf": [["disasm", "FILE"], ["explain", "FILE", "read"]],
}  # fmt: skip


@st.composite
def mutations(draw: st.DrawFn, text: str) -> bytes:
    """The text with a few stretches deleted, doubled, or replaced by odd characters."""
    raw = text.encode()
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.integers(0, 12)))
        odd = st.sampled_from(
            [
                b"",
                b"\0",
                b"\xff",
                b"{",
                b"[",
                b"- ",
                b": ",
                b"&a ",
                b"*a",
                b"!!x ",
                b"'",
                b'"',
                b"\t",
                b"9" * 40,
                b"-1",
                b"null",
                b"1e9",
                b"0x",
                b"((((",
                b"..",
                b"|",
                b"~",
                b"\xe2\x80\xae",
            ]
        )
        raw = raw[:start] + draw(odd | st.just(raw[start:end] * 2)) + raw[end:]
    return raw


def survive(raw: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / f"input{suffix}"
        file.write_bytes(raw)
        for command in COMMANDS[suffix]:
            words = [str(file) if word == "FILE" else word for word in command]
            out = io.TextIOWrapper(io.BytesIO(), "utf-8")
            errors = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
                code = run(words)
            assert code in (0, 1, 2), (code, errors.getvalue())
            assert "internal error" not in errors.getvalue()
            assert code != 2 or errors.getvalue()
            shown = errors.getvalue()
            assert all(c.isprintable() or c == "\n" for c in shown), shown


@settings(max_examples=150)
@given(mutations(POLICY))
def test_mutated_policies(raw: bytes) -> None:
    survive(raw, ".yaml")


@settings(max_examples=150)
@given(mutations(PROFILE))
def test_mutated_profiles(raw: bytes) -> None:
    survive(raw, ".json")


@pytest.mark.parametrize("suffix", sorted(COMMANDS))
def test_random_bytes(suffix: str) -> None:
    @settings(max_examples=60)
    @given(st.binary(max_size=300))
    def check(raw: bytes) -> None:
        survive(raw, suffix)

    check()


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from("socket(family=1,AF_|~)#9@ .x\n\0\x1b\u202e"), max_size=40))
def test_random_calls(call: str) -> None:
    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        code = run(["explain", "docker-default", "--arch", "x86_64", "--", call])
    assert code in (0, 1, 2), errors.getvalue()
    assert all(c.isprintable() or c == "\n" for c in errors.getvalue())
