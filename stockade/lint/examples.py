"""Examples of files of a host: the text that the pages show, and back.

Several files are shown as head(1) does, each under its name. A last line without line feed is
followed by diff(1)'s words, a carriage return is `^M`.
"""

from __future__ import annotations

from collections.abc import Mapping

_UNENDED = "\\ No newline at end of file"


def is_files(text: str) -> bool:
    """Whether an example is one of files, and no policy or profile."""
    return text.startswith("==> ")


def shown(files: Mapping[str, str]) -> str:
    """The example that shows these files."""
    parts = []
    for name, text in files.items():
        text = text.replace("\r", "^M")
        ended = text.endswith("\n") or not text
        parts.append(f"==> {name} <==\n{text}" + ("" if ended else f"\n{_UNENDED}\n"))
    return "".join(parts)


def read(text: str) -> dict[str, str]:
    """The files of an example, by name."""
    files: dict[str, str] = {}
    for part in text.split("==> ")[1:]:
        name, _, content = part.partition(" <==\n")
        files[name] = content.replace("^M", "\r").removesuffix(f"\n{_UNENDED}\n")
    return files


def subuid(*lines: str) -> str:
    """The example of a subuid file of these lines."""
    return shown({"subuid": "".join(f"{line}\n" for line in lines)})


def map_text(*lines: str) -> str:
    """The example of a uid_map of these lines."""
    return shown({"uid_map": "".join(f"{line}\n" for line in lines)})
