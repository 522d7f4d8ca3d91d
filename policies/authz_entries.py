"""Lists of the `authz` section whose entries have a shape of their own: binds, devices, ports,
images.

Of a list, what could be understood is returned; what is wrong with the rest is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from ipaddress import ip_address
from typing import TypeVar

from .authz_model import Bind, Device, Entries, Image, Port
from .authz_values import read_choices, read_items, read_path
from .fields import Fields, read_boolean, read_text
from .model import Name
from .nodes import MappingNode, Node, ScalarNode, SequenceNode
from .problems import Report, shown
from .source import Location

MAXIMAL_PORT = 65535
PROPAGATION = ("private", "rprivate", "shared", "rshared", "slave", "rslave")

_PATH = r"(?:/|(?:/(?!\.{1,2}(?:[/:]|$))[^/:]+)+)"
_BIND = re.compile(rf"(?P<source>{_PATH})(?::(?P<target>{_PATH}))?(?::(?P<mode>r[ow]))?")
_DEVICE = re.compile(rf"(?P<host>{_PATH})(?::(?P<permissions>[rwm]{{1,3}}))?")
_PORT = re.compile(
    r"(?:(?P<ip>[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9a-fA-F:.]{2,39}\]):)?"
    r"(?P<low>[1-9][0-9]{0,4})(?:-(?P<high>[1-9][0-9]{0,4}))?(?:/(?P<protocol>tcp|udp|sctp))?"
)
_IMAGE = re.compile(
    r"(?P<name>(?:[a-z0-9*.-]+(?::[0-9]{1,5})?/)?[a-z0-9*._-]+(?:/[a-z0-9*._-]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_*.-]{1,128}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_ID = re.compile("sha256:[0-9a-f]{64}")
_ALL_PERMISSIONS = frozenset("rwm")

T = TypeVar("T")


def _entries(
    node: Node,
    what: str,
    report: Report,
    of: str,
    special: Collection[str],
    read: Callable[[ScalarNode, str, Report], T | None],
    read_fields: Callable[[MappingNode, str, Report], T | None] | None = None,
) -> Entries[T]:
    """One entry or a list; entries are texts, and with `read_fields` mappings too."""
    items = node.items if isinstance(node, SequenceNode) else (node,)
    mappings = [item for item in items if isinstance(item, MappingNode) and read_fields is not None]
    texts = [item for item in items if item not in mappings]
    found: list[tuple[Location, T | None]] = []
    for mapping in mappings:
        assert read_fields is not None
        found.append((mapping.at, read_fields(mapping, what, report)))
    meant: set[str] = set()
    if not mappings or texts:
        whole = SequenceNode(tuple(texts), node.at) if mappings else node
        for scalar in read_items(whole, what, report, of):
            if scalar.text in special:
                meant.add(scalar.text)
            else:
                found.append((scalar.at, read(scalar, what, report)))
    found.sort(key=lambda pair: (pair[0].line, pair[0].column))
    entries = tuple(entry for _, entry in found if entry is not None)
    return Entries(entries, frozenset(meant), node.at)


def read_binds(node: Node, what: str, report: Report) -> Entries[Bind]:
    """`/etc/localtime:ro`, `/srv:/data`, mappings, `any`."""
    return _entries(node, what, report, "bind", ("any",), _bind, _bind_fields)


def _bind(scalar: ScalarNode, what: str, report: Report) -> Bind | None:
    match = _BIND.fullmatch(scalar.text)
    if match is None:
        hint = (
            "written `/path`, `/path:ro`, `/path:/target:ro`, or {source: /path, target: /target, "
            "read-only: true}; paths are absolute and have no `.`, `..` or `/` at the end"
        )
        report.add(f"{what}: {shown(scalar.text)} is no bind", scalar.at, hint)
        return None
    target = Name(match["target"], scalar.at) if match["target"] else None
    source = Name(match["source"], scalar.at)
    return Bind(source, target, match["mode"] == "ro", (), scalar.at)


def _bind_fields(node: MappingNode, what: str, report: Report) -> Bind | None:
    hints = {
        "readonly": "write `read-only`",
        "ro": "write `read-only: true`",
        "src": "write `source`",
        "destination": "write `target`",
        "path": "write `source`",
    }
    keys = ("source", "target", "read-only", "propagation")
    fields = Fields(node, f"an entry of {what}", keys, report, hints)
    source, target = fields.require("source"), fields.get("target")
    read_only, modes = fields.get("read-only"), fields.get("propagation")
    words = read_choices(modes, "`propagation`", report, PROPAGATION) if modes is not None else None
    path = read_path(source, "`source`", report) if source is not None else None
    goal = read_path(target, "`target`", report) if target is not None else None
    only = read_boolean(read_only, "`read-only`", report) if read_only is not None else False
    if path is None:
        return None
    names = tuple(name.text for name in words.items) if words else ()
    return Bind(path, goal, bool(only), names, fields.at)


def read_devices(node: Node, what: str, report: Report) -> Entries[Device]:
    """`/dev/fuse:rw`, mappings, `any`."""
    return _entries(node, what, report, "device", ("any",), _device, _device_fields)


def _device(scalar: ScalarNode, what: str, report: Report) -> Device | None:
    match = _DEVICE.fullmatch(scalar.text)
    if match is None:
        hint = "written `/dev/fuse`, `/dev/fuse:rw`, or {host: /dev/fuse, permissions: rw}"
        report.add(f"{what}: {shown(scalar.text)} is no device", scalar.at, hint)
        return None
    letters = frozenset(match["permissions"] or "") or _ALL_PERMISSIONS
    return Device(Name(match["host"], scalar.at), letters, scalar.at)


def _device_fields(node: MappingNode, what: str, report: Report) -> Device | None:
    hints = {"path": "write `host`", "source": "write `host`", "mode": "write `permissions`"}
    fields = Fields(node, f"an entry of {what}", ("host", "permissions"), report, hints)
    host, mode = fields.require("host"), fields.get("permissions")
    path = read_path(host, "`host`", report) if host is not None else None
    letters = _ALL_PERMISSIONS
    if mode is not None:
        scalar = read_text(mode, "`permissions`", report, "a text such as `rw`")
        if scalar is not None and not re.fullmatch("[rwm]{1,3}", scalar.text):
            hint = "`r` to read, `w` to write, `m` to make the device file"
            report.add(f"`permissions` cannot be {shown(scalar.text)}", scalar.at, hint)
        elif scalar is not None:
            letters = frozenset(scalar.text)
    return None if path is None else Device(path, letters, fields.at)


# --- ports ------------------------------------------------------------------------------


def read_ports(node: Node, what: str, report: Report) -> Entries[Port]:
    """`8080`, `8000-8999`, `127.0.0.1:80/tcp`, `[::1]:80`, `ephemeral`, `any`."""
    return _entries(node, what, report, "port", ("any", "ephemeral"), _port)


def _port(scalar: ScalarNode, what: str, report: Report) -> Port | None:
    match = _PORT.fullmatch(scalar.text)
    hint = "written `8080`, `8000-8999`, `127.0.0.1:80/tcp` or `[::1]:80`; or `ephemeral`, or `any`"
    if match is None:
        report.add(f"{what}: {shown(scalar.text)} is no port", scalar.at, hint)
        return None
    low = int(match["low"])
    high = int(match["high"] or low)
    if not low <= high <= MAXIMAL_PORT:
        message = f"{what}: {shown(scalar.text)} is no range of ports"
        report.add(message, scalar.at, f"from the lower one to the higher, at most {MAXIMAL_PORT}")
        return None
    address = (match["ip"] or "").strip("[]")
    try:
        host_ip = str(ip_address(address)) if address else None
    except ValueError:
        report.add(f"{what}: {shown(address)} is no IP address", scalar.at, hint)
        return None
    return Port(low, high, host_ip, match["protocol"], scalar.at)


# --- images -----------------------------------------------------------------------------


def read_images(node: Node, what: str, report: Report) -> Entries[Image]:
    """`nginx`, `registry.example.org/team/**:v*`, a name with a digest, an id, `any`."""
    return _entries(node, what, report, "image", ("any",), _image)


def _image(scalar: ScalarNode, what: str, report: Report) -> Image | None:
    text = scalar.text
    if _ID.fullmatch(text):
        return Image("", "", None, None, text, scalar.at)
    match = _IMAGE.fullmatch(text)
    if match is None:
        hint = (
            "as in `docker.io/library/*`, `registry.example.org/team/**:v*`, "
            "`nginx@sha256:<64 digits>` or `sha256:<64 digits>`; small letters"
        )
        report.add(f"{what}: {shown(text)} names no image", scalar.at, hint)
        return None
    registry, repository = _parts(match["name"])
    if registry is None:
        hint = f"write `docker.io/{text}`, or the registry that is meant; `any` is every image"
        report.add(f"{what}: {shown(text)} does not say from which registry", scalar.at, hint)
        return None
    digest = match["digest"]
    # The engine does not look at the tag of a name that has a digest.
    return Image(registry, repository, None if digest else match["tag"], digest, None, scalar.at)


def _parts(name: str) -> tuple[str | None, str]:
    """Registry and repository as the engine completes them; no registry where `*` may be one."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, repository = first, rest
    elif "*" in first and (slash or not first.strip("*")):
        return None, name
    else:
        registry, repository = "docker.io", name
    if registry == "index.docker.io":
        registry = "docker.io"
    if registry == "docker.io" and "/" not in repository and "**" not in repository:
        repository = f"library/{repository}"
    return registry, repository
