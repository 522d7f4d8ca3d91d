"""From a route, its query and its canonical body to what the rules read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model import Json, ObjectReference, Route
from ..profiles import SeccompReader
from . import builds, container, created, others, references
from .bounds import check_bounds
from .images import image, named
from .namespaces import network_mode
from .processes import ps_arguments
from .queries import Query, flag, one, several
from .redact import in_text, redact
from .services import service
from .values import deny, mapping

EMPTY: Mapping[str, Json] = {
    "spec": None,
    "exec": None,
    "volume": None,
    "network": None,
    "connect": None,
    "build": None,
    "images": [],
    "service": None,
    "other": {},
}
"""The keys that details fill in, as they are when the operation has nothing of the kind."""

ROLLBACK = "rollback"
"""In `other` of service.update: the version of the service whose previous specification returns.

The body of such a request says nothing; see `rolled_back`.
"""


@dataclass(slots=True)
class _Found:
    """What one reader found."""

    details: dict[str, Json]
    references: list[ObjectReference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Request:
    """What a reader has to go on."""

    operation: str
    parameters: Mapping[str, str]
    query: Query
    body: Json
    seccomp: SeccompReader

    @property
    def subject(self) -> str:
        """The path's parameter: the object."""
        return next(iter(self.parameters.values()), "")


def operation(route: Route, query: Mapping[str, Any]) -> str:
    """The route's operation; POST /images/create is two. Raises Denied when it is unclear."""
    if route.path != "/images/create":
        return route.operation
    pull, load = bool(one(query, "fromImage")), bool(one(query, "fromSrc"))
    if pull == load:
        deny("unclear-operation", "exactly one of fromImage and fromSrc is needed")
    return "image.pull" if pull else "image.import"


def _spec_images(spec: Mapping[str, Json]) -> list[Json]:
    mounted = [image(one["source"]) for one in spec["mounts"] if one["type"] == "image"]
    return [spec["image"], *mounted]


def _create(request: _Request) -> _Found:
    spec = container.create(request.body, one(request.query, "name"), request.seccomp)
    return _Found({"spec": spec, "images": _spec_images(spec)}, references.of_spec(spec))


def _update(request: _Request) -> _Found:
    return _Found({"spec": container.update(request.body)})


def _service(request: _Request) -> _Found:
    rollback = one(request.query, "rollback")
    if rollback == "previous":
        return _Found({"other": {ROLLBACK: one(request.query, "version")}})
    if rollback not in ("", "none"):
        deny("bad-value", f"the rollback {rollback!r}")
    return _service_of(request.body, request.seccomp)


def _service_of(body: Json, seccomp: SeccompReader) -> _Found:
    spec = service(body, seccomp)
    return _Found(
        {"spec": spec, "service": spec["service"], "images": _spec_images(spec)},
        references.of_spec(spec) + references.of_service(spec["service"]),
    )


def _start(request: _Request) -> _Found:
    if one(request.query, "checkpoint-dir"):
        deny("refused-query", "a checkpoint from a directory of the host may hold anything")
    name = one(request.query, "checkpoint")
    return _Found({"other": {"checkpoint": others.checkpoint_name(name) if name else ""}})


def _exec(request: _Request) -> _Found:
    return _Found({"exec": container.execution(request.body)})


def _rename(request: _Request) -> _Found:
    name = container.container_name(one(request.query, "name"))
    return _Found({"other": {"name": name or deny("missing-field", "name is missing")}})


def _volume(request: _Request) -> _Found:
    found = created.volume(request.body)
    named = [ObjectReference("volume", found["name"])] if found["name"] else []
    return _Found({"volume": found}, named)


def _volume_update(request: _Request) -> _Found:
    return _Found({"volume": created.volume_update(request.body, request.subject)})


def _network(request: _Request) -> _Found:
    found = created.network(request.body)
    source = found["config_from"]
    return _Found({"network": found}, [ObjectReference("network", source)] if source else [])


def _connection(request: _Request) -> _Found:
    connect = request.operation == "network.connect"
    found = created.connection(request.body, request.subject, connect=connect)
    linked = references.linked(found["endpoint"]["links"])
    return _Found({"connect": found}, [ObjectReference("container", one) for one in linked])


def _build(request: _Request) -> _Found:
    found = builds.build(request.query)
    mode = network_mode(found["network"])
    used = []
    if mode["mode"] in ("container", "named"):
        kind = "container" if mode["mode"] == "container" else "network"
        used.append(ObjectReference(kind, mode["target"]))
    return _Found({"build": found, "images": found["tags"]}, used)


def _pull(request: _Request) -> _Found:
    query = request.query
    found = named(one(query, "fromImage"), one(query, "tag"), every_tag=True)
    return _Found({"images": [found], "other": {"platform": one(query, "platform")}})


def _import(request: _Request) -> _Found:
    query = request.query
    repository, tag = one(query, "repo"), one(query, "tag")
    return _Found(
        {
            "images": [named(repository, tag)] if repository else [],
            "other": {
                "source": in_text(one(query, "fromSrc")),
                "changes": several(query, "changes"),
                "message": one(query, "message"),
                "platform": one(query, "platform"),
            },
        }
    )


