"""Workers that are copies of a process: what they are given, and how their end is seen."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from local.forks import LAYERS, Worker

SAY_WHAT_IT_HAS = """
import json, os, sys
print(json.dumps([sys.argv, os.getcwd(), dict(os.environ), sys.stdin.readline()]))
sys.stdout.flush()
sys.stdin.readline()
"""
Start = Callable[..., Worker]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    script = tmp_path / "worker.py"
    script.write_text(SAY_WHAT_IT_HAS)
    layer = tmp_path / "layer"
    layer.mkdir()
    return lambda **environment: Worker(str(script), str(tmp_path), environment | {LAYERS: str(layer)})


def close(worker: Worker) -> None:
    for stream in (worker.stdin, worker.stdout, worker.stderr):
        stream.close()


def test_a_worker_has_what_it_was_given_and_nothing_else(start: Start, tmp_path: Path) -> None:
    first, second = start(NAME="first"), start(NAME="second")
    assert first.pid != second.pid
    for worker, name in ((first, "first"), (second, "second")):
        worker.stdin.write(f"to {name}\n")
        told = worker.stdout.readline()
        assert f'"NAME": "{name}"' in told
        assert f"to {name}" in told
        assert str(tmp_path) in told
        assert "PYTEST_CURRENT_TEST" not in told
        assert worker.poll() is None
        worker.stdin.close()
        assert worker.wait(30) == 0, "it ends with its input"
        close(worker)


def test_a_killed_worker_has_ended(start: Start) -> None:
    worker = start()
    os.kill(worker.pid, signal.SIGKILL)
    assert worker.wait(30) is not None
    assert worker.poll() is not None
    worker.kill()  # is nothing more
    close(worker)


def test_workers_whose_layers_bring_the_same_are_copies_of_one_process(tmp_path: Path) -> None:
    layers = {name: tmp_path / name for name in ("dependencies", "own", "other")}
    for layer in layers.values():
        (layer / "python").mkdir(parents=True)
    for name in ("dependencies", "other"):
        (layers[name] / "python" / "requests").mkdir()
    script = tmp_path / "worker.py"
    script.write_text("import os; print(os.getppid(), flush=True)")

    def parent_of(*names: str) -> str:
        environment = {LAYERS: os.pathsep.join(str(layers[name]) for name in names)}
        worker = Worker(str(script), str(tmp_path), environment)
        told = worker.stdout.readline()
        worker.wait(30)
        worker.stdin.close()
        close(worker)
        return told

    assert parent_of("dependencies", "own") == parent_of("dependencies")
    assert parent_of("dependencies", "other") != parent_of("dependencies")
