"""Settings over HTTP."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.gateway import Gateway
from tests.unit.conftest import gateway

DEFAULTS = {
    "enabled": False,
    "pushEnabled": False,
    "pushPaused": False,
    "skipUnchanged": True,
    "fieldMappings": {
        "partNumber": "customfield_10908",
        "goalQuantity": "customfield_10900",
        "epicLink": "customfield_10014",
    },
}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def settings(api: Gateway) -> dict[str, Any]:
    shown: dict[str, Any] = api.get("/api/settings").json()
    return shown


def test_before_the_first_save_the_defaults_hold(jobs_api: Gateway) -> None:
    assert settings(jobs_api) == DEFAULTS


def test_a_change_touches_what_it_names(jobs_api: Gateway) -> None:
    first = jobs_api.put(
        "/api/settings", {"enabled": True, "externalId": " team-1 ", "token": "x", "updatedAt": "x"}
    )
    assert first.status == 200
    assert TIMESTAMP.fullmatch(first.json()["updatedAt"])
    expected = DEFAULTS | {"enabled": True, "externalId": "team-1", "updatedAt": first.json()["updatedAt"]}
    assert first.json() == expected == settings(jobs_api)

    change = {
        "pushEnabled": True,
        "pushPaused": True,
        "skipUnchanged": False,
        "projectKey": "PI",
        "enabled": None,
        "fieldMappings": {"partNumber": " customfield_1 ", "epicLink": None, "other": 5},
    }
    second = jobs_api.put("/api/settings", change).json()
    assert second == {
        "enabled": True,
        "pushEnabled": True,
        "pushPaused": True,
        "skipUnchanged": False,
        "externalId": "team-1",
        "projectKey": "PI",
        "fieldMappings": DEFAULTS["fieldMappings"] | {"partNumber": "customfield_1"},  # type: ignore[operator]
        "updatedAt": second["updatedAt"],
    }
    third = jobs_api.put("/api/settings", {"fieldMappings": {"goalQuantity": "customfield_2"}}).json()
    assert third["fieldMappings"] == second["fieldMappings"] | {"goalQuantity": "customfield_2"}
    assert jobs_api.put("/api/settings").json() == third | {"updatedAt": settings(jobs_api)["updatedAt"]}


def test_an_empty_text_clears(jobs_api: Gateway) -> None:
    jobs_api.put("/api/settings", {"externalId": "team-1", "projectKey": "PI"})
    cleared = jobs_api.put("/api/settings", {"externalId": "", "projectKey": " "}).json()
    assert cleared == DEFAULTS | {"updatedAt": cleared["updatedAt"]}
    assert settings(jobs_api) == cleared


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"enabled": "true"}, "enabled must be a boolean"),
        ({"enabled": 1}, "enabled must be a boolean"),
        ({"pushEnabled": []}, "pushEnabled must be a boolean"),
        ({"pushPaused": "no"}, "pushPaused must be a boolean"),
        ({"skipUnchanged": 0}, "skipUnchanged must be a boolean"),
        ({"externalId": 5}, "externalId must be a string"),
        ({"externalId": "x" * 256}, "externalId must be at most 255 characters"),
        ({"projectKey": {}}, "projectKey must be a string"),
        ({"fieldMappings": "customfield_1"}, "fieldMappings must be an object"),
        ({"fieldMappings": []}, "fieldMappings must be an object"),
        ({"fieldMappings": {"partNumber": 1}}, "fieldMappings.partNumber must be a string"),
        ({"fieldMappings": {"epicLink": ""}}, "fieldMappings.epicLink must be the id of a Jira field"),
        ({"fieldMappings": {"epicLink": "a b"}}, "fieldMappings.epicLink must be the id of a Jira field"),
        (
            {"fieldMappings": {"goalQuantity": "ü"}},
            "fieldMappings.goalQuantity must be the id of a Jira field",
        ),
    ],
)
def test_a_faulty_change_changes_nothing(jobs_api: Gateway, body: dict[str, Any], message: str) -> None:
    answer = jobs_api.put("/api/settings", {"skipUnchanged": False} | body)
    assert (answer.status, answer.json()) == (400, {"statusCode": 400, "message": message})
    assert settings(jobs_api) == DEFAULTS


def test_settings_are_the_choice_of_admin(jobs_function: Any) -> None:
    refused = gateway(jobs_function, "only-jobs").put("/api/settings", "{")
    expected = {"statusCode": 403, "message": "This key does not have the scope: admin"}
    assert (refused.status, refused.json()) == (403, expected)
    assert gateway(jobs_function, "only-admin").put("/api/settings", {"enabled": True}).status == 200
    assert settings(gateway(jobs_function, "only-jobs"))["enabled"] is True
