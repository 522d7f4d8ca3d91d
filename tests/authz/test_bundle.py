"""The OPA bundle: what is in it, that it is always the same, and that OPA decides by it."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

from authz_samples import document, person

from stockade.authz.compile import bundle, compile_bundle, policy_data, shipped_modules
from stockade.policies import load_text

HEAD = "stockade: 1\nname: ci\nauthz:\n  subjects: {ci: {ou: builders}}\n  rules:\n"


def members(content: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        for entry in tar:
            file = tar.extractfile(entry)
            assert file is not None
            assert (entry.mtime, entry.uid, entry.mode) == (0, 0, 0o644)
            found[entry.name] = file.read()
    return found


def test_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "a.rego").write_text("package shipped\n")
    (tmp_path / "a_test.rego").write_text("package shipped_test\n")
    authz = load_text(HEAD + "    - {allow: image.list, subjects: ci}\n").require().authz
    assert authz is not None
    data = policy_data(authz, "ci")
    content = bundle(data, {"./mine.rego": "package stockade.extra\n"}, tmp_path)
    assert content == bundle(dict(reversed(data.items())), {"x.rego": "package stockade.extra\n"},
                             tmp_path)  # fmt: skip
    found = members(content)
    assert list(found) == [".manifest", "data.json", "stockade/a.rego", "extra/000.rego"]
    assert json.loads(found["data.json"]) == {"stockade": {"policy": data}}
    manifest = json.loads(found[".manifest"])
    assert manifest == {"revision": data["revision"], "roots": ["stockade"], "rego_version": 1}


def test_tests_are_not_shipped() -> None:
    assert shipped_modules()
    assert not [name for name in shipped_modules() if "_test" in name]


def test_opa_decides_by_the_bundle(require: Callable[[object, str], None], tmp_path: Path) -> None:
    opa = shutil.which("opa", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    require(opa, "needs opa")
    text = HEAD + "    - {allow: '@read', subjects: ci}\n    - {deny: image.list, subjects: ci}\n"
    authz = load_text(text).require().authz
    assert authz is not None
    (tmp_path / "ci.opa.tar.gz").write_bytes(compile_bundle(authz, "ci"))
    for operation, allowed in (("network.list", True), ("image.list", False), ("x.y", False)):
        asked = document(operation, subject=person(ou=["builders"]))
        done = subprocess.run(
            [str(opa), "eval", "-b", "ci.opa.tar.gz", "-I", "-f", "raw",
             "data.stockade.authz.decision"],
            cwd=tmp_path, input=json.dumps(asked), capture_output=True, text=True, check=True,
        )  # fmt: skip
        decision = json.loads(done.stdout)
        assert (decision["allow"], decision["subjects"]) == (allowed, ["ci"])
