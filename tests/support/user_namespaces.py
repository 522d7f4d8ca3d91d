"""The kernel's own answer to a uid_map, from one helper process that makes many namespaces."""

import errno
import json
import subprocess
import sys
from pathlib import Path


class Kernel:
    """This machine's kernel. Use it as a context; it needs root."""

    def __enter__(self) -> "Kernel":
        self._maker = subprocess.Popen(
            [sys.executable, "-I", Path(__file__).with_name("namespace_maker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._maker.stdin is not None
        self._maker.stdin.close()
        self._maker.wait(10)

    def write(self, *maps: bytes) -> list[tuple[str, bytes]]:
        """For each map, written inside the namespace of the one before: the name of the errno or
        "", and what the initial namespace sees of it in /proc; it ends with the first error."""
        assert self._maker.stdin is not None
        assert self._maker.stdout is not None
        self._maker.stdin.write(json.dumps([data.hex() for data in maps]) + "\n")
        self._maker.stdin.flush()
        answer = json.loads(self._maker.stdout.readline())
        return [
            (errno.errorcode[failure] if failure else "", bytes.fromhex(shown))
            for failure, shown in answer
        ]
