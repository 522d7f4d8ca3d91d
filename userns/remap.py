"""daemon.json with `userns-remap`: the text that its owner wrote, with one entry set.

dockerd(8): the user's ranges of /etc/subuid, in the order of the file, become the one map of
all containers of the daemon.
"""

from __future__ import annotations

import json

from ..policies.errors import TargetError
from ..policies.jsonedit import read_settings, tokens_of, value_of, with_entry
from ..policies.nodes import Kind, ScalarNode
from ..policies.source import Source

KEY = "userns-remap"
_OTHER_MEANING = {
    "default": "dockerd then makes a user `dockremap` and gives it ids by itself",
    "root": "dockerd then turns the map off, and containers are host root",
}


def with_remap(source: Source, user: str) -> str:
    """The settings with containers mapped to a user's ids; unchanged where they are already.

    Raises TargetError for a name that dockerd takes for something else, or settings that map to
    another user; InputError for a file that is no JSON object.
    """
    if user in _OTHER_MEANING:
        raise TargetError.of(
            f"daemon.json: `{KEY}` cannot name the tenant `{user}`: {_OTHER_MEANING[user]}",
            hint="give the tenant another name: dockremap",
        )
    text = source.text
    entry = f'"{KEY}": {json.dumps(user)}'
    if not text.strip():
        return f"{{\n  {entry}\n}}\n"
    settings = read_settings(source)
    tokens = tokens_of(text)
    place = value_of(tokens, settings, KEY)
    if place is None:
        return with_entry(text, tokens, entry)
    value = next(each.value for each in settings.entries if each.key.text == KEY)
    known = isinstance(value, ScalarNode) and value.kind in (Kind.TEXT, Kind.NULL)
    name = value.text if isinstance(value, ScalarNode) and value.kind is Kind.TEXT else ""
    if known and name == user:
        return text
    if not known or name:
        raise TargetError.of(
            f"daemon.json: `{KEY}` is set already, to something else than `{user}`",
            value.at,
            "with another map dockerd no longer shows the images and containers that it has; "
            "remove the entry first where that is meant",
        )
    first, last = place
    return text[: tokens[first].begin] + json.dumps(user) + text[tokens[last].end :]
