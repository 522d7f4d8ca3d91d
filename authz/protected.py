"""What no wildcard in `binds` opens: whoever can write there has the engine, or this plugin."""

from __future__ import annotations

PROTECTED: tuple[str, ...] = (
    "/etc/docker",
    "/run/containerd",
    "/run/docker",
    "/run/docker.sock",
    "/usr/lib/docker/plugins",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/run/docker.sock",
)
"""The engine's own places, where no service says more; a mount of one of them, of what is below
or of what is above it has to be listed literally. The service adds its socket, policy, state and
log, and the engine's data root where that is elsewhere."""
