"""Rules of the authorization plugin that reach further than their author is likely to know."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ...authz.operations import operations
from ...authz.section_data import operations_of
from ...policies.authz_model import AuthzRule, Words
from ...policies.findings import Severity
from ..check import Check, Found
from ..subjects import Place, PolicySubject

CREATES = frozenset({"container.create", "service.create", "service.update"})
"""Operations that make containers."""
ENTERS = frozenset(
    {
        "checkpoint.create",
        "container.attach",
        "container.copy-to",
        "container.restart",
        "container.start",
        "container.unpause",
        "exec.create",
        "exec.start",
    }
)
"""Operations that run or change something in a container that exists."""
SPEC = CREATES | ENTERS
"""Operations for which it counts what a container is."""

_TAKES_OVER = ENTERS - {"container.unpause"} | {
    "container.copy-from",
    "container.export",
    "container.update",
    "image.commit",
}
_CAPABILITIES: Mapping[str, str] = {
    "CAP_SYS_ADMIN": "mounts, namespaces and much else that leads out of the container",
    "CAP_SYS_MODULE": "loads code into the kernel",
    "CAP_SYS_RAWIO": "reaches memory and ports of the machine",
    "CAP_SYS_PTRACE": "takes over processes it can see",
    "CAP_SYS_BOOT": "restarts the machine, or boots another kernel",
    "CAP_DAC_READ_SEARCH": "opens any file of the host by its number (open_by_handle_at)",
    "CAP_BPF": "loads programs into the kernel",
    "CAP_PERFMON": "watches the kernel and other processes",
    "CAP_MAC_ADMIN": "changes the rules of AppArmor, SELinux and Smack",
    "CAP_MAC_OVERRIDE": "is not bound by mandatory access control",
    "CAP_NET_ADMIN": "changes addresses, routes and filters, with the host's network those of the "
    "host",
    "CAP_SYS_TIME": "sets the clock of the machine",
}
_NAMESPACES: Mapping[str, str] = {
    "pid": "its processes see and signal those of the host",
    "network": "it reaches services on the host's loopback and abstract sockets",
    "ipc": "it reads shared memory of the host",
    "user": "root in it is root on the host, whatever the daemon's `userns-remap` says",
    "uts": "it can rename the host where it has CAP_SYS_ADMIN",
    "cgroup": "it sees the host's tree of cgroups",
}


def allow_rules(subject: PolicySubject) -> Iterator[tuple[AuthzRule, frozenset[str]]]:
    """The allow rules of a sound policy, each with its operations."""
    if subject.problems or subject.policy is None or subject.policy.authz is None:
        return
    for rule in subject.policy.authz.rules:
        if rule.allow:
            yield rule, frozenset(operations_of(rule.operations))


def constraint(rule: AuthzRule, key: str) -> Place:
    """Route and place of a constraint's word."""
    return Place(f"{rule.route}.{key}", rule.said.get(key, rule.at))


def who(rule: AuthzRule) -> str:
    """The subjects of a rule, for messages."""
    return ", ".join(name.text for name in rule.subjects)


def _dangerous_capability(subject: PolicySubject) -> Iterator[Found]:
    for rule, named in allow_rules(subject):
        words = rule.capabilities
        if words is None or not named & SPEC:
            continue
        place = constraint(rule, "capabilities")
        if words.any:
            message = f"{who(rule)} can add every capability, CAP_SYS_ADMIN among them"
            yield Found(message, place, "list those that are needed: `capabilities: [NET_ADMIN]`")
        for name in words.items:
            effect = _CAPABILITIES.get(name.text)
            if effect is not None:
                message = f"{who(rule)} can add {name.text}: it {effect}"
                fix = "leave it out, or allow it to fewer subjects in a rule of its own"
                severity = Severity.NOTE if name.text == "CAP_NET_ADMIN" else None
                yield Found(message, Place(place.route, name.at), fix, severity=severity)


