"""The policy language: source positions, loader, model, conditions, findings.

The names below come from their modules when they are first asked for, so that a program that
needs only the model does not pay for the loader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .calls import parse_call
    from .catalog import Group, groups, library_names
    from .conditions import parse_condition
    from .loader import Loaded, load, load_text
    from .problems import arrange, suggest

__all__ = [
    "Group",
    "Loaded",
    "arrange",
    "groups",
    "library_names",
    "load",
    "load_text",
    "parse_call",
    "parse_condition",
    "suggest",
]

_HOME = {
    "Group": "catalog",
    "Loaded": "loader",
    "arrange": "problems",
    "groups": "catalog",
    "library_names": "catalog",
    "load": "loader",
    "load_text": "loader",
    "parse_call": "calls",
    "parse_condition": "conditions",
    "suggest": "problems",
}


def __getattr__(name: str) -> object:
    """Loads the module a re-exported name lives in."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