def _push(request: _Request) -> _Found:
    found = named(request.subject, one(request.query, "tag"), every_tag=True)
    return _Found({"images": [found]})


def _tag(request: _Request) -> _Found:
    repository = one(request.query, "repo") or deny("missing-field", "repo is missing")
    target = named(repository, one(request.query, "tag"))
    return _Found({"images": [image(request.subject), target]})


def _commit(request: _Request) -> _Found:
    query = request.query
    container.image_config(request.body)
    source = one(query, "container") or deny("missing-field", "container is missing")
    repository, tag = one(query, "repo"), one(query, "tag")
    return _Found(
        {
            "images": [named(repository, tag)] if repository else [],
            "other": {
                "container": source,
                "changes": several(query, "changes"),
                "pause": flag(query, "pause") if "pause" in query else True,
                "config": redact(mapping(request.body, "body")),
            },
        },
        [ObjectReference("container", source)],
    )


def _save(request: _Request) -> _Found:
    asked = [request.subject] if request.subject else several(request.query, "names")
    if not asked or not all(asked):
        deny("missing-field", "the images to save are missing")
    return _Found({"images": [image(said) for said in asked]})


def _image(request: _Request) -> _Found:
    return _Found({"images": [image(request.subject)]})


def _other(request: _Request) -> _Found:
    return _Found({"other": others.other(request.operation, request.body)})


def _checkpoint(request: _Request) -> _Found:
    return _Found({"other": others.checkpoint(request.body)})


def _top(request: _Request) -> _Found:
    ps_arguments(one(request.query, "ps_args"))
    return _Found({})


def _checkpoint_directory(request: _Request) -> _Found:
    """Engines list, and remove with all that is in it, any directory of the host so."""
    if one(request.query, "dir"):
        deny("refused-query", f"dir: {others.OWN_DIRECTORY}")
    if name := request.parameters.get("checkpoint"):
        others.checkpoint_name(name)
    return _Found({})


def _plugin_grant(request: _Request) -> _Found:
    return _Found({"other": {"privileges": others.privileges(request.body)}})


def _plugin_set(request: _Request) -> _Found:
    return _Found({"other": {"settings": others.settings(request.body)}})


_READERS: Mapping[str, Callable[[_Request], _Found]] = {
    "container.create": _create,
    "container.update": _update,
    "container.rename": _rename,
    "container.start": _start,
    "container.top": _top,
    "exec.create": _exec,
    "checkpoint.create": _checkpoint,
    "checkpoint.list": _checkpoint_directory,
    "checkpoint.remove": _checkpoint_directory,
    "service.create": _service,
    "service.update": _service,
    "volume.create": _volume,
    "volume.update": _volume_update,
    "network.create": _network,
    "network.connect": _connection,
    "network.disconnect": _connection,
    "image.build": _build,
    "image.pull": _pull,
    "image.import": _import,
    "image.push": _push,
    "image.tag": _tag,
    "image.commit": _commit,
    "image.save": _save,
    **dict.fromkeys(
        """
        image.attestations image.distribution image.history image.inspect image.remove
        """.split(),
        _image,
    ),
    "plugin.pull": _plugin_grant,
    "plugin.upgrade": _plugin_grant,
    "plugin.set": _plugin_set,
    **dict.fromkeys(others.OPERATIONS, _other),
}
"""Operations that say more than their path does."""

BODILESS = frozenset({"image.push", "registry.login"})
"""Their bodies, where there are any, are credentials; no rule and no log sees them."""


def details(
    route: Route,
    parameters: Mapping[str, str],
    query: Mapping[str, Any],
    body: Json,
    seccomp: SeccompReader,
) -> tuple[dict[str, Json], tuple[ObjectReference, ...], Callable[[], Json]]:
    """The keys of EMPTY, the things referred to, and what gives the body without its secrets.

    `body` is canonical: fields in the schema's spelling, types checked, null or absent where
    nothing was said. Raises Denied for what is not understood.
    """
    asked = operation(route, query)
    read = _READERS.get(asked)
    if read is None:
        if body:
            deny("unexpected-body", f"{asked} has no body")
        return dict(EMPTY, images=[], other={}), (), lambda: None
    found = read(_Request(asked, parameters, query, body, seccomp))
    whole = {**EMPTY, "images": [], "other": {}, **found.details}
    check_bounds(whole)

    def redacted() -> Json:
        if asked == "plugin.set":
            return found.details["other"]
        return None if asked in BODILESS else redact(body)

    return (
        whole,
        references.unique(found.references),
        redacted,
    )


def rolled_back(
    previous: Json, seccomp: SeccompReader
) -> tuple[dict[str, Json], tuple[ObjectReference, ...]]:
    """The same keys for a rollback, from the specification that it brings back. Raises Denied."""
    found = _service_of(previous, seccomp)
    return {**EMPTY, "other": {}, **found.details}, references.unique(found.references)
