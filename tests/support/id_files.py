"""Files of a host, written as an example shows them (`stockade.lint.examples`), and checked.

Names with a directory in them (`etc/subuid`, `proc/12/uid_map`) are a host's tree, others are
files that stand beside one another.
"""

from pathlib import Path

from stockade.lint.examples import read
from stockade.lint.load_ids import kind_of, read_tree
from stockade.lint.runner import Outcome, Settings, examine, run
from stockade.policies.findings import order
from stockade.userns.live import live_maps


def write(text: str, directory: Path) -> list[str]:
    """Write the files of an example below the directory; their names."""
    files = read(text)
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())
    return list(files)


def check_files(text: str, settings: Settings) -> Outcome:
    """What the checks find in an example's files, which are written into the present directory."""
    names = write(text, Path())
    if not any("/" in name for name in names):
        return run([name for name in names if kind_of(name)], settings)
    live = live_maps(Path("proc")) if Path("proc").exists() else ()
    return Outcome(order(examine(read_tree(Path(), live), settings)))
