"""`stockade audit log`."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Any

import click

from ...policies.errors import InputError
from ...policies.source import printable

_EPILOG = """\b
Examples:
  stockade audit log --verify /var/log/stockade/authz.log
  stockade audit log --verify authz.log --state last-seen.json
  stockade audit log --verify authz.log --expect-last 9f86d081884c7d65...

\b
What a chain alone cannot show: that lines at its end were cut off, or that all
lines after some point were written anew, by somebody who can write the file.
Keep the last hash elsewhere (the service's /healthz shows it) and give it to
--expect-last, or let --state keep it on another machine.

\b
Exit status: 0 the log is as it was written, 1 it is not, 2 it cannot be
read.
"""


@click.command("log", epilog=_EPILOG)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--verify", "verify_", is_flag=True, help="Check the chain of hashes.")
@click.option(
    "--expect-last", "expect", metavar="HASH",
    help="A record's hash seen before: it must be in the log.",
)  # fmt: skip
@click.option(
    "--state", metavar="FILE",
    help="Read the expected hash from FILE if it is there; write the last one to it when the "
    "log is sound.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(
    paths: tuple[str, ...], verify_: bool, expect: str | None, state: str | None, form: str
) -> int:
    """Verify that a decision log is as it was written.

    PATH is the log; its older files beside it (PATH.1, PATH.2.gz) are verified with it, as one
    chain. Several PATHs are taken as they are, the oldest first.
    """
    if not verify_:
        raise click.UsageError("say what to do with the log: --verify")
    from ...authz.log_verify import files_of, verify

    anchor = _anchor(expect, state)
    files = [Path(each) for each in paths] if len(paths) > 1 else files_of(Path(paths[0]))
    report = verify(files, anchor)
    if form == "json":
        click.echo(json.dumps(_document(report), indent=2))
    else:
        for flaw in report.flaws:
            place = f"{printable(flaw.file)}:{flaw.line}" if flaw.line else printable(flaw.file)
            click.echo(f"{place}: error: {printable(flaw.message)} [{flaw.code}]")
        if report.more:
            click.echo(f"and {report.more} more")
    click.echo(_summary(report), err=True)
    if not report.sound:
        return 1
    if state is not None and report.last is not None:
        _write(Path(state), {"seq": report.last.seq, "hash": report.last.hash})
    return 0


def _anchor(expect: str | None, state: str | None) -> str | None:
    """The hash that must be there."""
    if expect is not None and state is not None:
        raise click.UsageError("give --expect-last or --state, not both")
    if state is not None and Path(state).exists():
        path = Path(state)
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError.of(f"`{state}` is no regular file")
        try:
            expect = json.loads(path.read_bytes()[:4096])["hash"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError.of(f"`{state}` is no state file of `audit log`") from error
    if expect is None:
        return None
    if not isinstance(expect, str) or re.fullmatch("[0-9a-f]{64}", expect) is None:
        raise InputError.of(
            "the expected hash is not 64 hexadecimal digits", hint="it is `chain.hash` of a record"
        )
    return expect


def _summary(report: Any) -> str:
    files = f"{len(report.files)} file{'' if len(report.files) == 1 else 's'}"
    text = f"{report.lines} lines in {files}"
    if report.last is not None:
        text += f", records {report.first} to {report.last.seq}, last hash {report.last.hash}"
    if report.first:
        text += f"; records before {report.first} are in older files that were not given"
    if report.after_anchor is not None:
        text += f"; {report.after_anchor} after the expected one"
    count = len(report.flaws) + report.more
    return f"{text}: {f'{count} found' if count else 'as it was written'}"


def _document(report: Any) -> dict[str, Any]:
    last = report.last
    return {
        "version": 1,
        "sound": report.sound,
        "files": report.files,
        "lines": report.lines,
        "first": report.first,
        "last": None if last is None else {"seq": last.seq, "hash": last.hash},
        "after_expected": report.after_anchor,
        "findings": [
            {"id": each.code, "file": each.file, "line": each.line, "message": each.message}
            for each in report.flaws
        ],
        "more": report.more,
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    """Atomically, mode 0600."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as stream:
            json.dump(document, stream)
            stream.write("\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
