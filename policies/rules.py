"""The `seccomp` section: nodes to actions and rules, in the author's own words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .capabilities import CAPABILITIES
from .catalog import CALL_NAME, groups
from .conditions import read_condition
from .errnos import ERRNO_NAMES, MAXIMAL_ERRNO
from .errors import InputError
from .fields import (
    Fields,
    expected,
    one_or_many,
    read_integer,
    read_list,
    read_mapping,
    read_text,
)
from .model import Action, ActionKind, CallName, Condition, KernelBound, Name, Rule
from .nodes import Kind, Node, ScalarNode
from .problems import Report, did_you_mean, listed, shown, suggest
from .source import Location

ACTIONS: dict[str, ActionKind] = {kind.value: kind for kind in ActionKind}
"""The words of the language, in the order in which they are listed to people."""
RULE_KEYS = (*ACTIONS, "with", "when", "needs", "kernel", "architectures")
SECCOMP_KEYS = ("default", "with", "newer", "architectures", "rules")
DENIED = Action(ActionKind.DENY, "EPERM")
NEWER = Action(ActionKind.DENY, "ENOSYS")
MAXIMAL_TRACE = 0xFFFF

_NEWER_WORDS = ("kill", "kill-thread", "trap", "log")
_KERNEL = re.compile(r"(>=|<) ?(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})")
_ANY_KERNEL = re.compile(r"([<>=]*)\s*v?([0-9]{1,3})\.([0-9]{1,3})[0-9A-Za-z.-]*")
_ARCHITECTURE = re.compile(r"[a-z][a-z0-9_]{0,30}")
_SYNONYMS = {
    "block": "deny",
    "reject": "deny",
    "forbid": "deny",
    "drop": "deny",
    "errno": "deny",
    "SCMP_ACT_ERRNO": "deny",
    "permit": "allow",
    "accept": "allow",
    "SCMP_ACT_ALLOW": "allow",
    "kill-process": "kill",
    "kill_process": "kill",
    "SCMP_ACT_KILL": "kill-thread",
    "SCMP_ACT_KILL_THREAD": "kill-thread",
    "SCMP_ACT_KILL_PROCESS": "kill",
    "SCMP_ACT_TRAP": "trap",
    "SCMP_ACT_LOG": "log",
    "SCMP_ACT_TRACE": "trace",
    "SCMP_ACT_NOTIFY": "notify",
    "audit": "log",
}
_RULE_HINTS = {
    **{word: f"write `{action}`" for word, action in _SYNONYMS.items()},
    "names": "the names stand behind the action: `allow: [read, write]`",
    "syscalls": "the names stand behind the action: `allow: [read, write]`",
    "action": "the action is the key: `allow: [read, write]`",
    "args": "conditions are written `when: family == AF_UNIX`",
    "if": "write `when`",
    "caps": "write `needs`",
    "capabilities": "write `needs`",
    "errno": "write `with`",
    "arch": "write `architectures`",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One file's own `seccomp`, before what it extends is joined in."""

    default: Action | None
    """None: not said, or not understood."""
    newer: Action | None
    newer_said: bool
    """Whether `newer` is in this file; what it says may be None, `default`."""
    rules: tuple[Rule, ...]
    architectures: tuple[Name, ...] | None
    at: Location = field(compare=False, repr=False)


def read_section(node: Node, at: Location, extends: bool, report: Report) -> Section | None:
    """The value of `seccomp`, whose key stands at `at`; `extends`: a parent may say the rest."""
    hint = "it holds `default` and `rules`"
    mapping = read_mapping(node, "`seccomp`", report, hint)
    if mapping is None:
        return None
    fields = Fields(mapping, "`seccomp`", SECCOMP_KEYS, report, {"action": "write `default`"})
    default = None
    if (word := fields.get("default")) is not None:
        kind = read_action(word, "`default`", report)
        number = fields.get("with")
        if kind is not None:
            default = read_number(kind, number, fields.key_at("with"), report)
        elif number is not None:
            read_errno(number, "`with`", report)
    elif not extends:
        report.add(
            "`default` is missing in `seccomp`", at, "say what happens to calls that no rule names"
        )
    elif fields.get("with") is not None:
        hint = "write `default: deny` beside it; a policy that extends does not change half of it"
        report.add("`with` has no `default` to go with", fields.key_at("with"), hint)
    newer = fields.get("newer")
    archs = fields.get("architectures")
    listing = fields.get("rules")
    items = read_list(listing, "`rules`", report, "rules") if listing is not None else None
    rules = [read_rule(item, i, report) for i, item in enumerate(items or ())]
    return Section(
        default,
        read_newer(newer, report) if newer is not None else NEWER,
        newer is not None,
        tuple(rule for rule in rules if rule is not None),
        read_architectures(archs, report) if archs is not None else None,
        at,
    )


