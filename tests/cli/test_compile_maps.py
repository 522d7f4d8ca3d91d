"""`stockade compile` with a userns section, and `stockade userns oci`."""

import json
from pathlib import Path

import pytest

from stockade.cli.commands import run

POLICY = """\
stockade: 1
name: hosts
userns:
  span: 524288-1879048191
  tenants: {web: {}, ci: {blocks: 2}}
"""
BLOCKS = {"ci": "655360:131072", "web": "589824:65536"}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to be in, with hosts.yaml and a host with its registry."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hosts.yaml").write_text(POLICY)
    registry = tmp_path / "host/var/lib/stockade/userns.json"
    registry.parent.mkdir(parents=True)
    registry.write_text(json.dumps({"version": 1, "blocks": BLOCKS, "tombstones": {}}))
    return tmp_path


def compile_hosts(*words: str) -> int:
    return run(["compile", "hosts.yaml", "--root", "host", *words])


def names(tree: Path) -> set[str]:
    return {path.name for path in tree.iterdir()} - {"hosts.yaml", "host"}


def test_without_a_target_what_needs_no_choice(tree: Path) -> None:
    assert compile_hosts() == 0
    assert names(tree) == {"hosts.subuid", "hosts.subgid", "hosts.oci-maps.json"}
    assert (tree / "hosts.subuid").read_text() == "ci:655360:131072\nweb:589824:65536\n"


def test_for_one_tenant_more(tree: Path) -> None:
    assert compile_hosts("--tenant", "web") == 0
    assert names(tree) == {
        *("hosts.subuid", "hosts.subgid", "hosts.oci-maps.json"),
        *("hosts.daemon.json", "hosts.podman-args"),
    }


def test_the_hosts_daemon_json_or_the_one_that_is_named(tree: Path) -> None:
    (tree / "host/etc/docker").mkdir(parents=True)
    (tree / "host/etc/docker/daemon.json").write_text('{"debug": true}')
    (tree / "mine.json").write_text('{\n  "debug": false\n}\n')
    words = ("--target", "daemon.json", "--tenant", "web")
    assert compile_hosts(*words) == 0
    assert (tree / "hosts.daemon.json").read_text() == '{"debug": true,"userns-remap": "web"}'
    assert compile_hosts(*words, "--merge", "mine.json") == 0
    merged = '{\n  "debug": false,\n  "userns-remap": "web"\n}\n'
    assert (tree / "hosts.daemon.json").read_text() == merged
    assert (tree / "mine.json").read_text() == '{\n  "debug": false\n}\n'


