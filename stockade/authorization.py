"""The authorization plugin put together: its policy with its seccomp profiles, rules, facts, log.

`authz` imports no sibling package; here it meets `seccomp`. The three functions of `PARTS` run
in the service's processes, and the tools of `stockade authz` use them one by one.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import __version__
from .authz.compile import extra_modules, policy_data
from .authz.decide import Decider, Limits, Rules
from .authz.denied import Denied
from .authz.engines import Engine
from .authz.facts import Facts
from .authz.inspect import Daemon
from .authz.knowledge import EngineKnowledge
from .authz.log import DecisionLog
from .authz.metrics import Meter, counted
from .authz.model import CanonicalRequest, Decision, Identity, Json, PluginRequest
from .authz.normalize import spec_of_inspect
from .authz.protected import PROTECTED
from .authz.records import line
from .authz.reload import Bundle
from .authz.settings import Settings
from .authz.understood import Understood
from .authz.worker import Parts
from .policies import load
from .policies.errors import InputError
from .policies.model import Policy
from .profiles import PolicyProfiles, profile_text

FACTS = "facts.db"
RECONCILING = 10.0
"""Seconds for one comparison of the facts with the engine's lists."""
DAEMON_JSON = Path("/etc/docker/daemon.json")


def load_bundle(settings: Settings) -> Bundle:
    """The policy compiled. Raises InputError with everything wrong with it.

    The service calls it, and then `make_rules`, in a process of its own: what a module of the
    user's does to the engine happens there.
    """
    loaded = load(settings.policy)
    policy = loaded.require()
    authz = policy.authz
    if authz is None:
        raise InputError.of(
            f"policy {policy.name} has no `authz` section", policy.at, "it says who may do what"
        )
    data = policy_data(authz, policy.name, protected_paths(settings))
    modules = extra_modules(authz)
    profiles = {
        name: load(authz.reference(reference)).require()
        for name, reference in data["profiles"].items()
    }
    texts = {name: profile_text(profile) for name, profile in profiles.items()}
    files = {*_files(policy), *(file for each in profiles.values() for file in _files(each))}
    files |= {str(authz.directory / name) for name in modules}
    return Bundle(
        policy.name,
        data["revision"],
        data,
        tuple(modules.items()),
        tuple(sorted(str(Path(file).absolute()) for file in files)),
        {"profiles": texts},
    )


def protected_paths(settings: Settings) -> tuple[str, ...]:
    """What no wildcard opens for this service: the engine's places and the plugin's own."""
    own = [settings.socket, settings.state, settings.log, settings.docker]
    if Path(settings.policy).is_file():
        own.append(Path(settings.policy))
    paths = [*PROTECTED, *(os.path.normpath(path.absolute()) for path in own), *_engine_roots()]
    return tuple(sorted({*paths, *(os.path.realpath(path) for path in paths)}))


def _engine_roots() -> Iterator[str]:
    """Directories that daemon.json moves elsewhere."""
    try:
        configured = json.loads(DAEMON_JSON.read_bytes())
    except (OSError, ValueError):
        return
    if isinstance(configured, dict):
        for key in ("data-root", "exec-root", "graph"):
            if isinstance(path := configured.get(key), str) and path.startswith("/"):
                yield path


def _files(policy: Policy) -> Iterator[str]:
    """The files that the policy was read from."""
    places = [policy.at]
    if policy.seccomp is not None:
        places += [rule.at for rule in policy.seccomp.rules]
    if policy.authz is not None:
        places += [rule.at for rule in policy.authz.rules]
        places += [subject.at for subject in policy.authz.subjects]
    yield from {place.source.name for place in places if Path(place.source.name).is_file()}


def make_engine(settings: Settings, bundle: Bundle) -> Engine:
    """The engine that decides by the bundle. Raises Denied, InputError."""
    if settings.opa:
        from .authz.engines.opa import Server

        opa = settings.opa[0]
        server = Server(
            opa.url,
            policy=bundle.document,
            modules=bundle.modules,
            token=opa.token,
            authority=opa.authority,
            certificate=opa.certificate,
            key=opa.key,
            timeout=settings.deadline,
        )
        try:
            server.prepare()
        except Denied as denied:
            print(f"stockade: {opa.url} has another policy: {denied.reason}", file=sys.stderr)
        return server
    from .authz.engines.regorus import Embedded

    return Embedded(bundle.document, bundle.modules)


def make_rules(settings: Settings, bundle: Bundle) -> Rules:
    """What a worker decides by."""
    profiles = PolicyProfiles(bundle.extra["profiles"])
    return Rules(bundle.revision, make_engine(settings, bundle), profiles)


def make_decider(settings: Settings, rules: Rules, meter: Meter) -> Decider:
    """A worker's decider, with its facts and its log."""
    facts = Facts(settings.state / FACTS)
    log = DecisionLog(settings.log, settings.log_max_size, settings.log_keep)
    labels = {"id": _instance(), "version": __version__}
    if settings.dry_run:
        labels["mode"] = "dry-run"  # what it denies was allowed all the same
    decider: Decider
    canonicalize = Understood()

    def understand(request: PluginRequest, identity: Identity) -> CanonicalRequest:
        return canonicalize(request, identity, decider.seccomp)

    def read_spec(inspected: Json) -> tuple[Json, Mapping[str, str], Json]:
        return spec_of_inspect(inspected, decider.seccomp)

    def write(decision: Decision) -> None:
        meter.logged(log.append(line(decision, decision.wire, labels)).hash)

    daemon = Daemon(settings.docker, facts)
    knowledge = EngineKnowledge(facts, daemon, understand, read_spec)
    limits = Limits(settings.deadline, settings.allow_unlogged, settings.dry_run)
    decider = Decider(rules, knowledge, counted(meter, write), limits, meter.observe, canonicalize)
    return decider


def _instance() -> str:
    """This host, the same after a restart."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, socket.gethostname()))


def begin(settings: Settings) -> None:
    """At the service's start: what happened while it was away is read again."""
    facts = Facts(settings.state / FACTS)
    facts.begin()
    facts.close()


def forget_gone(decider: Decider) -> None:
    """Drops the facts of what the engine no longer has, as far as it answers."""
    with contextlib.suppress(Denied):
        decider.knowledge.reconcile(time.monotonic() + RECONCILING)


PARTS = Parts(load_bundle, make_rules, make_decider, begin, forget_gone)