def _host_namespace(subject: PolicySubject) -> Iterator[Found]:
    for rule, named in allow_rules(subject):
        for kind, words in (rule.namespaces or {}).items():
            for name in words.items if named & SPEC else ():
                if name.text == "host":
                    yield Found(
                        f"a container of {who(rule)} can be in the host's {kind} namespace: "
                        f"{_NAMESPACES[kind]}",
                        Place(f"{rule.route}.namespaces.{kind}", name.at),
                        "leave it out; for ports use `ports`, for other containers `networks`",
                        severity=Severity.NOTE if kind in ("uts", "cgroup") else None,
                    )
        networks = rule.build.networks if rule.build is not None else None
        for name in networks.items if networks is not None else ():
            if name.text == "host":
                yield Found(
                    f"steps of a build of {who(rule)} can be in the host's network namespace",
                    Place(f"{rule.route}.build.networks", name.at),
                    "leave it out; builds reach other machines without it",
                )


def _unconfined(subject: PolicySubject) -> Iterator[Found]:
    for rule, named in allow_rules(subject):
        given: tuple[tuple[str, Words | None, Collection[str]], ...] = (
            ("seccomp", rule.seccomp, ("any", "unconfined")),
            ("apparmor", rule.apparmor, ("any", "unconfined")),
            ("selinux", rule.selinux, ("any",)),
        )
        for key, words, open_words in given if named & SPEC else ():
            if words is None:
                continue
            open_ = sorted(words.special & set(open_words))
            if key == "selinux" and any(name.text == "disable" for name in words.items):
                open_.append("disable")
            if open_:
                yield Found(
                    f"{who(rule)} can run containers without {_LABELS[key]} (`{open_[0]}`)",
                    constraint(rule, key),
                    "name the policies or profiles that are needed, beside `default`",
                )


_LABELS = {"seccomp": "a seccomp filter", "apparmor": "AppArmor", "selinux": "SELinux"}


def _all_operations(subject: PolicySubject) -> Iterator[Found]:
    for rule, _ in allow_rules(subject):
        for name in rule.operations:
            if name.text == "*":
                yield Found(
                    f"`*` allows {who(rule)} every operation there is: plugins, the swarm, and "
                    "sessions that no rule can look into",
                    Place(f"{rule.route}.allow", name.at),
                    'name groups: ["@compose", "@images", "@build"]',
                )


def _unguarded_operation(subject: PolicySubject) -> Iterator[Found]:
    for rule, _ in allow_rules(subject):
        for name in rule.operations:
            opened = [] if name.text == "*" else [o for o in operations_of([name]) if _unguarded(o)]
            if opened:
                several = f", {len(opened)} such operations" if len(opened) > 1 else ""
                yield Found(
                    f"`{name.text}` lets {who(rule)} become root: {_WHY[_kind(opened[0])]}"
                    f"{several}",
                    Place(f"{rule.route}.allow", name.at),
                    "name the harmless operations one by one, or keep it to administrators",
                )


_WHY = {
    "node": "a node made manager holds the keys of the swarm",
    "plugin": "a plugin runs as root on the host",
    "session": "no rule can look into a session",
    "swarm": "who leads the swarm runs what it likes on every node",
}


def _kind(operation: str) -> str:
    return operation.partition(".")[0]


def _unguarded(operation: str) -> bool:
    """Whether it makes root and no constraint says how far it goes."""
    return operations()[operation].risk == "root" and _kind(operation) in _WHY


def _foreign_exec(subject: PolicySubject) -> Iterator[Found]:
    for rule, named in allow_rules(subject):
        taken = sorted(named & _TAKES_OVER)
        if rule.owner == "any" and taken:
            what = ", ".join(taken[:3]) + ", …" * (len(taken) > 3)
            yield Found(
                f"{who(rule)} can go into, or copy out of, containers of everybody: {what}",
                constraint(rule, "owner"),
                "write `owner: subject`, or say which with `objects: {labels: {...}}`",
            )


def _any_image(subject: PolicySubject) -> Iterator[Found]:
    for rule, named in allow_rules(subject):
        if named & CREATES and not rule.pinned and (rule.images is None or rule.images.any):
            place = constraint(rule, "images") if rule.images is not None else None
            yield Found(
                f"{who(rule)} can run any image of any registry",
                place or Place(rule.route, rule.at),
                'say which: `images: ["registry.example.org/team/**"]`, or `pinned: true`',
            )


