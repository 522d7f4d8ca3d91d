"""The service with a stand-in for the decision, as a program: what a call's document says is done.

stand_in.py DIRECTORY [NAME=VALUE]...     settings; the policy is DIRECTORY/policy.json
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

from stockade.authz.model import Decision  # noqa: E402
from stockade.authz.reload import Bundle  # noqa: E402
from stockade.authz.server import serve  # noqa: E402
from stockade.authz.settings import Address, Settings, Tls  # noqa: E402
from stockade.authz.worker import Parts  # noqa: E402
from stockade.policies.errors import InputError  # noqa: E402
from stockade.policies.source import Location, Source  # noqa: E402


def load(settings):
    path = Path(settings.policy).resolve()
    text = path.read_text()
    try:
        document = json.loads(text)
    except ValueError as error:
        at = Location(Source(str(path), text), error.lineno, error.colno)
        raise InputError.of("not JSON", at) from error
    if document.get("crash"):
        os.abort()
    files = [str(path), *(str(path.parent / name) for name in document.get("files", []))]
    for name in files:
        Path(name).read_text()
    return Bundle(document.get("name", "stand-in"), document["revision"], document, (), files)


class StandIn:
    def __init__(self, settings, rules, meter):
        self._settings, self._rules, self._meter = settings, rules, meter

    def swap(self, rules):
        self._rules = rules

    def answer(self, phase, raw, arrived=None):
        begin = time.monotonic()
        document = json.loads(raw) if raw[:1] == b"{" and len(raw) < 1 << 16 else {}
        wanted = document.get("do", "")
        if wanted == "spin":
            until = begin + document["seconds"]
            while time.monotonic() < until:
                pass
        elif wanted == "sleep":
            time.sleep(document["seconds"])
        elif wanted == "exit":
            os._exit(9)
        elif wanted == "raise":
            raise SystemExit("on purpose")
        late = begin - arrived
        allow = bool(raw) and wanted != "deny" and late <= self._settings.deadline
        answer = {
            "Allow": allow or self._settings.dry_run,
            "Msg": "",
            "phase": phase.name,
            "size": len(raw),
            "pid": os.getpid(),
            "late": late,
            "revision": self._rules["revision"],
        }
        self._meter.observe(
            Decision("id", allow, wanted or "allowed", "", phase, "", 0.001, "", None, None)
        )
        return json.dumps(answer).encode()


def settings_of(directory, words):
    given = dict(word.split("=", 1) for word in words)
    tls = given.pop("tls", None)
    admin = given.pop("admin", None)
    return Settings(
        policy=str(directory / "policy.json"),
        socket=Path(given.pop("socket", directory / "plugin.sock")),
        state=directory / "state",
        admin=Address(Path(admin)) if admin else None,
        tls=Tls("127.0.0.1", 0, *(directory / name for name in tls.split(","))) if tls else None,
        **{name: json.loads(value) for name, value in given.items()},
    )


def main():
    directory = Path(sys.argv[1])
    parts = Parts(load, lambda settings, bundle: bundle.document, StandIn)
    try:
        return serve(settings_of(directory, sys.argv[2:]), parts)
    except InputError as error:
        for problem in error.problems:
            print(problem.render(), file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
