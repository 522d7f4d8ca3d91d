"""`stockade authz explain`."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from collections.abc import Sequence

import click

from ...authz.curl import is_request, read_curl, read_request
from ...authz.dockercli import Api, ApiRequest, api_requests
from ...authz.model import Identity
from ...authz.world import Judged, World
from ...policies.errors import InputError
from ...policies.source import Location, printable
from .loading import Here, Ready, make_ready, read_subject

_WIDTH = 80
_ID = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
_CONFINEMENT = "has what the rule does not permit"
"""How reasons.rego begins to say that an existing container is confined too little."""

_EPILOG = """\b
Examples:
  stockade authz explain web.yaml docker run --privileged -v /:/h alpine sh
  stockade authz explain web.yaml --as cn=alice,ou=ops \\
      --given "run -d --name web nginx" docker exec web sh
  stockade authz explain web.yaml --body create.json POST /containers/create
  stockade authz explain web.yaml curl -X DELETE http://x/v1.44/containers/web

\b
Exit status: 0 allowed, 1 denied, 2 not understood.
"""


class _Command(click.Command):
    """Options end where the docker command, curl or the request begins, also without `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for at, word in enumerate(args):
            if word == "--":
                break
            if at and (word in ("docker", "curl") or is_request([word])):
                args = [*args[:at], "--", *args[at:]]
                break
        return super().parse_args(ctx, args)


@click.command("explain", cls=_Command, epilog=_EPILOG)
@click.argument("policy")
@click.option("--as", "subject", metavar="NAMES", help="Who asks: cn=alice,ou=ops,san=DNS:x.")
@click.option("--local", is_flag=True, help="The unix socket asks. The default.")
@click.option(
    "--given", multiple=True, metavar="COMMAND",
    help="A docker command that the same subject ran before; repeatable.",
)  # fmt: skip
@click.option("--body", metavar="FILE|-", help="The body of a request written METHOD /PATH.")
@click.option(
    "--api", "version", default="1.44", show_default=True, metavar="V",
    help="The version of the API that docker speaks.",
)  # fmt: skip
@click.option(
    "--client", default=28, type=click.IntRange(20, 29), show_default=True,
    help="The major version of docker that is imitated.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("words", nargs=-1, required=True, metavar="WORDS...")
def command(
    policy: str,
    subject: str | None,
    local: bool,
    given: tuple[str, ...],
    body: str | None,
    version: str,
    client: int,
    as_json: bool,
    words: tuple[str, ...],
) -> int:
    """Say what POLICY decides about a docker command line or a request, and why.

    WORDS are `docker run ...`, `curl ...`, or a method and a path. A docker command is taken
    apart into the requests that docker sends, each decided as if those before it were allowed.
    Nothing is asked of an engine: what exists is what --given has made.
    """
    identity = read_subject(subject, local)
    api, here = Api(version, client), Here()
    requests = read_words(words, api, here, body)
    before = [read_words(shlex.split(text), api, here, None) for text in given]
    ready = make_ready(policy)
    with World(ready.rules) as world:
        for text, each in zip(given, before, strict=True):
            _warn(text, world.judge_all(each, identity))
        found = world.judge_all(requests, identity)
    if as_json:
        click.echo(json.dumps([_document(each, ready) for each in found], indent=2))
    else:
        _print(shlex.join(words), identity, found, ready)
    return 0 if all(each.allow for each in found) else 1


def read_words(
    words: Sequence[str], api: Api, here: Here, file: str | None, body: str | None = None
) -> tuple[ApiRequest, ...]:
    """The requests that the words mean, a plain one with the body of a file or this body.

    Raises InputError.
    """
    if is_request(words):
        return (read_request(words, body if file is None else here.read(file)),)
    if file is not None or body is not None:
        raise InputError.of("`--body` goes with a request written METHOD /PATH")
    if words[:1] and words[0] == "curl":
        return (read_curl(words, here),)
    return api_requests(words, api, here)


def _warn(given: str, found: Sequence[Judged]) -> None:
    """Say where the world is not what --given would make of a real one."""
    for each in found:
        if each.allow:
            continue
        what = "counts as made" if each.canonical is not None else "made nothing"
        why = _ID.sub(r"\1", next(iter(each.reasons), each.code))
        text = printable(f"--given `{given}` would be denied and {what}: {why}")
        click.echo(_wrapped(text, "note: ", "      "), err=True)
        return


def _print(asked: str, identity: Identity, found: Sequence[Judged], ready: Ready) -> None:
    names = next((each.verdict.subjects for each in found if each.verdict is not None), None)
    who = identity.principal
    if names is not None:  # rules were asked at all
        who += f" ({', '.join(names) or 'no subject of the policy'})"
    click.echo(_wrapped(f"{printable(asked)}, asked by {printable(who)}", "", "  "))
    shown: set[tuple[str, ...]] = set()
    refused: set[str] = set()
    for each in found:
        click.echo()
        click.echo(_headline(each))
        if each.request.note:
            click.echo(_wrapped(f"sent {each.request.note}", "    ", "    "))
        for line in _reasoning(each, ready, refused):
            click.echo(line)
        if each.creates is not None and not each.allow:
            refused.add(each.creates)
        if each.unknown and not each.allow and each.unknown not in shown:
            shown.add(each.unknown)
            names_ = ", ".join(f"`{printable(name)}`" for name in each.unknown)
            text = f"nothing is known here of {names_}; --given says who made it, and how"
            click.echo(_wrapped(text, "    note: ", "          "))
    denied = sum(not each.allow for each in found)
    total = len(found)
    summary = f"{denied} of {total} denied" if total > 1 else "denied" if denied else "allowed"
    click.echo(f"\n{summary if denied or total == 1 else f'all {total} allowed'}")


def _headline(each: Judged) -> str:
    word = "allowed" if each.allow else "DENIED "
    target = _short(printable(each.request.target))
    operation = each.canonical.operation if each.canonical is not None else each.code
    line = f"  {word}  {each.request.method} {target}"
    room = _WIDTH - len(operation) - 1
    if len(line) > room:
        line = f"{line[: room - 1]}…"
    return f"{line:{room}} {operation}"


def _short(target: str) -> str:
    """Without the version and the query, ids cut as docker shows them."""
    path = target.partition("?")[0]
    parts = path.split("/")
    if len(parts) > 1 and parts[1][:1] == "v" and parts[1][1:2].isdigit():
        parts = ["", *parts[2:]]
    return "/".join(part[:12] if len(part) == 64 else part for part in parts)


def _reasoning(each: Judged, ready: Ready, refused: set[str]) -> list[str]:
    if each.allow:
        rule = each.verdict.rule if each.verdict is not None else None
        at = ready.place(rule)
        place = f" at {_place(at)}" if at is not None else ""
        return [_wrapped(f"by {rule}{place}", "    ", "      "), *_source(at)]
    lines = []
    places: list[Location] = []
    reasons = [text for text in each.reasons if not _as_above(text, refused)]
    if len(reasons) < len(each.reasons):
        lines.append("    what it is about was denied above")
    for reason in reasons:
        lines.append(_wrapped(printable(_ID.sub(r"\1", reason)), "    ", "      "))
        at = ready.named_in(reason)
        if at is not None and at not in places:
            places.append(at)
    for at in places:
        lines += _source(at)
    verdict = each.verdict
    if reasons and not places and verdict and not verdict.rule and each.canonical is not None:
        who = ", ".join(verdict.subjects) or "NAME"  # no rule, and not `rego.deny`
        rule = f"- {{allow: [{each.canonical.operation}], subjects: [{who}]}}"
        lines.append(_wrapped(f"a rule such as {rule} would be needed", "    help: ", "          "))
    return lines


def _as_above(reason: str, refused: set[str]) -> bool:
    """Whether a reason says once more why the thing itself was denied."""
    return _CONFINEMENT in reason and any(id_ in reason for id_ in refused)


def _place(at: Location) -> str:
    return f"{printable(at.source.name)}:{at.line}"


def _source(at: Location | None) -> list[str]:
    """The rule's own line."""
    if at is None:
        return []
    line = printable(at.source.line(at.line).strip().replace("\t", " "))
    head = f"      {at.line} | "
    return [head + (line if len(head + line) <= _WIDTH else f"{line[: _WIDTH - len(head) - 1]}…")]


def _wrapped(text: str, first: str, rest: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )


def _document(each: Judged, ready: Ready) -> dict[str, object]:
    rule = each.verdict.rule if each.verdict is not None else None
    at = ready.place(rule)
    return {
        "method": each.request.method,
        "target": each.request.target,
        "operation": each.canonical.operation if each.canonical is not None else None,
        "note": each.request.note or None,
        "allow": each.allow,
        "code": each.code,
        "rule": rule,
        "decided_at": None if at is None else f"{at.source.name}:{at.line}",
        "reasons": list(each.reasons),
        "subjects": list(each.verdict.subjects) if each.verdict is not None else [],
        "unknown": list(each.unknown),
        "input": each.document,
    }
