"""The deployed stack, for the tests that go through HTTP and through a browser."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.deployed import Stack, running

# Neither the machine's pace nor chance decides whether a test of properties passes. `make fuzz` leaves it to chance, with more examples.
settings.register_profile(
    "chance", deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("steady", settings.get_profile("chance"), derandomize=True, max_examples=40)
settings.load_profile("steady")

# Python would look for garbage after every 700 new objects: one twentieth of the tests' time.
gc.set_threshold(20_000)


def pytest_collection_finish() -> None:
    """Collect garbage only among what the tests themselves make."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Collect garbage a last time. What pytest and Python collect after this takes seconds of each process."""
    gc.collect()
    gc.freeze()
    gc.disable()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack that the tests share. Each makes what it needs; none may stop it."""
    with running(tmp_path_factory.mktemp("stack")) as shared:
        yield shared
        assert shared.told() == {}, "secrets in clear, in what all tests together have logged and stored"


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack for one test, which may stop it, kill it and start it again."""
    with running(tmp_path) as own:
        yield own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long: short ones at the end leave no worker waiting for another."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