def read_action(node: Node, what: str, report: Report) -> ActionKind | None:
    """An action's word."""
    wanted = f"one of {listed(ACTIONS)}"
    scalar = read_text(node, what, report, wanted)
    if scalar is None:
        return None
    kind = ACTIONS.get(scalar.text)
    if kind is None:
        close = _SYNONYMS.get(scalar.text) or suggest(scalar.text, ACTIONS)
        end = f"; did you mean `{close}`?" if close else ""
        report.add(f"unknown action {shown(scalar.text)}{end}", scalar.at, f"{what} is {wanted}")
    return kind


def read_number(kind: ActionKind, node: Node | None, key: Location, report: Report) -> Action:
    """The action with what its `with` says, or with what it has when there is none."""
    if kind is ActionKind.DENY:
        errno = read_errno(node, "`with`", report) if node is not None else None
        return DENIED if errno is None else Action(kind, errno)
    if kind is ActionKind.TRACE:
        number = None
        if node is not None:
            number = read_integer(node, "`with` of `trace`", report, 0, MAXIMAL_TRACE)
        return Action(kind, number or 0)
    if node is not None:
        hint = "delete it; only `deny` (an errno) and `trace` (a number) take one"
        report.add(f"`{kind.value}` takes no `with`", key, hint)
    return Action(kind)


def read_errno(node: Node, what: str, report: Report) -> str | int | None:
    """An errno by name, or a number from 0 to 4095."""
    if isinstance(node, ScalarNode) and node.kind is Kind.INTEGER:
        return read_integer(node, what, report, 0, MAXIMAL_ERRNO)
    scalar = read_text(node, what, report, f"an errno such as `EPERM`, or 0 to {MAXIMAL_ERRNO}")
    if scalar is None:
        return None
    if scalar.text in ERRNO_NAMES:
        return scalar.text
    message = f"unknown errno {shown(scalar.text)}{did_you_mean(scalar.text, ERRNO_NAMES)}"
    report.add(message, scalar.at, f"a name such as `EPERM`, or a number up to {MAXIMAL_ERRNO}")
    return None


def read_newer(node: Node, report: Report) -> Action | None:
    """The value of `newer`: an errno, `default` (None), or an action that stops the call."""
    text = node.text if isinstance(node, ScalarNode) and node.kind is Kind.TEXT else ""
    if text == "default":
        return None
    if text in _NEWER_WORDS:
        return Action(ACTIONS[text])
    if text in ACTIONS and isinstance(node, ScalarNode):
        hint = f"name an errno, `default`, or one of {listed(_NEWER_WORDS)}"
        if text == "allow":
            hint = "to allow what is not known yet: `newer: default` with `default: allow`"
        if text == "deny":
            hint = "name the errno alone: `newer: ENOSYS`"
        report.add(f"`newer` cannot be `{text}`", node.at, hint)
        return NEWER
    errno = read_errno(node, "`newer`", report)
    return NEWER if errno is None else Action(ActionKind.DENY, errno)


def read_rule(node: Node, index: int, report: Report) -> Rule | None:
    """An entry of `rules`."""
    hint = "a rule is written `- allow: [read, write]`"
    mapping = read_mapping(node, "a rule", report, hint)
    if mapping is None:
        return None
    fields = Fields(mapping, "the rule", RULE_KEYS, report, _RULE_HINTS)
    words = [word for word in fields.entries if word in ACTIONS]
    if not words:
        if all(entry.key.text in RULE_KEYS for entry in mapping.entries):
            message = "the rule has no action"
            report.add(message, fields.at, f"begin it with one of {listed(ACTIONS)}")
        return None
    first, *others = words
    for other in others:
        report.add(
            f"the rule has two actions, `{first}` and `{other}`",
            fields.key_at(other),
            "make two rules of it; the first that matches decides",
            (("the first action", fields.key_at(first)),),
        )
    action = read_number(ACTIONS[first], fields.get("with"), fields.key_at("with"), report)
    names = fields.get(first)
    needs, kernel, archs = (fields.get(key) for key in ("needs", "kernel", "architectures"))
    condition = fields.get("when")
    return Rule(
        action,
        read_names(names, f"`{first}`", report) if names is not None else (),
        f"seccomp.rules[{index}]",
        fields.at,
        read_when(condition, report) if condition is not None else None,
        read_needs(needs, report) if needs is not None else (),
        read_kernel(kernel, report) if kernel is not None else None,
        read_architectures(archs, report) if archs is not None else None,
    )


def read_when(node: Node, report: Report) -> Condition | None:
    """The value of `when`."""
    hint = "as in `when: family == AF_UNIX`"
    scalar = read_text(node, "`when`", report, "a condition", hint)
    if scalar is None:
        return None
    try:
        return read_condition(scalar.text, scalar.places())
    except InputError as error:
        report.extend(error.problems)
        return None


