"""The control: the tricks do harm where everything is allowed.

One that does nothing anywhere would prove nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_state import World
from plugin_host import PluginHost
from tricks import EXECUTED, load, send

pytestmark = pytest.mark.docker

TRICKS = load(Path(__file__).parent / "tricks")
CALIBRATED = "20.10."


@pytest.fixture(scope="module")
def unguarded(host: PluginHost) -> Iterator[World]:
    """The world where everything is allowed, in a swarm."""
    host.use_allow_all()
    world = World(host, swarm=True)
    world.build()
    yield world
    host.use_allow_all()
    world.remove()


@pytest.mark.parametrize(
    "trick",
    [each for each in TRICKS if "calibrate" not in each.settings],
    ids=lambda trick: trick.id,
)
def test_without_the_plugin_it_does_harm(trick, unguarded, seccomp_option):
    version = unguarded.host.wire("alice").ask("GET", "/version").json()["Version"]
    answer = send(unguarded, trick, seccomp_option)
    changed = unguarded.changes()
    if changed:
        unguarded.mend(changed)
    executed = bool(changed) if trick.effect == "state" else answer.status in EXECUTED
    said = f"{answer.status} {answer.message[:300]!r}, changed: {changed}"
    if version.startswith(CALIBRATED):
        assert executed == (trick.inert is None), said
