"""Rules that need themselves, found in regorus' syntax trees.

OPA refuses recursion; regorus evaluates it until its stack ends, and the process with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..model import Json

_ANYTHING = "[]"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's full name, where it stands, and the full names that it may need."""

    name: str
    file: str
    line: int
    needs: frozenset[str]
    """What begins with one of these, or is the beginning of one, may be needed."""


def rules(trees: Json) -> list[Rule]:
    """The rules of modules, given `Engine.get_ast_as_json()`."""
    return [rule for tree in trees for rule in _of_module(tree)]


def recursive(found: Iterable[Rule]) -> list[Rule]:
    """Those that may need themselves, directly or by way of others."""
    known = list(found)
    graph: dict[str, set[str]] = {}
    for rule in known:
        needed = {other.name for other in known if any(_may_be(other.name, n) for n in rule.needs)}
        graph.setdefault(rule.name, set()).update(needed)
    return [rule for rule in known if rule.name in _reached(graph, rule.name)]


def _reached(graph: Mapping[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph.get(name, ())
    return seen


def _may_be(rule: str, needed: str) -> bool:
    return f"{rule}.".startswith(f"{needed}.") or f"{needed}.".startswith(f"{rule}.")


def _of_module(tree: Json) -> Iterator[Rule]:
    ast, file = tree["ast"], tree["source"]["file"]
    package = "data." + ".".join(_path(ast["package"]["refr"]))
    aliases = dict(_imports(ast["imports"]))
    for rule in ast["rules"]:
        for head, span in _heads(rule):
            path = _path(head)
            body = rule.get("Spec") or rule["Default"]["value"]
            needs = {_full(each, package, aliases) for each in _references(body)}
            yield Rule(_full(path, package, {}), file, span["line"], frozenset(needs))


def _imports(imports: Json) -> Iterator[tuple[str, str]]:
    for each in imports:
        path = _path(each["refr"])
        alias = each.get("as")
        name = alias[-1] if isinstance(alias, list) else path[-1]
        if path[0] == "data":
            yield name, ".".join(path)


def _full(path: tuple[str, ...], package: str, aliases: Mapping[str, str]) -> str:
    if _ANYTHING in path:
        path = path[: path.index(_ANYTHING)]
    first, rest = path[0], path[1:]
    if first == "data":
        return ".".join(path)
    return ".".join([aliases.get(first, f"{package}.{first}"), *rest])


def _heads(rule: Json) -> Iterator[tuple[Json, Json]]:
    """The reference that a rule defines, with its span."""
    inner = rule.get("Spec") or rule.get("Default") or {}
    head = inner.get("head")
    if isinstance(head, dict):
        for form in head.values():
            yield form["refr"], inner["span"]
    elif "refr" in inner:
        yield inner["refr"], inner["span"]


def _path(node: Json) -> tuple[str, ...]:
    """The names of a chain `a.b["c"][x]`, with _ANYTHING for what is not written out."""
    kind, inner = next(iter(node.items()))
    if kind == "Var":
        return (_text(inner["value"]),)
    if kind == "RefDot":
        return (*_path(inner["refr"]), _text(inner["field"][-1]))
    if kind == "RefBrack":
        index = inner["index"]
        if "String" in index:
            return (*_path(inner["refr"]), _text(index["String"]["value"]))
        return (*_path(inner["refr"]), _ANYTHING)
    return ()


def _references(node: Json) -> Iterator[tuple[str, ...]]:
    """Every chain of names in a tree, the outermost of each only."""
    if isinstance(node, list):
        for each in node:
            yield from _references(each)
        return
    if not isinstance(node, dict):
        return
    for key, inner in node.items():
        if key in ("Var", "RefDot", "RefBrack"):
            path = _path({key: inner})
            if path and path[0] != _ANYTHING:
                yield path
            yield from _inside(key, inner)
        elif key == "head":
            yield from _in_head(inner)
        else:
            yield from _references(inner)


def _inside(kind: str, inner: Json) -> Iterator[tuple[str, ...]]:
    """What stands in the brackets of a chain, and what it is a chain of."""
    while kind in ("RefDot", "RefBrack"):
        if kind == "RefBrack":
            yield from _references(inner["index"])
        kind, inner = next(iter(inner["refr"].items()))
    if kind != "Var":
        yield from _references({kind: inner})


def _in_head(head: Json) -> Iterator[tuple[str, ...]]:
    """What a head needs besides the name that it defines: its value, its key, its arguments."""
    for form in head.values():
        for key, inner in form.items():
            if key != "refr":
                yield from _references(inner)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else str(value)
