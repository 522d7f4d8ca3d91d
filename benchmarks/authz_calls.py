"""What the benchmarks of the authorization plugin ask, how they time it, and what it costs."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import selectors
import socket
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

IMAGE = "stockade-test:busybox"
AGENT = "Docker-Client/20.10.24+dfsg1 (linux)"
REQUEST, RESPONSE = "/AuthZPlugin.AuthZReq", "/AuthZPlugin.AuthZRes"
_NUMBER = "000000000"
"""Where the number stands that makes a body unlike all others: in name, Env and a label."""
_MEMORY = 1234567890
"""Where, in a body that is new to the rules too, the limit stands that no other has."""
_HEAD = (
    "POST %s HTTP/1.1\r\nHost: plugin\r\nUser-Agent: Go-http-client/1.1\r\n"
    "Content-Length: %d\r\nAccept: application/vnd.docker.plugins.v1.2+json\r\n"
    "Accept-Encoding: gzip\r\n\r\n"
)

#: HostConfig as `docker run` of Debian 12 sends it, before what the options change.
_HOST: dict[str, Any] = {
    "Binds": None, "ContainerIDFile": "", "LogConfig": {"Type": "", "Config": {}},
    "NetworkMode": "default", "PortBindings": {},
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "AutoRemove": True,
    "VolumeDriver": "", "VolumesFrom": None, "CapAdd": None, "CapDrop": None, "CgroupnsMode": "",
    "Dns": [], "DnsOptions": [], "DnsSearch": [], "ExtraHosts": None, "GroupAdd": None,
    "IpcMode": "", "Cgroup": "", "Links": None, "OomScoreAdj": 0, "PidMode": "",
    "Privileged": False, "PublishAllPorts": False, "ReadonlyRootfs": False, "SecurityOpt": None,
    "UTSMode": "", "UsernsMode": "", "ShmSize": 0, "ConsoleSize": [0, 0], "Isolation": "",
    "CpuShares": 0, "Memory": 0, "NanoCpus": 0, "CgroupParent": "", "BlkioWeight": 0,
    "BlkioWeightDevice": [], "BlkioDeviceReadBps": None, "BlkioDeviceWriteBps": None,
    "BlkioDeviceReadIOps": None, "BlkioDeviceWriteIOps": None, "CpuPeriod": 0, "CpuQuota": 0,
    "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "", "CpusetMems": "",
    "Devices": [], "DeviceCgroupRules": None, "DeviceRequests": None, "KernelMemory": 0,
    "KernelMemoryTCP": 0, "MemoryReservation": 0, "MemorySwap": 0, "MemorySwappiness": -1,
    "OomKillDisable": False, "PidsLimit": 0, "Ulimits": None, "CpuCount": 0, "CpuPercent": 0,
    "IOMaximumIOps": 0, "IOMaximumBandwidth": 0, "MaskedPaths": None, "ReadonlyPaths": None,
}  # fmt: skip


def create_body(files: Path, number: int = 0) -> dict[str, Any]:
    """`docker run --rm -p 8080:80 -v FILES/site:/data/h:ro` with limits, labels and an Env."""
    text = f"{number:0{len(_NUMBER)}}"
    return {
        "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False,
        "AttachStdout": True, "AttachStderr": True, "ExposedPorts": {"80/tcp": {}}, "Tty": False,
        "OpenStdin": False, "StdinOnce": False, "Env": [f"BUILD={text}"],
        "Cmd": ["sleep", "1"], "Image": IMAGE, "Volumes": {}, "WorkingDir": "",
        "Entrypoint": None, "OnBuild": None, "Labels": {"team": "web", "build": text},
        "HostConfig": {
            **_HOST,
            "Binds": [f"{files}/site:/data/h:ro"],
            "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
            "CapAdd": ["NET_BIND_SERVICE"], "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Memory": _MEMORY, "NanoCpus": 500000000, "PidsLimit": 50,
        },
        "NetworkingConfig": {"EndpointsConfig": {}},
    }  # fmt: skip


Frames = Callable[[int], bytes]
"""The n-th call, with its HTTP head."""


def _framed(document: bytes, path: str) -> bytes:
    return (_HEAD % (path, len(document))).encode() + document


def ping() -> Frames:
    """`GET /_ping`, over and over."""
    document = json.dumps(
        {
            "RequestMethod": "GET",
            "RequestUri": "/_ping",
            "RequestHeaders": {"User-Agent": AGENT},
        },
        separators=(",", ":"),
    ).encode()
    frame = _framed(document, REQUEST)
    return lambda number: frame


EQUAL, NEW, STRANGE = 0, 1, 2
"""Bodies: all the same; each with a name, an Env and a label of its own; each with a limit of its
own too, so that no decision can be remembered."""


def create(
    files: Path,
    bodies: int,
    *,
    certificates: Iterable[Path] = (),
    user: str = "",
    answered: bool = False,
) -> Frames:
    """`POST /containers/create`.

    With `answered` it is the AuthZRes of it, with the id of a new container.
    """
    raw = json.dumps(create_body(files), separators=(",", ":")).encode() + b"\n"
    document: dict[str, Any] = {
        "RequestMethod": "POST",
        "RequestUri": f"/v1.41/containers/create?name=ci-{_NUMBER}",
        "RequestBody": "@",
        "RequestHeaders": {
            "Content-Length": str(len(raw)),
            "Content-Type": "application/json",
            "User-Agent": AGENT,
        },
    }
    if user:
        document = {"User": user, "UserAuthNMethod": "TLS", **document}
        document["RequestPeerCertificates"] = [
            base64.b64encode(path.read_bytes()).decode() for path in certificates
        ]
    if answered:
        document["ResponseStatusCode"] = 201
        document["ResponseHeaders"] = {"Content-Type": "application/json"}
        document["ResponseBody"] = "%"
    head, tail = json.dumps(document, separators=(",", ":")).encode().split(b"@")

    def frame(number: int) -> bytes:
        number = 0 if bodies == EQUAL else number
        text = b"%0*d" % (len(_NUMBER), number)
        limit = b"1%s" % text if bodies == STRANGE else b"1%s" % _NUMBER.encode()
        body = raw.replace(_NUMBER.encode(), text).replace(b"%d" % _MEMORY, limit)
        end = tail
        if answered:
            answer = b'{"Id":"%064x","Warnings":[]}\n' % number
            end = tail.replace(b"%", base64.b64encode(answer))
        whole = head.replace(_NUMBER.encode(), text) + base64.b64encode(body) + end
        return _framed(whole, RESPONSE if answered else REQUEST)

    return frame


def docker_run(files: Path) -> Frames:
    """The ten calls of `docker run --rm`, over and over: five requests and their answers."""
    steps = (
        ("HEAD", "/_ping", 200),
        ("POST", "/v1.41/containers/create", 201),
        ("POST", "/v1.41/containers/%s/attach?stderr=1&stdout=1&stream=1", 101),
        ("POST", "/v1.41/containers/%s/wait?condition=next-exit", 200),
        ("POST", "/v1.41/containers/%s/start", 204),
    )
    asked, answered = create(files, NEW), create(files, NEW, answered=True)

    def frame(number: int) -> bytes:
        run, step = divmod(number, RUN_CALLS)
        method, uri, status = steps[step // 2]
        if uri.endswith("create"):
            return (answered if step % 2 else asked)(run)
        document: dict[str, Any] = {
            "RequestMethod": method,
            "RequestUri": uri.replace("%s", f"{run:064x}"),
            "RequestHeaders": {"User-Agent": AGENT, "Content-Length": "0"},
        }
        if step % 2:
            document["ResponseStatusCode"] = status
        return _framed(json.dumps(document).encode(), RESPONSE if step % 2 else REQUEST)

    return frame


RUN_CALLS = 10


class NotAllowedError(RuntimeError):
    """The plugin did not allow what the policy allows: nothing that follows would mean much."""


def _whole(data: bytes | bytearray) -> bool:
    """Whether an answer has arrived; raises NotAllowedError when it is no yes."""
    head = data.find(b"\r\n\r\n")
    if head < 0 or not (data.endswith((b"}", b"}\n")) and len(data) > head + 4):
        return False
    if b'"Allow":true' not in data and b'"Allow": true' not in data:
        raise NotAllowedError(bytes(data[head + 4 :]).decode())
    return True


def one_by_one(path: Path, frames: Iterable[bytes]) -> list[float]:
    """Seconds that each call took, on one connection."""
    times = []
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        for frame in frames:
            begin = time.perf_counter()
            client.sendall(frame)
            data = client.recv(65536)
            while data and not _whole(data):
                data += client.recv(65536)
            times.append(time.perf_counter() - begin)
            if not data:
                raise NotAllowedError("the connection ended")
    return times


def at_once(path: Path, connections: int, frames: Frames, begin: int, end: int) -> float:
    """Seconds for the calls of these numbers, on several connections that are never idle.

    Each connection takes RUN_CALLS in a row.
    """
    blocks = iter(range(begin, end, RUN_CALLS))
    left = end - begin
    selector = selectors.DefaultSelector()
    start = time.perf_counter()
    with contextlib.ExitStack() as stack:
        for block in islice(blocks, connections):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(path))
            numbers = iter(range(block, min(end, block + RUN_CALLS)))
            client.sendall(frames(next(numbers)))
            selector.register(client, selectors.EVENT_READ, [bytearray(), numbers])
        while left:
            ready = selector.select(20)
            if not ready:
                raise NotAllowedError("no answer came")
            for key, _ in ready:
                one: Any = key.fileobj
                data = one.recv(65536)
                key.data[0].extend(data)
                if not data:
                    raise NotAllowedError("a connection ended")
                if not _whole(key.data[0]):
                    continue
                key.data[0].clear()
                left -= 1
                number = next(key.data[1], None)
                if number is None:
                    block = next(blocks, end)
                    key.data[1] = numbers = iter(range(block, min(end, block + RUN_CALLS)))
                    number = next(numbers, None)
                if number is not None:
                    one.sendall(frames(number))
    return time.perf_counter() - start


@dataclass(frozen=True)
class Times:
    """Of one run, in milliseconds."""

    p50: float
    p99: float


def summary(seconds: list[float]) -> Times:
    """The median and the 99th percentile."""
    ordered = sorted(seconds)
    late = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return Times(statistics.median(ordered) * 1e3, late * 1e3)


def best(runs: Iterable[Times]) -> Times:
    """The run with the lowest median: the one that other programs disturbed least."""
    return min(runs, key=lambda run: run.p50)


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


@dataclass(frozen=True)
class Memory:
    """MiB that processes take; what they share is counted once (PSS)."""

    all: float
    own: float
    """Of no file: what a program's files take depends on who else runs it."""


def memory(pid: int) -> Memory:
    """That of a process and its descendants."""
    found = {"Pss:": 0, "Pss_Anon:": 0}
    for each in family(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
                key, *rest = line.split()
                if key in found:
                    found[key] += int(rest[0])
    return Memory(found["Pss:"] / 1024, found["Pss_Anon:"] / 1024)


def processor(pid: int) -> float:
    """Seconds of a processor that a process and its descendants have had."""
    ticks = 0
    for each in family(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
