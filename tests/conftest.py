"""The deployed stack, for the tests that go through HTTP and through a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.deployed import Stack, running

NEED_THE_STACK = ("stack", "browser")

# Neither the machine's pace nor chance decides whether a test of properties passes. `make fuzz` leaves it to chance, with more examples.
settings.register_profile(
    "chance", deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("steady", settings.get_profile("chance"), derandomize=True, max_examples=40)
settings.load_profile("steady")


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
    """Share the tests of the stack out among the workers.

    Those that share something go by file. Those with a stack of their own, or with none, go one by one. What takes
    long begins first: a short one at the end leaves no worker waiting for another.
    """
    for item in items:
        place = item.path.relative_to(Path(__file__).parent)
        if place.parts[0] in NEED_THE_STACK and _shares(item):
            item.add_marker(pytest.mark.xdist_group(str(place)))
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def _shares(item: pytest.Item) -> bool:
    """Tell whether a test has a fixture that others have too."""
    assert isinstance(item, pytest.Function)
    fixtures = (defined[-1] for defined in item._fixtureinfo.name2fixturedefs.values())
    return any(fixture.baseid and fixture.scope != "function" for fixture in fixtures)
