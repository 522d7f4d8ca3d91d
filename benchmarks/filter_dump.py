"""The filter that a container runtime really loads, taken out of a running container (root).

ptrace(2): PTRACE_SECCOMP_GET_FILTER, which needs CAP_SYS_ADMIN and a kernel with
CONFIG_CHECKPOINT_RESTORE.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from stockade.seccomp import bpf

_SEIZE, _INTERRUPT, _DETACH, _GET_FILTER = 0x4206, 0x4207, 17, 0x420C
_WALL = 0x40000000


def dump(pid: int) -> bpf.Program:
    """The filter that a process got last. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long

    def ptrace(request: int, address: int, data: object) -> int:
        result = int(libc.ptrace(request, pid, address, data))
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    ptrace(_SEIZE, 0, None)
    ptrace(_INTERRUPT, 0, None)
    os.waitpid(pid, _WALL)
    try:
        count = ptrace(_GET_FILTER, 0, None)
        buffer = ctypes.create_string_buffer(count * 8)
        ptrace(_GET_FILTER, 0, buffer)
        return bpf.decode(buffer.raw, f"process {pid}")
    finally:
        ptrace(_DETACH, 0, None)


def loaded_by(runtime: str, seccomp: dict[str, Any]) -> bpf.Program:
    """The filter of a container that `runtime` starts with this OCI profile."""
    name = f"stockade-bench-{os.getpid()}"
    with tempfile.TemporaryDirectory() as directory:
        bundle, state = Path(directory) / "bundle", Path(directory) / "state"
        (bundle / "rootfs" / "bin").mkdir(parents=True)
        for each in ("proc", "dev", "sys"):
            (bundle / "rootfs" / each).mkdir()
        shutil.copy("/bin/busybox", bundle / "rootfs" / "bin" / "busybox")
        subprocess.run([runtime, "spec"], cwd=bundle, check=True, capture_output=True)
        config = json.loads((bundle / "config.json").read_text())
        config["process"] |= {"terminal": False, "args": ["/bin/busybox", "sleep", "60"]}
        config["linux"]["seccomp"] = seccomp
        config["linux"].pop("resources", None)
        namespaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [n for n in namespaces if n["type"] != "cgroup"]
        config["mounts"] = [m for m in config["mounts"] if m["type"] != "cgroup"]
        (bundle / "config.json").write_text(json.dumps(config))
        base = [runtime, "--root", str(state)]
        with (Path(directory) / "log").open("w+b") as log:
            done = subprocess.run(
                [*base, "run", "--detach", "--bundle", str(bundle), name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            if done.returncode:
                log.seek(0)
                raise RuntimeError(log.read().decode(errors="replace").strip()[-300:])
        try:
            time.sleep(0.3)  # until it has executed busybox
            said = subprocess.run([*base, "state", name], capture_output=True, check=True)
            return dump(json.loads(said.stdout)["pid"])
        finally:
            subprocess.run([*base, "kill", name, "KILL"], capture_output=True)
            time.sleep(0.2)
            subprocess.run([*base, "delete", "--force", name], capture_output=True)
