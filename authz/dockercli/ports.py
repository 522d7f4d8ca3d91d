"""`--publish` and `--expose` (docker/go-connections nat)."""

from __future__ import annotations

import re

from .model import Json
from .values import address, pairs, wrong


def read_ports(published: list[str], exposed: list[str]) -> tuple[dict[str, Json], dict[str, Json]]:
    """HostConfig.PortBindings and Config.ExposedPorts."""
    bindings: dict[str, Json] = {}
    for text in published:
        for port, binding in read_published(text):
            bindings.setdefault(port, []).append(binding)
    ports: dict[str, Json] = {port: {} for port in bindings}
    for text in exposed:
        body, _, protocol = text.partition("/")
        low, high = span(body, "--expose")
        for number in range(low, high + 1):
            ports[f"{number}/{_protocol(protocol, text)}"] = {}
    return bindings, ports


def read_published(text: str) -> list[tuple[str, dict[str, str]]]:
    """(port/protocol, binding) for each container port of `[ip:][host:]container[/protocol]`."""
    spec = _plain(text)
    parts = spec.split(":")
    container = parts[-1]
    host = parts[-2] if len(parts) > 1 else ""
    ip = ":".join(parts[:-2])
    if ip.startswith("[") and ip.endswith("]"):
        ip = ip[1:-1]
    if ip:
        address(ip, "--publish")
    container, _, protocol = container.partition("/")
    protocol = _protocol(protocol, text)
    low, high = span(container, "--publish")
    first, last = span(host, "--publish") if host else (0, 0)
    if host and high - low != last - first and high != low:
        raise wrong("--publish", text, "has ranges of different length")
    found = []
    for offset in range(high - low + 1):
        published = str(first + offset) if host else ""
        if low == high and first != last:
            published = f"{published}-{last}"
        found.append((f"{low + offset}/{protocol}", {"HostIp": ip, "HostPort": published}))
    return found


def span(text: str, option: str) -> tuple[int, int]:
    """`80` or `8000-8010`."""
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    if match is None:
        raise wrong(option, text, "is no port")
    low = int(match[1])
    high = int(match[2]) if match[2] else low
    if high < low or high > 65535:
        raise wrong(option, text, "is no range of ports")
    return low, high


def _plain(text: str) -> str:
    """`published=80,target=8080,protocol=udp` in the short form."""
    if "=" not in text:
        return text
    for part in text.split(","):
        if not part.partition("=")[0] or "=" not in part:
            raise wrong("--publish", text, "must be written name=value")
    given = {"protocol": "tcp", "published": "", "target": "", **pairs(text.split(","))}
    return f"{given['published']}:{given['target']}/{given['protocol']}"


def _protocol(text: str, whole: str) -> str:
    protocol = text.lower() or "tcp"
    if protocol not in ("tcp", "udp", "sctp"):
        raise wrong("--publish", whole, "has an unknown protocol")
    return protocol
