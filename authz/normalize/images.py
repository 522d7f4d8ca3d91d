"""Image references, normalised as Docker does (github.com/distribution/reference)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from ..model import Json
from .values import deny

_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_COMPONENT}(?:\.{_COMPONENT})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?\Z")
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_HEX = re.compile(r"[0-9a-f]+\Z")
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")
_SHORT = re.compile(r"(?:sha256:)?[0-9a-f]{1,64}\Z")

LONGEST = 255
"""Characters of registry and repository together, in the reference grammar."""


def _bad(said: str, why: str) -> Any:
    return deny("bad-image", f"image {said[:300]!r}: {why}")


def is_digest(said: str) -> bool:
    """Whether go-digest's Parse takes the text."""
    algorithm, colon, encoded = said.partition(":")
    return (
        bool(colon)
        and len(encoded) == _DIGEST_LENGTHS.get(algorithm, -1)
        and bool(_HEX.match(encoded))
    )


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    known = "." in first or ":" in first or first == "localhost" or first.lower() != first
    registry, repository = (first, rest) if slash and known else ("docker.io", name)
    if registry == "index.docker.io":
        registry = "docker.io"
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository


@lru_cache(maxsize=1024)
def _parts(said: str) -> tuple[str, str, str | None, str | None]:
    """Registry, repository, tag, digest. Raises Denied."""
    name, at, digest = said.partition("@")
    if at and not is_digest(digest):
        _bad(said, "its digest is none")
    head, colon, last = name.rpartition(":")
    tag = None
    if colon and "/" not in last:
        name, tag = head, last
        if not _TAG.match(tag):
            _bad(said, "its tag is none")
    registry, repository = _split_registry(name)
    if not _DOMAIN.match(registry):
        _bad(said, "its registry is no host name")
    if not _PATH.match(repository):
        _bad(said, "not a name of lower-case components")
    if len(registry) + 1 + len(repository) > LONGEST:
        _bad(said, "too long")
    return registry, repository, tag, digest if at else None


def _document(
    said: str,
    parts: tuple[str, str, str | None, str | None],
    *,
    identity: str | None = None,
    ambiguous: bool = False,
) -> Json:
    registry, repository, tag, digest = parts
    return {
        "text": said,
        "registry": registry,
        "repository": repository,
        "tag": tag,
        "digest": digest,
        "id": identity,
        "ambiguous": ambiguous,
    }


def image(said: str) -> Json:
    """An image that an engine looks up: a name, or an id, whole or shortened.

    The tag is `latest` when neither tag nor digest is said. An id has no registry, repository
    or tag (null). Raises Denied when it is no reference.
    """
    whole = _ID.match(said)
    if whole:
        return {
            "text": said,
            "registry": None,
            "repository": None,
            "tag": None,
            "digest": None,
            "id": f"sha256:{whole[1]}",
            "ambiguous": False,
        }
    registry, repository, tag, digest = _parts(said)
    if tag is None and digest is None:
        tag = "latest"
    return _document(said, (registry, repository, tag, digest), ambiguous=bool(_SHORT.match(said)))


def named(repository: str, tag: str, *, every_tag: bool = False) -> Json:
    """A reference in two parameters, `repo` and `tag`; the tag may be a digest.

    `every_tag`: without a tag all of them are meant, and the tag is null. Raises Denied, also
    when both parameters say a tag and they differ.
    """
    said = repository.removesuffix(":")
    registry, path, own_tag, digest = _parts(said)
    if _ID.match(said):
        _bad(said, "an id, where a name is needed")
    if tag and is_digest(tag):
        if digest not in (None, tag):
            _bad(said, f"two digests, the other {tag!r}")
        return _document(f"{said}@{tag}", (registry, path, None, tag))
    if tag:
        if not _TAG.match(tag):
            _bad(f"{said}:{tag}", "its tag is none")
        if own_tag not in (None, tag):
            _bad(said, f"two tags, the other {tag!r}")
        own_tag = tag
    if own_tag is None and digest is None and not every_tag:
        own_tag = "latest"
    shown = f"{said}:{tag}" if tag else said
    return _document(shown, (registry, path, own_tag, digest))