HEAD = "stockade: 1\nname: ci\nauthz:\n  subjects:\n    ci: {ou: builders}\n  rules:\n"
CREATE = f"{HEAD}    - allow: container.create\n      subjects: ci\n      images: nginx\n"

CHECKS = (
    Check(
        "authz-dangerous-capability",
        "A capability that leads out of containers may be added",
        Severity.WARNING,
        "Docker leaves these capabilities out of its default set because each is, or was more "
        "than once, enough to leave a container or to rule the machine it runs on.",
        ("capabilities(7)", "Docker, docker run reference: Linux capabilities"),
        f"{CREATE}      capabilities: [SYS_ADMIN]\n",
        f"{CREATE}      capabilities: [SYS_NICE]\n",
        policy=_dangerous_capability,
    ),
    Check(
        "authz-host-namespace",
        "Containers may share a namespace of the host",
        Severity.WARNING,
        "A namespace is what a container has of its own instead of the host's processes, "
        "network, users or shared memory. Services on the host's loopback address and abstract "
        "unix sockets have no other protection (containerd, CVE-2020-15257).",
        ("namespaces(7)", "CVE-2020-15257"),
        f"{CREATE}      namespaces: {{network: host}}\n",
        f'{CREATE}      ports: ["8000-8999"]\n',
        policy=_host_namespace,
    ),
    Check(
        "authz-unconfined",
        "Containers may run without seccomp, AppArmor or SELinux",
        Severity.WARNING,
        "The filters that Docker gives every container close system calls and files through "
        "which containers were left before. `any` also allows a profile that its sender made up "
        "and that allows everything.",
        ("Docker, Seccomp security profiles for Docker", "Docker, AppArmor security profiles"),
        f"{CREATE}      seccomp: [default, unconfined]\n",
        f"{CREATE}      seccomp: [default, docker-default]\n",
        policy=_unconfined,
    ),
    Check(
        "authz-all-operations",
        "An allow rule for every operation",
        Severity.WARNING,
        "`*` names every operation of the API: plugins and the swarm, with which whoever may use "
        "them is root, BuildKit's sessions, debugging, and operations that a later Stockade adds "
        "to its table. Where root is meant, ignore this check.",
        ("Stockade, docs/operations.md",),
        f'{HEAD}    - allow: "*"\n      subjects: ci\n      images: nginx\n',
        f'{HEAD}    - allow: ["@read", "@lifecycle"]\n      subjects: ci\n',
        policy=_all_operations,
    ),
    Check(
        "authz-unguarded-operation",
        "An operation that makes root and has no constraints",
        Severity.WARNING,
        "Plugins of the engine run as root, who rules the swarm runs services of any kind on "
        "every node, and what goes through a session of BuildKit never reaches an authorization "
        "plugin. No key of a rule limits these; only who may ask.",
        (
            "Docker, Plugin API",
            "Docker, Access authorization plugin",
            "Stockade, docs/operations.md",
        ),
        f"{HEAD}    - allow: [image.list, plugin.*]\n      subjects: ci\n",
        f"{HEAD}    - allow: [image.list, plugin.list]\n      subjects: ci\n",
        policy=_unguarded_operation,
    ),
    Check(
        "authz-foreign-exec",
        "Containers of others can be entered",
        Severity.WARNING,
        "With `owner: any` a subject runs commands in, attaches to, or copies files into or out "
        "of containers that others made, and so has their secrets and their privileges.",
        ("Stockade, docs/language.md: authz",),
        f'{HEAD}    - allow: "@exec"\n      subjects: ci\n      owner: any\n',
        f'{HEAD}    - allow: "@exec"\n      subjects: ci\n      owner: subject\n',
        policy=_foreign_exec,
    ),
    Check(
        "authz-any-image",
        "Any image of any registry may be run",
        Severity.NOTE,
        "What runs in a container is decided by its image. A name that is registered by somebody "
        "else, or a tag that is moved, is then enough to run another program.",
        ("Docker, Content trust and image digests",),
        f"{HEAD}    - allow: container.create\n      subjects: ci\n",
        CREATE,
        policy=_any_image,
    ),
)
