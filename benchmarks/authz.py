"""The authorization plugin beside opa-docker-authz: `make bench-authz`.

    python benchmarks/authz.py [--quick]

Both run in this session by policies that say the same (tests/e2e/authz/policy.yaml and
authz_peer.rego), and take turns. A time is that of the run with the lowest median of several, so
that it says little about what else the machine does; the client shares its processors. The peer
is taken from PATH or OPA_DOCKER_AUTHZ, or built where its module can be had. With --quick every
step is done once and briefly: the figures mean nothing then.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import authz_docker
from authz_calls import (
    EQUAL,
    NEW,
    STRANGE,
    Frames,
    Memory,
    Times,
    at_once,
    best,
    create,
    docker_run,
    memory,
    one_by_one,
    ping,
    processor,
    summary,
)
from authz_parties import (
    PEER,
    SMALLEST,
    Party,
    Peer,
    Stockade,
    find_peer,
    peer_policy,
    workplace,
)
from certificates import Authority

CONNECTIONS = 16


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    runs: int = 5
    calls: int = 800
    peer_calls: int = 150
    load: int = 3000
    peer_load: int = 300
    memory: tuple[int, ...] = (10_000, 50_000, 100_000)
    peer_memory: int = 2000
    rounds: int = 3
    pings: int = 400
    creates: int = 25


QUICK = Plan(1, 30, 10, 100, 30, (100, 200, 300), 50, 1, 10, 2)


@dataclass
class Found:
    """What the targets are about."""

    times: dict[str, Times] = field(default_factory=dict)
    peer: dict[str, Times] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    added: float | None = None
    memory: list[list[Memory]] = field(default_factory=list)
    """At the start and after more and more calls, for each kind of body."""


class Numbers:
    """Numbers that were not used before, from a multiple of ten on."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, count: int) -> int:
        """The first of `count` new ones."""
        self._next += count
        return self._next - count


def heading(text: str, *columns: str) -> None:
    """The first line of a table."""
    print(f"\n{text:<28}{''.join(f'{column:>10}' for column in columns)}")


def row(text: str, *cells: str) -> None:
    """A line of a table."""
    print(f"{text:<28}{''.join(f'{cell:>10}' for cell in cells)}".rstrip(), flush=True)


def shown(times: Times | None) -> tuple[str, str]:
    """Two cells."""
    return ("-", "-") if times is None else (f"{times.p50:.2f}", f"{times.p99:.2f}")


TYPICAL = "create, new name/Env/label"
ANSWERED = "its AuthZRes"
MIX = "ten calls of `docker run`"


def creates(files: Path) -> dict[str, Frames]:
    """What is measured of `docker create`, by what one call has in common with the next."""
    return {
        "create, equal bodies": create(files, EQUAL),
        TYPICAL: create(files, NEW),
        "create, new to the rules": create(files, STRANGE),
    }


def calls(
    ours: Party, peer: Party | None, smallest: Party | None, files: Path, plan: Plan
) -> Found:
    """The table of single calls, on one connection each."""
    found, numbers = Found(), Numbers()
    authority = Authority(files.parent / "tls", "bench")
    bob = authority.client("bob", cn=["bob"], ou=["builders"])
    pems = (bob.certificate, authority.certificate)
    kinds: dict[str, Frames] = {
        "GET /_ping": ping(),
        **creates(files),
        "new name, by certificate": create(files, NEW, certificates=pems, user="bob"),
        ANSWERED: create(files, NEW, answered=True),
    }
    parties = [(ours, found.times, plan.calls)]
    if peer is not None:
        parties.append((peer, found.peer, plan.peer_calls))
    heading("one connection, ms", "p50", "p99", "peer p50", "peer p99", "ratio")
    for kind, frames in kinds.items():
        runs: list[list[Times]] = [[] for _ in parties]
        for _ in range(plan.runs):
            for (party, _, count), own in zip(parties, runs, strict=True):
                own.append(summary(_timed(party, frames, count, numbers)))
        for (_, kept, _), own in zip(parties, runs, strict=True):
            kept[kind] = best(own)
        mine, theirs = found.times[kind], found.peer.get(kind)
        row(kind, *shown(mine), *shown(theirs), ratio(mine, theirs))
    if smallest is not None:
        frames = kinds[TYPICAL]
        runs_ = [
            summary(_timed(smallest, frames, plan.peer_calls, numbers)) for _ in range(plan.runs)
        ]
        row("peer, a policy of one line", "", "", *shown(best(runs_)))
    return found