def test_what_is_not_applied_is_said(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compile_hosts("--target", "subuid") == 0
    assert "not applied" not in capsys.readouterr().err
    (tree / "hosts.yaml").write_text(POLICY.replace("web: {}", "web: {}, new: {}"))
    assert compile_hosts("--target", "subuid") == 0
    told = capsys.readouterr().err
    assert "not applied yet for new: stockade userns apply" in told
    assert max(map(len, told.splitlines())) <= 80
    lines = (tree / "hosts.subuid").read_text().splitlines()
    assert "web:589824:65536" in lines
    assert any(line.startswith("new:") for line in lines)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--target", "podman-args"), "choose with --tenant"),
        (("--target", "kubelet"), "the owner `kubelet`"),
        (("--target", "subuid", "--tenant", "wep"), "did you mean `web`?"),
        (("--target", "subuids"), "unknown target `subuids`"),
        (("--target", "docker"), "no `seccomp` section"),
        (("--target", "daemon.json", "--tenant", "web", "--merge", "none"), "none"),
        (("-o", "-"), "one target to stdout"),
    ],
)
def test_refused(
    tree: Path, words: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compile_hosts(*words) == 2
    assert reason in capsys.readouterr().err
    assert names(tree) == set()


def test_a_policy_without_the_section(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compile", "web", "--target", "subuid"]) == 2
    assert "no `userns` section" in capsys.readouterr().err


def test_another_size_than_the_registrys(tree: Path) -> None:
    (tree / "hosts.yaml").write_text(POLICY.replace("web: {}", "web: {blocks: 3}"))
    assert compile_hosts("--target", "subuid") == 2
    assert names(tree) == set()


# --- userns oci ----------------------------------------------------------------------------------


CONFIG = {
    "ociVersion": "1.0.2",
    "process": {"user": {"uid": 0, "gid": 0}},
    "root": {"path": "rootfs"},
    "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}], "x-mine": [1]},
}


@pytest.fixture
def bundle(tree: Path) -> Path:
    (tree / "bundle").mkdir()
    (tree / "bundle/config.json").write_text(json.dumps(CONFIG, indent=4))
    return tree / "bundle"


def oci(*words: str) -> int:
    return run(["userns", "oci", "bundle", "--root", "host", *words])


def bind(**fields: object) -> str:
    mount = {"destination": "/d", "type": "bind", "source": "/usr", **fields}
    return json.dumps({**CONFIG, "mounts": [mount]}, indent=4)


def test_the_map_is_written_and_the_rest_kept(bundle: Path) -> None:
    path = bundle / "config.json"
    path.chmod(0o640)
    assert oci("--tenant", "web") == 0
    written = json.loads(path.read_text())
    assert written["linux"].pop("uidMappings")[0]["hostID"] == 589824
    assert written["linux"].pop("gidMappings")[0]["hostID"] == 589824
    assert written["linux"]["namespaces"].pop() == {"type": "user"}
    assert written == CONFIG
    assert path.read_text().splitlines()[1].startswith('    "')
    assert path.stat().st_mode & 0o777 == 0o640
    before = path.read_bytes()
    assert oci("--tenant", "web") == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "words", "reason"),
    [
        (json.dumps(CONFIG), ("--tenant", "wep"), "did you mean `web`?"),
        ("{", ("--tenant", "web"), "is no JSON"),
        ('{"linux": {}, "linux": {}}', ("--tenant", "web"), "`linux` twice"),
        ('{"linux": {"uidMappings": [{}]}}', ("--tenant", "web"), "other `linux.uidMappings`"),
        (bind(), ("--tenant", "web"), "--mounts keep leaves them"),
        (bind(), ("--tenant", "web", "--mounts", "idmap"), "host users can reach `/usr`"),
        (bind(source="/dev/null"), ("--tenant", "web", "--mounts", "idmap"), "no file or dir"),
        (bind(source="/none"), ("--tenant", "web", "--mounts", "idmap"), "No such file"),
        (bind(options=["ro"]), ("--tenant", "web", "--mounts", "idmap"), "host users can reach"),
        (bind(source=".", options=[1]), ("--tenant", "web", "--mounts", "idmap"), "are no texts"),
    ],
)
def test_refused_and_left_as_it_was(
    bundle: Path,
    content: str,
    words: tuple[str, ...],
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = bundle / "config.json"
    path.write_text(content)
    assert oci(*words) == 2
    assert reason in capsys.readouterr().err
    assert path.read_text() == content


def test_mounts_are_kept_or_mapped(bundle: Path) -> None:
    path = bundle / "config.json"
    (bundle / "data").mkdir(mode=0o700)
    path.write_text(bind(source="data", options=["rbind", "ro"]))
    assert oci("--tenant", "web", "--mounts", "keep") == 0
    assert json.loads(path.read_text())["mounts"][0]["options"] == ["rbind", "ro"]
    assert oci("--tenant", "web", "--mounts", "idmap") == 0
    mount = json.loads(path.read_text())["mounts"][0]
    assert mount["options"] == ["rbind", "ro", "ridmap", "nosuid", "rnosuid"]
    assert mount["uidMappings"] == mount["gidMappings"]


def test_no_bundle_and_links(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bundle / "config.json"
    path.rename(bundle / "elsewhere.json")
    assert oci("--tenant", "web") == 2
    assert "runc spec makes a config.json" in capsys.readouterr().err
    path.symlink_to("elsewhere.json")
    assert oci("--tenant", "web") == 2
    assert "symbolic link" in capsys.readouterr().err
    assert json.loads((bundle / "elsewhere.json").read_text()) == CONFIG
