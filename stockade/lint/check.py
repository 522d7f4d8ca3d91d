"""What a check is.

A check's functions look at one subject and yield what they found, in the subject's own terms:
a place has a route (`syscalls[3].args[0]`) beside its line and column. Id, severity and
explanation are the check's and are added when the finding is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..policies.findings import Finding, Severity
from ..policies.source import Location
from .idfiles import HostSubject, MapSubject
from .subjects import Place, PolicySubject, ProfileSubject

Related = tuple[tuple[str, Location], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a check's function yields."""

    message: str
    """One sentence without a full stop, about this place."""
    place: Place
    fix: str
    related: Related = ()
    severity: Severity | None = None
    """Where it is not the check's own."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check, with everything its page says."""

    id: str
    """kebab-case; names the page and the directory of its cases too."""
    title: str
    """One line: what is found."""
    severity: Severity
    """Of its findings, where they do not say otherwise."""
    why: str
    """A paragraph: what the kernel, the runtime or the engine does, and what follows."""
    sources: tuple[str, ...]
    """Where that can be looked up."""
    bad: str
    """A document in which the check finds something; YAML, JSON when it begins with `{`, or files
    of a host, each under its name (`examples.shown`)."""
    good: str
    """The same, mended."""
    policy: Callable[[PolicySubject], Iterable[Found]] | None = None
    """Looks at policies; None: the check is not for them."""
    profile: Callable[[ProfileSubject], Iterable[Found]] | None = None
    """Looks at Docker and OCI profiles; None: the check is not for them."""
    host: Callable[[HostSubject], Iterable[Found]] | None = None
    """Looks at subuid, subgid and what belongs to them; None: the check is not for them."""
    map: Callable[[MapSubject], Iterable[Found]] | None = None
    """Looks at the text of a uid_map or gid_map; None: the check is not for it."""

    def finding(self, found: Found) -> Finding:
        """What was found, as a finding of this check."""
        return Finding(
            self.id,
            found.severity or self.severity,
            found.message,
            found.place.at,
            found.place.route,
            self.why,
            found.fix,
            found.related,
        )
