"""`stockade authz serve`."""

from __future__ import annotations

import math
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...policies.errors import InputError

if TYPE_CHECKING:
    from ...authz.settings import Address, Opa, Tls

_EPILOG = """\b
Examples:
  stockade authz serve --policy /etc/stockade/authz.yaml
  stockade authz serve --policy authz.yaml --dry-run --admin 127.0.0.1:9182
  stockade authz serve --policy authz.yaml --opa https://opa.example.org:8181 \\
      --opa-ca ca.pem --opa-token-file token
  stockade authz serve --policy authz.yaml --tls-listen 192.0.2.7:7443 \\
      --tls-cert server.pem --tls-key server.key --tls-ca daemons-ca.pem

\b
Then dockerd is started with `--authorization-plugin stockade`
(`stockade authz install` sets that up).

\b
SIGHUP, or a change of the policy's files, puts the new policy in force, for
all workers at once; one with faults changes nothing, and they are printed.
SIGTERM answers what has been asked, for 10 seconds at most, and ends.
A worker that hangs for the deadline is killed and replaced; what it was asked
is denied.
"""

_PATH = click.Path(path_type=Path)


@click.command("serve", epilog=_EPILOG)
@click.option("--policy", required=True, help="A path or a library policy.")
@click.option(
    "--socket", type=_PATH, default="/run/docker/plugins/stockade.sock", show_default=True,
    help="Where dockerd looks for the plugin; made with mode 0600. Not used when systemd passes "
    "a socket.",
)  # fmt: skip
@click.option(
    "--state", type=_PATH, metavar="DIR", default="/var/lib/stockade/authz", show_default=True,
    help="Keeps the facts and the compiled policy; mode 0700.",
)  # fmt: skip
@click.option(
    "--log", type=_PATH, metavar="FILE", default="/var/log/stockade/authz.log", show_default=True,
    help="The decision log.",
)  # fmt: skip
@click.option(
    "--log-max-size", type=click.IntRange(0), default=100, show_default=True, metavar="MIB",
    help="Size at which the log is rotated; 0: never.",
)  # fmt: skip
@click.option(
    "--log-keep", type=click.IntRange(1), default=10, show_default=True,
    help="Rotated files that stay.",
)  # fmt: skip
@click.option(
    "--docker", type=_PATH, metavar="SOCKET", default="/run/docker.sock", show_default=True,
    help="The daemon, asked about containers that the plugin does not know.",
)  # fmt: skip
@click.option(
    "--deadline", type=click.FloatRange(0.05, 60), default=2.0, show_default=True,
    metavar="SECONDS", help="A request that is not decided by then is denied.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes."
)  # fmt: skip
@click.option(
    "--admin", metavar="ADDRESS",
    help="/healthz and /metrics here: a loopback address such as 127.0.0.1:9182, or the path of "
    "a unix socket.",
)  # fmt: skip
@click.option(
    "--log-failure", type=click.Choice(["deny", "allow"]), default="deny", show_default=True,
    help="What becomes of a request whose decision cannot be logged: denied, or as decided.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="ALLOW EVERYTHING; log what would be denied.")
@click.option("--opa", metavar="URL", help="An OPA server decides instead of the embedded engine.")
@click.option("--opa-token-file", type=_PATH, metavar="FILE", help="Holds a bearer token for it.")
@click.option("--opa-ca", type=_PATH, metavar="FILE", help="Authority of its certificate.")
@click.option("--opa-cert", type=_PATH, metavar="FILE", help="Client certificate for it.")
@click.option("--opa-key", type=_PATH, metavar="FILE", help="Key of the client certificate.")
@click.option(
    "--tls-listen", metavar="HOST:PORT",
    help="Also listen here, for daemons on other machines.",
)  # fmt: skip
@click.option("--tls-cert", type=_PATH, metavar="FILE", help="The listener's certificate.")
@click.option("--tls-key", type=_PATH, metavar="FILE", help="Its key.")
@click.option(
    "--tls-ca", type=_PATH, metavar="FILE",
    help="Authority of the daemons' client certificates; of no others: who holds such a "
    "certificate can tell the plugin what was created.",
)  # fmt: skip
def command(
    policy: str,
    socket: Path,
    state: Path,
    log: Path,
    log_max_size: int,
    log_keep: int,
    docker: Path,
    deadline: float,
    workers: int,
    admin: str | None,
    log_failure: str,
    dry_run: bool,
    opa: str | None,
    opa_token_file: Path | None,
    opa_ca: Path | None,
    opa_cert: Path | None,
    opa_key: Path | None,
    tls_listen: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_ca: Path | None,
) -> int:
    """Answer dockerd: the authorization plugin.

    Every request of the Docker API is decided by the policy's `authz` section, written to the
    decision log, and answered; what is not understood, not decided in time or not logged is
    denied. Runs in the foreground and says on stderr where it listens and by which policy.
    """
    if math.isnan(deadline):
        raise click.UsageError("Invalid value for '--deadline': it is no number of seconds")
    try:
        from gevent import monkey
    except ImportError as error:
        raise InputError.of("gevent is not installed", hint="pip install stockade") from error
    monkey.patch_all()

    from ...authz.server import serve
    from ...authz.settings import Settings

    settings = Settings(
        policy=policy,
        socket=socket.absolute(),
        state=state.absolute(),
        log=log.absolute(),
        log_max_size=log_max_size << 20,
        log_keep=log_keep,
        docker=docker,
        opa=_opa(opa, opa_token_file, opa_ca, opa_cert, opa_key),
        deadline=deadline,
        workers=workers,
        admin=_address(admin),
        tls=_tls(tls_listen, tls_cert, tls_key, tls_ca),
        allow_unlogged=log_failure == "allow",
        dry_run=dry_run,
    )
    from ...authorization import PARTS

    return serve(settings, PARTS)


def _address(text: str | None) -> Address | None:
    """The admin listener's; raises InputError for one that others could reach."""
    from ...authz.settings import Address

    if text is None:
        return None
    if text.startswith(("/", "unix:")):
        return Address(Path(text.removeprefix("unix://").removeprefix("unix:")).absolute())
    host, port = _host_port("--admin", text)
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise InputError.of(
            f"--admin `{text}` is not a loopback address",
            hint="it asks nobody for a password; use 127.0.0.1:PORT or a unix socket's path",
        )
    return Address(None, host, port)


def _host_port(option: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if host == "localhost":
        host = "127.0.0.1"
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 0xFFFF:
        raise InputError.of(f"{option} `{text}` is no HOST:PORT")
    return host, int(port)


def _tls(
    listen: str | None, certificate: Path | None, key: Path | None, clients: Path | None
) -> Tls | None:
    from ...authz.settings import Tls

    given = {"--tls-cert": certificate, "--tls-key": key, "--tls-ca": clients}
    if listen is None:
        named = [name for name, path in given.items() if path is not None]
        if named:
            raise click.UsageError(f"{named[0]} goes with --tls-listen")
        return None
    if certificate is None or key is None or clients is None:
        missing = [name for name, path in given.items() if path is None]
        raise click.UsageError(f"--tls-listen needs {', '.join(missing)}")
    host, port = _host_port("--tls-listen", listen)
    tls = Tls(host, port, certificate.absolute(), key.absolute(), clients.absolute())
    from ...authz.worker import tls_context

    try:
        tls_context(tls)
    except OSError as error:  # an SSLError too
        raise InputError.of(f"the TLS files cannot be used: {error}") from error
    return tls


def _opa(
    url: str | None,
    token_file: Path | None,
    authority: Path | None,
    certificate: Path | None,
    key: Path | None,
) -> tuple[Opa, ...]:
    from ...authz.settings import Opa

    if url is None:
        if token_file or authority or certificate or key:
            raise click.UsageError("the other --opa options go with --opa")
        return ()
    token = None
    if token_file is not None:
        token = token_file.read_text("utf-8").strip()
        if not token:
            raise InputError.of(f"`{token_file}` holds no token")
        if token_file.stat().st_mode & 0o077:
            print(f"stockade: others may read the token in {token_file}", file=sys.stderr)
    return (Opa(url, token, authority, certificate, key),)
