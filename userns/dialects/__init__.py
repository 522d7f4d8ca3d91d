"""/etc/subuid and /etc/subgid through the eyes of each program that reads them."""

from __future__ import annotations

from collections.abc import Mapping

from . import dockerd20, dockerd28, incus, kubelet, podman, shadow413, shadow420
from .dialect import Dialect

DIALECTS: Mapping[str, Dialect] = {
    module.DIALECT.name: module.DIALECT
    for module in (shadow413, shadow420, dockerd20, dockerd28, podman, kubelet, incus)
}
"""name -> dialect, in the order in which they are shown."""

__all__ = ["DIALECTS", "Dialect"]