def _timed(party: Party, frames: Frames, count: int, numbers: Numbers) -> list[float]:
    first = numbers.take(count)
    return one_by_one(party.path, [frames(first + each) for each in range(count)])


def ratio(mine: Times, theirs: Times | None) -> str:
    """How many times as fast as the peer."""
    return "" if theirs is None else f"{theirs.p50 / mine.p50:.1f}x"


def load(ours: Party, peer: Party | None, files: Path, plan: Plan, found: Found) -> None:
    """The table of calls on many connections."""
    kinds = {
        "GET /_ping": ping(),
        **creates(files),
        MIX: docker_run(files),
    }
    heading(f"{CONNECTIONS} connections", "calls/s", "cpu us", "peer c/s", "cpu us")
    numbers = Numbers()
    for kind, frames in kinds.items():
        rate, cost = _loaded(ours, frames, plan.load, plan.rounds, numbers)
        found.rates[kind] = rate
        cells = [f"{rate:.0f}", f"{cost:.0f}"]
        if peer is not None:
            rate, cost = _loaded(peer, frames, plan.peer_load, plan.rounds, numbers)
            cells += [f"{rate:.0f}", f"{cost:.0f}"]
        row(kind, *cells)


def _loaded(
    party: Party, frames: Frames, count: int, rounds: int, numbers: Numbers
) -> tuple[float, float]:
    rates, costs = [], []
    for _ in range(rounds):
        first, before = numbers.take(count), processor(party.pid)
        seconds = at_once(party.path, CONNECTIONS, frames, first, first + count)
        rates.append(count / seconds)
        costs.append((processor(party.pid) - before) / count * 1e6)
    return max(rates), min(costs)


def through_dockerd(
    directory: Path, files: Path, program: Path | None, plan: Plan, found: Found
) -> None:
    """The table of requests to a real dockerd: without a plugin, with ours, with the peer."""
    if reason := authz_docker.missing():
        print(f"\nthrough dockerd: left out, {reason}")
        return
    with contextlib.ExitStack() as stack:
        docker = stack.enter_context(authz_docker.engine(directory / "docker"))
        names = {"none": [], "stockade": [f"stockade-bench-{os.getpid()}"]}
        path = authz_docker.PLUGINS / f"{names['stockade'][0]}.sock"
        stack.enter_context(Stockade(directory / "behind", files, path, docker.socket))
        if program is not None:
            names["peer"] = [f"peer-bench-{os.getpid()}"]
            path = authz_docker.PLUGINS / f"{names['peer'][0]}.sock"
            policy = peer_policy(files)
            stack.enter_context(Peer(program, directory / "peer-behind", policy, path))
        runs: dict[tuple[str, str], list[Times]] = {}
        numbers = Numbers()
        for _ in range(plan.rounds):
            for name, asked in names.items():
                authz_docker.ask_plugins(docker, asked)
                authz_docker.creates(docker, files, 1, numbers.take(1))
                one = authz_docker.pings(docker, plan.pings)
                runs.setdefault((name, "GET /_ping"), []).append(one)
                first = numbers.take(plan.creates)
                one = authz_docker.creates(docker, files, plan.creates, first)
                runs.setdefault((name, "container create"), []).append(one)
        authz_docker.ask_plugins(docker, [])
    kept = {key: best(each) for key, each in runs.items()}
    _through(kept, found)


def _through(kept: dict[tuple[str, str], Times], found: Found) -> None:
    heading("through dockerd, ms", "p50", "p99", "added", "to p99")
    for kind in ("GET /_ping", "container create"):
        bare = kept["none", kind]
        row(f"{kind}, no plugin", *shown(bare))
        for name in ("stockade", "peer"):
            if (times := kept.get((name, kind))) is None:
                continue
            added = Times(times.p50 - bare.p50, times.p99 - bare.p99)
            row(f"{kind}, {name}", *shown(times), *shown(added))
            if (name, kind) == ("stockade", "GET /_ping"):
                found.added = added.p50


