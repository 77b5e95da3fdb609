"""No function's role has an action that its code does not use, or lacks one that it uses.

What a function uses is recorded while a scenario (``privileges/scenarios/<folder>.py``) drives it through
everything it does; what it may use is read from template.yaml. A function without a scenario fails.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.atlassian.testing import running
from local.template import resources_of_type
from tests.support.infrastructure import template
from tests.unit.conftest import FORMER_KEY, load_function
from tests.unit.deployment.privileges.driving import Driven
from tests.unit.deployment.privileges.grants import Access, granted_to, names_in_environment
from tests.unit.deployment.privileges.recorder import Recorder

#: What parameters of the template name, by its name in the tests' environment.
BY_PARAMETER = {
    FORMER_KEY: "FormerEncryptionKeyArn",
    os.environ["EVENT_BUS"]: "EventBusName",
    "private-ca": "PrivateCaSecretArn",
}
ROOT = Path(__file__).parents[3]
FUNCTIONS = {
    Path(properties["CodeUri"]).name: name
    for name, properties in resources_of_type(template(), "AWS::Serverless::Function").items()
}
FOLDERS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


@pytest.fixture(scope="module")
def atlassian() -> Iterator[str]:
    with running() as url:
        yield url


def routes_of(folder: str) -> set[str]:
    events = template()["Resources"][FUNCTIONS[folder]]["Properties"].get("Events", {}).values()
    return {
        f"{event['Properties']['Method']} {event['Properties']['Path']}"
        for event in events
        if event["Type"] == "Api"
    }


def scenario_of(folder: str) -> Any:
    name = f"tests.unit.deployment.privileges.scenarios.{folder}"
    if importlib.util.find_spec(name) is None:
        pytest.fail(f"functions/{folder} needs a scenario: tests/unit/privileges/scenarios/{folder}.py")
    return importlib.import_module(name)


@pytest.mark.parametrize("folder", FOLDERS)
def test_role_and_code_agree(folder: str, aws: None, atlassian: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function = FUNCTIONS[folder]
    monkeypatch.setenv("ATLASSIAN_AUTH_URL", atlassian)
    monkeypatch.setenv("ATLASSIAN_API_URL", atlassian)
    names = names_in_environment(function, os.environ) | BY_PARAMETER
    recorder = Recorder(names, monkeypatch)
    scenario = scenario_of(folder)
    with recorder.recording():
        module = load_function(folder, cold=True)
    driven = Driven(module, recorder, atlassian)

    scenario.drive(driven)
    if "PRIVATE_CA_SECRET" in template()["Resources"][function]["Properties"]["Environment"]["Variables"]:
        driven.reach_a_private_host()

    assert routes_of(folder) <= driven.succeeded, "the scenario leaves routes out"
    assert driven.succeeded or driven.handled, "the scenario does nothing"
    granted = granted_to(function)
    lacking = {
        f"{access.action} on {access.resource} ({access.leading_key})"
        for access in recorder.used
        if not any(grant.allows(access) for grant in granted)
    }
    unused = {str(grant) for grant in granted if not any(grant.allows(access) for access in recorder.used)}
    assert (lacking, unused) == (set(), set()), f"the role of {function}: lacking, unused"


class TestConditions:
    """The comparison itself: what a condition lets through."""

    def test_leading_keys(self) -> None:
        (grant,) = (
            grant
            for grant in granted_to("JiraFunction")
            if (grant.sid, grant.action) == ("IdempotencyKeys", "dynamodb:PutItem")
        )
        assert grant.allows(Access("dynamodb:PutItem", "ConnectionsTable", "IDEMPOTENCY#1"))
        assert not grant.allows(Access("dynamodb:PutItem", "ConnectionsTable", "CONNECTION#jira#team-1"))
        assert not grant.allows(Access("dynamodb:PutItem", "JobsTable", "IDEMPOTENCY#1"))

    def test_encryption_context(self) -> None:
        keys = ["EncryptionKey", "FormerEncryptionKeyArn"]
        grants = [grant for grant in granted_to("JiraFunction") if grant.action == "kms:Decrypt"]
        assert [grant.resource for grant in grants] == keys
        right, wrong = frozenset({("purpose", "connections")}), frozenset({("purpose", "other")})
        for grant in grants:
            assert grant.allows(Access("kms:Decrypt", grant.resource, context=right))
            assert not grant.allows(Access("kms:Decrypt", grant.resource, context=wrong))
            assert not grant.allows(Access("kms:Decrypt", grant.resource))

    def test_attributes(self) -> None:
        (grant,) = (grant for grant in granted_to("OauthFunction") if grant.sid == "ReplacedConnections")
        read = Access("dynamodb:GetItem", "ConnectionsTable", "CONNECTION#jira#team-1")
        named = frozenset({"pk", "sk", "status"})
        assert grant.allows(dataclasses.replace(read, attributes=named))
        assert not grant.allows(dataclasses.replace(read, attributes=named | {"secret"}))
        assert not grant.allows(read)

    @pytest.mark.parametrize(("returned", "allowed"), [(None, True), ("NONE", True), ("ALL_OLD", False)])
    def test_oauth_is_not_given_the_sealed_secret_that_it_replaces(
        self, returned: str | None, allowed: bool
    ) -> None:
        put = Access("dynamodb:PutItem", "ConnectionsTable", "CONNECTION#jira#team-1", returned=returned)
        assert any(grant.allows(put) for grant in granted_to("OauthFunction")) is allowed

    @pytest.mark.parametrize("function", FUNCTIONS.values())
    def test_who_opens_what(self, function: str) -> None:
        """The public function of consents opens no connection, and no other function opens a consent."""
        decrypts = [grant for grant in granted_to(function) if grant.action == "kms:Decrypt"]
        opened = {
            purpose
            for purpose in ("connections", "consents")
            for grant in decrypts
            if grant.allows(Access("kms:Decrypt", grant.resource, context=frozenset({("purpose", purpose)})))
        }
        assert opened <= ({"consents"} if function == "OauthFunction" else {"connections"})

    @pytest.mark.parametrize("key", ["DATA_KEY#2026-11-1a2b3c4d-1", "CONNECT#x"])
    def test_oauth_plants_no_data_key_and_no_connect_token(self, key: str) -> None:
        put = Access("dynamodb:PutItem", "ConnectionsTable", key)
        assert not any(grant.allows(put) for grant in granted_to("OauthFunction"))

    @pytest.mark.parametrize("function", FUNCTIONS.values())
    def test_the_former_key_only_reads(self, function: str) -> None:
        actions = {
            grant.action for grant in granted_to(function) if grant.resource == "FormerEncryptionKeyArn"
        }
        assert actions <= {"kms:Decrypt"}
