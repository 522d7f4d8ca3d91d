"""Makes user namespaces and writes their maps, as root, for whoever asks on standard input.

A request is a line of JSON: a list of hexadecimal texts, each the uid_map and gid_map of a
namespace inside the one before. The answer is a line too: for each text the errno of the write (0:
written) and what /proc then shows of it to the initial namespace, as [errno, hexadecimal text]; it
ends with the first that fails. All processes stay root of the initial namespace: to have another
namespace inside, a map has to have that id.
"""

import ctypes
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWUSER = 0x10000000
LIBC = ctypes.CDLL(None, use_errno=True)


def write(path: str, data: bytes) -> int:
    """The errno of one write; 0 when it succeeds."""
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, data)
    except OSError as error:
        return error.errno or -1
    finally:
        os.close(handle)
    return 0


@contextmanager
def namespaces(maps: list[bytes]):
    """[errno, pid] for each of the maps written, while the processes live."""
    to_child, go = os.pipe()
    answers, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        os.close(answers)
        os._exit(inside(maps[1:], to_child, tell))
    os.close(to_child)
    os.close(tell)
    try:
        if not os.read(answers, 1):
            raise RuntimeError("unshare failed")
        failure = write(f"/proc/{pid}/uid_map", maps[0])
        found = [[failure, pid]]
        if not failure and len(maps) > 1:
            write(f"/proc/{pid}/gid_map", maps[0])
            os.write(go, b"x")
            with os.fdopen(os.dup(answers)) as lines:
                found += json.loads(lines.readline())
        yield found
    finally:
        os.close(go)
        os.close(answers)
        os.waitpid(pid, 0)


def inside(maps: list[bytes], go: int, tell: int) -> int:
    """The process in a namespace: makes those inside it when it is told to."""
    if LIBC.unshare(CLONE_NEWUSER):
        return 1
    os.write(tell, b"x")
    if os.read(go, 1):
        with namespaces(maps) as found:
            os.write(tell, json.dumps(found).encode() + b"\n")
            os.read(go, 1)
    return 0


def main() -> None:
    for line in sys.stdin:
        maps = [bytes.fromhex(text) for text in json.loads(line)]
        with namespaces(maps) as found:
            answer = [
                [failure, Path(f"/proc/{pid}/uid_map").read_bytes().hex()] for failure, pid in found
            ]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
