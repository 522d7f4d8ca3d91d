"""The house rules that no linter knows: who may import whom, and what must not be in the tree."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PARTS = ("policies", "seccomp", "userns", "authz")
MAX_LINES = 450


def dotted(path):
    """The module's name as Python imports it: seccomp/bpf.py is stockade.seccomp.bpf."""
    parts = path.with_suffix("").parts
    if parts[0] != "stockade":
        parts = ("stockade", *parts)
    return ".".join(parts)


def components():
    """What stands directly below stockade: the four parts, cli, lint and so on."""
    return {path.stem for path in (ROOT / "stockade").iterdir()} - {"__init__", "__pycache__"}


def imports(module, source):
    """(line, absolute dotted name, whether it was written relative) of every import."""
    package = module.split(".")[:-1]  # `pkg.__init__` and `pkg.module` alike
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: max(0, len(package) - node.level + 1)] if node.level else []
            base = above + (node.module.split(".") if node.module else [])
            for alias in node.names:
                yield node.lineno, ".".join([*base, alias.name]), node.level > 0


def violations(module, source, known):
    """What the source does that a module of this name may not do, as sentences."""
    own = module.split(".")[1]
    for line, name, relative in imports(module, source):
        top, *rest = name.split(".")
        if not relative:
            if top == "stockade" or top in PARTS:
                yield f"{module}:{line}: import {name} relatively"
            continue
        target = rest[0] if rest else ""
        if top != "stockade":
            yield f"{module}:{line}: {name} is outside of the package"
        elif target not in known or target == own:
            continue
        elif own == "policies":
            yield f"{module}:{line}: policies imports {target}; it may import no sibling"
        elif own in PARTS and target != "policies":
            yield f"{module}:{line}: {own} imports {target}; it may import policies only"
        elif target == "cli" and own != "__main__":
            yield f"{module}:{line}: only __main__ may import stockade.cli"


def test_imports_follow_the_arrows(tree):
    known = components()
    sources = [
        path for path in tree if path.suffix == ".py" and path.parts[0] in {*PARTS, "stockade"}
    ]
    assert sources
    found = [
        sentence
        for path in sources
        for sentence in violations(dotted(path), (ROOT / path).read_text(), known)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("stockade.policies.model", "from ..seccomp import bpf"),
        ("stockade.policies.__init__", "from .. import lint"),
        ("stockade.seccomp.bpf", "from ..userns.maps import claim"),
        ("stockade.seccomp.targets.docker", "from ...authz import app"),
        ("stockade.authz.app", "def f():\n    from .. import seccomp"),
        ("stockade.userns.maps", "from ..lint import checks"),
        ("stockade.lint.checks", "from ..cli import main"),
        ("stockade.__init__", "from .cli import main"),
        ("stockade.seccomp.bpf", "import stockade.policies"),
        ("stockade.seccomp.bpf", "from stockade.policies import model"),
        ("stockade.cli.main", "from policies import model"),
        ("stockade.seccomp.bpf", "from ... import elsewhere"),
    ],
)
def test_a_breach_is_seen(module, source):
    assert list(violations(module, source, components()))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("stockade.policies.model", "from . import source\nfrom .source import Span"),
        ("stockade.policies.__init__", "from .model import Policy"),
        (
            "stockade.seccomp.targets.docker",
            "from ...policies.model import Policy\nfrom .. import bpf",
        ),
        (
            "stockade.cli.main",
            "from .. import __version__, seccomp\nfrom . import common\nimport click",
        ),
        ("stockade.__main__", "from .cli import main"),
        (
            "stockade.lint.checks",
            "from ..policies import model\nfrom ..authz import app",
        ),
    ],
)
def test_what_is_allowed_passes(module, source):
    assert not list(violations(module, source, components()))


#: What must not stand in any file, each with a sample that it catches and one that it lets pass.
FORBIDDEN = {
    "a path of a developer's machine": (
        re.compile(r"(?<![\w.:/-])/(?:work|root|home)/[\w.]|/opt/[w]heels"),
        ("in /" + "work/main", "'/" + "home/alice/x'", "/" + "root/.pyenv"),
        ("/proc/self/root", "/home", "https://example.org/work/x", "network/root/x"),
    ),
    "an e-mail address": (
        re.compile(r"\b[\w.+-]+@(?!example\.)[\w-]+(?:\.[\w-]+)*\.(?!service\b)[a-z]{2,}\b"),
        ("alice@" + "company.com", "a.b+c@" + "mail.company.org"),
        ("alice@example.org", "tool@v1.2.3", "@pytest.fixture", "getty@tty1.service"),
    ),
    "a package mirror": (
        re.compile(
            r"(?:index-url|trusted-host|find-links)[ =]\S|(?:GOPROXY|PIP_INDEX_URL)=\w"
            r"|//(?:[\w-]+\.)*(?:artifactory|nexus|devpi|mirrors?)[\w-]*\.\w"
        ),
        ("--index-url" + " https://x/simple", "https://mirror" + ".corp.net/debian"),
        ("https://deb.debian.org/debian", "https://pypi.org/simple", "mirror.txt"),
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what, tree):
    pattern, caught, passed = FORBIDDEN[what]
    assert all(pattern.search(sample) for sample in caught)
    assert not any(pattern.search(sample) for sample in passed)
    found = []
    for path in tree:
        if (ROOT / path).is_symlink():
            continue
        try:
            text = (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    assert not found, f"{what}:\n" + "\n".join(found)


def test_no_module_is_too_long_to_know(tree):
    lengths = {
        path: len((ROOT / path).read_text().splitlines()) for path in tree if path.suffix == ".py"
    }
    found = [f"{path}: {length} lines" for path, length in lengths.items() if length > MAX_LINES]
    assert not found, f"more than {MAX_LINES} lines:\n" + "\n".join(found)


def test_tests_are_no_packages(tree):
    """pytest imports them by path; an __init__.py would make them importable and ambiguous."""
    assert not [path for path in tree if path.parts[0] == "tests" and path.name == "__init__.py"]
