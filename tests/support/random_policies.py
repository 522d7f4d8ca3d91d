"""Random policies as YAML text: what hypothesis draws and what long runs roll dice for.

`choose` picks from a list; with hypothesis it draws, in long runs it is Random.choice.
"""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

Choose = Callable[[Sequence[Any]], Any]

#: Calls with arguments of every kind: 16, 32 and 64 bits, signed and not.
CALLS: dict[str, tuple[str, ...]] = {
    "socket": ("family", "type", "protocol"),
    "ioctl": ("fd", "cmd"),
    "personality": ("personality",),
    "clone": ("flags",),
    "prctl": ("option", "arg2", "arg3"),
    "kill": ("pid", "sig"),
    "setpriority": ("which", "who", "niceval"),
    "madvise": ("behavior",),
    "ptrace": ("request", "pid"),
    "bpf": ("cmd", "size"),
    "fchmod": ("fd", "mode"),
    "umask": ("mask",),
    "getpid": (),
    "read": (),
    "mount": (),
    "close": ("fd",),
    "setns": ("fd",),
    "unshare": ("flags",),
    "sched_setscheduler": ("pid", "policy"),
    "shutdown": ("arg1",),
}

NUMBERS = [
    "0", "1", "2", "3", "5", "7", "8", "16", "40", "0x7f", "0x80", "255", "4096", "0x5412",
    "0x7fff", "0x8000", "0xffff", "0x10000", "0x7fffffff", "0x80000000", "0xffffffff",
    "0x100000000", "0x7fffffffffffffff", "0xffffffffffffffff", "-1", "-2", "-100", "-2147483648",
]  # fmt: skip
MASKS = ["0x1", "0x3", "0xf", "0xf0", "0xff", "0x7e020000", "0xff00", "0x80000000", "~0x1",
         "~0xff", "0x5555", "0x100000000", "0xfff000"]  # fmt: skip
OPENINGS = [
    ["    - allow: [socketcall, write]"],
    ["    - allow: [socketcall, write]"],
    ["    - deny: [socketcall, ipc]", "      with: ENOSYS"],
    [],
]
COMPARATORS = ["==", "==", "!=", "<", "<=", ">", ">="]
ACTIONS = [
    ("allow", ""), ("allow", ""), ("allow", ""), ("deny", ""), ("deny", "ENOSYS"), ("deny", "13"),
    ("kill", ""), ("kill-thread", ""), ("trap", ""), ("log", ""), ("trace", "7"),
]  # fmt: skip
DEFAULTS = [("deny", "EPERM"), ("deny", "EPERM"), ("deny", "13"), ("kill", ""), ("allow", "")]


def comparison(choose: Choose, arguments: Sequence[str]) -> str:
    """One comparison on one of the arguments."""
    operand = choose(arguments)
    if choose([False] * 9 + [True]):
        operand = f"u64({operand})"
    if choose([False, False, True]):
        operand += f" & {choose(MASKS)}"
    form = choose(["compare", "compare", "set", "range"])
    if form == "compare":
        return f"{operand} {choose(COMPARATORS)} {choose(NUMBERS)}"
    negation = choose(["", "not "])
    if form == "set":
        members = {choose(NUMBERS) for _ in range(choose([1, 2, 3]))}
        return f"{operand} {negation}in {{{', '.join(sorted(members))}}}"
    low, high = sorted((choose(NUMBERS), choose(NUMBERS)), key=lambda text: int(text, 0))
    return f"{operand} {negation}in {low}..{high}"


def condition(choose: Choose, arguments: Sequence[str], depth: int = 0) -> str:
    """Comparisons joined by and, or and not."""
    form = choose(["leaf", "leaf", "and", "or", "not"]) if depth < 2 else "leaf"
    if form == "leaf":
        return comparison(choose, arguments)
    if form == "not":
        return f"not ({condition(choose, arguments, depth + 1)})"
    parts = [condition(choose, arguments, depth + 1) for _ in range(choose([2, 2, 3]))]
    return "(" + f" {form} ".join(parts) + ")"


def policy(choose: Choose, architectures: Sequence[str], rules: int = 4) -> str:
    """A whole policy; not every one is sound, for instance a condition may be impossible."""
    default, number = choose(DEFAULTS)
    lines = ["stockade: 1", "name: random", "seccomp:", f"  default: {default}"]
    if number:
        lines.append(f"  with: {number}")
    if default == "allow":
        lines.append("  newer: default")
    lines += [f"  architectures: [{', '.join(architectures)}]", "  rules:"]
    lines += choose(OPENINGS)
    for _ in range(choose(range(1, rules + 1))):
        name = choose(sorted(CALLS))
        action, number = choose(ACTIONS)
        lines.append(f"    - {action}: {name}")
        if number:
            lines.append(f"      with: {number}")
        if CALLS[name] and choose([True, True, True, False]):
            lines.append(f'      when: "{condition(choose, CALLS[name])}"')
        if choose([False] * 5 + [True]):
            lines.append("      needs: [CAP_SYS_ADMIN]")
        if choose([False] * 8 + [True]):
            lines.append(f'      kernel: "{choose([">=", "<"])}5.8"')
    return "\n".join(lines) + "\n"


@st.composite
def policies(draw: st.DrawFn, architectures: Sequence[str]) -> str:
    """Random policies for hypothesis."""
    return policy(lambda options: draw(st.sampled_from(list(options))), architectures)
