"""The two Kubernetes forms: the schema holds, and they mean what the policy means."""

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
import yaml
from differential import BARE, resolved

from stockade.policies import load, load_text
from stockade.policies.errors import TargetError
from stockade.policies.model import Policy
from stockade.policies.source import Source
from stockade.seccomp.build import Build
from stockade.seccomp.equal import differences
from stockade.seccomp.filter import Filter
from stockade.seccomp.interpret import interpret
from stockade.seccomp.read_profile import read_profile
from stockade.seccomp.syscalls import FAMILIES, abi, family_of
from stockade.seccomp.targets import TARGETS, Request, compile_targets, selected

X86 = Build(family_of(abi("x86_64")))

ACTIONS = [f"SCMP_ACT_{name}" for name in
           ("KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "ERRNO", "TRACE", "ALLOW", "LOG",
            "NOTIFY")]  # fmt: skip
ARCHITECTURES = [f"SCMP_ARCH_{name}" for name in
                 ("NATIVE X86 X86_64 X32 ARM AARCH64 MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 "
                  "MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X PARISC PARISC64 RISCV64").split()
                 ]  # fmt: skip
OPERATORS = [f"SCMP_CMP_{name}" for name in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")]


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    """An object without other fields: the API server would drop them without a word."""
    return {"type": "object", "additionalProperties": False, "required": required,
            "properties": properties}  # fmt: skip


#: Facts of kubernetes-sigs/security-profiles-operator, deploy/base-crds/crds/seccompprofile.yaml
#: and api/seccompprofile/v1/seccompprofile_types.go: v1, stricter than v1beta1.
VALUE = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}  # format: int64
ARGUMENT = closed(
    ["index", "op"],
    index={"type": "integer", "minimum": 0, "maximum": 5},
    op={"enum": OPERATORS},
    value=VALUE,
    valueTwo=VALUE,
)
SYSCALL = closed(
    ["action", "names"],
    names={"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
    action={"enum": ACTIONS},
    errnoRet={"type": "integer", "minimum": 1, "maximum": 4095},  # 0 is as none
    args={"type": "array", "items": ARGUMENT, "maxItems": 6},
)
SCHEMA = closed(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "security-profiles-operator.x-k8s.io/v1beta1"},
    kind={"const": "SeccompProfile"},
    metadata=closed(["name"], name={"pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}),
    spec=closed(
        ["defaultAction"],
        defaultAction={"enum": [each for each in ACTIONS if each != "SCMP_ACT_NOTIFY"]},
        architectures={"type": "array", "items": {"enum": ARCHITECTURES}, "uniqueItems": True},
        syscalls={"type": "array", "items": SYSCALL},
    ),
)  # fmt: skip


def compiled(policy: Policy, target: str) -> str:
    [(_, content)] = compile_targets(policy, [target], Request(X86, BARE))
    return content.decode()


def same(policy: Policy, text: str) -> None:
    """An OCI section of this text means what the policy means, on this kind of machine."""
    read = read_profile(Source("profile.json", text))
    assert (read.errors, read.ignored) == ((), ())
    assert read.profile is not None
    ours = resolved(policy, X86, BARE)
    here = Filter(tuple(each for each in ours.abis if each.abi in X86.family.abis))
    assert list(differences(here, interpret(read.profile, X86.family, BARE))) == []


@pytest.mark.parametrize("name", ["docker-default", "web", "podman-default"])
def test_localhost_profile(name: str) -> None:
    policy = load(name).require()
    text = compiled(policy, "kubernetes")
    same(policy, text)
    document = json.loads(text)
    # containerd takes the OCI section as it is; CRI-O refuses both architectures and archMap.
    assert set(document) <= {"defaultAction", "defaultErrnoRet", "architectures", "syscalls"}
    assert all("includes" not in each and "excludes" not in each for each in document["syscalls"])


@pytest.mark.parametrize("target", ["kubernetes", "kubernetes-spo"])
def test_the_note_says_what_crun_does(target: str) -> None:
    policy, request = load("docker-default").require(), Request(X86, BARE)
    crun = "crun answers deny EPERM, not deny ENOSYS, to numbers newer than the profile"
    assert TARGETS[target].note(policy, request, b"") == crun
    closed_x32 = replace(request, architectures=("x86_64",))
    assert "; under crun numbers from 2^31" in TARGETS[target].note(policy, closed_x32, b"")
    same = load("podman-default").require()
    assert TARGETS[target].note(same, request, b"") == ""


@pytest.mark.parametrize("name", ["docker-default", "web"])
def test_resource(name: str) -> None:
    policy = load(name).require()
    document = yaml.safe_load(compiled(policy, "kubernetes-spo"))
    jsonschema.validate(document, SCHEMA)
    assert document["metadata"]["name"] == name
    # The operator writes the spec as the node's localhost file; without an errno it is EPERM.
    same(policy, json.dumps(document["spec"]))


HEAD = "stockade: 1\nname: {name}\nseccomp:\n  default: {default}\n  architectures: [{arch}]\n"


@pytest.mark.parametrize(
    ("target", "rules", "options", "message"),
    [
        ("kubernetes", "- notify: brk", {}, "CRI-O does not read listenerPath"),
        ("kubernetes-spo", "- notify: brk", {}, "CRI-O does not read listenerPath"),
        ("kubernetes-spo", "- allow: brk", {"default": "deny\n  with: EACCES"}, "defaultErrnoRet"),
        ("kubernetes-spo", "- deny: brk\n  with: 0", {}, "an errnoRet of 0 counts as none (brk)"),
        (
            "kubernetes-spo",
            "- deny: kexec_load\n  with: 7\n  when: u64(arg0) >= 0x8000000000000000",
            {},
            "the conditions on kexec_load compare bit 63",
        ),
        ("kubernetes-spo", "- allow: brk", {"name": "my_policy"}, "`my_policy` is no name of a"),
        ("kubernetes", "- allow: brk", {"arch": "x86_64, aarch64", "one": ""}, "one kind of host"),
    ],
)
def test_what_cannot_be_said_is_refused(
    target: str, rules: str, options: dict[str, str], message: str
) -> None:
    values = {"name": "p", "default": "deny", "arch": "x86_64", **options}
    lines = "".join(f"    {line}\n" for line in rules.splitlines())
    policy = load_text(HEAD.format(**values) + "  rules:\n" + lines).require()
    request = Request(X86, BARE, ("x86_64", "aarch64") if "one" in options else ())
    with pytest.raises(TargetError) as raised:
        compile_targets(policy, [target], request)
    assert message in raised.value.problems[0].message
    assert raised.value.problems[0].message.startswith(f"{target}: ")


def test_an_architecture_that_the_schema_lacks() -> None:
    loongarch = next(each for each in FAMILIES if each.native.name == "loongarch64")
    policy = selected(load("docker-default").require(), ["loongarch64"])
    with pytest.raises(TargetError, match="SCMP_ARCH_LOONGARCH64 is not in the schema"):
        compile_targets(policy, ["kubernetes-spo"], Request(Build(loongarch), BARE))
