"""`make bench-authz`, each step once: it still runs, and says what it has to say."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_quick(tmp_path):
    without_peer = {name: value for name, value in os.environ.items() if name != "OPA_DOCKER_AUTHZ"}
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "authz.py", "--quick"],
        env={
            **without_peer,
            "PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.startswith("NO PEER: no opa-docker-authz in PATH")
    for line in ("GET /_ping", "create, new to the rules", "memory", "through dockerd", "target"):
        assert f"\n{line}" in done.stdout
    assert "reached" in done.stdout