def memory_table(
    directory: Path, files: Path, program: Path | None, plan: Plan, found: Found
) -> None:
    """The table of memory; the services are new, so that `start` is one."""
    heading("memory, MiB, after calls", "at start", *(f"{count:,}" for count in plan.memory))
    for name, bodies in (("equal bodies", EQUAL), ("new to the rules", STRANGE)):
        path = directory / "memory.sock"
        with Stockade(directory / f"m-{bodies}", files, path, directory / "no.sock") as party:
            sizes = [memory(party.pid)]
            frames, reached = create(files, bodies), 0
            for upto in plan.memory:
                at_once(party.path, CONNECTIONS, frames, reached, upto)
                sizes.append(memory(party.pid))
                reached = upto
            row(f"create, {name}", *(f"{size.all:.0f}" for size in sizes))
            found.memory.append(sizes)
    if program is not None:
        path, count = directory / "peer-m.sock", plan.peer_memory
        with Peer(program, directory / "peer-m", peer_policy(files), path) as party:
            size = memory(party.pid)
            at_once(party.path, CONNECTIONS, create(files, STRANGE), 0, count)
            row(f"peer, {count:,} calls", f"{size.all:.0f}", f"{memory(party.pid).all:.0f}")


def targets(found: Found) -> None:
    """What was to be reached, and whether it is."""
    print(f"\n{'target':<56}{'here':>12}")
    for text, here, reached in _targets(found):
        said = "-" if reached is None else "reached" if reached else "NOT REACHED"
        print(f"{text:<56}{here:>12}{said:>12}")


def _targets(found: Found) -> Iterator[tuple[str, str, bool | None]]:
    for kind, times in found.times.items():
        if kind.startswith("create"):
            yield f"{kind}, logged, p50 <= 0.6 ms", f"{times.p50:.2f} ms", times.p50 <= 0.6
    here = "-" if found.added is None else f"{found.added:.2f} ms"
    yield (
        "added to GET /_ping through dockerd, p50 <= 0.7 ms",
        here,
        None if found.added is None else found.added <= 0.7,
    )
    for kind, rate in found.rates.items():
        yield f"{kind}: >= 4,000 decisions/s", f"{rate:.0f}/s", rate >= 4000
    most = max(each.all for sizes in found.memory for each in sizes)
    yield "memory <= 150 MiB, whatever was asked", f"{most:.0f} MiB", most <= 150
    grown = max(sizes[-1].own - sizes[-2].own for sizes in found.memory)
    yield "memory does not grow between the last two (<= 1 MiB)", f"{grown:+.1f} MiB", grown <= 1
    for kind, mine in found.times.items():
        theirs = found.peer.get(kind)
        if kind == ANSWERED:  # the peer answers it unread
            continue
        faster = None if theirs is None else mine.p50 < theirs.p50
        yield f"faster than the peer: {kind}", ratio(mine, theirs) or "-", faster


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only to see that it works")
    plan = QUICK if parser.parse_args().quick else Plan()
    begin = time.monotonic()
    with workplace() as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        files = directory / "srv"
        (files / "site").mkdir(parents=True)
        program, about = find_peer(directory, build=plan is not QUICK)
        print(textwrap.fill(f"peer: {PEER}, {about}" if program else f"NO PEER: {about}", 80))
        ours = stack.enter_context(
            Stockade(directory / "ours", files, directory / "ours.sock", directory / "no.sock")
        )
        peer = smallest = None
        if program is not None:
            start: Callable[[str, str], Party] = lambda name, policy: stack.enter_context(  # noqa: E731
                Peer(program, directory / name, policy, directory / f"{name}.sock")
            )
            peer, smallest = start("peer", peer_policy(files)), start("smallest", SMALLEST)
        found = calls(ours, peer, smallest, files, plan)
        load(ours, peer, files, plan, found)
        ours.stop()
        through_dockerd(directory, files, program, plan, found)
        memory_table(directory, files, program, plan, found)
    print("\nBoth log every decision: stockade hash-chained and locked, the peer on stderr.")
    targets(found)
    print(f"\n{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
