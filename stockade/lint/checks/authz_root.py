"""Rules of the authorization plugin that make their subjects root on the host."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...authz.patterns import PatternError
from ...authz.patterns import path as path_pattern
from ...policies.authz_model import AuthzRule, Bind, Keyed
from ...policies.findings import Severity
from ...policies.model import Name
from ...policies.source import Location
from ..check import Check, Found
from ..subjects import Place, PolicySubject
from .authz import CREATE, SPEC, allow_rules, constraint, who

_Way = tuple[str, str, str, Location | None]
"""Key, what it opens, what to write instead, and where if not at the key."""

_SOCKETS = (
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/run/docker",
)
_SYSTEM = (
    *_SOCKETS,
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/sbin", "/sys", "/usr"),
    "/run/systemd",
    "/var/spool/cron",
)
_DISKS = ("/dev/sda", "/dev/nvme0n1", "/dev/vda", "/dev/xvda", "/dev/dm-0", "/dev/mem", "/dev/port")


def _root_equivalent(subject: PolicySubject) -> Iterator[Found]:
    for rule, named in allow_rules(subject):
        for key, way, fix, at in _ways(rule, named):
            place = constraint(rule, key)
            message = f"{who(rule)} can become root on the host: {way}"
            yield Found(message, Place(place.route, at or place.at), fix)


def _ways(rule: AuthzRule, named: frozenset[str]) -> Iterator[_Way]:
    if named & (SPEC | {"exec.create"}):
        if rule.privileged:
            fix = "delete it, and allow the one capability or device that is needed"
            yield "privileged", "a privileged container has every capability and device", fix, None
        yield from _bind_ways(rule)
        yield from _device_ways(rule)
        if rule.masked_paths:
            fix = "delete it; containers that need it can be made by a rule of their own"
            yield "masked-paths", "/proc/sys and /proc/sysrq-trigger can be written", fix, None
    if named & (SPEC | {"volume.create", "volume.update"}):
        way = _option_way(rule.volume_options)
        if way:
            fix = "list the options that are needed: `volume-options: {type: [tmpfs], o: [...]}`"
            yield "volume-options", way, fix, None
    if "image.build" in named and rule.build is not None and rule.build.security:
        way = "`security` allows steps of a build without confinement"
        yield "build", way, "delete `security`", None


def _bind_ways(rule: AuthzRule) -> Iterator[_Way]:
    fix = "name the directories that are needed, with `:ro` where reading is enough"
    if rule.binds is None:
        return
    if rule.binds.any:
        yield "binds", "every path of the host can be mounted", fix, None
        return
    for bind in rule.binds.items:
        reached = _reached(bind)
        if reached is not None:
            yield "binds", f"`{bind.source.text}` gives {reached}", fix, bind.at


def _reached(bind: Bind) -> str | None:
    """The first place of the system that a bind opens to whoever may use it."""
    opened = _literal_part(bind.source)
    # A socket is as good through a read-only mount.
    for place in _SOCKETS if bind.read_only else _SYSTEM:
        if _within(place, opened) or _within(opened, place):
            return place if _within(place, opened) else opened
    return None


def _literal_part(name: Name) -> str:
    """The directories before the first wildcard."""
    parts: list[str] = []
    for part in name.text.split("/")[1:]:
        if "*" in part:
            break
        parts.append(part)
    return "/" + "/".join(parts)


def _within(path: str, directory: str) -> bool:
    return directory in ("/", path) or path.startswith(f"{directory}/")


def _device_ways(rule: AuthzRule) -> Iterator[_Way]:
    fix = "name the devices that are needed, such as `/dev/fuse:rw`"
    if rule.devices is not None:
        if rule.devices.any:
            yield "devices", "the host's disks can be opened", fix, None
        for device in rule.devices.items:
            disk = next((each for each in _DISKS if _matches(device.host, each)), None)
            if disk is not None:
                yield "devices", f"`{device.host.text}` opens {disk}", fix, device.at
    rules = rule.device_rules
    if rules is not None:
        wide = [n.text for n in rules.items if n.text.startswith(("a", "b "))]
        if rules.any or wide:
            what = f"`{wide[0]}`" if wide else "`any`"
            way = f"{what} opens disks that are made with mknod"
            yield "device-rules", way, "name character devices by number: `c 10:200 rwm`", None


def _matches(name: Name, path: str) -> bool:
    try:
        return re.fullmatch(path_pattern(name.text), path) is not None
    except PatternError:
        return False


def _option_way(options: Keyed | None) -> str:
    if options is None:
        return ""
    if options.any:
        return "volume options mount any directory or disk of the host"
    for key, values in options.entries:
        open_ended = values.any or any(n.text.strip("*") in ("", "/") for n in values.items)
        if key.text in ("o", "device") and open_ended:
            return f"any `{key.text}` of a volume mounts any directory or disk of the host"
    return ""


CHECKS = (
    Check(
        "authz-root-equivalent",
        "A rule that makes its subjects root on the host",
        Severity.WARNING,
        "A privileged container, a writable mount of a system directory, the socket of an engine "
        "even read-only, a disk as a device, or volume options that mount what they like each "
        "give the whole host to whoever may ask for it. Where that is meant, ignore this check.",
        (
            "Docker, Protect the Docker daemon socket and Docker Engine security",
            "Stockade, docs/language.md: authz",
        ),
        f"{CREATE}      binds: [/etc, /srv/ci]\n",
        f"{CREATE}      binds: [/srv/ci]\n",
        policy=_root_equivalent,
    ),
)
