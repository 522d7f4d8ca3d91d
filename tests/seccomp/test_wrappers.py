"""crun's annotation, bubblewrap's script and the C header hold the program of the bpf target."""

import base64
import json
import re
from dataclasses import replace

import pytest
from differential import BARE

from stockade.policies import load, load_text
from stockade.policies.errors import TargetError
from stockade.policies.model import Policy
from stockade.seccomp import bpf
from stockade.seccomp.bpf import Instruction
from stockade.seccomp.build import Build
from stockade.seccomp.syscalls import abi, family_of
from stockade.seccomp.targets import Request, compile_targets

X86 = Request(Build(family_of(abi("x86_64"))), BARE)
S390X = Request(Build(family_of(abi("s390x"))), BARE)

NOTIFIES = """
stockade: 1
name: 0.no-tifies
seccomp:
  default: deny
  rules:
    - notify: mount
    - allow: [write, execve]
"""


def made(policy: Policy, request: Request, *targets: str) -> list[str | bytes]:
    """The bytes of the bpf target, and the others as text."""
    first, *rest = (content for _, content in compile_targets(policy, ["bpf", *targets], request))
    return [first, *(content.decode() for content in rest)]


@pytest.mark.parametrize("request_", [X86, S390X], ids=["x86_64", "s390x"])
@pytest.mark.parametrize("name", ["docker-default", "podman-default"])
def test_the_same_program(name: str, request_: Request) -> None:
    raw, crun, bwrap, header = made(load(name).require(), request_, "crun", "bwrap", "c")
    [(key, data)] = json.loads(crun)["annotations"].items()
    assert key == "run.oci.seccomp_bpf_data"
    assert base64.b64decode(data, validate=True) == raw  # crun takes no line breaks
    [found] = re.findall(r"^program='\n([\w+/=\n]+)'$", str(bwrap), re.MULTILINE)
    assert base64.b64decode(found) == raw
    rows = re.findall(r"^    \{ (\w+), (\d+), (\d+), (\w+) \},$", str(header), re.MULTILINE)
    program = [Instruction(*(int(field, 0) for field in row)) for row in rows]
    assert bpf.encode(program, big_endian=request_ is S390X) == raw
    assert f"_program[{len(program)}] = {{" in str(header)


@pytest.mark.parametrize(
    ("target", "listener", "message"),
    [
        ("crun", "", "crun: notify needs the socket of the agent"),
        ("crun", "agent.sock", "crun: the listener `agent.sock` is no absolute path"),
        ("bwrap", "/run/agent.sock", "bwrap: bubblewrap has no listener"),
    ],
)
def test_nobody_to_answer_is_refused(target: str, listener: str, message: str) -> None:
    policy = load_text(NOTIFIES).require()
    with pytest.raises(TargetError) as raised:
        compile_targets(policy, [target], replace(X86, listener_path=listener))
    assert message in raised.value.problems[0].message


def test_a_listener_where_one_is_possible() -> None:
    request = replace(X86, listener_path="/run/agent.sock")
    _, crun, header = made(load_text(NOTIFIES).require(), request, "crun", "c")
    annotations = json.loads(crun)["annotations"]
    assert annotations["run.oci.seccomp.receiver"] == "/run/agent.sock"
    assert "if (!(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)) {\n        errno = EINVAL;" in str(
        header
    )
    assert "static inline int _0_no_tifies_load(unsigned int flags)" in str(header)
    assert "#if !(defined(__i386__) || defined(__x86_64__))" in str(header)
