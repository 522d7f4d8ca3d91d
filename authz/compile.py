"""The `authz` section -> data for the shipped Rego, and the OPA bundle of both.

Authz ─policy_data─► data.stockade.policy ─┬─ bundle ─► NAME.opa.tar.gz
                                           └─ an engine in this process
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..policies.authz_model import Authz
from ..policies.errors import InputError
from ..policies.problems import Report, arrange
from ..policies.reading import read_source
from .check import check
from .model import Json
from .protected import PROTECTED
from .section_data import rules_data

DATA_LANGUAGE = 1
"""The version of the data's form."""
REGO = Path(__file__).parent / "rego"
"""The shipped modules; those that end in _test.rego are not shipped."""


def policy_data(authz: Authz, name: str, protected: Iterable[str] = PROTECTED) -> dict[str, Json]:
    """`data.stockade.policy` of the policy with this name; docs/authz.md describes it.

    Raises InputError with everything that `check` finds wrong.
    """
    problems = check(authz)
    if problems:
        raise InputError(arrange(problems))
    rules = rules_data(authz, Report())
    paths = sorted(set(protected))
    return revised({"language": DATA_LANGUAGE, "name": name, **rules, "protected": paths})


def revised(data: Mapping[str, Json]) -> dict[str, Json]:
    """The data with its revision: a SHA-256 of everything else in it, in hex."""
    rest = {key: value for key, value in data.items() if key != "revision"}
    return {**rest, "revision": hashlib.sha256(canonical(rest)).hexdigest()}


def canonical(value: Json) -> bytes:
    """One spelling for equal JSON values: sorted keys, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


# --- bundles ----------------------------------------------------------------------------


def shipped_modules(directory: Path = REGO) -> dict[str, str]:
    """The shipped Rego by name, sorted, without its tests."""
    paths = sorted(directory.rglob("*.rego"))
    return {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
        for path in paths
        if not path.name.endswith("_test.rego")
    }


def extra_modules(authz: Authz) -> dict[str, str]:
    """The user's own Rego by its path as written; raises InputError with what cannot be read."""
    report, found = Report(), {}
    for name in authz.rego:
        try:
            found[name.text] = read_source(authz.directory / name.text).text
        except InputError as error:
            for problem in error.problems:
                report.add(problem.message, problem.at or name.at, problem.hint)
    if report.problems:
        raise InputError(report.arranged())
    return found


def bundle(data: Mapping[str, Json], extra: Mapping[str, str], directory: Path = REGO) -> bytes:
    """An OPA bundle (tar.gz) of policy data, shipped and extra Rego; equal input, equal bytes."""
    manifest = {"revision": data["revision"], "roots": ["stockade"], "rego_version": 1}
    files = {
        ".manifest": _document(manifest),
        "data.json": _document({"stockade": {"policy": data}}),
        **{f"stockade/{name}": text.encode() for name, text in shipped_modules(directory).items()},
    }
    for index, text in enumerate(extra.values()):
        files[f"extra/{index:03}.rego"] = text.encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), mtime=0)


def compile_bundle(authz: Authz, name: str) -> bytes:
    """The bundle of a policy; raises InputError."""
    return bundle(policy_data(authz, name), extra_modules(authz))


def _document(value: Json) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode("ascii") + b"\n"
