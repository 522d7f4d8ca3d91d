"""Lists and patterns of the `authz` section, matched letter by letter, for the oracle of tests."""

from collections.abc import Callable, Collection, Iterable, Mapping

from stockade.policies.authz_model import Keyed, Words


def glob(pattern: str, text: str) -> bool:
    """`*` is any run of characters without `/`, `**` any run."""
    places = {0}
    rest = pattern
    while rest:
        if rest.startswith("**"):
            places = set(range(min(places, default=0), len(text) + 1)) if places else places
            rest = rest[2:]
            continue
        if rest.startswith("*"):
            places = {end for start in places for end in _run(text, start)}
        else:
            places = {place + 1 for place in places if text[place : place + 1] == rest[0]}
        rest = rest[1:]
    return len(text) in places


def _run(text: str, start: int) -> Iterable[int]:
    yield start
    for place in range(start, len(text)):
        if text[place] == "/":
            return
        yield place + 1


def path_glob(pattern: str, path: str) -> bool:
    """The same of components: `*` is exactly one, `**` one or more."""
    if "/" in (pattern, path):
        return pattern == path
    if not path.startswith("/"):
        return False
    return _components(pattern.split("/")[1:], path.split("/")[1:])


def _components(wanted: list[str], given: list[str]) -> bool:
    if not wanted or not given:
        return wanted == given
    if wanted[0] == "**":
        ends = range(1, len(given) + 1)
        return any(all(given[:end]) and _components(wanted[1:], given[end:]) for end in ends)
    if wanted[0] == "*":
        return given[0] != "" and _components(wanted[1:], given[1:])
    return glob(wanted[0], given[0]) and _components(wanted[1:], given[1:])


def user_glob(pattern: str, text: str) -> bool:
    """Without a group in the pattern any group will do."""
    if glob(pattern, text):
        return True
    colons = [place for place, char in enumerate(text) if char == ":"]
    return ":" not in pattern and any(
        glob(pattern, text[:place]) and "/" not in text[place:] for place in colons
    )


def exactly(pattern: str, text: str) -> bool:
    """No wildcards."""
    return pattern == text


def listed(
    words: Words | None,
    text: str | None,
    default: Collection[str] = (),
    match: Callable[[str, str], bool] = glob,
) -> bool:
    """Whether a list permits a text; without a list only the default is permitted."""
    text = text or ""
    if words is None:
        return text in default
    if words.any or (text == "" and "default" in words.special):
        return True
    return any(match(name.text, text) for name in words.items)


def named(words: Words | None, name: str, default: Collection[str] = ()) -> bool:
    """The same of plain names, special words among them."""
    if words is None:
        return name in default
    return words.any or name in words.special or name in {item.text for item in words.items}


def keyed(pairs: Keyed | None, options: Mapping[str, str]) -> bool:
    """Whether every option may be there with its value."""
    if pairs is not None and pairs.any:
        return True
    values = {key.text: words for key, words in pairs.entries} if pairs is not None else {}
    return all(listed(values.get(key), value) for key, value in options.items())


def labelled(wanted: Keyed | None, labels: Mapping[str, str]) -> bool:
    """Whether every label that is asked for is there with one of its values."""
    pairs = wanted.entries if wanted is not None else ()
    return all(key.text in labels and listed(words, labels[key.text]) for key, words in pairs)


# --- paths --------------------------------------------------------------------------------


def parts(path: str) -> list[str]:
    """The components of a path."""
    return [part for part in path.split("/") if part not in ("", ".")]


def apart(path: str, protected: Iterable[str]) -> bool:
    """Neither one of the protected paths nor below nor above one."""
    mine = parts(path)
    others = [parts(other) for other in protected]
    return not any(mine[: len(other)] == other[: len(mine)] for other in others)
