"""The embedded engine: regorus, a Rego interpreter, with its virtual machine.

The machine (Rvm) is several times faster than the interpreter (Engine), but it takes errors of
builtins for `undefined`, calls functions with `undefined` for an argument, reads `every` wrongly
where its body is undefined, and gives up after 25,000 instructions. So it answers only whether a
request is allowed by the shipped modules, which are written for it, and only for documents that
have every key. The interpreter, which raises errors, finds the reasons of denials, and decides
the rest: what the machine gave up on, and everything where the user has modules of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...policies.errors import InputError
from ..compile import shipped_modules
from ..denied import Denied
from ..model import Json, Verdict
from . import ENTRY_POINT, PERMISSION, encode, verdict
from .simplify import simplify
from .unread import permission_reader, reader
from .whole import whole

REMEMBERED = 256
"""Decisions kept, of either kind: shipped rules see nothing but policy and input, so equal inputs
have equal answers."""
LONGEST_REMEMBERED = 16384
"""Characters of an input that is worth keeping."""
MOST_THREADS = 64
"""Evaluators kept; a thread that is gone cannot give its own back."""


@dataclass(frozen=True, slots=True)
class _Evaluator:
    """What one thread evaluates with; regorus allows no other thread to touch it."""

    machine: Any
    """None where the user has modules of their own."""
    interpreter: Any


class Embedded:
    """Decides in this process. Threads may share it; each compiles once, at its first request.

    Compiled rules hold no lock and nothing yields while they run: greenlets of a thread are safe.
    """

    name = "embedded"

    @property
    def steady(self) -> bool:
        """The shipped modules look at nothing else; modules of the user's may, at the clock."""
        return not self._extra

    def __init__(self, policy: Mapping[str, Json], extra: Sequence[tuple[str, str]] = ()) -> None:
        """`policy` is data.stockade.policy, `extra` the user's modules: (file name, text).

        Raises Denied("engine-failed") when they do not compile, which validate.py finds out
        before; InputError where regorus is not installed.
        """
        self._revision = str(policy["revision"])
        self._data = json.dumps({"stockade": {"policy": simplify(policy)}})
        self._shipped = list(shipped_modules().items())
        self._extra = list(extra)
        self._read, self._permission = reader(policy), permission_reader(policy)
        self._evaluators: dict[int, _Evaluator] = {}
        self._allowed: OrderedDict[str, Verdict] = OrderedDict()
        self._decided: OrderedDict[str, Verdict] = OrderedDict()
        self._closed = False
        self._evaluator()

    def decide(self, document: Mapping[str, Json]) -> Verdict:
        """What the rules say. Raises Denied; a panic of the engine's is one, and it is rebuilt."""
        if self._closed:
            raise Denied("engine-failed", "the engine is closed")
        if self._extra:  # modules of the user's may look at everything, at the clock
            return self._interpreted(encode(dict(document)))
        text = encode(self._permission(document))
        found = self._allowed.get(text)
        if found is None and whole(document):
            found = self._permitted(text)
            if found is not None:
                _remember(self._allowed, text, found)
        if found is not None:
            return found
        text = encode(self._read(document))
        found = self._decided.get(text)
        if found is None:
            found = self._interpreted(text)
            _remember(self._decided, text, found)
        return found

    def close(self) -> None:
        """Drop what the calling thread holds."""
        self._closed = True
        self._evaluators.pop(threading.get_native_id(), None)

    def _permitted(self, text: str) -> Verdict | None:
        """The machine's verdict, where that is yes."""
        machine = self._evaluator().machine
        with self._panics_denied():
            found = _permitted(machine, text)
        return None if found is None else verdict(found, self._revision)

    def _interpreted(self, text: str) -> Verdict:
        interpreter = self._evaluator().interpreter
        with self._panics_denied():
            interpreter.set_input_json(text)
            answer = json.loads(interpreter.eval_rule_as_json(ENTRY_POINT))
        return verdict(answer, self._revision)

    @contextlib.contextmanager
    def _panics_denied(self) -> Iterator[None]:
        try:
            yield
        except (KeyboardInterrupt, SystemExit, Denied):
            raise
        except BaseException as error:
            # pyo3's PanicException is no Exception. What panicked may be in any state.
            self._evaluators.pop(threading.get_native_id(), None)
            raise Denied("engine-failed", f"the rules failed: {first_line(error)}") from None

    def _evaluator(self) -> _Evaluator:
        # Not threading.local, which gevent makes one for every greenlet.
        thread = threading.get_native_id()
        found = self._evaluators.get(thread)
        if found is None:
            try:
                found = self._compiled()
            except (KeyboardInterrupt, SystemExit):
                raise
            except ImportError:
                raise InputError.of(
                    "the embedded engine, regorus, is not installed: it is for Linux on x86_64",
                    hint="decide by an OPA server: stockade authz serve --opa URL",
                ) from None
            except BaseException as error:
                message = f"the rules do not compile: {first_line(error)}"
                raise Denied("engine-failed", message) from None
            while len(self._evaluators) >= MOST_THREADS:
                self._evaluators.pop(next(iter(self._evaluators)), None)
            self._evaluators[thread] = found
        return found

    def _compiled(self) -> _Evaluator:
        regorus = regorus_module()
        interpreter = regorus.Engine()
        for name, text in [*self._shipped, *self._extra]:
            interpreter.add_policy(name, text)
        interpreter.add_data_json(self._data)
        if self._extra:
            return _Evaluator(None, interpreter)
        machine = regorus.Rvm()
        machine.load_program(
            regorus.Program.compile_from_modules(self._data, self._shipped, [PERMISSION])
        )
        machine.set_data_json(self._data)
        return _Evaluator(machine, interpreter)


def _remember(answers: OrderedDict[str, Verdict], text: str, found: Verdict) -> None:
    if len(text) <= LONGEST_REMEMBERED:
        answers[text] = found
        if len(answers) > REMEMBERED:
            with contextlib.suppress(KeyError):  # another thread has
                answers.popitem(last=False)


def regorus_module() -> Any:
    """The module, told not to record stacks with its errors. Raises ImportError.

    Recording one unwinds the stack of a greenlet to where it was cut, and crashes there.
    """
    os.environ["RUST_BACKTRACE"] = os.environ["RUST_LIB_BACKTRACE"] = "0"
    import regorus

    return regorus


def _permitted(machine: Any, text: str) -> Json:
    """The machine's answer when that is yes; otherwise None, and the interpreter is asked."""
    try:
        machine.set_input_json(text)
        answer = json.loads(machine.execute_entry_point(PERMISSION))
    except (RuntimeError, ValueError):
        return None
    if not isinstance(answer, dict) or answer.get("allow") is not True:
        return None
    return {**answer, "reasons": []}


def first_line(error: BaseException) -> str:
    """What an error of regorus' says, without its excerpt and its stack."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line.startswith("error:")]
    place = [line.removeprefix("-->").strip() for line in lines if line.startswith("-->")]
    if said:
        return " ".join(
            [*(f"{each}:" for each in place[:1]), said[0].removeprefix("error:").strip()]
        )
    return next((line for line in lines if line), type(error).__name__)
