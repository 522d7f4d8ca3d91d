"""SecurityOpt, the masked paths, and the Privileges of services (moby: daemon/daemon_unix.go)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import Any

from ..model import Json
from ..profiles import SeccompReader
from .fields import check
from .values import deny, flag, mapping, plain, text, texts

_TRUE = frozenset("1 t T TRUE true True".split())
_FALSE = frozenset("0 f F FALSE false False".split())
"""What Go's ParseBool takes."""

UNCONFINED: dict[str, Any] = {"kind": "unconfined", "policies": [], "sha256": None}

MASKED_20_10 = frozenset(
    """
    /proc/asound /proc/acpi /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list
    /proc/timer_stats /proc/sched_debug /proc/scsi /sys/firmware
    """.split()
)
"""What the oldest supported engine masks (oci/defaults.go)."""

MASKED = MASKED_20_10 | {"/proc/interrupts", "/sys/devices/virtual/powercap"}
"""The newest's, without the per-CPU thermal_throttle."""

READ_ONLY = frozenset("/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split())


@dataclass(slots=True)
class Options:
    """What SecurityOpt says; None is not said."""

    seccomp: str | None = None
    apparmor: str | None = None
    no_new_privileges: bool | None = None
    paths_unconfined: bool = False
    writable_cgroups: bool | None = None
    labels: list[str] = field(default_factory=list)


def _boolean(said: str, option: str) -> bool:
    if said in _TRUE:
        return True
    return False if said in _FALSE else deny("unknown-option", f"security option {option!r}")


def _once(known: Any, option: str) -> None:
    if known is not None:
        deny("duplicate-key", f"security option {option[:40]!r}: said twice")


def parse(value: Json) -> Options:
    """SecurityOpt, with `=` or `:`. Raises Denied for an unknown option, or one said twice."""
    found = Options()
    for option in texts(value, "SecurityOpt"):
        key, separator, said = option.partition("=" if "=" in option else ":")
        if not separator and key in ("no-new-privileges", "writable-cgroups"):
            said = "true"
        elif not separator and key == "disable":
            key, said = "label", "disable"
        elif not separator:
            deny("unknown-option", f"security option {option[:80]!r}")
        match key:
            case "seccomp":
                _once(found.seccomp, option)
                found.seccomp = said
            case "apparmor":
                _once(found.apparmor, option)
                found.apparmor = said
            case "label":
                found.labels.append(said)
            case "no-new-privileges":
                _once(found.no_new_privileges, option)
                found.no_new_privileges = _boolean(said, option)
            case "writable-cgroups":
                _once(found.writable_cgroups, option)
                found.writable_cgroups = _boolean(said, option)
            case "systempaths" if said == "unconfined":
                found.paths_unconfined = True
            case _:
                deny("unknown-option", f"security option {option[:80]!r}")
    return found


def seccomp(said: str | None, held: frozenset[str], reader: SeccompReader) -> Json:
    """The document's seccomp for the option's text; None is not said. Raises Denied."""
    if not said:
        return {"kind": "default", "policies": [], "sha256": None}
    if said == "unconfined":
        return dict(UNCONFINED)
    if said == "builtin":
        return {"kind": "builtin", "policies": [], "sha256": None}
    if not said.lstrip().startswith("{"):
        deny("bad-profile", f"seccomp option {said[:80]!r} is no profile")
    return {
        "kind": "profile",
        "policies": sorted(reader.policies_equal(said, held)),
        "sha256": hashlib.sha256(said.encode()).hexdigest(),
    }


def apparmor(said: str | None) -> str:
    """`docker-default` is what the engine takes when nothing is said."""
    return "default" if said in (None, "", "docker-default") else said


def _path_set(value: Json, defaults: frozenset[str], name: str) -> str:
    if value is None:
        return "default"
    if value == []:
        return "none"
    return "default" if defaults <= set(texts(value, name)) else "custom"


def paths(host: Any, options: Options, masked: frozenset[str] = MASKED) -> Json:
    """MaskedPaths and ReadonlyPaths: null is the default, `[]` none.

    A list that covers the engine's own counts as the default. Writable cgroups open a path that
    is read-only otherwise.
    """
    if options.paths_unconfined:
        return {"masked": "none", "read_only": "none"}
    read_only = _path_set(host.get("ReadonlyPaths"), READ_ONLY, "ReadonlyPaths")
    if options.writable_cgroups and read_only == "default":
        read_only = "custom"
    return {
        "masked": _path_set(host.get("MaskedPaths"), masked, "MaskedPaths"),
        "read_only": read_only,
    }


def _service_seccomp(given: Json) -> str | None:
    options = mapping(given, "Seccomp")
    check("TaskSpec.ContainerSpec.Privileges.Seccomp", options)
    mode, profile = text(options.get("Mode"), "Seccomp.Mode"), options.get("Profile")
    if mode in ("", "default", "unconfined"):
        if profile:
            deny("bad-profile", f"a seccomp profile although the mode is {mode or 'default'}")
        return "unconfined" if mode == "unconfined" else None
    if mode != "custom":
        deny("unknown-option", f"seccomp mode {mode!r}")
    try:
        return base64.b64decode(plain(profile, "Seccomp.Profile"), validate=True).decode() or None
    except (binascii.Error, ValueError):
        return deny("bad-profile", "the seccomp profile is not base64 of a text")


def _selinux(given: Json) -> list[str]:
    context = mapping(given, "SELinuxContext")
    check("TaskSpec.ContainerSpec.Privileges.SELinuxContext", context)
    found = ["disable"] if flag(context.get("Disable"), "SELinuxContext.Disable") else []
    for key in ("User", "Role", "Type", "Level"):
        if said := text(context.get(key), f"SELinuxContext.{key}"):
            found.append(f"{key.lower()}:{said}")
    return found


def _service_apparmor(given: Json) -> str | None:
    options = mapping(given, "AppArmor")
    check("TaskSpec.ContainerSpec.Privileges.AppArmor", options)
    mode = text(options.get("Mode"), "AppArmor.Mode")
    if mode == "disabled":
        return "unconfined"
    return None if mode in ("", "default") else deny("unknown-option", f"apparmor mode {mode!r}")


def of_service(given: Json) -> Options:
    """A service's Privileges as security options. Raises Denied."""
    privileges = mapping(given, "Privileges")
    check("TaskSpec.ContainerSpec.Privileges", privileges)
    return Options(
        seccomp=_service_seccomp(privileges.get("Seccomp")),
        apparmor=_service_apparmor(privileges.get("AppArmor")),
        no_new_privileges=flag(privileges.get("NoNewPrivileges"), "NoNewPrivileges"),
        labels=_selinux(privileges.get("SELinuxContext")),
    )


def credential_spec(given: Json) -> str | None:
    """A service's managed Windows account, as Docker's command line writes it."""
    spec = mapping(mapping(given, "Privileges").get("CredentialSpec"), "CredentialSpec")
    check("TaskSpec.ContainerSpec.Privileges.CredentialSpec", spec)
    for key in ("Config", "File", "Registry"):
        if said := text(spec.get(key), f"CredentialSpec.{key}"):
            return f"{key.lower()}://{said}"
    return None
