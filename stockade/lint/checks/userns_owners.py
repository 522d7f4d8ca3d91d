"""Whose the lines of subuid and subgid are, and whether both files say the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, filterfalse
from operator import eq, ne, or_

from ...policies.findings import Severity
from ...userns.accounts import Accounts
from ...userns.dialects import DIALECTS
from ..check import Check, Found
from ..examples import shown
from ..idfiles import HostSubject, IdFile
from .userns_common import MOBY, NEWUIDMAP, SHADOW, SUBUID, bounded

_NO_LOGINS = frozenset({b"containers", b"dockremap", b"kubelet"})
"""Owners that programs look for without a login of that name, or before they make it."""

_KUBELET_LOGIN = Accounts.read(b"kubelet:x:991:991::/:/bin/sh\n", None)
_KUBELET = "Kubernetes, kubelet: user namespaces, custom ID ranges"


def _name(owner: bytes) -> str:
    return owner.decode("utf-8", "surrogateescape")


def _shown(owner: bytes) -> str:
    return owner.decode("utf-8", "replace")


def _pairs(file: IdFile, owner: bytes) -> list[tuple[int, int]]:
    columns = file.columns
    return [(columns.starts[index], columns.counts[index]) for index in file.indexes(owner)]


def _same(one: IdFile, other: IdFile) -> bool:
    """Whether the two files say the same, line for line: the usual case, and quick to tell."""
    if one.lines is other.lines:
        return True
    first, second = one.columns, other.columns
    return (
        len(first) == len(second)
        and first.owners == second.owners
        and all(map(eq, first.starts, second.starts))
        and all(map(eq, first.counts, second.counts))
    )


def _differ(subject: HostSubject) -> Iterator[Found]:
    uids, gids = subject.subuid, subject.subgid
    if uids is None or gids is None or _same(uids, gids):
        return

    def found(owner: bytes) -> Found:
        assert uids is not None
        assert gids is not None
        index, other = _first_difference(uids, gids, owner)
        return Found(
            f"{_shown(owner)} has other ids here than in subuid: {gids.columns.shown(index)}, "
            f"there {uids.columns.shown(other)}",
            gids.index_place(index, 1),
            "give the owner the same range in both files, where the ids of its files allow it",
            (("in subuid", uids.file.at(uids.columns.lines[other], 1)),),
        )

    yield from bounded(_of_both(uids, gids), found, "owners")


def _of_both(uids: IdFile, gids: IdFile) -> Iterable[bytes]:
    """Owners in both files, with other ranges in the one than in the other."""
    first, second = uids.columns, gids.columns
    if first.owners == second.owners and not uids.several:
        # Line by line, and quickly: useradd has chosen other ids for groups all along.
        starts, counts = (
            map(ne, first.starts, second.starts),
            map(ne, first.counts, second.counts),
        )
        return [*compress(second.owners, map(or_, starts, counts))]
    known = uids.by_owner
    return (o for o in gids.by_owner if o in known and _pairs(uids, o) != _pairs(gids, o))


def _first_difference(uids: IdFile, gids: IdFile, owner: bytes) -> tuple[int, int]:
    """Index in gids and index in uids of the first ranges that differ."""
    ours, theirs = gids.indexes(owner), uids.indexes(owner)
    for index, other in zip(ours, theirs, strict=False):
        if (gids.columns.starts[index], gids.columns.counts[index]) != (
            uids.columns.starts[other],
            uids.columns.counts[other],
        ):
            return index, other
    return ours[-1], theirs[-1]


def _one_only(subject: HostSubject) -> Iterator[Found]:
    uids, gids = subject.subuid, subject.subgid
    if uids is None or gids is None or _same(uids, gids):
        return
    for here, there in ((uids, gids), (gids, uids)):

        def found(owner: bytes, here: IdFile = here, there: IdFile = there) -> Found:
            index = here.indexes(owner)[0]
            return Found(
                f"{_shown(owner)} has no range in {there.kind.value}",
                here.index_place(index, 0),
                f"add the line to {there.kind.value}, or delete it here",
            )

        if here.columns.owners != there.columns.owners:
            yield from bounded(filterfalse(there.owners.__contains__, here.owners), found, "owners")


def _unknown(subject: HostSubject) -> Iterator[Found]:
    if subject.passwd is None:
        return
    accounts = subject.accounts
    for file in subject.files:
        unknown = (
            owner
            for owner in file.owners
            if owner.strip()
            and owner not in _NO_LOGINS
            and _name(owner) not in accounts.logins
            and not (owner.isdigit() and len(owner) <= 10 and int(owner) in accounts.names)
        )

        def found(owner: bytes, file: IdFile = file) -> Found:
            index = file.indexes(owner)[0]
            return Found(
                f"{_shown(owner)} is no login in passwd; shadow 4.13 grants the range, "
                "shadow 4.20 does not see it",
                file.index_place(index, 0),
                "add the login, or delete the line once no file has its ids",
                # Tenants need none: their maps are written by root.
                severity=Severity.NOTE if _name(owner) in subject.blocks else None,
            )

        yield from bounded(unknown, found, "owners")


def _numeric_login(subject: HostSubject) -> Iterator[Found]:
    accounts = subject.accounts
    for file in subject.files:
        logins = (owner for owner in file.numbers if _name(owner) in accounts.logins)

        def found(owner: bytes, file: IdFile = file) -> Found:
            name = _name(owner)
            return Found(
                f"{name} is a login, but the line is read as UID {name}, not as the login's own "
                f"UID {accounts.logins[name]}",
                file.index_place(file.indexes(owner)[0], 0),
                "rename the login; a name of digits only is a number to most programs",
            )

        yield from bounded(logins, found, "owners")


def _two_names(subject: HostSubject) -> Iterator[Found]:
    for file in subject.files:

        def found(each: tuple[bytes, bytes], file: IdFile = file) -> Found:
            number, login = each
            index, other = file.indexes(number)[0], file.indexes(login)[0]
            return Found(
                f"{_shown(login)} has entries by name and by number, {_shown(number)}: shadow and "
                "dockerd 28 take both, dockerd 20.10 those by number only",
                file.index_place(index, 0),
                "write all of them in one way, by name",
                (("by name", file.file.at(file.columns.lines[other], 0)),),
            )

        yield from bounded(_both(subject, file), found, "owners")


def _both(subject: HostSubject, file: IdFile) -> Iterator[tuple[bytes, bytes]]:
    """Owners of two names, that in digits first."""
    for owner in file.numbers:
        for name in subject.accounts.names.get(int(owner), ()):
            login = name.encode("utf-8", "surrogateescape")
            if login != owner and login in file.owners:
                yield owner, login


def _kubelet(subject: HostSubject) -> Iterator[Found]:
    fix = "give kubelet one line, the same in both files, of whole blocks of 65536 from 65536 on"
    dialect = DIALECTS["kubelet"]
    for file in subject.files:
        lines = sorted({file.columns.lines[index] for index in file.indexes(b"kubelet")})
        own = "".join(f"{file.file.source.line(line)}\n" for line in lines).encode()
        for fault in dialect.read(own, _KUBELET_LOGIN).faults:
            yield Found(
                f"kubelet: {fault.message}",
                file.place(lines[fault.line - 1]),
                fix,
            )
    uids, gids = subject.subuid, subject.subgid
    if uids is not None and gids is not None:
        ours, theirs = _pairs(uids, b"kubelet"), _pairs(gids, b"kubelet")
        if ours and theirs and ours != theirs:
            yield Found(
                "kubelet's range is another one in subuid; the kubelet does not start",
                gids.index_place(gids.indexes(b"kubelet")[0], 1),
                fix,
            )


def _incus(subject: HostSubject) -> Iterator[Found]:
    for file in subject.files:
        ranges: Sequence[int] = [
            index for index in file.indexes(b"root") if file.columns.counts[index] > 1
        ]
        if len(ranges) > 1:
            yield Found(
                "root has several ranges; Incus begins each of them at id 0 of the container",
                file.index_place(ranges[1], 0),
                "leave root one range",
                (("the first", file.file.at(file.columns.lines[ranges[0]], 0)),),
            )


_PASSWD = "alice:x:1000:1000::/home:/bin/sh\n"
_LINE = "alice:2000224256:65536\n"
_BOTH = {"subuid": _LINE, "subgid": _LINE}

CHECKS = (
    Check(
        "subid-uid-gid-differ",
        "An owner has other ids in subgid than in subuid",
        Severity.WARNING,
        "It works, but a file's owner and group then belong to different rows of blocks, kubelet "
        "and systemd-nspawn refuse it, and whoever checks one file believes the ids of the other "
        "to be free. It is what a useradd killed in the middle leaves, for every later user.",
        (SHADOW, "measured: useradd killed between its renames"),
        shown({"subuid": _LINE, "subgid": "alice:2000289792:65536\n"}),
        shown(_BOTH),
        host=_differ,
    ),
    Check(
        "subid-one-file-only",
        "An owner is in one of the two files only",
        Severity.ERROR,
        "A map of users without a map of groups is of no use: dockerd does not start for such an "
        "owner, podman cannot make a container, and newgidmap refuses.",
        (MOBY, NEWUIDMAP),
        shown({"subuid": _LINE, "subgid": ""}),
        shown(_BOTH),
        host=_one_only,
    ),
    Check(
        "subid-unknown-owner",
        "An owner that is no login",
        Severity.WARNING,
        "The range of a deleted user, or a name with a spelling mistake. shadow 4.13 goes on "
        "granting it to whoever gets the name, shadow 4.20 does not see it, and useradd may give "
        "the ids away again while files still have them.",
        (SUBUID, SHADOW),
        shown({"subuid": "alcie:2000224256:65536\n", "passwd": _PASSWD}),
        shown({"subuid": _LINE, "passwd": _PASSWD}),
        host=_unknown,
    ),
    Check(
        "subid-numeric-login",
        "An owner in digits that is a login's name",
        Severity.ERROR,
        "newuidmap reads an owner in digits as a UID even where a login has that name: the ids go "
        "to whoever has the UID, not to the login.",
        (SHADOW,),
        shown(
            {
                "subuid": "1001:2000224256:65536\n",
                "passwd": "1001:x:1000:1000::/home:/bin/sh\nbob:x:1001:100::/home:/bin/sh\n",
            }
        ),
        shown(
            {
                "subuid": "bob:2000224256:65536\n",
                "passwd": "bob:x:1001:100::/home:/bin/sh\n",
            }
        ),
        host=_numeric_login,
    ),
    Check(
        "subid-two-names",
        "An owner has entries by name and by number",
        Severity.WARNING,
        "shadow and dockerd 28 take the union, in the order of the file; dockerd 20.10 takes the "
        "entries by number alone where there are any. The same owner gets other ids, in another "
        "order, after an update of the engine.",
        (SHADOW, MOBY),
        shown({"subuid": f"{_LINE}1000:2000289792:65536\n", "passwd": _PASSWD}),
        shown({"subuid": f"{_LINE}alice:2000289792:65536\n", "passwd": _PASSWD}),
        host=_two_names,
    ),
    Check(
        "subid-kubelet-range",
        "A range for kubelet that kubelet does not take",
        Severity.ERROR,
        "kubelet asks getsubids for its own range and wants one line, the same for users and "
        "groups, that begins at a multiple of 65536 and holds as many blocks of 65536 as there may "
        "be pods (110, unless `maxPods` says otherwise). With anything else it does not start.",
        (_KUBELET,),
        shown({"subuid": "kubelet:2000224257:65536\n"}),
        shown({"subuid": "kubelet:2000224256:7208960\n"}),
        host=_kubelet,
    ),
    Check(
        "subid-incus-several",
        "Several ranges for root",
        Severity.WARNING,
        "Incus and LXD use root's ranges, and let every one of them begin at id 0 of the "
        "container. With two, ids are mapped twice and containers do not start.",
        ("Incus, internal/server/sys and idmap: defaults from /etc/subuid",),
        shown({"subuid": "root:2000224256:65536\nroot:2000289792:65536\n"}),
        shown({"subuid": "root:2000224256:131072\n"}),
        host=_incus,
    ),
)
