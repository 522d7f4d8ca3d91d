"""The filter that a container runtime really loads, taken out of a running container (root)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from stockade.seccomp import bpf
from stockade.seccomp.kernel import loaded

#: crun 1.8 refuses hosts where cgroup v2 has controllers beside v1: it does not see that here.
NO_UNIFIED = (
    *("unshare", "--mount", "sh", "-c"),
    'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"',
    "sh",
)


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
        base = [*NO_UNIFIED, runtime, "--root", str(state)]
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
            return loaded(json.loads(said.stdout)["pid"])
        finally:
            subprocess.run([*base, "kill", name, "KILL"], capture_output=True)
            time.sleep(0.2)
            subprocess.run([*base, "delete", "--force", name], capture_output=True)
