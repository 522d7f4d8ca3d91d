"""A SeccompProfile resource -> the localhost file that the Security Profiles Operator writes of it.

The operator copies the fields of `spec`; an errnoRet of 0 counts as none there.
"""

from __future__ import annotations

import json

import yaml

from ..policies.errors import InputError
from ..policies.problems import Report
from ..policies.source import Source
from ..policies.yamltext import parse_yaml

_KIND = "SeccompProfile"


def is_operator_text(text: str) -> bool:
    """Whether a YAML text is such a resource."""
    return f"\nkind: {_KIND}\n" in f"\n{text}"


def read_operator(source: Source) -> Source:
    """The JSON text of the localhost file; raises InputError when this is no such resource."""
    report = Report()
    parse_yaml(source, report)  # which refuses doubles, anchors and several documents
    if report.problems:
        raise InputError(report.arranged())
    try:
        document = yaml.safe_load(source.text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: dates and numbers out of range
        raise InputError.of(f"{source.name}: no YAML: {' '.join(str(error).split())}") from error
    spec = document.get("spec") if isinstance(document, dict) else None
    if not isinstance(spec, dict) or document.get("kind") != _KIND:
        raise InputError.of(f"{source.name}: no {_KIND} with a `spec`")
    entries = spec.get("syscalls") or []
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("errnoRet") == 0:
            del entry["errnoRet"]
    return Source(source.name, json.dumps(spec, indent=1, default=str))
