"""Init time of each function against a bare boto3 handler and an empty one.

Lambda's runtime interface client starts each in a fresh process, with the layers that the deployment's own
script builds for this interpreter, compiled. A round starts every one once, so that what else the machine
does meets all alike; the figures are medians of the rounds. ``python -m benchmarks.init_time [rounds]``
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.table import print_table
from local.environment import environment_of
from local.runtime import running_container
from local.template import load_template, resources_of_type
from tools.build_layers import build_function, build_layers, running_interpreter

ROOT = Path(__file__).parent.parent
ROUNDS = 15
HEAD = ("init", "of bare", "limit", "processor", "of bare")
#: As a multiple of the bare handler's.
LIMIT = 1.3
KNOWN = {"Environment": "local", "PublicUrl": "http://127.0.0.1:8000"}

BARE = """
import boto3
from aws_lambda_powertools import Logger

logger = Logger()
client = boto3.client("dynamodb")


def handler(event, context):
    return {}
"""
EMPTY = """
def handler(event, context):
    return {}
"""


@dataclass(frozen=True)
class Start:
    """What a start took: by the clock, and of the processor."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Candidate:
    """Something to start."""

    name: str
    folder: Path
    layers: Sequence[Path]
    environment: Mapping[str, str]
    limit: float | None = None

    def start(self) -> Start:
        with running_container(self.folder, self.layers, self.environment) as container:
            return Start(container.init_seconds, container.init_cpu_seconds or container.init_seconds)


@contextmanager
def candidates() -> Iterator[list[Candidate]]:
    """Build the layers, and make a folder for each function's code."""
    template = load_template()
    with tempfile.TemporaryDirectory() as folder:
        # Copies: whatever else starts meanwhile, such as a local stack, may build the layers anew.
        layers = {
            name: Path(shutil.copytree(built, Path(folder) / "layers" / name))
            for name, built in build_layers(running_interpreter()).items()
        }
        yield [*_yardsticks(Path(folder), layers), *_functions(Path(folder), template, layers)]


def _yardsticks(folder: Path, layers: Mapping[str, Path]) -> Iterator[Candidate]:
    for name, source, needed in (("empty", EMPTY, []), ("bare", BARE, [layers["dependencies"]])):
        source_folder = folder / f"source of {name}"
        source_folder.mkdir()
        (source_folder / "app.py").write_text(source)
        yield Candidate(
            f"({name})", build_function(source_folder, folder / name, running_interpreter()), needed, {}
        )


def _functions(folder: Path, template: dict[str, Any], layers: Mapping[str, Path]) -> Iterator[Candidate]:
    built = {
        name: layers[Path(properties["ContentUri"]).name]
        for name, properties in resources_of_type(template, "AWS::Serverless::LayerVersion").items()
    }
    for name, properties in sorted(resources_of_type(template, "AWS::Serverless::Function").items()):
        code = Path(properties["CodeUri"])
        yield Candidate(
            code.name,
            build_function(ROOT / code, folder / code.name, running_interpreter()),
            [built[layer["Ref"]] for layer in properties["Layers"]],
            environment_of(template, name, KNOWN),
            LIMIT,
        )


def measure(rounds: int) -> tuple[list[Candidate], dict[str, Start]]:
    """Return what was started, and the medians of its starts."""
    with candidates() as found:
        starts: dict[str, list[Start]] = {candidate.name: [] for candidate in found}
        for _ in range(rounds):
            for candidate in found:
                starts[candidate.name].append(candidate.start())
        return found, {name: _median(of) for name, of in starts.items()}


def _median(starts: Sequence[Start]) -> Start:
    return Start(
        statistics.median(start.seconds for start in starts),
        statistics.median(start.cpu_seconds for start in starts),
    )


def rows(rounds: int = ROUNDS) -> dict[str, list[str]]:
    """Return the figures of each start under :data:`HEAD`, by its name."""
    found, medians = measure(rounds)
    return {each.name: _row(each, medians[each.name], medians["(bare)"]) for each in found}


def _row(candidate: Candidate, start: Start, bare: Start) -> list[str]:
    ratio = start.seconds / bare.seconds
    limit = candidate.limit
    return [
        f"{start.seconds * 1000:.0f} ms",
        f"{ratio:.2f}",
        "" if limit is None else f"{limit:.1f}" + (" exceeded" if ratio > limit else ""),
        f"{start.cpu_seconds * 1000:.0f} ms",
        f"{start.cpu_seconds / bare.cpu_seconds:.2f}",
    ]


def run(rounds: int = ROUNDS) -> None:
    """Print the table."""
    title = f"Init time under Lambda's runtime interface client, median of {rounds}"
    print_table(title, ["function", *HEAD], [[name, *row] for name, row in rows(rounds).items()])


if __name__ == "__main__":
    run(*map(int, sys.argv[1:]))
