"""Where a secret stands in a text: after a name that sounds like one, or in a URL.

Whoever asks can write a text that is looked through for long, and meanwhile the worker answers
nobody else. So time is in proportion to the text: repetitions are possessive (`++`), and a name
is looked at once, from where it begins; and what is longer than a line of the log is cut first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_SOUNDS_SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key|"
    r"signing|unlock[-_.]?key|authorization|cookie|"
    r"(?:^|[-_.])(?:pass|pwd|auth)$|^-{0,2}key$|^x-registry|^buildargs$",
    re.IGNORECASE,
)

LONGEST = 65_536
"""Characters of a text that are looked at; the rest is not shown."""

_LONGEST_NAME = 256
"""Characters of a name that are looked at."""

_SCHEME = r"(?:(?:bearer|basic|digest|token)\s++)?+"
_QUOTED = r"\"[^\"]*+\"?+|'[^']*+'?+"
"""To the end of the text, where that is cut off."""
_IS = re.compile(r"(?<![\w.-])([\w.-]++)[\"']?+\s*+[=:]\s*+")
"""`password=`, `"token": `, `Authorization: `; what follows is the value."""
_GIVEN = re.compile(r"(?<![\w.-])(--?[\w.-]++)[\"',\s]++")
"""`--password `, also in a JSON list of words."""
_VALUE = re.compile(rf"{_QUOTED}|{_SCHEME}[^\s,;&\"']++", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer\s++)[^\s,;&\"']++", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?<=://)[^\s\"'<>]++")
_HOST = re.compile(r"(?:[^:\[\]]*+|\[[^\]]*+\])(?::[0-9]*+)?\Z")

_ATTACHED = re.compile(r"(?:.*/)?(?:mysql|mariadb|sshpass|7z)")
"""Programs of which `-pWORD` is a password."""
_SHORT = {"-p": ""}
"""Options of one letter that mean a password often enough; of these programs only, where named."""
_SHORT_OF = (("redis-cli", "-a"), ("ldap", "-w"))
_PERSONS = frozenset({"-u", "--user", "--proxy-user", "-U"})
_NUMBERS = re.compile(r"[0-9]+:[0-9]+\Z")
_WHOLE = re.compile(r"-{0,2}([\w.-]++)\s*+[=:]")


def sounds_secret(name: str) -> bool:
    """Whether what goes by this name should not be in a log."""
    return _SOUNDS_SECRET.search(name, 0, _LONGEST_NAME) is not None


def hide(text: str, mark: str) -> str:
    """The text without user:password@ of URLs, and without values of names that sound secret."""
    text = _bounded(text)
    if "://" in text:
        clean = _AUTHORITY.sub(lambda found: _without_user(found[0], mark), text)
        text = text if clean == text else clean
    if "=" in text or ":" in text:
        text = _without_values(text, _IS, sounds_secret, mark)
    return text


def hide_in_command(words: Sequence[object], mark: str) -> list[object]:
    """The words of a command line, whole scripts among them, without what sounds secret.

    What follows `-p` is a port or a path as often as a password; it is not shown either.
    """
    result: list[object] = []
    program = next((word for word in words if type(word) is str), "")
    before = ""
    for word in words:
        if type(word) is not str:
            result.append(word)
            continue
        result.append(_word(word, before, program, mark))
        before = word
    return result


def hide_instruction(text: str, mark: str) -> str:
    """An instruction of a Dockerfile: of ENV only the first name is left."""
    keyword, _, rest = _bounded(text).strip().partition(" ")
    if keyword.upper() in ("ENV", "ARG"):
        name = re.split(r"[=\s]", rest.strip(), maxsplit=1)[0]
        return f"{keyword} {name}={mark}"
    return _script(text, mark)


def _bounded(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… (+{len(text) - LONGEST})"


def _word(word: str, before: str, program: str, mark: str) -> str:
    word = _bounded(word)
    if before.startswith("-") and "=" not in before and not word.startswith("-"):
        if _means_secret(before, program):
            return mark
        if before in _PERSONS and ":" in word and not _NUMBERS.match(word):
            return f"{word.partition(':')[0]}:{mark}"
    if word.startswith("-p") and len(word) > 2 and _ATTACHED.match(program):
        return f"-p{mark}"
    whole = _WHOLE.match(word)
    if whole and sounds_secret(whole[1]) and "://" not in word:
        return word[: whole.end()] + mark
    return _script(word, mark)


def _means_secret(option: str, program: str) -> bool:
    if option in _SHORT:
        return True
    if len(option) > _LONGEST_NAME:
        return False
    name = program.rpartition("/")[2]
    if any(name.startswith(of) and option == short for of, short in _SHORT_OF):
        return True
    return sounds_secret(option.lstrip("-")) and len(option) > 2


def _script(text: str, mark: str) -> str:
    """A text that may hold command lines of its own."""
    text = hide(text, mark)
    if "-" in text:
        program = text.lstrip().partition(" ")[0]
        text = _without_values(text, _GIVEN, lambda option: _means_secret(option, program), mark)
    return _BEARER.sub(rf"\1{mark}", text) if "earer" in text.lower() else text


def _without_values(
    text: str, names: re.Pattern[str], is_secret: Callable[[str], bool], mark: str
) -> str:
    """The text with the mark in place of each value that follows a secret name."""
    parts: list[str] = []
    kept = at = 0
    while (found := names.search(text, at)) is not None:
        at = found.end()
        value = _VALUE.match(text, at) if is_secret(found[1]) else None
        if value is not None:
            quote = value[0][0] if value[0][0] in "\"'" else ""
            parts += [text[kept:at], quote, mark, quote]
            kept = at = value.end()
    return "".join([*parts, text[kept:]]) if parts else text


def _without_user(rest: str, mark: str) -> str:
    """What follows `://` without the user of its authority.

    A password with a `/` in it ends the authority too early, and a text that is cut has no `@`;
    a port that is no number shows that.
    """
    end = min((at for char in "/?#" if (at := rest.find(char)) >= 0), default=len(rest))
    authority = rest[:end]
    if "@" in authority:
        return f"{mark}@{authority.rpartition('@')[2]}{rest[end:]}"
    if _HOST.match(authority):
        return rest
    return f"{mark}@{rest.rpartition('@')[2]}" if "@" in rest else mark
