"""The command line: the only place that prints and exits.

Exit codes: 0 clean, 1 findings or denied, 2 bad input or usage, 3 a fault of Stockade.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit; bad input never shows a traceback."""
    from .commands import run

    sys.exit(run(sys.argv[1:]))
