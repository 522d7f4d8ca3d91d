"""`python -m stockade.seccomp.syscalls.generate`: the package's text says what it does."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .errors import FetchError, GenerateError
from .fetch import cache_directory, fetch
from .write import changed, generate, write


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m stockade.seccomp.syscalls.generate", description="See the package's text."
    )
    parser.add_argument("--debs", type=Path, default=cache_directory(), metavar="DIR")
    parser.add_argument("--fetch", action="store_true", help="download what DIR lacks")
    parser.add_argument("--mirror", action="append", default=[], metavar="URL")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if different")
    options = parser.parse_args(argv)
    try:
        if options.fetch:
            fetch(options.debs, options.mirror)
        files = generate(options.debs)
    except FetchError as error:
        print(error, file=sys.stderr)
        return 3
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
