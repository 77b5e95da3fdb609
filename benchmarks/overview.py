"""One table of every function and route: starts, warm calls, what they ask for, sizes, and growth.

A function's own row is its start, against a bare boto3 handler and an empty one (``init_time``), and its size
with its layers (``package_sizes``). The rows below are its routes, warm (``routes``), and of the routes whose
cost could grow with the data what they cost with little and with much (``distribution_cost``).
"""

from __future__ import annotations

from benchmarks import distribution_cost, init_time, package_sizes, routes
from benchmarks.table import print_table

GROWING = "jobs"


def run() -> None:
    """Measure everything, then print the table."""
    starts, sizes, calls = init_time.rows(), package_sizes.sizes(), routes.rows()
    growth = distribution_cost.growth()
    rows = []
    for name, start in starts.items():
        size = f"{sizes[name][1] / package_sizes.MEGABYTE:.1f} MB" if name in sizes else ""
        rows.append([name, "start", *start, size, *_no(routes.HEAD)])
        for route, *figures in calls.get(name, ()):
            rows.append(["", route, *_no(init_time.HEAD), "", *figures])
        for (request, quantity), cost in growth.items() if name == GROWING else ():
            figures = ["", str(cost.calls), str(cost.units), "0", "", "", ""]
            rows.append(["", f"{request}, {quantity:,} serial numbers", *_no(init_time.HEAD), "", *figures])
    head = ["function", "", *init_time.HEAD, "size", *routes.HEAD]
    print_table(f"Starts (median of {init_time.ROUNDS}), routes (median of a scenario's calls)", head, rows)


def _no(columns: tuple[str, ...]) -> list[str]:
    return [""] * len(columns)


if __name__ == "__main__":
    run()
