"""`stockade userns`: who may use which host ids, each command loaded when it is called."""

from __future__ import annotations

import click

from ..lazy import LazyGroup

# name -> what the help says of it; the module has the same name
_COMMANDS = {
    "check": "Find faults in subuid, subgid, maps, and on this host.",
    "show": "Show subuid files and maps as each program reads them.",
    "plan": "Show which ids the tenants of a policy would get.",
    "apply": "Give them these ids: subuid, subgid and the registry.",
    "release": "Take tenants' ids away.",
    "oci": "Give an OCI bundle the map of a tenant.",
}


_EPILOG = """\b
First steps:
  stockade userns check --host       find faults on this host
  stockade userns plan hosts.yaml    see who would get which ids
  stockade userns apply hosts.yaml   write /etc/subuid and /etc/subgid
"""


@click.group("userns", cls=LazyGroup, package=__package__, offers=_COMMANDS, epilog=_EPILOG)
def command() -> None:
    """Give each tenant of a host ids of its own, and see who has which."""
