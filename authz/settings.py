"""Everything that the service was told, in one frozen value that every process of it shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PLUGIN_DIRECTORY = Path("/run/docker/plugins")
DEFAULT_SOCKET = PLUGIN_DIRECTORY / "stockade.sock"
DEFAULT_STATE = Path("/var/lib/stockade/authz")
DEFAULT_LOG = Path("/var/log/stockade/authz.log")
DEFAULT_DOCKER = Path("/run/docker.sock")


@dataclass(frozen=True, slots=True)
class Tls:
    """The TLS listener: for daemons on other machines."""

    host: str
    port: int
    certificate: Path
    key: Path
    clients: Path
    """The authority that signed the daemons' client certificates, and nobody else's: whoever
    holds such a certificate can ask for decisions and tell the plugin what was created."""


@dataclass(frozen=True, slots=True)
class Opa:
    """An OPA server that decides instead of the embedded engine."""

    url: str
    token: str | None = None
    """Bearer token."""
    authority: Path | None = None
    """Of the server's certificate; None: the system's."""
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where the admin listener is: a loopback address, or a unix socket."""

    path: Path | None
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.path is not None:
            return str(self.path)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What `stockade authz serve` was told."""

    policy: str
    """A path or the name of a library policy."""
    socket: Path = DEFAULT_SOCKET
    """Not used when systemd passes the socket."""
    state: Path = DEFAULT_STATE
    """Directory of the facts, the compiled policy and the lock."""
    log: Path = DEFAULT_LOG
    log_max_size: int = 100 << 20
    """Bytes at which the log is rotated; 0: never."""
    log_keep: int = 10
    """Rotated files that stay."""
    docker: Path = DEFAULT_DOCKER
    """The daemon's socket, for the plugin's own inspects."""
    opa: tuple[Opa, ...] = ()
    """Empty: the embedded engine decides."""
    deadline: float = 2.0
    """Seconds from a request's arrival after which it is denied."""
    grace: float = 0.1
    """Seconds beyond the deadline after which a worker that answers nobody is replaced; whatever
    it has been asked is late by then."""
    stop_limit: float = 10.0
    """Seconds that requests in flight are given when the service stops."""
    workers: int = 2
    admin: Address | None = None
    tls: Tls | None = None
    allow_unlogged: bool = False
    """A decision stands although its line could not be written to the log."""
    dry_run: bool = False
    """Everything is allowed; the log says what would have been denied."""
