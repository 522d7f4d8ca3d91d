"""Saying why there is no container, in the place where the engine looks for it.

containerd's shim reads the last line of level `error` from the file that it passed to the
runtime as `--log` (go-runc, and getLastRuntimeError of the shim), and docker shows that.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence


def complain(message: str, arguments: Sequence[str]) -> None:
    """Write an error to `--log` of the command line, and to stderr."""
    text = f"stockade-runtime: {message}"
    sys.stderr.write(text + "\n")
    path, form = _value(arguments, "--log"), _value(arguments, "--log-format")
    if not path:
        return
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if form == "json":
        line = json.dumps({"level": "error", "msg": text, "time": now})
    else:
        line = f'time="{now}" level=error msg={json.dumps(text)}'
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        handle = os.open(path, flags, 0o600)
        try:
            os.write(handle, line.encode() + b"\n")
        finally:
            os.close(handle)


def _value(arguments: Sequence[str], name: str) -> str:
    """The value of a global option; read loosely, since the fault may be in the rest."""
    for at, word in enumerate(arguments):
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
        if word == name and at + 1 < len(arguments):
            return arguments[at + 1]
    return ""
