"""Paths -> subjects of the checks of host ids: files by name, with what stands beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path, PurePath

from ..policies.errors import InputError
from ..policies.source import printable
from ..userns.commit import interrupted
from ..userns.host import (
    DAEMON_JSON,
    GROUP,
    MAXIMAL_ACCOUNTS,
    MAXIMAL_SETTINGS,
    PASSWD,
    REGISTRY,
    SUBGID,
    SUBUID,
    read_host,
    read_ids,
    read_plain,
)
from ..userns.intent import INTENT
from ..userns.leases import leased
from ..userns.model import Kind, LiveMap
from ..userns.registry import read as parse
from .idfiles import HostSubject, IdFile, IdLines, MapSubject, TextFile

_MAPS = {"uid_map": Kind.UID, "gid_map": Kind.GID}
_READERS: dict[str, Callable[[Path], bytes]] = {
    "subuid": read_ids,
    "subgid": read_ids,
    "passwd": lambda path: read_plain(path, MAXIMAL_ACCOUNTS),
    "group": lambda path: read_plain(path, MAXIMAL_ACCOUNTS),
    "daemon.json": lambda path: read_plain(path, MAXIMAL_SETTINGS),
}
_ASKED = ("subuid", "subgid", "daemon.json")
"""Those that are recognised; the others are read when they stand beside one of these."""

MAXIMAL_MAP = 1 << 20
"""Bytes of a map's text; the kernel takes 4,095, and shows at most 11,220."""
MAXIMAL_LINE = 1 << 16
"""Bytes of a line: Go's readers give up on longer ones."""


def kind_of(path: str) -> str | None:
    """The kind of a file, by its name: `subuid` or `web.subuid`; None: not one of ours."""
    name = PurePath(path).name
    for kind in (*_ASKED, *_MAPS):
        if name == kind or name.endswith(f".{kind}"):
            return kind
    return None


def is_map(path: str) -> bool:
    """Whether the name is that of a map's text."""
    return kind_of(path) in _MAPS


def stem_of(path: str) -> str:
    """What the names of files that belong together begin with: `etc/`, `web.`."""
    kind = kind_of(path)
    return path.removesuffix(kind) if kind is not None else path


def read_map(path: str, name: str | None = None) -> MapSubject:
    """The text of a map; raises InputError."""
    kind = _MAPS[kind_of(path) or ""]
    file = TextFile.of(printable(name or path), read_plain(Path(path), MAXIMAL_MAP))
    _check_text(file, enumerate(file.data.split(b"\n"), 1))
    return MapSubject(kind, file)


def read_beside(path: str) -> HostSubject:
    """The file, and those of its host that stand beside it; raises InputError."""
    stem = stem_of(path)
    found: dict[str, TextFile] = {}
    for kind, read in _READERS.items():
        each = f"{stem}{kind}"
        if each == path or Path(each).is_file():
            found[kind] = TextFile.of(printable(each), read(Path(each)))
    return host_of(found)


def read_files(paths: dict[str, str]) -> HostSubject:
    """The file of each kind at the path that is given for it; raises InputError."""
    found = {
        kind: TextFile.of(printable(path), _READERS[kind](Path(path)))
        for kind, path in paths.items()
    }
    return host_of(found)


def host_of(files: dict[str, TextFile]) -> HostSubject:
    """The subject of files by kind; raises InputError for what is no text."""
    subuid = _id_file(Kind.UID, files.get("subuid"))
    return HostSubject(
        subuid=subuid,
        subgid=_id_file(Kind.GID, files.get("subgid"), subuid),
        passwd=files.get("passwd"),
        group=files.get("group"),
        daemon=files.get("daemon.json"),
    )


def read_tree(root: Path, live: tuple[LiveMap, ...] = ()) -> HostSubject:
    """The files of a host below a root, its registry too; raises InputError."""
    host = read_host(root)
    data = {
        SUBUID: host.subuid,
        SUBGID: host.subgid,
        PASSWD: host.passwd,
        GROUP: host.group,
        DAEMON_JSON: host.daemon_json,
        REGISTRY: host.registry,
    }
    files = {
        PurePath(name).name: TextFile.of(printable(str(root / name)), content)
        for name, content in data.items()
        if content is not None
    }
    registry = files.pop(PurePath(REGISTRY).name, None)
    return replace(
        host_of(files),
        registry=None if registry is None else parse(registry.data, registry.source.name),
        registry_file=registry,
        live=live,
        leases=leased(host.leases),
        interrupted=str(root / INTENT) if interrupted(root) else "",
    )


def _id_file(kind: Kind, file: TextFile | None, other: IdFile | None = None) -> IdFile | None:
    if file is None:
        return None
    same = other is not None and other.file.data == file.data
    found = IdFile(kind, file, other.lines if other is not None and same else IdLines(file.data))
    _check_text(file, found.table.odd)
    return found


def _check_text(file: TextFile, lines: Iterable[tuple[int, bytes]]) -> None:
    name = file.source.name
    for number, raw in lines:
        if b"\0" in raw:
            raise InputError.of(
                f"`{name}` has a NUL in line {number}: it is no text", hint="is it the right file?"
            )
        if len(raw) > MAXIMAL_LINE:
            raise InputError.of(
                f"line {number} of `{name}` has {len(raw):,} bytes; no reader takes it",
                hint="is it the right file?",
            )
