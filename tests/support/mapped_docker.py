"""A dockerd with `stockade-runtime` as one of its runtimes."""

import sys
from pathlib import Path

from dockerd import Docker

ROOT = Path(__file__).resolve().parents[2]

#: The tenant's ids: sixteen blocks.
FIRST, COUNT = 524288, 16 * 65536


class Mapped:
    """dockerd, our runtime beside it, and where that keeps its leases."""

    def __init__(self, docker: Docker, state: Path) -> None:
        self.docker, self.state = docker, state

    def run(self, *words: str, runtime: str = "stockade") -> tuple[int, str]:
        """`docker run --runtime=…`: exit status, and all that was printed."""
        done = self.docker.command("run", f"--runtime={runtime}", *words)
        return done.returncode, (done.stdout + done.stderr).strip()

    def ask(self, *words: str) -> str:
        """The output of a docker command that must work."""
        done = self.docker.command(*words)
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def start(self, *words: str, runtime: str = "stockade") -> str:
        """A container in the background; its id."""
        code, output = self.run("--detach", *words, runtime=runtime)
        assert code == 0, output
        return output

    def map(self, container: str) -> list[int]:
        """The map of the container's first process, as the host's /proc shows it."""
        pid = self.ask("inspect", "--format={{.State.Pid}}", container)
        maps = [Path(f"/proc/{pid}/{kind}").read_text() for kind in ("uid_map", "gid_map")]
        assert maps[0] == maps[1]
        return [int(word) for word in maps[0].split()]

    def leases(self) -> list[str]:
        """The names of the leases' files: FIRST.COUNT.CONTAINER."""
        directory = self.state / "leases"
        return sorted(each.name for each in directory.iterdir()) if directory.exists() else []


def launcher(path: Path, *options: str) -> Path:
    """A program that is `stockade-runtime` of this checkout with options of ours."""
    words = " ".join(f"'{word}'" for word in options)
    path.write_text(
        f"#!/bin/sh\nexport PYTHONPATH='{ROOT}'\n"
        f"exec '{sys.executable}' -c 'from stockade.runtime import main; main()' {words} \"$@\"\n"
    )
    path.chmod(0o755)
    return path
