"""template.yaml in an account that holds another stack of it, and with parameters that it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from jobticket.secret_store import fetch_secret
from local.aws import Aws
from local.packages import upload_code, upload_template
from local.template import load_template
from tests.support.empty_account import empty_account

NAMES = ("jobticket-here", "jobticket-there")
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


class Account:
    """An empty account to which the template has been uploaded."""

    def __init__(self, url: str) -> None:
        self.aws = Aws(url)
        self.cloudformation = self.aws.client("cloudformation")
        template = load_template()
        upload_code(self.aws, template)
        self._template = upload_template(self.aws, json.dumps(template))

    def create(self, name: str, **parameters: str) -> None:
        self.cloudformation.create_stack(
            StackName=name,
            TemplateURL=self._template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=CAPABILITIES,
        )

    def update(self, name: str, **parameters: str) -> None:
        self.cloudformation.update_stack(
            StackName=name,
            TemplateURL=self._template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=CAPABILITIES,
        )
        self.cloudformation.get_waiter("stack_update_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
        )

    def deploy(self, name: str, **parameters: str) -> dict[str, str]:
        """Create a stack, and return the names of its resources by their types."""
        self.create(name, **parameters)
        self.cloudformation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
        )
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        found = (resource for page in pages for resource in page["StackResourceSummaries"])
        return {
            f"{resource['ResourceType']} {resource['LogicalResourceId']}": resource["PhysicalResourceId"]
            for resource in found
        }


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with empty_account(tmp_path_factory.mktemp("account")) as url:
        yield Account(url)


def test_two_stacks_with_the_default_parameters_share_nothing(account: Account) -> None:
    here, there = (account.deploy(name) for name in NAMES)
    assert here.keys() == there.keys()
    shared = {kind for kind, name in here.items() if name == there[kind]}
    assert shared == {"AWS::ApiGateway::Stage ApiliveStage"}, "a stage's name is its API's own"


def test_a_new_stack_lets_nobody_in_until_an_operator_adds_a_key(account: Account) -> None:
    resources = account.deploy("jobticket-secrets")
    secrets = account.aws.client("secretsmanager")
    ring = resources["AWS::SecretsManager::Secret KeyRingSecret"]
    assert fetch_secret(secrets, ring) == "{}"
    secrets.put_secret_value(SecretId=ring, SecretString='{"keys": ["an operator\'s"]}')
    account.update("jobticket-secrets", LogLevel="WARN")
    assert "an operator's" in fetch_secret(secrets, ring)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"CertificateArn": "arn:aws:acm:eu-west-1:000000000000:certificate/1"}, "go together"),
        ({"DomainName": "tickets.example.com"}, "go together"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(
    account: Account, parameters: dict[str, str], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason):
        account.create("jobticket-refused", **parameters)


def test_the_local_stack_is_refused_in_an_account(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.aws.ACCOUNT_KEY", "123456789012")
    monkeypatch.setattr("local.packages.BUCKET", "code-of-another-account")
    real = Account(account.aws.endpoint_url)
    with pytest.raises(ClientError, match="Environment=local is for the local stack only"):
        real.create("jobticket-local", Environment="local")
