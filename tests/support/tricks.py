"""The corpus of tricks: requests that a policy forbids, to the byte.

A file is a list of groups; each entry of `each` is a trick and takes the group's keys as defaults:

as           who asks; bob when not said
send         method and request target; `POST /containers/create?name=trick` when not said
host, body   merged into a create that is allowed: into its HostConfig, or at its top
base         which create: `builder` (bob's) or `deploy` (carol's)
drop         keys removed from it
text         the body instead, as it stands; `latin` one byte for each character, else UTF-8
A, B         what <<A>> and <<B>> stand for in it; fill and times: <<FILL>>; nest: <<NEST>>
tar, plugin, dockerfile   an archive as body: a file, a plugin, a build's context
type         the media type (null: none); application/json when not said
headers      more headers
framing      chunked, trickled, http10, no-length, length-zero; Content-Length when not said
effect       what shows that it was executed: `state` (the engine's state is another) or `answer`
inert        why it does nothing on dockerd 20.10 even when everything is allowed
calibrate    false: not sent where everything is allowed, for it would end the test's own engine,
             or the kernel and not the engine would say what happens
engine       true: 20.10 refuses it before it asks a plugin, or answers without a body
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from engine_state import World, archive
from raw_http import Answer

#: What answers a request: 2xx, or 101 for a connection that becomes a stream.
EXECUTED = {101, *range(200, 300)}

CREATE = "POST /containers/create?name=trick"

BASES: dict[str, dict[str, Any]] = {
    "builder": {"Image": "<<IMAGE>>", "Cmd": ["sleep", "60"]},
    "deploy": {
        "Image": "<<IMAGE>>",
        "Cmd": ["sleep", "60"],
        "User": "1000:1000",
        "Labels": {"team": "deploy"},
        "HostConfig": {
            "Memory": 134217728,
            "NanoCpus": 500000000,
            "PidsLimit": 50,
            "ReadonlyRootfs": True,
            "SecurityOpt": ["no-new-privileges", "<<SECCOMP>>"],
        },
    },
}


@dataclass(frozen=True)
class Trick:
    """One forbidden request, and how to see that it was not executed."""

    id: str
    who: str
    settings: Mapping[str, Any]

    @property
    def method(self) -> str:
        """GET, POST and so on."""
        return str(self.settings.get("send", CREATE)).partition(" ")[0]

    @property
    def effect(self) -> str:
        """`state` or `answer`."""
        return str(self.settings.get("effect", "state"))

    @property
    def inert(self) -> str | None:
        """Why it does nothing even when everything is allowed."""
        return self.settings.get("inert")

    def raw(self, placeholders: Mapping[str, str]) -> bytes:
        """The bytes of the request."""
        known = dict(placeholders)
        settings = self.settings
        known |= {key: str(settings[key]) for key in ("A", "B") if key in settings}
        known["FILL"] = str(settings.get("fill", "")) * int(settings.get("times", 0))
        depth = int(settings.get("nest", 0))
        known["NEST"] = "[" * depth + "]" * depth
        payload = self._payload(known)
        method, target = _fill(str(settings.get("send", CREATE)), known).split(" ", 1)
        return _frame(method, target, payload, settings, known)

    def _payload(self, known: Mapping[str, str]) -> bytes | None:
        settings = self.settings
        if settings.get("tar"):
            return archive(canary="written")
        if settings.get("plugin"):
            return archive(**{"config.json": "{}", "rootfs/x": "x"})
        if "dockerfile" in settings:
            return archive(Dockerfile=_fill(settings["dockerfile"], known))
        if settings.get("text") is not None:
            coding = "latin-1" if settings.get("latin") else "utf-8"
            return _fill(settings["text"], known).encode(coding)
        if settings.get("host") is None and "body" not in settings:
            return None
        body = copy.deepcopy(BASES[settings.get("base", "builder")])
        for key in settings.get("drop", ()):
            del body[key]
        body |= settings.get("body", {})
        if settings.get("host"):
            body["HostConfig"] = body.get("HostConfig", {}) | settings["host"]
        return json.dumps(_fill_all(body, known)).encode()


def load(directory: Path) -> list[Trick]:
    """Every trick of every file, with an id of its own."""
    tricks = []
    for path in sorted(directory.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text()):
            defaults = {key: value for key, value in group.items() if key not in ("group", "each")}
            for number, each in enumerate(group["each"], 1):
                settings = defaults | each
                name = f"{path.stem}: {group['group']} {number}"
                tricks.append(Trick(name, settings.get("as", "bob"), settings))
    return tricks


def _fill(text: str, known: Mapping[str, str]) -> str:
    for _ in range(2):  # A may itself hold <<NEST>>
        for key, value in known.items():
            text = text.replace(f"<<{key}>>", value)
    if "<<" in text:
        raise ValueError(f"a placeholder without a value: {text[:200]}")
    return text


def _fill_all(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _fill(value, known)
    if isinstance(value, list):
        return [_fill_all(each, known) for each in value]
    if isinstance(value, dict):
        return {_fill(key, known): _fill_all(each, known) for key, each in value.items()}
    return value


def _frame(
    method: str,
    target: str,
    payload: bytes | None,
    settings: Mapping[str, Any],
    known: Mapping[str, str],
) -> bytes:
    framing = settings.get("framing", "length")
    lines = [f"{method} {target} HTTP/{'1.0' if framing == 'http10' else '1.1'}", "Host: docker"]
    extra = [_fill(header, known) for header in settings.get("headers", ())]
    lines += extra
    if not any(header.lower().startswith("connection:") for header in extra):
        lines.append("Connection: close")
    packed = any(settings.get(key) for key in ("tar", "plugin", "dockerfile"))
    media = settings.get("type", "application/x-tar" if packed else "application/json")
    if payload is not None and media is not None and not _has_type(extra):
        lines.append(f"Content-Type: {media}")
    if framing in ("chunked", "trickled"):
        lines.append("Transfer-Encoding: chunked")
        size = 1 if framing == "trickled" else 64
        data = payload or b""
        parts = [data[start : start + size] for start in range(0, len(data), size)]
        payload = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])
    elif framing == "length-zero":
        lines.append("Content-Length: 0")
    elif framing != "no-length" and (payload is not None or method in ("POST", "PUT")):
        lines.append(f"Content-Length: {len(payload or b'')}")
    return "\r\n".join([*lines, "", ""]).encode() + (payload or b"")


def _has_type(headers: list[str]) -> bool:
    return any(header.lower().startswith("content-type:") for header in headers)


def known(world: World, seccomp: str) -> dict[str, str]:
    """What placeholders stand for."""
    names = world.placeholders()
    return names | {
        "SECCOMP": seccomp,
        "IMAGE_SHORT": world.host.image_id.removeprefix("sha256:")[:12],
        "OPS_WEB_SHORT": world.ids["ops-web"][:12],
    }


def send(world: World, trick: Trick, seccomp: str) -> Answer:
    """Send it as whom it says."""
    raw = trick.raw(known(world, seccomp))
    return world.host.wire(trick.who).send(raw, method=trick.method)
