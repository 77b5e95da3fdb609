"""A function's environment: read once, and refused by the variable's name."""

from __future__ import annotations

import dataclasses

import pytest

from jobticket.config import Settings, SettingsError


class Example(Settings):
    jobs_table: str
    allow_private_hosts: bool = False
    title: str = "none"
    attempts: int = 3


GIVEN = {"ENVIRONMENT": "dev", "JOBS_TABLE": "jobs"}


def test_fields_are_read_by_their_names_and_defaults_stand_in() -> None:
    assert Example.from_environment(GIVEN) == Example(environment="dev", jobs_table="jobs")
    given = GIVEN | {"ALLOW_PRIVATE_HOSTS": "true", "TITLE": "x", "ATTEMPTS": "5", "OTHER": "y"}
    read = Example.from_environment(given)
    assert (read.allow_private_hosts, read.title, read.attempts) == (True, "x", 5)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"ENVIRONMENT": "test"}, "ENVIRONMENT must be one of local, dev, staging, prod, not 'test'"),
        ({"ATTEMPTS": "many"}, "ATTEMPTS must be a whole number, not 'many'"),
        ({"ALLOW_PRIVATE_HOSTS": "yes"}, "ALLOW_PRIVATE_HOSTS must be one of true, false, not 'yes'"),
    ],
)
def test_a_malformed_variable_is_named(changed: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=f"^{sentence}$"):
        Example.from_environment(GIVEN | changed)


@pytest.mark.parametrize("name", GIVEN)
def test_a_missing_variable_is_named(name: str) -> None:
    given = {other: value for other, value in GIVEN.items() if other != name}
    with pytest.raises(SettingsError, match=f"^{name} is missing in the environment$"):
        Example.from_environment(given)


def test_settings_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Example.from_environment(GIVEN).jobs_table = "other"  # type: ignore[misc]
