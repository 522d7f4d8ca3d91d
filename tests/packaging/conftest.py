"""One archive of the checkout, one sdist and one wheel, shared by all packaging tests.

Nothing is built in the checkout itself: a build there leaves files that the next wheel picks up.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Built(NamedTuple):
    """What one build gave."""

    sdist: Path
    wheel: Path  # built from the sdist


def _run(*command: object, **more: object) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run([str(word) for word in command], capture_output=True, **more)
    if done.returncode:
        output = (done.stdout + done.stderr).decode(errors="replace")
        pytest.fail(f"{' '.join(map(str, command))}:\n{output[-4000:]}", pytrace=False)
    return done


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, tree: list[Path]) -> Path:
    """`git archive` of the checkout as it is now, new files too, unpacked."""
    work = tmp_path_factory.mktemp("archive")
    source, objects = work / "source", work / "objects"
    objects.mkdir()
    git = ("git", "-c", "safe.directory=*", "-C", ROOT)
    own_objects = _run(*git, "rev-parse", "--git-path", "objects").stdout.decode().strip()
    # Neither the index nor the objects of the repository are touched.
    env = {
        **os.environ,
        "GIT_INDEX_FILE": str(work / "index"),
        "GIT_OBJECT_DIRECTORY": str(objects),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(ROOT / own_objects),
    }
    names = "\0".join(map(str, tree)).encode()
    _run(*git, "update-index", "--add", "-z", "--stdin", input=names, env=env)
    written = _run(*git, "write-tree", env=env).stdout.decode().strip()
    archived = _run(*git, "archive", written, env=env).stdout
    with tarfile.open(fileobj=io.BytesIO(archived)) as tar:
        tar.extractall(source)
    return source


@pytest.fixture
def checkout(archive: Path, tmp_path: Path) -> Path:
    """A copy of the archive, links as links, in which nothing has been built yet."""
    return Path(shutil.copytree(archive, tmp_path / "checkout", symlinks=True))


@pytest.fixture(scope="session")
def built(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """An sdist of the archive and a wheel of that sdist."""
    out = tmp_path_factory.mktemp("dist")
    source = shutil.copytree(archive, out / "source", symlinks=True)
    _run(sys.executable, "-m", "build", "--outdir", out, source)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`install(*what)`: a fresh virtual environment with that installed; gives its Python."""

    def install_into_new(*what: object) -> Path:
        home = tmp_path_factory.mktemp("venv")
        _run(sys.executable, "-m", "venv", "--without-pip", home)
        python = home / "bin/python"
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
        _run(*pip, "install", "--quiet", *what)
        return python

    return install_into_new
