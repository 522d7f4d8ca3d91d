"""Rego of the user's own, tried in a process of its own before anything loads it.

A module can bring the embedded engine down (regorus ends the process where its stack ends), fill
the memory, or run for ever. Here it does so to a child with limits, which is asked to parse it,
to compile it beside the shipped modules, and to decide a few plain requests by it.

`python -m stockade.authz.engines.validate` is that child: it reads {data, modules} as JSON from
standard input and writes what is wrong as a list of {file, line, column, message}.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...policies.source import Location, Problem, Source
from ..model import Json

SECONDS = 10
"""For the whole of a validation; of the processor and of the clock."""
MEMORY = 1 << 30
"""Bytes of address space."""
PACKAGE = "data.stockade.extra"
_PLACE = re.compile(r"-->\s*(.+):(\d+):(\d+)\s*$", re.MULTILINE)
_ABSENT = "no-engine"


def problems(data: Mapping[str, Json], modules: Sequence[Source]) -> list[Problem]:
    """Everything that keeps the modules from being used with this policy data.

    Where the embedded engine is not installed nothing is said: an OPA server compiles the
    modules itself, and refuses them.
    """
    request = {"data": data, "modules": [[each.name, each.text] for each in modules]}
    command = [sys.executable, "-I", "-m", __name__]
    try:
        done = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return [_of_all(modules, f"not ready after {SECONDS} s")]
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return [_of_all(modules, f"ended by {name}")]
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        return [_of_all(modules, last)]
    if answer == _ABSENT:
        return []
    sources = {each.name: each for each in modules}
    return [_problem(each, sources) for each in answer]


def _of_all(modules: Sequence[Source], how: str) -> Problem:
    names = ", ".join(each.name for each in modules)
    return Problem(
        f"deciding by the modules {names} failed: {how}",
        hint="look for endless or very large computations in them",
    )


def _problem(said: Json, sources: Mapping[str, Source]) -> Problem:
    source = sources.get(said["file"])
    place = Location(source, said["line"], said["column"]) if source is not None else None
    return Problem(said["message"], place)


# --- the child ----------------------------------------------------------------------------


def main() -> None:
    """Read, try, report."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request = json.load(sys.stdin)
    modules = [(name, text) for name, text in request["modules"]]
    try:
        found: Json = list(_faults(request["data"], modules))
    except ImportError:
        found = _ABSENT
    json.dump(found, sys.stdout)


def _faults(data: Json, modules: list[tuple[str, str]]) -> Iterator[Json]:
    from ..compile import shipped_modules
    from .recursion import recursive, rules
    from .regorus import regorus_module

    engine: Any = regorus_module().Engine()
    broken = False
    for name, text in [*shipped_modules().items(), *modules]:
        try:
            engine.add_policy(name, text)
        except RuntimeError as error:
            broken = True
            yield _fault(error, name)
    if broken:
        return
    trees = json.loads(engine.get_ast_as_json())
    own = {name for name, _ in modules}
    for rule in recursive(rules(trees)):
        if rule.file not in own:
            continue
        broken = True
        yield {"file": rule.file, "line": rule.line, "column": 1,
               "message": f"{rule.name.removeprefix(PACKAGE + '.')} needs itself"}  # fmt: skip
    if not broken:
        yield from _trial(data, modules)


def _trial(data: Json, modules: list[tuple[str, str]]) -> Iterator[Json]:
    """Decide plain requests by all modules."""
    from ..denied import Denied
    from .regorus import Embedded
    from .samples import documents

    try:
        engine = Embedded(data, modules)
        for document in documents():
            engine.decide(document)
    except Denied as denied:
        yield {"file": "", "line": 1, "column": 1, "message": denied.reason}


def _fault(error: BaseException, name: str) -> Json:
    from .regorus import first_line

    place = _PLACE.search(str(error))
    line, column = (int(place[2]), int(place[3])) if place else (1, 1)
    message = re.sub(r"^\S+:\d+:\d+: ", "", first_line(error))
    return {"file": name, "line": line, "column": column, "message": message}


if __name__ == "__main__":
    main()
