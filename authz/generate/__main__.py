"""`python -m stockade.authz.generate`: the package's text says what it does."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .errors import GenerateError
from .write import changed, generate, write


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m stockade.authz.generate", description="See the package's text."
    )
    parser.add_argument("--api", type=Path, required=True, metavar="YAML")
    parser.add_argument("--routes", type=Path, required=True, nargs="+", metavar="TXT")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if different")
    options = parser.parse_args(argv)
    try:
        files = generate(options.api, options.routes)
    except (GenerateError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    different = changed(files)
    for name in different:
        print(f"{name} {'differs' if options.check else 'written'}")
        if not options.check:
            write(name, files[name])
    return 1 if different and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
