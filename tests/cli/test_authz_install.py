"""`stockade authz install` on a directory that stands for a host."""

import json

import pytest

POLICY = "stockade: 1\nname: x\nauthz:\n  subjects: {me: local}\n  rules: []\n"


@pytest.fixture
def host(tmp_path):
    (tmp_path / "authz.yaml").write_text(POLICY)
    root = tmp_path / "root"
    (root / "etc/docker").mkdir(parents=True)
    return root


def install(stockade, *words):
    return stockade("authz", "install", "--root", "root", *words)


def contents(root):
    return {p: (p.read_bytes(), p.stat().st_mode) for p in root.rglob("*") if p.is_file()}


def test_dry_by_default(stockade, host):
    done = install(stockade, "--policy", "authz.yaml")
    assert done.returncode == 0, done.stderr
    assert '+  "authorization-plugins": ["stockade"]' in done.stdout
    assert "+++ /etc/systemd/system/stockade-authz.service" in done.stdout
    assert "would change; --apply writes them" in done.stderr
    assert "systemctl daemon-reload" in done.stderr
    assert contents(host) == {}


def test_applied_and_again_and_out(stockade, host):
    daemon = host / "etc/docker/daemon.json"
    daemon.write_text('{\n    "debug": true\n}\n')
    daemon.chmod(0o640)
    words = ["--policy", "authz.yaml", "--apply", "--socket-activation"]
    assert install(stockade, *words).returncode == 0
    first = contents(host)
    assert {path.name for path in first} == {
        "daemon.json",
        "authz.yaml",
        "stockade-authz.service",
        "stockade-authz.socket",
    }
    assert daemon.stat().st_mode & 0o777 == 0o640
    assert (host / "etc/stockade/authz.yaml").stat().st_mode & 0o777 == 0o600
    assert json.loads(daemon.read_text()) == {"debug": True, "authorization-plugins": ["stockade"]}
    done = install(stockade, *words)
    assert "nothing to change" in done.stderr
    assert contents(host) == first
    assert install(stockade, "--uninstall", "--apply").returncode == 0
    assert daemon.read_text() == '{\n    "debug": true\n}\n'
    assert not (host / "etc/systemd/system/stockade-authz.service").exists()


@pytest.mark.parametrize("text", ["{", '{"a": 1, "a": 2}', "[]", '{"authorization-plugins": 1}'])
def test_a_file_that_is_not_understood_stops_everything(stockade, host, text):
    (host / "etc/docker/daemon.json").write_text(text)
    done = install(stockade, "--policy", "authz.yaml", "--apply")
    assert done.returncode == 2
    assert "daemon.json" in done.stderr
    assert list(contents(host)) == [host / "etc/docker/daemon.json"]


def test_never_through_a_link(stockade, host, tmp_path):
    (tmp_path / "elsewhere").write_text("{}")
    (host / "etc/docker/daemon.json").symlink_to(tmp_path / "elsewhere")
    done = install(stockade, "--policy", "authz.yaml", "--apply")
    assert done.returncode == 2
    assert "symbolic link" in done.stderr
    assert (tmp_path / "elsewhere").read_text() == "{}"


def test_a_bad_policy_is_not_installed(stockade, host, tmp_path):
    (tmp_path / "authz.yaml").write_text(POLICY.replace("rules: []", "rules: [{allow: [nope]}]"))
    assert install(stockade, "--policy", "authz.yaml", "--apply").returncode == 2
    assert contents(host) == {}
