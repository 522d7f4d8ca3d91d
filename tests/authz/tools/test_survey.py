"""Evidence of a real engine: what it answers, and the command line of the process behind it."""

import os
import socket
import tempfile
from pathlib import Path

import pytest
from dockerd import DOCKERD, Docker

from stockade.authz.doctor import examine, parse_version
from stockade.authz.survey import survey
from stockade.policies.errors import InputError


@pytest.mark.docker
def test_a_running_engine(require):
    require(os.geteuid() == 0 and DOCKERD.exists(), "needs root and Debian's docker.io")
    directory = Path(tempfile.mkdtemp(prefix="stockade-survey-"))
    engine = Docker(directory, options=["--host=tcp://127.0.0.1:0"])
    engine.start()
    try:
        found = survey(engine.socket, directory / "daemon.json")
        assert parse_version(found.version)
        assert found.error == ""
        assert found.loaded == ()
        assert found.managed == ()
        assert Path(found.command_line[0]).name == "dockerd"
        assert f"--host=unix://{engine.socket}" in found.command_line, "not another dockerd's"
        assert found.socket_mode is not None
        said = {each.id for each in examine(found)}
        assert {"listener-without-tls", "plugin-not-configured", "cve-2026-34040"} <= said
        assert "engine-not-reached" not in said
    finally:
        engine.stop()


def test_no_engine(tmp_path):
    found = survey(tmp_path / "none.sock", tmp_path / "none.json")
    assert found.version is None
    assert found.error == "No such file or directory"
    assert found.command_line is None
    assert found.settings is None


def test_something_that_is_no_engine(tmp_path):
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.close()
    found = survey(path, tmp_path / "none.json")
    assert found.version is None
    assert "refused" in found.error


def test_a_broken_daemon_json_is_bad_input(tmp_path):
    (tmp_path / "daemon.json").write_text('{"a": 1, "a": 2}')
    with pytest.raises(InputError, match="duplicate key"):
        survey(tmp_path / "none.sock", tmp_path / "daemon.json")
