"""What a request brings back to life or enters: it is not in the request, the engine has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .model import CanonicalRequest, Json, ObjectReference
from .normalize import ROLLBACK, of_spec, rolled_back
from .profiles import SeccompReader

ENTERS = frozenset(
    {
        "checkpoint.create",
        "container.attach",
        "container.copy-to",
        "container.restart",
        "container.start",
        "container.unpause",
        "exec.create",
        "exec.start",
    }
)
"""Operations that run or change something inside of a container that exists; objects.rego has
the same. The container itself must then be one that the rule would let be created."""

Previous = Callable[[ObjectReference, str], Json]
"""A service and the version that the request is about -> the specification before this one."""


def bring_back(
    request: CanonicalRequest, previous: Previous, seccomp: SeccompReader
) -> CanonicalRequest:
    """A rollback of a service as the update that it is; any other request as it stands.

    Raises Denied.
    """
    version = (
        request.details["other"].get(ROLLBACK) if request.operation == "service.update" else None
    )
    if version is None or request.object is None:
        return request
    details, references = rolled_back(previous(request.object, version), seccomp)
    return replace(request, details=details, references=references)


def used_by(operation: str, thing: Json) -> list[ObjectReference]:
    """The containers, volumes and networks of a container that is entered."""
    spec = thing["spec"] if thing is not None and operation in ENTERS else None
    return of_spec(spec) if isinstance(spec, dict) and not spec["partial"] else []
