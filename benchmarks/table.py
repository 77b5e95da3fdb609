"""Tables of figures, as the benchmarks print them."""

from __future__ import annotations

from collections.abc import Sequence


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a head, figures to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    print(f"\n{title}\n")
    for row in [head, ["-" * width for width in widths], *rows]:
        print("  ".join(_aligned(text, width) for text, width in zip(row, widths, strict=True)).rstrip())


def _aligned(text: str, width: int) -> str:
    return text.rjust(width) if text[:1].isdigit() and " of " not in text else text.ljust(width)
