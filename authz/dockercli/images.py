"""Image references as docker's client splits them (distribution/reference), and image commands."""

from __future__ import annotations

import json
from collections.abc import Callable

from ...policies.errors import InputError
from .model import Api, ApiRequest, Json, Machine, filters, segment
from .options import Words
from .values import integer, labels, pairs, size, swap, ulimit

Handler = Callable[[Words, Api, Machine], list[ApiRequest]]


def split_reference(text: str) -> tuple[str, str]:
    """(name as the API takes it, tag or digest); the tag is `latest` where none is given."""
    name, at, digest = text.partition("@")
    last = name.rpartition("/")[2]
    if at:
        return (name[: -len(last)] + last.partition(":")[0], digest)
    base, colon, tag = last.partition(":")
    return (name[: len(name) - len(last)] + base, tag if colon else "latest")


def familiar(name: str) -> str:
    """The name without `docker.io/` and `library/`, as clients shorten it."""
    for prefix in ("docker.io/", "index.docker.io/"):
        name = name.removeprefix(prefix)
    return name.removeprefix("library/") if name.count("/") == 1 else name


def pull_requests(
    api: Api, image: str, platform: str = "", note: str = "", every: bool = False
) -> list[ApiRequest]:
    """POST /images/create for an image; older clients ask GET /info first."""
    name, tag = split_reference(image)
    query = {"fromImage": repository(api, name), "tag": "" if every else tag, "platform": platform}
    first = first_info(api, note) if full_name(name).startswith("docker.io/") else []
    return [*first, api.call("POST", "/images/create", query, note=note)]


def first_info(api: Api, note: str = "") -> list[ApiRequest]:
    """What clients before 23 ask to learn the engine's registry."""
    return [api.call("GET", "/info", note=note)] if api.client < 23 else []


def repository(api: Api, name: str) -> str:
    """The name as this client sends it: with or without the default registry."""
    if not name:
        return ""
    return full_name(name) if api.client >= 28 else familiar(name)


def full_name(name: str) -> str:
    """With the registry in front, as clients of 28 and later send it."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def pull(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker pull."""
    words.only("all-tags", "platform", "quiet", "disable-content-trust")
    words.need(1, 1, "an image")
    every = words.flag("all-tags")
    return pull_requests(api, words.arguments[0], words.last("platform"), every=every)


