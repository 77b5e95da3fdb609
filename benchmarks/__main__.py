"""All functions in a table, then the comparisons; or what is named. ``python -m benchmarks``."""

from __future__ import annotations

import importlib
import subprocess
import sys

ALL = ("overview", "jira_operations", "push_calls", "push_simulation", "history", "scheduler_memory")


def main() -> int:
    """Run what is named; of all, each in a process of its own, so that none finds another's memory taken."""
    if sys.argv[1:]:
        for name in sys.argv[1:]:
            importlib.import_module(f"benchmarks.{name}").run()
        return 0
    return max(subprocess.run([sys.executable, "-m", "benchmarks", name]).returncode for name in ALL)


if __name__ == "__main__":
    sys.exit(main())
