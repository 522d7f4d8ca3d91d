"""What `userns plan`, `apply` and `release` share: a policy's section, the host, and a diff."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click

from ...policies import load
from ...policies.errors import InputError
from ...policies.source import printable
from ...policies.userns_model import Userns
from ...seccomp.build import Build
from ...userns.change import Change
from ...userns.model import LiveMap
from ..options import problems_of

_MOST_SHOWN = 12
"""Lines of one file's diff; of more, the first and the last."""
_WIDTH = 80

root_option = click.option(
    "--root", default="/", metavar="DIR", help="The tree of an image instead of this host."
)


def section_of(reference: str) -> Userns:
    """The `userns` section of the policy that a path or library name stands for.

    Raises InputError with all problems of the policy, or when it has no such section.
    """
    loaded = load(reference)
    policy = loaded.policy
    found = problems_of(loaded, Build.of_machine())
    if found or policy is None:
        raise InputError(found)
    if policy.userns is None:
        raise InputError.of(
            f"policy {policy.name} has no `userns` section",
            policy.at,
            "add one: a `span` of host ids, and `tenants`",
        )
    return policy.userns


def is_this_host(root: Path) -> bool:
    """Whether it is this machine's own tree, so that its processes count."""
    return root.resolve() == Path("/")


def live_of(root: Path) -> tuple[LiveMap, ...]:
    """The live maps that a tree's ids can be in: none, where the tree is an image's."""
    from ...userns.live import live_maps

    return live_maps() if is_this_host(root) else ()


def listed_of(root: Path) -> Iterable[tuple[str, int]]:
    """The accounts that the C library lists, also those of directory services that list any."""
    if not is_this_host(root):
        return
    import grp
    import pwd

    for login in pwd.getpwall():
        yield f"uid {login.pw_uid} ({login.pw_name})", login.pw_uid
    for group in grp.getgrall():
        yield f"gid {group.gr_gid} ({group.gr_name})", group.gr_gid


def show(changes: Sequence[Change]) -> None:
    """The changes as a diff, coloured on a terminal."""
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def say(text: str, tint: str | None = None) -> None:
        text = printable(text)
        click.echo(click.style(text, fg=tint) if tint and colour else text, color=colour)

    for change in changes:
        say(f"--- /{change.name}")
        say(f"+++ /{change.name}")
        _some([f"-{text}" for _, text in change.removed], lambda text: say(text, "red"))
        if change.ended:
            say("+ (a line feed after what was the last line)", "green")
        _some([f"+{text}" for text in change.added], lambda text: say(text, "green"))


def _some(lines: Sequence[str], say: Callable[[str], None]) -> None:
    if len(lines) <= _MOST_SHOWN:
        for line in lines:
            say(line)
        return
    for line in lines[: _MOST_SHOWN - 4]:
        say(line)
    say(f"{lines[0][0]}... {len(lines) - _MOST_SHOWN + 1:,} more lines")
    for line in lines[-3:]:
        say(line)


def note(text: str) -> None:
    """A remark on stderr, within the width of a terminal."""
    click.echo(
        textwrap.fill(
            printable(text), _WIDTH, initial_indent="note: ", subsequent_indent="      ",
            break_on_hyphens=False, break_long_words=False,
        ),
        err=True,
    )  # fmt: skip


def say_finished(names: Sequence[str]) -> None:
    """That an interrupted change has been finished."""
    if names:
        files = ", ".join(f"/{name}" for name in names)
        note(f"a change that was interrupted has been finished first: {files}")


def plural(number: int, word: str) -> str:
    """`1 tenant`, `2 tenants`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
