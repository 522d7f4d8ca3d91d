"""docker's container commands as requests, in the order the client sends them."""

from __future__ import annotations

from ...policies.errors import InputError
from .container import container_body, environment, resources
from .images import Handler, given_filters, pull_requests, repository, split_reference
from .model import Api, ApiRequest, Json, Machine, filters, pruned, segment
from .options import Words
from .values import integer

NEW_CONTAINER = "c" * 64
"""How requests call the container that an earlier request of the same command line made."""
NEW_EXEC = "e" * 64


def create(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker create: perhaps a pull, then the create."""
    words.need(1, None, "an image, and perhaps a command")
    return _create(words, api, machine, detached=False)


def run(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker run: create, attach unless detached, wait, start."""
    words.need(1, None, "an image, and perhaps a command")
    detached = words.flag("detach")
    if detached and words.has("attach"):
        raise InputError.of("`--attach` and `--detach` cannot go together")
    found = _create(words, api, machine, detached)
    body = found[-1].body
    streams = {
        "stream": True,
        "stdin": bool(body.get("AttachStdin")),
        "stdout": bool(body.get("AttachStdout")),
        "stderr": bool(body.get("AttachStderr")),
        "detachKeys": words.last("detach-keys"),
    }
    path = f"/containers/{NEW_CONTAINER}"
    if not detached:
        found.append(api.call("POST", f"{path}/attach", streams))
    removed = words.flag("rm")
    condition = {"condition": "removed" if removed else "next-exit"}
    found.append(api.call("POST", f"{path}/wait", condition))
    found.append(api.call("POST", f"{path}/start"))
    if body.get("Tty") and not detached:
        note = "when the client is on a terminal"
        found.append(api.call("POST", f"{path}/resize", {"h": 24, "w": 80}, note=note))
    return found


def _create(words: Words, api: Api, machine: Machine, detached: bool) -> list[ApiRequest]:
    image, *command = words.arguments
    body = container_body(words, image, command, machine, api.client)
    if detached:
        for key in ("AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce"):
            body.pop(key, None)
    when = words.last("pull", "missing")
    if when not in ("", "always", "missing", "never"):
        raise InputError.of(f"`--pull`: `{when}` is none of always, missing, never")
    platform = words.last("platform")
    found = []
    if when != "never":
        note = "" if when == "always" else "when the image is not there yet"
        found += pull_requests(api, image, platform, note)
    query = {"name": words.last("name"), "platform": platform}
    made = ("container", NEW_CONTAINER)
    found.append(api.call("POST", "/containers/create", query, body, creates=made))
    return found


def exec_(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker exec: inspect, create, start, inspect."""
    words.need(2, None, "a container and a command")
    name, *command = words.arguments
    detached = words.flag("detach")
    body = pruned(
        {
            "User": words.last("user"),
            "Privileged": words.flag("privileged"),
            "Tty": words.flag("tty"),
            "AttachStdin": not detached and words.flag("interactive"),
            "AttachStdout": not detached,
            "AttachStderr": not detached,
            "Detach": detached and api.client < 29,
            "DetachKeys": words.last("detach-keys"),
            "Env": environment(words, machine),
            "WorkingDir": words.last("workdir"),
            "Cmd": command,
        }
    )
    start = pruned({"Detach": detached, "Tty": words.flag("tty")})
    path = f"/exec/{NEW_EXEC}"
    made = ("exec", NEW_EXEC)
    found = [
        api.call("GET", f"/containers/{segment(name)}/json"),
        api.call("POST", f"/containers/{segment(name)}/exec", body=body, creates=made),
        api.call("POST", f"{path}/start", body=start),
    ]
    if words.flag("tty") and not detached:
        note = "when the client is on a terminal"
        found.append(api.call("POST", f"{path}/resize", {"h": 24, "w": 80}, note=note))
    if not detached:
        found.append(api.call("GET", f"{path}/json"))
    return found


def start(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker start."""
    words.only("attach", "interactive", "detach-keys", "checkpoint", "checkpoint-dir")
    words.need(1, None, "containers")
    query = {"checkpoint": words.last("checkpoint"), "checkpoint-dir": words.last("checkpoint-dir")}
    if not (words.flag("attach") or words.flag("interactive")):
        return [_on(api, "POST", name, "/start", query) for name in words.arguments]
    words.need(1, 1, "one container to attach to")
    name = words.arguments[0]
    streams: dict[str, Json] = {"stream": True, "stdout": True, "stderr": True}
    streams["stdin"] = words.flag("interactive")
    streams["detachKeys"] = words.last("detach-keys")
    return [
        _on(api, "GET", name, "/json"),
        _on(api, "POST", name, "/attach", streams),
        _on(api, "POST", name, "/wait", {"condition": "next-exit"}),
        _on(api, "POST", name, "/start", query),
    ]


def attach(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker attach."""
    words.only("detach-keys", "no-stdin", "sig-proxy")
    words.need(1, 1, "a container")
    name = words.arguments[0]
    streams: dict[str, Json] = {"stream": True, "stdout": True, "stderr": True}
    streams["stdin"] = not words.flag("no-stdin")
    streams["detachKeys"] = words.last("detach-keys")
    return [
        _on(api, "POST", name, "/wait"),
        _on(api, "GET", name, "/json"),
        _on(api, "POST", name, "/attach", streams),
    ]


def stop(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker stop and docker restart."""
    words.only("signal", "time", "timeout")
    words.need(1, None, "containers")
    action = words.command.rpartition(" ")[2]
    seconds = next(iter(reversed(words.all("time", "timeout"))), "")
    wait = integer(seconds, "--timeout") if seconds else None
    query = {"signal": words.last("signal"), "t": wait}
    return [_on(api, "POST", name, f"/{action}", query) for name in words.arguments]


def kill(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker kill."""
    words.need(1, None, "containers")
    signal = {"signal": words.last("signal", "KILL" if api.client < 23 else "")}
    return [_on(api, "POST", name, "/kill", signal) for name in words.arguments]


def simple(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker pause, unpause, wait: one request for each container."""
    words.only()
    words.need(1, None, "containers")
    action = words.command.rpartition(" ")[2]
    return [_on(api, "POST", name, f"/{action}") for name in words.arguments]


def remove(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker rm."""
    words.only("force", "link", "volumes")
    words.need(1, None, "containers")
    options = {"force": words.flag("force"), "link": words.flag("link")}
    options["v"] = words.flag("volumes")
    return [
        api.call("DELETE", f"/containers/{segment(name.strip('/'))}", options)
        for name in words.arguments
    ]


def logs(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker logs."""
    words.only("details", "follow", "since", "tail", "timestamps", "until")
    words.need(1, 1, "a container")
    name = words.arguments[0]
    query = {
        "stdout": True, "stderr": True, "follow": words.flag("follow"),
        "details": words.flag("details"), "timestamps": words.flag("timestamps"),
        "since": words.last("since"), "until": words.last("until"),
        "tail": words.last("tail", "all"),
    }  # fmt: skip
    return [_on(api, "GET", name, "/json"), _on(api, "GET", name, "/logs", query)]


def top(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker top."""
    words.need(1, None, "a container, and perhaps options of ps")
    name, *options = words.arguments
    return [_on(api, "GET", name, "/top", {"ps_args": " ".join(options)})]


def stats(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker stats."""
    words.only("all", "format", "no-stream", "no-trunc")
    query = {"stream": "0" if words.flag("no-stream") else "1"}
    if words.arguments:
        first = [api.call("GET", "/version")] if api.client < 28 else []
        return first + [_on(api, "GET", name, "/stats", query) for name in words.arguments]
    found = [api.call("GET", "/containers/json", {"all": words.flag("all")})]
    if not words.flag("no-stream"):
        found.append(api.call("GET", "/events", {"filters": filters({"type": ["container"]})}))
    return found


def looked_at(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker diff, export, inspect, port."""
    words.only("format", "size", "output", "type")
    path = {"diff": "/changes", "export": "/export", "inspect": "/json", "port": "/json"}
    action = words.command.rpartition(" ")[2]
    words.need(1, 2 if action == "port" else None, "a container")
    names = words.arguments[:1] if action == "port" else words.arguments
    query = {"size": words.flag("size")}
    return [_on(api, "GET", name, path[action], query) for name in names]


def listing(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker ps."""
    words.only("all", "filter", "format", "last", "latest", "no-trunc", "quiet", "size")
    words.need(0, 0, "no argument")
    limit = integer(words.last("last", "1" if words.flag("latest") else "-1"), "--last")
    query = {
        "all": words.flag("all"), "size": words.flag("size"),
        "limit": limit if limit > 0 else None, "filters": filters(given_filters(words)),
    }  # fmt: skip
    return [api.call("GET", "/containers/json", query)]


def rename(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker rename."""
    words.need(2, 2, "a container and its new name")
    return [_on(api, "POST", words.arguments[0], "/rename", {"name": words.arguments[1]})]


def update(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker update."""
    words.need(1, None, "containers")
    if not words.given:
        raise InputError.of("`docker update` needs at least one option")
    body = resources(words)
    restart = words.last("restart")
    if restart:
        name, _, count = restart.partition(":")
        number = integer(count, "--restart") if count else 0
        body["RestartPolicy"] = pruned({"Name": name, "MaximumRetryCount": number})
    return [_on(api, "POST", name, "/update", body=body) for name in words.arguments]


def commit(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker commit."""
    words.only("author", "change", "message", "pause", "no-pause")
    words.need(1, 2, "a container, and perhaps an image's name")
    name, tag = split_reference(words.arguments[1]) if len(words.arguments) > 1 else ("", "")
    paused = words.flag("pause", default=True) and not words.flag("no-pause")
    query = {
        "container": words.arguments[0], "repo": repository(api, name), "tag": tag,
        "comment": words.last("message"), "author": words.last("author"),
        "changes": words.all("change"), "pause": None if paused else "0",
    }  # fmt: skip
    return [api.call("POST", "/commit", query, None)]


def copy(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker cp, in either direction."""
    words.only("archive", "follow-link", "quiet")
    words.need(2, 2, "a source and a destination, one of them CONTAINER:PATH")
    (from_, from_path), (to, to_path) = map(_place, words.arguments)
    if bool(from_) == bool(to):
        raise InputError.of("`docker cp` copies between a container and this machine")
    if from_:
        query = {"path": from_path}
        found = [_on(api, "GET", from_, "/archive", query)]
        if words.flag("follow-link"):
            found.insert(0, _on(api, "HEAD", from_, "/archive", query))
        return found
    query = {"path": to_path, "noOverwriteDirNonDir": "true"}
    if words.flag("archive"):
        query["copyUIDGID"] = "true"
    return [
        _on(api, "HEAD", to, "/archive", {"path": to_path}),
        _on(api, "PUT", to, "/archive", query),
    ]


def inspect_any(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker inspect: a container's name first, then the other kinds that could have it."""
    words.only("format", "size", "type")
    words.need(1, None, "names")
    kind = words.last("type")
    paths = {
        "container": "/containers/{}/json", "image": "/images/{}/json",
        "network": "/networks/{}", "volume": "/volumes/{}", "service": "/services/{}",
        "task": "/tasks/{}", "node": "/nodes/{}", "plugin": "/plugins/{}/json",
        "secret": "/secrets/{}", "config": "/configs/{}",
    }  # fmt: skip
    if kind and kind not in paths:
        raise InputError.of(f"`--type`: `{kind}` is none of {', '.join(paths)}")
    found = []
    for name in words.arguments:
        for each in [kind] if kind else list(paths):
            note = "" if each in (kind, "container") else "when nothing before has that name"
            found.append(api.call("GET", paths[each].format(segment(name)), note=note))
    return found


def _place(text: str) -> tuple[str, str]:
    """(container, path); no container for a path of this machine."""
    name, colon, path = text.partition(":")
    if not colon or text.startswith((".", "/")) or text == "-":
        return "", text
    return name, path


def prune(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker container, volume and network prune."""
    words.only("all", "filter", "force")
    kind = words.command.partition(" ")[0]
    chosen = given_filters(words)
    if kind == "volume" and words.flag("all"):
        chosen["all"] = ["true"]
    return [api.call("POST", f"/{kind}s/prune", {"filters": filters(chosen) or "{}"})]


def _on(
    api: Api, method: str, name: str, action: str, query: Json = None, body: Json = None
) -> ApiRequest:
    return api.call(method, f"/containers/{segment(name)}{action}", query, body)


HANDLERS: dict[str, Handler] = {
    "container run": run, "container create": create, "container exec": exec_,
    "container start": start, "container attach": attach, "container stop": stop,
    "container restart": stop, "container kill": kill, "container pause": simple,
    "container unpause": simple, "container wait": simple, "container rm": remove,
    "container logs": logs, "container top": top, "container stats": stats,
    "container diff": looked_at, "container export": looked_at, "container inspect": looked_at,
    "container port": looked_at, "container ls": listing, "container rename": rename,
    "container update": update, "container commit": commit, "container cp": copy,
    "inspect": inspect_any, "container prune": prune, "volume prune": prune, "network prune": prune,
}  # fmt: skip
