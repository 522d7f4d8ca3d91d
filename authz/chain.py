"""The form of a line of the decision log, and the hash that chains it to the one before.

    {…the record…,"chain":{"seq":17,"prev":"<64 hex>","hash":"<64 hex>"}}

`hash` is SHA-256 over the bytes of the line up to `,"hash":`; they hold `prev`, the hash of the
line before, and so the whole past. It covers the text itself: a line that another program wrote
anew, equal as JSON, does not verify.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

BEGINNING = "0" * 64
"""`prev` of the very first line."""

MOST = 70_000
"""Bytes of a line, its end included; a record has at most 64 KiB."""

_END = re.compile(
    rb',"chain":\{"seq":(0|[1-9][0-9]{0,18}),"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}\}\Z'
)
_TAIL_LENGTH = len('"hash":""}}') + 1 + 64


@dataclass(frozen=True, slots=True)
class Link:
    """Where a line stands in the chain."""

    seq: int
    hash: str


ORIGIN = Link(-1, BEGINNING)
"""What the first line continues."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was read."""

    link: Link
    prev: str
    sound: bool
    """The hash is that of the text."""


def extend(record: bytes, last: Link) -> tuple[bytes, Link]:
    """The line (with its newline) of a JSON object, and the link for the next one."""
    seq = last.seq + 1
    comma = b"" if record == b"{}" else b","
    body = b'%s%s"chain":{"seq":%d,"prev":"%s"' % (record[:-1], comma, seq, last.hash.encode())
    digest = hashlib.sha256(body).hexdigest()
    return b'%s,"hash":"%s"}}\n' % (body, digest.encode()), Link(seq, digest)


def parse(line: bytes, *, verify: bool = True) -> Line | None:
    """The chain's part of a line without its newline; None when it has none.

    Without `verify` the line counts as sound.
    """
    found = _END.search(line, max(0, len(line) - 256))
    if found is None or not line.startswith(b"{"):
        return None
    written = found[3].decode()
    sound = not verify or hashlib.sha256(line[:-_TAIL_LENGTH]).hexdigest() == written
    return Line(Link(int(found[1]), written), found[2].decode(), sound)
