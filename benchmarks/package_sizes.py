"""How large each function is with its layers, unzipped and compiled."""

from __future__ import annotations

from pathlib import Path

from benchmarks.init_time import candidates
from benchmarks.table import print_table

MEGABYTE = 1024 * 1024


def sizes() -> dict[str, tuple[int, int]]:
    """Return by function the bytes of its code, and of the code with the layers."""
    with candidates() as found:
        return {
            each.name: (_size(each.folder), _size(each.folder) + sum(map(_size, each.layers)))
            for each in found
            if each.limit is not None
        }


def run() -> None:
    """Print the table."""
    rows = [
        [name, f"{code / 1024:.0f} KB", f"{whole / MEGABYTE:.1f} MB"]
        for name, (code, whole) in sizes().items()
    ]
    print_table("Sizes, unzipped and compiled", ["function", "code", "with layers"], rows)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    run()