def read_names(node: Node, what: str, report: Report) -> tuple[CallName, ...]:
    """The calls a rule names, groups replaced by what is in them; no call twice."""
    direct: dict[str, CallName] = {}
    named: dict[str, Location] = {}
    for item in one_or_many(node, what, report, "name") or ():
        scalar = read_text(item, f"a name in {what}", report, *_A_NAME)
        if scalar is None or not _is_name(scalar, report):
            continue
        first = named.get(scalar.text)
        if first is not None:
            message = f"{shown(scalar.text)} is named twice in one rule"
            report.add(message, scalar.at, "delete one", (("first here", first),))
            continue
        named[scalar.text] = scalar.at
        if not scalar.text.startswith("@"):
            direct[scalar.text] = CallName(scalar.text, scalar.at)
    calls: dict[str, CallName] = {}
    for text, at in named.items():
        if text.startswith("@"):
            for call in groups()[text].calls:
                # Named directly or by an earlier group as well: that place says more.
                calls.setdefault(call, direct.get(call) or CallName(call, at, text))
        else:
            calls.setdefault(text, direct[text])
    return tuple(calls.values())


_A_NAME = ("a system call or a group", 'as in [read, write, "@keyring"]')


def _is_name(scalar: ScalarNode, report: Report) -> bool:
    """Whether this can name a call, or names a group that exists; reports it when not."""
    text = scalar.text
    if text.startswith("@"):
        if text in groups():
            return True
        message = f"unknown group {shown(text)}{did_you_mean(text, groups())}"
        report.add(message, scalar.at, f"the groups are {listed(sorted(groups()))}")
        return False
    if CALL_NAME.fullmatch(text):
        return True
    hint = "small letters, digits and `_`; a group begins with `@`"
    if CALL_NAME.fullmatch(text.strip().lower()):
        hint = f"write `{text.strip().lower()}`"
    elif "," in text or " " in text.strip():
        hint = "write several names as a list: [read, write]"
    elif "*" in text or "?" in text:
        hint = "patterns are not possible; name the calls, or a group such as `@keyring`"
    elif "(" in text:
        hint = "arguments are written `when: family == AF_UNIX`"
    report.add(f"{shown(text)} is no name of a system call", scalar.at, hint)
    return False


def read_needs(node: Node, report: Report) -> tuple[Name, ...]:
    """Capabilities, one or a list."""
    found: dict[str, Name] = {}
    for item in one_or_many(node, "`needs`", report, "capability") or ():
        scalar = read_text(item, "`needs`", report, "a capability such as `CAP_SYS_ADMIN`")
        if scalar is None:
            continue
        text = scalar.text
        if text not in CAPABILITIES:
            known = (*CAPABILITIES, *(cap.removeprefix("CAP_") for cap in CAPABILITIES))
            close = suggest(text, known)
            full = close if close is None or close.startswith("CAP_") else f"CAP_{close}"
            end = f"; did you mean `{full}`?" if full else ""
            report.add(f"unknown capability {shown(text)}{end}", scalar.at)
        elif text in found:
            related = (("first here", found[text].at),)
            report.add(f"`{text}` is named twice", scalar.at, "delete one", related)
        else:
            found[text] = Name(text, scalar.at)
    return tuple(found.values())


def read_architectures(node: Node, report: Report) -> tuple[Name, ...] | None:
    """A list of at least one architecture; whether they exist is not known here."""
    items = read_list(node, "`architectures`", report, "names, such as [x86_64]")
    if items is None:
        return None
    if not items:
        report.add("`architectures` is an empty list", node.at, "name one, or delete the key")
        return None
    found: dict[str, Name] = {}
    for item in items:
        scalar = read_text(item, "an architecture", report, "a name such as `x86_64`")
        if scalar is None:
            continue
        if not _ARCHITECTURE.fullmatch(scalar.text):
            folded = scalar.text.lower().replace("-", "_")
            hint = f"write `{folded}`" if _ARCHITECTURE.fullmatch(folded) else ""
            report.add(f"{shown(scalar.text)} is no architecture", scalar.at, hint)
        elif scalar.text in found:
            related = (("first here", found[scalar.text].at),)
            message = f"architecture `{scalar.text}` is named twice"
            report.add(message, scalar.at, "delete one", related)
        else:
            found[scalar.text] = Name(scalar.text, scalar.at)
    return tuple(found.values()) or None


def read_kernel(node: Node, report: Report) -> KernelBound | None:
    """`>=5.8` or `<5.8`."""
    wanted = 'a bound such as ">=5.8" or "<5.8"'
    hint = ""
    if isinstance(node, ScalarNode) and node.kind is Kind.FLOAT:
        hint = f'write ">={node.text}" for that version and newer ones'
    scalar = read_text(node, "`kernel`", report, wanted, hint)
    if scalar is None:
        return None
    match = _KERNEL.fullmatch(scalar.text)
    if match:
        return KernelBound(match[1] == ">=", (int(match[2]), int(match[3])), scalar.at)
    loose = _ANY_KERNEL.fullmatch(scalar.text.strip())
    if loose:
        major, minor = int(loose[2]), int(loose[3])
        above = f"{major}.{minor + 1}"
        exact = f"{major}.{minor}"
        meant = {">": f">={above}", "<=": f"<{above}", "<": f"<{exact}"}.get(loose[1], f">={exact}")
        hint = f'write "{meant}"'
    expected(report, "`kernel`", wanted, scalar, hint)
    return None
