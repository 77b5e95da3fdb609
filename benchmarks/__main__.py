"""Every benchmark, one after the other: ``python -m benchmarks``, or those that are named."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> None:
    """Run each module of this folder that has something to run."""
    names = sys.argv[1:] or sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    for name in names:
        run = getattr(importlib.import_module(f"benchmarks.{name}"), "run", None)
        if run is not None:
            run()


if __name__ == "__main__":
    main()
