"""daemon.json as text that its owner wrote: one entry of `authorization-plugins` in or out.

Everything else stays as it stands, byte for byte.
"""

from __future__ import annotations

from ..policies.errors import InputError
from ..policies.jsonedit import cut, read_settings, tokens_of, value_of, with_entry
from ..policies.nodes import Kind, MappingNode, ScalarNode, SequenceNode
from ..policies.source import Source

KEY = "authorization-plugins"


def listed_plugins(settings: MappingNode) -> list[ScalarNode]:
    """The entries of `authorization-plugins`; raises InputError when it is no list of names."""
    node = next((each.value for each in settings.entries if each.key.text == KEY), None)
    if node is None or (isinstance(node, ScalarNode) and node.kind is Kind.NULL):
        return []
    if not isinstance(node, SequenceNode):
        raise InputError.of(f"`{KEY}` must be a list of names", node.at)
    names = [each for each in node.items if isinstance(each, ScalarNode)]
    if len(names) < len(node.items) or any(each.kind is not Kind.TEXT for each in names):
        raise InputError.of(f"`{KEY}` must be a list of names", node.at)
    return names


def with_plugin(source: Source, name: str) -> str:
    """The text with the plugin named last, unchanged when it is named already.

    Raises InputError for a file that cannot be changed safely.
    """
    text = source.text
    if not text.strip():
        return f'{{\n  "{KEY}": ["{name}"]\n}}\n'
    settings = read_settings(source)
    if any(each.text == name for each in listed_plugins(settings)):
        return text
    tokens = tokens_of(text)
    value = value_of(tokens, settings, KEY)
    if value is None:
        return with_entry(text, tokens, f'"{KEY}": ["{name}"]')
    first, last = value
    if tokens[first].text != "[":  # null
        return text[: tokens[first].begin] + f'["{name}"]' + text[tokens[first].end :]
    before = tokens[last - 1]
    if before.text == "[":
        return text[: before.end] + f'"{name}"' + text[tokens[last].begin :]
    gap = text[tokens[last - 2].end : before.begin] if last - first > 2 else ""
    apart = gap if "\n" in gap else " "
    if last - first == 2 and "\n" in text[tokens[first].end : before.begin]:
        apart = text[tokens[first].end : before.begin]
    return f'{text[: before.end]},{apart}"{name}"{text[before.end :]}'


def without_plugin(source: Source, name: str) -> str:
    """The text without the plugin, and without the key when no plugin is left."""
    text = source.text
    if not text.strip():
        return text
    settings = read_settings(source)
    names = [each.text for each in listed_plugins(settings)]
    if name not in names:
        return text
    tokens = tokens_of(text)
    value = value_of(tokens, settings, KEY)
    assert value is not None
    first, last = value
    if set(names) == {name}:
        return cut(text, tokens, first - 2, last)
    inside = [at for at in range(first + 1, last) if tokens[at].text not in (",",)]
    at = inside[names.index(name)]
    return without_plugin(Source(source.name, cut(text, tokens, at, at)), name)
