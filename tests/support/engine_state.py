"""What a dockerd holds, as something that can be compared, and the things tests do harm to.

The picture is taken by alice, who may see everything, and from the daemon's own files, which no
plugin stands in front of.
"""

import contextlib
import io
import json
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from plugin_host import PluginHost
from raw_http import Answer, Session

State = dict[tuple[str, str], str]
"""(kind, name or id) -> its settings as JSON text."""

#: Lists of the swarm, each with the field that holds a name.
SWARM_LISTS = ("services", "secrets", "configs", "nodes")
NOT_A_MANAGER = 503


def is_own(name: str, who: str) -> bool:
    """Whether a victim of this name belongs to that person."""
    return name.startswith("ops-" if who == "alice" else "ci-")


class World:
    """Things that exist before each trick, and how to get them back.

    Alice's are called ops-…, bob's ci-…; each created by their owner through the API, so that the
    plugin can know whose they are.
    """

    def __init__(self, host: PluginHost, *, swarm: bool) -> None:
        self.host = host
        self.swarm = swarm
        self.ids: dict[str, str] = {}
        self.baseline: State = {}
        self.control = Session(host.wire("alice"))

    def ask(self, who: str, method: str, target: str, body: object = None) -> Answer:
        """A request that must succeed."""
        answer = self.host.wire(who).ask(method, target, body)
        if not 200 <= answer.status < 400:
            raise RuntimeError(f"{who}: {method} {target}: {answer.status} {answer.message}")
        return answer

    # ------------------------------------------------------------------ building

    def build(self) -> None:
        """Make everything and take the picture."""
        for name in ("stockade-test:ops", "ci-app:latest"):
            repo, tag = name.split(":")
            self.ask("alice", "POST", f"/images/{self.host.image}/tag?repo={repo}&tag={tag}")
        for name, who in (("ops-data", "alice"), ("ci-data", "bob")):
            self._volume(name, who)
        for name, who in (("ops-net", "alice"), ("ci-net", "bob")):
            self._network(name, who)
        for name in ("ops-web", "ops-box", "ci-web", "ci-box"):
            self._container(name)
        if self.swarm:
            self._build_swarm()
        self._learn()
        self.baseline = self.state()

    def _volume(self, name: str, who: str) -> None:
        self.ask(who, "POST", "/volumes/create", {"Name": name})

    def _network(self, name: str, who: str) -> None:
        self.ask(who, "POST", "/networks/create", {"Name": name, "CheckDuplicate": True})

    def _container(self, name: str) -> None:
        who = "alice" if is_own(name, "alice") else "bob"
        prefix = name.split("-")[0]
        body = {
            "Image": self.host.image,
            "Cmd": ["sleep", "100000"],
            "Env": [f"PASSWORD={prefix}-secret"],
            "HostConfig": {"Binds": [f"{prefix}-data:/data"], "NetworkMode": f"{prefix}-net"},
        }
        if who == "alice":
            body["HostConfig"] |= {"Privileged": name == "ops-box"}  # type: ignore[operator]
        created = self.ask(who, "POST", f"/containers/create?name={name}", body)
        self.ids[name] = created.json()["Id"]
        if name.endswith("-web"):
            self.ask(who, "POST", f"/containers/{name}/start")
            self.ids[f"{name}-exec"] = self.ask(
                who, "POST", f"/containers/{name}/exec", {"Cmd": ["touch", "/executed"]}
            ).json()["Id"]

    def _build_swarm(self) -> None:
        address = {"ListenAddr": "127.0.0.1:2377", "AdvertiseAddr": "127.0.0.1"}
        # A client may ask again while the swarm of an earlier test is still ending.
        for attempt in range(50):
            if self.host.wire("alice").ask("POST", "/swarm/init", address).status == 200:
                break
            time.sleep(0.1 * (attempt > 0))
        self._secret()
        self._config()
        self._service()

    def _secret(self) -> None:
        self.ask("alice", "POST", "/secrets/create", {"Name": "ops-secret", "Data": "aHVudGVyMg=="})

    def _config(self) -> None:
        self.ask("alice", "POST", "/configs/create", {"Name": "ops-config", "Data": "aGVsbG8="})

    def _service(self) -> None:
        body = {
            "Name": "ops-svc",
            "TaskTemplate": {
                "ContainerSpec": {"Image": self.host.image, "Args": ["sleep", "100000"]}
            },
            "Mode": {"Replicated": {"Replicas": 0}},
        }
        self.ask("alice", "POST", "/services/create", body)

    def _learn(self) -> None:
        """Ids and versions that tricks name."""
        if not self.swarm:
            return
        service = self.ask("alice", "GET", "/services/ops-svc").json()
        node = self.ask("alice", "GET", "/nodes").json()[0]
        swarm = self.ask("alice", "GET", "/swarm").json()
        secret = self.ask("alice", "GET", "/secrets/ops-secret").json()
        config = self.ask("alice", "GET", "/configs/ops-config").json()
        for name, document in (
            ("service", service),
            ("node", node),
            ("swarm", swarm),
            ("secret", secret),
            ("config", config),
        ):
            self.ids[name] = document["ID"]
            self.ids[f"{name}-version"] = str(document["Version"]["Index"])

    def placeholders(self) -> dict[str, str]:
        """What <<NAME>> stands for in a trick."""
        host = self.host
        known = {name.upper().replace("-", "_"): value for name, value in self.ids.items()}
        return known | {
            "IMAGE": host.image,
            "IMAGE_ID": host.image_id,
            "SRV": str(host.files),
            "PLUGIN": str(host.path),
            "HOME": str(host.directory),
            "SOCKET": str(host.docker.socket),
            "DATA": str(host.docker.directory / "data"),
        }

    # ------------------------------------------------------------------ looking

    def state(self) -> State:
        """Everything that a request could have changed."""
        found: State = {}

        def look(target: str) -> Any:
            answer = self.control.ask("GET", target)
            if answer.status == NOT_A_MANAGER:
                return []
            if answer.status != 200:
                raise RuntimeError(f"GET {target}: {answer.status} {answer.message}")
            return answer.json()

        for entry in look("/containers/json?all=1"):
            with contextlib.suppress(RuntimeError):  # just removed
                document = look(f"/containers/{entry['Id']}/json")
                changes = look(f"/containers/{entry['Id']}/changes")
                found["container", document["Name"]] = _text(_container(document), changes)
        for entry in look("/images/json?all=1"):
            found["image", entry["Id"]] = _text(sorted(entry["RepoTags"] or []))
        for entry in look("/volumes")["Volumes"] or []:
            found["volume", entry["Name"]] = _text(entry)
        for entry in sorted(look("/networks"), key=lambda each: each["Created"]):
            document = look(f"/networks/{entry['Id']}")
            members = sorted(each["Name"] for each in document.pop("Containers").values())
            # Peers come and go by themselves while a swarm's own network settles.
            document.pop("Peers", None)
            if document["Name"] not in ("ingress", "docker_gwbridge"):
                # Names are not unique: a later network of one is known by its id.
                name = document["Name"]
                key = document["Id"] if ("network", name) in found else name
                found["network", key] = _text(document, members)
        for kind in SWARM_LISTS:
            for entry in look(f"/{kind}"):
                found[kind, entry["ID"]] = _text(entry["Spec"])
        found["swarm", ""] = _text((look("/swarm") or {"Spec": None})["Spec"])
        found["plugins", ""] = _text(look("/plugins"))
        found["files", ""] = _text(*self._files())
        return found

    def _files(self) -> Iterable[list[str]]:
        """The daemon's own directories: containers, volumes, images, and the canary's directory."""
        data = self.host.docker.directory / "data"
        for each in (data / "containers", data / "volumes", self.host.files):
            yield sorted(path.name for path in each.iterdir())
        yield sorted(path.name for path in data.glob("image/*/imagedb/content/sha256/*"))

    def changes(self) -> list[tuple[str, str]]:
        """What differs from the picture taken."""
        now = self.state()
        keys = now.keys() | self.baseline.keys()
        return sorted(key for key in keys if now.get(key) != self.baseline.get(key))

    # ------------------------------------------------------------------ mending

    def mend(self, changed: Iterable[tuple[str, str]]) -> None:
        """Remove what is new and make again what was changed."""
        paths = {"container": "containers", "volume": "volumes", "network": "networks"}
        touched = False
        remake = []
        # Volumes and networks cannot go before their containers.
        order = ["services", "container", "image", "volume", "network", *SWARM_LISTS[1:]]
        known = [key for key in changed if key[0] in order]
        for kind, name in sorted(known, key=lambda key: order.index(key[0])):
            key = quote(name.lstrip("/"))
            before = self.baseline.get((kind, name))
            touched |= before is not None
            if kind == "image":
                self._mend_image(name)
                continue
            if kind == "network" and before and self._only_members(name, before):
                continue  # a container's doing
            self.control.ask("DELETE", f"/{paths.get(kind, kind)}/{key}?force=1")
            if before is not None:
                remake.append((kind, name.lstrip("/")))
        for kind, name in sorted(remake, key=lambda each: order.index(each[0]), reverse=True):
            self._remake(kind, name)
        if touched or any(key[0] not in (*order, "files") for key in changed):
            self._learn()
            self.baseline = self.state()

    def _only_members(self, name: str, before: str) -> bool:
        answer = self.control.ask("GET", f"/networks/{name}")
        return answer.status == 200 and answer.json()["Id"] == json.loads(before)[0]["Id"]

    def _mend_image(self, image: str) -> None:
        ask = self.control.ask
        if ("image", image) not in self.baseline:
            ask("DELETE", f"/images/{image}?force=1")
            return
        wanted = set(json.loads(self.baseline["image", image])[0])
        have = set(ask("GET", f"/images/{image}/json").json()["RepoTags"])
        for name in wanted - have:
            repo, tag = name.rsplit(":", 1)
            ask("POST", f"/images/{image}/tag?repo={repo}&tag={tag}")
        for name in have - wanted:
            ask("DELETE", f"/images/{quote(name)}")

    def _remake(self, kind: str, name: str) -> None:
        who = "alice" if is_own(name, "alice") else "bob"
        if kind == "container":
            self._container(name)
        elif kind == "volume":
            self._volume(name, who)
        elif kind == "network":
            self._network(name, who)
        elif kind == "services":
            self._service()
        elif kind == "secrets":
            self._secret()
        elif kind == "configs":
            self._config()

    def remove(self) -> None:
        """Take everything away again, as far as it is there."""
        for entry in self.control.ask("GET", "/containers/json?all=1").json():
            self.control.ask("DELETE", f"/containers/{entry['Id']}?force=1")
        if self.swarm:
            self.control.ask("POST", "/swarm/leave?force=1")
        for path in ("networks/ops-net", "networks/ci-net", "volumes/ops-data", "volumes/ci-data"):
            answer = self.control.ask("DELETE", f"/{path}")
            if answer.status not in (204, 404):
                raise RuntimeError(f"DELETE /{path}: {answer.status} {answer.message}")
        for name in ("stockade-test:ops", "ci-app:latest"):
            self.control.ask("DELETE", f"/images/{name}")
        self.control.close()


def archive(**files: str) -> bytes:
    """A tar archive with these files."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    return data.getvalue()


def host_files(directory: Path) -> None:
    """What bind mounts name: a harmless directory, and links out of it."""
    (directory / "ok").mkdir(parents=True, exist_ok=True)
    for name, to in (("evil", "/etc"), ("far", "../../.."), ("hop", "evil")):
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(to)


def _text(*documents: object) -> str:
    return json.dumps(documents, sort_keys=True)


def _container(document: dict[str, Any]) -> object:
    state = document["State"]
    return [
        document["Id"],
        document["Name"],
        document["Config"],
        document["HostConfig"],
        document["Mounts"],
        document["Image"],
        # An exec that only exists, or has run and gone, is a change too.
        sorted(document["ExecIDs"] or []),
        sorted(
            [name, each["IPAMConfig"], each["Links"], len(each["Aliases"] or [])]
            for name, each in document["NetworkSettings"]["Networks"].items()
        ),
        {key: state[key] for key in ("Status", "Pid", "StartedAt")},
        document["RestartCount"],
    ]
