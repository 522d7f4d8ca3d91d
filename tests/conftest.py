"""What all tests share: hypothesis profiles, and the rule about parts that a machine lacks."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

#: Random policies are often unsound and left out, and machines may be slow: neither is a fault.
LENIENT = [HealthCheck.too_slow, HealthCheck.filter_too_much]
settings.register_profile("default", deadline=None, suppress_health_check=LENIENT)
#: The gate: the same examples on every run, so that a red build can be repeated.
settings.register_profile(
    "ci", deadline=None, max_examples=100, derandomize=True, suppress_health_check=LENIENT
)
#: `make fuzz`: many new examples; what fails is kept in .hypothesis and tried first next time.
settings.register_profile(
    "fuzz",
    deadline=None,
    max_examples=10_000,
    suppress_health_check=LENIENT,
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default")
)


def _require(condition: object, reason: str) -> None:
    if not condition:
        if os.environ.get("CI"):
            pytest.fail(f"{reason} (CI is set: nothing may be skipped)", pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def require() -> Callable[[object, str], None]:
    """`require(condition, reason)`: where it does not hold, skip; with CI set, fail."""
    return _require


@pytest.fixture(scope="session")
def tree(require: Callable[[object, str], None]) -> list[Path]:
    """The files and links of the checkout, relative to its top: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    require(listed.returncode == 0, f"needs a git checkout: {listed.stderr.strip()}")
    paths = (Path(name) for name in sorted(set(listed.stdout.split("\0")) - {""}))
    return [path for path in paths if os.path.lexists(ROOT / path)]
