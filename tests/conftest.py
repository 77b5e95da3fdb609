"""The deployed stack, for the tests that go through HTTP and through a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.deployed import Stack, running

NEED_THE_STACK = ("stack", "browser")

# Neither the machine's pace nor chance decides whether a test of properties passes. `make fuzz` leaves it to chance.
settings.register_profile("chance", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", settings.get_profile("chance"), derandomize=True)
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
    """Keep the tests of the stack on one worker, should there be several, so that it starts once."""
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in NEED_THE_STACK:
            item.add_marker(pytest.mark.xdist_group("stack"))
