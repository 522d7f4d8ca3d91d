"""`stockade userns check`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from ...policies.errors import InputError
from ...policies.source import Problem, printable

_EPILOG = """\b
Examples:
  stockade userns check --host
  stockade userns check subuid subgid --fix
  stockade userns check --root /srv/image --policy hosts.yaml
  stockade userns check --container web
  stockade userns check --pid 4711 --format json

\b
Exit status: 0 nothing, or notes only; 1 findings; 2 something cannot be read.
`stockade lint --explain ID` says more about a finding.
"""


@click.command("check", epilog=_EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE...]")
@click.option("--host", "this_host", is_flag=True, help="This host: files, registry, live maps.")
@click.option("--root", metavar="DIR", help="The files of an image's tree below DIR.")
@click.option("--container", metavar="ID", help="The maps of a running Docker container.")
@click.option("--pid", type=click.IntRange(1), metavar="N", help="The maps of process N.")
@click.option("--policy", metavar="POLICY", help="What the host is meant to give out.")
@click.option(
    "--docker-socket", default="/var/run/docker.sock", show_default=True, metavar="PATH",
    help="Where --container asks.",
)  # fmt: skip
@click.option("--fix", is_flag=True, help="Mend the form of lines, after showing the change.")
@click.option("--yes", is_flag=True, help="With --fix: do not ask.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(
    files: tuple[str, ...],
    this_host: bool,
    root: str | None,
    container: str | None,
    pid: int | None,
    policy: str | None,
    docker_socket: str,
    fix: bool,
    yes: bool,
    form: str,
) -> int:
    """Find faults in subuid and subgid files, in maps, and on a host.

    FILE is a subuid, subgid, uid_map, gid_map or daemon.json file, known by its name
    (`web.subuid` will do). A subuid and a subgid file are compared, also with the passwd and
    group files beside them. Nothing is changed without --fix, and --fix changes only what
    cannot change whose ids they are: line ends, white space, hexadecimal and octal written out,
    repeated lines.
    """
    from ...lint.runner import Outcome, Settings, examine
    from ...policies.findings import order
    from ..findings import plural, show, summary

    chosen = [bool(files), this_host, root is not None, container is not None, pid is not None]
    if sum(chosen) != 1:
        raise click.UsageError(
            "name FILEs, or one of --host, --root DIR, --container ID and --pid N"
        )
    if fix and not (files or this_host or root is not None):
        raise click.UsageError("--fix is for files: FILE, --host or --root")
    if this_host:
        root = "/"
    outcome = Outcome()
    subjects: list[object] = []
    if fix:
        from .mending import mend_files, mend_tree

        if root is not None:
            mend_tree(Path(root), ask=not yes)
        else:
            mend_files(files, ask=not yes)
    try:
        if root is not None:
            subjects = [_of_tree(Path(root))]
        elif files:
            subjects = list(_of_files(files, outcome.problems))
        else:
            from .engine import container_pid

            number = container_pid(docker_socket, container) if container is not None else pid
            assert number is not None
            subjects = list(_of_process(number))
    except InputError as error:
        outcome.problems += error.problems
    if policy is not None:
        subjects = [_with_policy(each, policy) for each in subjects]
    settings = Settings.of()
    findings = [
        finding
        for subject in subjects
        for finding in examine(subject, settings)  # type: ignore[arg-type]
    ]
    outcome.findings = order(findings)
    show(outcome, form, {})
    unread = f", {plural(len(outcome.problems), 'problem')}" if outcome.problems else ""
    click.echo(f"checked: {summary(outcome)}{unread}", err=True)
    if outcome.problems:
        return 2
    return 0 if outcome.clean else 1


def _with_policy(subject: object, policy: str) -> object:
    from ...lint.idfiles import HostSubject
    from .hosts import section_of

    section = section_of(policy)
    return replace(subject, policy=section) if isinstance(subject, HostSubject) else subject


def _of_tree(root: Path) -> object:
    from ...lint.load_ids import read_tree
    from .hosts import live_of

    subject = read_tree(root, live_of(root))
    if not subject.files and subject.registry is None and subject.daemon is None:
        raise InputError.of(
            f"there is no etc/subuid and no etc/subgid below `{printable(str(root))}`",
            hint="is it the right --root?",
        )
    return subject


def _of_files(files: Sequence[str], problems: list[Problem]) -> Iterator[object]:
    """The subjects of files: those that belong together as one; what cannot be read, a problem."""
    from ...lint.load_ids import is_map, kind_of, read_beside, read_files, read_map, stem_of

    wanted = [path for path in dict.fromkeys(files) if not is_map(path)]
    kinds = {kind_of(path): path for path in wanted}
    for path in wanted:
        if kind_of(path) is None:
            problems.append(_unknown(path))
    named = [path for path in wanted if kind_of(path) is not None]
    sets = {stem_of(path): path for path in reversed(named)}
    try:
        if len(sets) > 1 and len(named) == len({kind_of(path) for path in named}):
            yield read_files({kind: path for kind, path in kinds.items() if kind is not None})
            named = []
    except InputError as error:
        problems += error.problems
        named = []
    readers = [(read_beside, path) for path in (sets.values() if named else ())]
    for path in dict.fromkeys(files):
        if is_map(path):
            readers.append((read_map, path))  # type: ignore[arg-type]
    for read, path in readers:
        try:
            yield read(path)
        except InputError as error:
            problems += error.problems


def _unknown(path: str) -> Problem:
    return Problem(
        f"cannot tell what `{printable(path)}` is",
        hint="name it subuid, subgid, uid_map or gid_map, or NAME.subuid and so on",
    )


def _of_process(pid: int) -> Iterator[object]:
    """A process's two maps, and its namespace among those that are live."""
    from ...lint.load_ids import read_map, read_tree
    from ...userns.live import live_maps

    process = Path("/proc") / str(pid)
    if not process.exists():
        raise InputError.of(f"there is no process {pid}", hint="see: ps -e")
    for name in ("uid_map", "gid_map"):
        yield read_map(str(process / name))
    try:
        namespace = _namespace(process)
    except OSError:
        click.echo(f"note: process {pid} cannot be compared with others; run as root", err=True)
        return
    live = []
    for each in live_maps():
        try:
            same = _namespace(Path("/proc") / str(each.pid)) == namespace
        except OSError:
            same = False
        live.append(replace(each, pid=pid) if same else each)
    yield replace(read_tree(Path("/"), tuple(live)), focus=pid)


def _namespace(process: Path) -> tuple[int, int]:
    """What tells a process's user namespace from others; raises OSError."""
    status = (process / "ns" / "user").stat()
    return status.st_dev, status.st_ino