def push(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker push."""
    words.only("all-tags", "platform", "quiet", "disable-content-trust")
    words.need(1, 1, "an image")
    name, tag = split_reference(words.arguments[0])
    query = {"tag": "" if words.flag("all-tags") else tag}
    return [api.call("POST", f"/images/{_path(familiar(name))}/push", query)]


def tag(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker tag."""
    words.need(2, 2, "an image and its new name")
    name, label = split_reference(words.arguments[1])
    query = {"repo": repository(api, name), "tag": label}
    return [api.call("POST", f"/images/{_path(words.arguments[0])}/tag", query)]


def remove(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker rmi."""
    words.only("force", "no-prune", "platform")
    words.need(1, None, "images")
    query = {"force": words.flag("force"), "noprune": words.flag("no-prune")}
    return [api.call("DELETE", f"/images/{_path(name)}", query) for name in words.arguments]


def listing(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker images."""
    words.only("all", "digests", "filter", "format", "no-trunc", "quiet", "tree")
    words.need(0, 1, "at most an image")
    chosen = given_filters(words)
    if words.arguments:
        chosen.setdefault("reference", []).append(words.arguments[0])
    return [api.call("GET", "/images/json", {"all": words.flag("all"), "filters": filters(chosen)})]


def inspect(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker image inspect."""
    words.only("format", "platform")
    words.need(1, None, "images")
    return [api.call("GET", f"/images/{_path(name)}/json") for name in words.arguments]


def history(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker history."""
    words.only("format", "human", "no-trunc", "quiet")
    words.need(1, 1, "an image")
    return [api.call("GET", f"/images/{_path(words.arguments[0])}/history")]


def save(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker save."""
    words.only("output")
    words.need(1, None, "images")
    return [api.call("GET", "/images/get", {"names": list(words.arguments)})]


def load(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker load."""
    words.only("input", "quiet")
    return [api.call("POST", "/images/load", {"quiet": words.flag("quiet")})]


def import_(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker import."""
    words.only("change", "message", "platform")
    words.need(1, 2, "a file or URL, and perhaps a name")
    source = words.arguments[0]
    source = source if "://" in source else "-"
    query: dict[str, Json] = {"fromSrc": source, "message": words.last("message")}
    query["platform"] = words.last("platform")
    query["changes"] = words.all("change")
    if len(words.arguments) > 1:
        query["repo"] = words.arguments[1]
    return [api.call("POST", "/images/create", query)]


def prune(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker image prune."""
    words.only("all", "filter", "force")
    chosen = {"dangling": ["false" if words.flag("all") else "true"], **given_filters(words)}
    return [api.call("POST", "/images/prune", {"filters": filters(chosen)})]


_BUILD = (
    "add-host build-arg cache-from cgroup-parent compress cpu-period cpu-quota cpu-shares "
    "cpuset-cpus cpuset-mems disable-content-trust file force-rm iidfile isolation label memory "
    "memory-swap network no-cache platform pull quiet rm security-opt shm-size squash tag target "
    "ulimit progress"
)


def build(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker build with the classic builder; BuildKit's instructions go over POST /session."""
    words.only(*_BUILD.split())
    words.need(1, 1, "a path, a URL or `-`")
    context = words.arguments[0]
    remote = context if context.startswith(("http://", "https://", "git://", "github.com/")) else ""
    file = words.last("file", "Dockerfile")
    arguments = environment_map(words, machine)
    query: dict[str, Json] = {
        "remote": remote if context.startswith(("http://", "https://")) else "",
        "dockerfile": file,
        "q": words.flag("quiet"),
        "nocache": words.flag("no-cache"),
        "pull": words.flag("pull"),
        "rm": _removal(words, api),
        "forcerm": words.flag("force-rm"),
        "memory": size(words.last("memory", "0"), "--memory") or None,
        "memswap": swap(words.last("memory-swap", "0"), "--memory-swap") or None,
        "shmsize": size(words.last("shm-size", "0"), "--shm-size") or None,
        "cpushares": _number(words, "cpu-shares"),
        "cpuperiod": _number(words, "cpu-period"),
        "cpuquota": _number(words, "cpu-quota"),
        "cpusetcpus": words.last("cpuset-cpus"),
        "cpusetmems": words.last("cpuset-mems"),
        "cgroupparent": words.last("cgroup-parent"),
        "networkmode": words.last("network", "default" if api.client < 28 else ""),
        "buildargs": _json(dict(sorted(arguments.items()))),
        "labels": _json(dict(sorted(pairs(labels(words.all("label"))).items()))),
        "cachefrom": _json(words.all("cache-from")),
        "ulimits": _json([ulimit(text, "--ulimit") for text in words.all("ulimit")]),
        "securityopt": _json(words.all("security-opt")),
        "extrahosts": words.all("add-host"),
        "target": words.last("target"),
        "platform": words.last("platform").lower(),
        "squash": words.flag("squash"),
        "version": "1",
    }
    query["t"] = words.all("tag")
    return [api.call("POST", "/build", query)]


def _removal(words: Words, api: Api) -> str:
    """Newer clients leave the default out."""
    if not words.flag("rm", default=True):
        return "0"
    return "1" if api.client < 28 else ""


def environment_map(words: Words, machine: Machine) -> dict[str, str | None]:
    """`--build-arg`, each with its value or the client's own variable's."""
    found: dict[str, str | None] = {}
    for text in words.all("build-arg"):
        name, equals, value = text.partition("=")
        found[name] = value if equals else machine.variable(name)
    return found


def given_filters(words: Words) -> dict[str, list[str]]:
    """`--filter name=value`, repeatable."""
    found: dict[str, list[str]] = {}
    for text in words.all("filter"):
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError.of(f"`--filter`: `{text}` must be written name=value")
        found.setdefault(name.strip().lower(), []).append(value.strip())
    return found


def _path(name: str) -> str:
    """An image's name inside a path: its slashes stay."""
    return "/".join(segment(part) for part in name.split("/"))


def _json(value: Json) -> str:
    return json.dumps(value, separators=(",", ":")) if value else ""


def _number(words: Words, option: str) -> int | None:
    return integer(words.last(option, "0"), f"--{option}") or None


HANDLERS: dict[str, Handler] = {
    "image pull": pull, "image push": push, "image tag": tag, "image rm": remove,
    "image ls": listing, "image inspect": inspect, "image history": history, "image save": save,
    "image load": load, "image import": import_, "image prune": prune, "image build": build,
}  # fmt: skip
