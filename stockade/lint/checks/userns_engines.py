"""What an engine makes of an owner's ranges as a whole, and of its own settings."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ...policies.findings import Severity
from ...policies.jsontext import parse_json
from ...policies.nodes import ScalarNode
from ...policies.problems import Report
from ...userns.idmap import MAXIMAL_EXTENTS, PAGE_SIZE, render_map
from ...userns.model import Extent
from ..check import Check, Found
from ..examples import shown
from ..idfiles import HostSubject, IdFile
from ..subjects import Place, find
from .userns_common import KERNEL, MOBY, bounded, each_file

_DOCKER = "Docker: Isolate containers with a user namespace"
_SHORTEST = len(b"0 1 1\n")
"""Bytes of a line of a map, at least."""


def _extents(file: IdFile) -> Iterator[Found]:
    many = (owner for owner, found in file.several.items() if len(found) > MAXIMAL_EXTENTS)

    def found(owner: bytes) -> Found:
        indexes = file.indexes(owner)
        return Found(
            f"{file.columns.owner(indexes[0])} has {len(indexes)} ranges; a map holds "
            f"{MAXIMAL_EXTENTS}",
            file.index_place(indexes[MAXIMAL_EXTENTS], 0),
            "join ranges that follow one another, or give the owner one large one",
        )

    yield from bounded(many, found, "owners")


def _page(file: IdFile) -> Iterator[Found]:
    def long() -> Iterator[tuple[bytes, int, int]]:
        for owner, indexes in file.several.items():
            if not PAGE_SIZE / 33 <= len(indexes) <= MAXIMAL_EXTENTS:
                continue
            inside = size = over = 0
            for index in indexes:
                count = file.columns.counts[index]
                size += len(render_map((Extent(inside, file.columns.starts[index], count),)))
                inside += count
                over = over or (index if size >= PAGE_SIZE else 0)
            if size >= PAGE_SIZE:
                yield owner, size, over

    def found(each: tuple[bytes, int, int]) -> Found:
        owner, size, index = each
        return Found(
            f"a map of all {len(file.indexes(owner))} ranges of {file.columns.owner(index)} is "
            f"{size} bytes; the kernel takes {PAGE_SIZE - 1} in its one write",
            file.index_place(index, 0),
            "join ranges that follow one another, or give the owner one large one",
        )

    yield from bounded(long(), found, "owners")


def _pool(file: IdFile) -> Iterator[Found]:
    for index in file.indexes(b"containers"):
        first = file.columns.starts[index]
        if first < 65536:
            yield Found(
                "podman's pool for `--userns=auto` reaches the host's own ids: "
                f"{file.columns.shown(index)}",
                file.index_place(index, 1),
                "begin it at 65536 or later, at ids that nobody else has",
            )


def _setting(subject: HostSubject) -> tuple[str, Place] | None:
    """The value of `userns-remap` in daemon.json, and where it stands."""
    if subject.daemon is None:
        return None
    source = subject.daemon.source
    node = find(parse_json(source, Report()), "userns-remap")
    if not isinstance(node, ScalarNode):
        return None
    return node.text, Place("userns-remap", node.at)


def _remap_root(subject: HostSubject) -> Iterator[Found]:
    setting = _setting(subject)
    if setting is not None and setting[0].partition(":")[0] in ("root", "0"):
        yield Found(
            "dockerd does not remap anything for root: the setting turns itself off",
            setting[1],
            "name a user of its own, or write `default`",
        )


def _remap_group(subject: HostSubject) -> Iterator[Found]:
    setting = _setting(subject)
    if setting is not None and ":" in setting[0]:
        user, _, group = setting[0].partition(":")
        if user != group:
            yield Found(
                f"the ranges of {user} count in both files; {group} has no effect on them",
                setting[1],
                f"write `{user}`, and give it a range in subgid",
            )


def _remap_owner(subject: HostSubject) -> Iterator[Found]:
    setting = _setting(subject)
    if setting is None:
        return
    user = setting[0].partition(":")[0]
    if user in ("", "default", "root", "0"):
        return
    login = subject.accounts.login_of(int(user)) if user.isdigit() and len(user) < 11 else user
    uid = subject.accounts.logins.get(user)
    names = {user, login or user, user if uid is None else str(uid)}
    if subject.passwd is not None and uid is None and login not in subject.accounts.logins:
        yield Found(
            f"{user} is no login, and dockerd does not start with it",
            setting[1],
            "make the login, or write `default`",
        )
        return
    group = setting[0].partition(":")[2] or login or user
    if subject.group is not None and not group.isdigit() and group not in subject.accounts.groups:
        yield Found(
            f"there is no group {group}, and dockerd does not start without it",
            setting[1],
            f"make it: groupadd {group}",
        )
    for file in subject.files:
        if not any(file.indexes(name.encode("utf-8", "surrogateescape")) for name in names):
            yield Found(
                f"{user} has no range in {file.kind.value}, and dockerd does not start with it",
                setting[1],
                f"give {user} 65536 ids there; `stockade userns plan` finds free ones",
            )


def _many(number: int, step: int) -> str:
    return "".join(f"alice:{2000224256 + step * i}:{step}\n" for i in range(number))


_FILES = {
    "subuid": "alice:2000224256:65536\n",
    "subgid": "alice:2000224256:65536\n",
    "passwd": "alice:x:1000:1000::/home:/bin/sh\n",
}


def _daemon(value: str) -> str:
    return shown({**_FILES, "daemon.json": json.dumps({"userns-remap": value}) + "\n"})


CHECKS = (
    Check(
        "subid-too-many-extents",
        "An owner has more ranges than a map holds",
        Severity.ERROR,
        "dockerd puts all ranges of the owner into one map, one extent each, and the kernel takes "
        "340 (UID_GID_MAP_MAX_EXTENTS). dockerd starts, and every `docker run` fails with EINVAL.",
        (KERNEL, MOBY),
        shown({"subuid": _many(341, 200)}),
        shown({"subuid": "alice:2000224256:68200\n"}),
        host=each_file(_extents),
    ),
    Check(
        "subid-map-too-long",
        "An owner's ranges make a map longer than a page",
        Severity.ERROR,
        "A map is written at once, and the kernel takes one byte less than a page, 4,095 of them: "
        "about 184 extents of 65536 ids, long before the limit of 340 extents.",
        (KERNEL, MOBY),
        shown({"subuid": _many(200, 65536)}),
        shown({"subuid": "alice:2000224256:13107200\n"}),
        host=each_file(_page),
    ),
    Check(
        "subid-containers-pool",
        "podman's pool reaches the host's own ids",
        Severity.ERROR,
        "`podman --userns=auto` takes blocks from the ranges of `containers`. With a pool from 0, "
        "the first container's root is root of the host.",
        ("containers-storage.conf(5): root-auto-userns-user", "measured with podman 4.3"),
        shown({"subuid": "containers:0:65536\n"}),
        shown({"subuid": "containers:2000224256:65536\n"}),
        host=each_file(_pool),
    ),
    Check(
        "docker-remap-root",
        "dockerd's userns-remap names root",
        Severity.ERROR,
        "dockerd takes `root` as the wish not to remap, says nothing, and container root is root "
        "of the host.",
        (_DOCKER, "moby, daemon/daemon_unix.go: setupRemappedRoot"),
        _daemon("root"),
        _daemon("alice"),
        host=_remap_root,
    ),
    Check(
        "docker-remap-group",
        "dockerd's userns-remap names another group",
        Severity.WARNING,
        "In `user:group` the group names the owner of the data root only. The ids of groups come "
        "from the user's lines in subgid, whoever has that group's.",
        (_DOCKER, "measured with dockerd 20.10 and 28.5"),
        _daemon("alice:staff"),
        _daemon("alice:alice"),
        host=_remap_group,
    ),
    Check(
        "docker-remap-without-ranges",
        "dockerd's userns-remap names a user without ranges",
        Severity.ERROR,
        "dockerd looks the user up in passwd, a group of the same name in group, then the user in "
        "subuid and subgid, and does not start when one of them does not have it.",
        (_DOCKER, MOBY),
        _daemon("bob"),
        _daemon("alice"),
        host=_remap_owner,
    ),
)
