"""No trick gets past the plugin.

The corpus is in tricks/; test_control.py shows that it does harm without the plugin. Every
request goes over the wire to a real dockerd; whether it was executed is told by the engine's
state, not by the answer alone.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_state import World
from plugin_host import PluginHost, Service
from tricks import EXECUTED, Trick, load, send

pytestmark = pytest.mark.docker

TRICKS = load(Path(__file__).parent / "tricks")


@pytest.fixture(scope="module")
def guarded(host: PluginHost, make_service: Callable[[], Service]) -> Iterator[World]:
    """The same world behind our plugin."""
    host.use(make_service)
    world = World(host, swarm=True)
    world.build()
    yield world
    host.use(make_service)
    world.remove()


def test_the_corpus_is_large_enough_and_every_trick_its_own():
    assert len(TRICKS) >= 150
    shapes = [json.dumps([trick.who, trick.settings], sort_keys=True) for trick in TRICKS]
    assert len(set(shapes)) == len(shapes)


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.id)
def test_it_is_not_executed(trick, guarded, seccomp_option):
    answer = send(guarded, trick, seccomp_option)
    changed = guarded.changes()
    if changed:
        guarded.mend(changed)
    assert not changed, f"executed: {answer.status} {answer.message[:300]!r}"
    if trick.settings.get("engine"):
        assert answer.status not in EXECUTED
        return
    assert answer.status == 403, f"{answer.status} {answer.message[:300]!r}"
    prefix = f"authorization denied by plugin {guarded.host.name}: "
    assert answer.message.startswith(prefix)
    assert re.search(r"\w{3}", answer.message.removeprefix(prefix)), "no reason is given"


@pytest.mark.parametrize(
    ("who", "base"), [("bob", "builder"), ("local", "builder"), ("carol", "deploy")]
)
def test_the_request_that_tricks_are_made_of_is_allowed(who, base, guarded, seccomp_option):
    """Without this, a plugin that denies everything would pass."""
    plain = Trick("plain", who, {"base": base, "host": {}})
    answer = send(guarded, plain, seccomp_option)
    changed = guarded.changes()
    guarded.mend(changed)
    assert (answer.status, "container") == (201, *{kind for kind, _ in changed} - {"files"}), (
        answer.message
    )
