"""`stockade authz serve`: what it refuses, and the systemd units that start it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from stockade.cli.commands import run

UNITS = Path(__file__).resolve().parents[3] / "authz" / "units"


@pytest.fixture
def refused(capfd, tmp_path):
    """The message with which a command line is refused; nothing is started."""

    def refused_with(*words):
        places = ["--socket", f"{tmp_path}/s", "--state", f"{tmp_path}/state"]
        code = run(["authz", "serve", "--policy", f"{tmp_path}/absent.yaml", *places, *words])
        assert code == 2
        return capfd.readouterr().err

    return refused_with


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--admin", "0.0.0.0:9182"], "not a loopback address"),
        (["--admin", "example.org:9182"], "not a loopback address"),
        (["--admin", "127.0.0.1"], "no HOST:PORT"),
        (["--admin", "127.0.0.1:99999"], "no HOST:PORT"),
        (["--tls-listen", "127.0.0.1:0"], "needs --tls-cert, --tls-key, --tls-ca"),
        (["--tls-ca", "x"], "goes with --tls-listen"),
        (["--opa-ca", "x"], "go with --opa"),
        (["--opa", "http://127.0.0.1:1", "--opa-token-file", "/dev/null"], "holds no token"),
        (["--workers", "0"], "Invalid value"),
        (["--deadline", "0"], "Invalid value"),
        (["--deadline", "nan"], "Invalid value"),
    ],
)
def test_bad_options(refused, monkeypatch, words, said):
    monkeypatch.setattr("gevent.monkey.patch_all", lambda: None)
    assert said in refused(*words)


def test_tls_files_that_are_none(refused, monkeypatch, tmp_path):
    monkeypatch.setattr("gevent.monkey.patch_all", lambda: None)
    file = tmp_path / "x.pem"
    file.write_text("no certificate")
    words = [word for name in ("cert", "key", "ca") for word in (f"--tls-{name}", str(file))]
    assert "cannot be used" in refused("--tls-listen", "127.0.0.1:0", *words)


def test_the_units_are_sound(require, tmp_path):
    analyze = shutil.which("systemd-analyze")
    require(analyze, "needs systemd-analyze")
    program = tmp_path / "stockade"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/usr/local/bin/stockade", str(program))
        (tmp_path / unit.name).write_text(text)
    words = [str(tmp_path / unit.name) for unit in sorted(UNITS.iterdir())]
    done = subprocess.run([analyze, "verify", *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_units_protect_and_still_see_the_host():
    service = (UNITS / "stockade-authz.service").read_text().splitlines()
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "Before=docker.service"):
        assert line in service
    for line in ("ProtectHome=read-only", "PrivateTmp=no"):  # bind sources are resolved
        assert line in service
    assert "SocketMode=0600" in (UNITS / "stockade-authz.socket").read_text().splitlines()
