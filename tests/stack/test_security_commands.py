"""The commands of docs/security.md, run as they stand there, against a stack of their own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobticket.connections.layout import partition
from jobticket.connections.model import ConnectionId
from tests.support.consent_flow import Atlassian, Browser, Walk, over_http
from tests.support.deployed import Stack, running
from tests.support.sam import account_environment

ROOT = Path(__file__).resolve().parents[2]
STAND_INS = """
# In place of the time in which containers notice a change: all start anew.
sleep() { sam restart; }
# What `sam` stands for here packages by itself.
python() { [ "$2" = tools.package ] || command python "$@"; }
"""
UNKNOWN_TO_THE_EMULATOR = "rotate-key-on-demand"
pytestmark = pytest.mark.long


def blocks(heading: str) -> list[str]:
    """Return the commands under a heading, block by block."""
    text = (ROOT / "docs" / "security.md").read_text()
    section = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    assert section, heading
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", section[1], re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).strip() + "\n" for block in found]


class Operator:
    """Somebody with a shell in a checkout, and the rights of the account."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        (folder / "events").symlink_to(ROOT / "events")
        endpoint_url = stack.description()["aws_endpoint_url"]
        self._environment = account_environment(folder, endpoint_url)

    def run(self, *commands: str, typed: str = "") -> str:
        """Run commands after those that all of them use; they leave nothing behind in the folder."""
        (preparation,) = blocks("Changing keys")
        script = preparation.replace("ENVIRONMENT=prod", "ENVIRONMENT=local") + STAND_INS + "".join(commands)
        before = set(self.folder.iterdir())
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self._environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert {path for path in self.folder.iterdir() if path.is_file()} <= before, (
            "something is left behind"
        )
        return ran.stdout


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose keys may be changed."""
    with running(tmp_path_factory.mktemp("own")) as started:
        yield started


@pytest.fixture
def operator(own: Stack, tmp_path: Path) -> Operator:
    return Operator(own, tmp_path)


@pytest.fixture
def atlassian(own: Stack) -> Iterator[Atlassian]:
    emulated = Atlassian(own.atlassian_url)
    emulated.reset()
    yield emulated
    emulated.close()


def connect(own: Stack, atlassian: Atlassian, external_id: str) -> None:
    Walk(Browser(over_http(own)), atlassian).to_connection(external_id)


def token(own: Stack, external_id: str) -> int:
    query = f"provider=jira&external_id={external_id}"
    return own.request("GET", f"/api/backend/connection-info/get-access-token?{query}").status_code


def rows(own: Stack, prefix: str) -> dict[str, Any]:
    found = own.client("dynamodb").scan(TableName=own.outputs["ConnectionsTableName"])["Items"]
    return {row["pk"]["S"]: row for row in found if row["pk"]["S"].startswith(prefix)}


def sealed_by(own: Stack, external_id: str) -> str:
    """Return the name of the data key that a connection's secret is sealed with."""
    key = {"pk": {"S": partition(ConnectionId("jira", external_id))}, "sk": {"S": "CONNECTION"}}
    table = own.outputs["ConnectionsTableName"]
    secret = own.client("dynamodb").get_item(TableName=table, Key=key)["Item"]["secret"]["B"]
    return "DATA_KEY#" + bytes(secret[2 : 2 + secret[1]]).decode()


def test_a_callers_key(own: Stack, operator: Operator) -> None:
    (commands,) = blocks("A caller's key")
    adding = next(line for line in commands.splitlines() if " add " in line)
    earlier = operator.run(adding.replace("tablet-8", "tablet-7")).strip()
    made = operator.run(commands).strip()
    statuses = [
        own.request("GET", "/api/jobs", scope=None, headers={"Authorization": f"Bearer {key}"}).status_code
        for key in (earlier, made)
    ]
    assert statuses == [401, 200]


def test_atlassians_client_secret(own: Stack, operator: Operator, atlassian: Atlassian) -> None:
    own.client("secretsmanager").put_secret_value(
        SecretId=own.outputs["AtlassianAppSecretArn"],
        SecretString='{"client_id":"local-client-id","client_secret":"the former"}',
    )
    walk = Walk(Browser(over_http(own)), atlassian)
    refused = walk.come_back(walk.consent(walk.initiate("secret").json()["authorization_uri"]))
    assert refused.status == 400
    (commands,) = blocks("Atlassian's client secret")
    told = operator.run(commands, typed="local-client-id\nlocal-client-secret\n")
    assert "local-client-secret" not in told
    connect(own, atlassian, "secret")
    assert token(own, "secret") == 200


def test_data_keys(own: Stack, operator: Operator, atlassian: Atlassian) -> None:
    connect(own, atlassian, "data-keys")
    name = sealed_by(own, "data-keys")
    (commands,) = blocks("Data keys")
    scan, _, rest = commands.partition("NAME=")
    assert name in operator.run(scan)
    told = operator.run(scan, f"NAME={name}\n", rest.partition("\n")[2])
    assert '"complete": true' in told
    assert name not in rows(own, "DATA_KEY#")
    assert sealed_by(own, "data-keys") != name
    assert token(own, "data-keys") == 200


def test_kms_keys(own: Stack, operator: Operator, atlassian: Atlassian) -> None:
    connect(own, atlassian, "kms-keys")
    earlier = set(rows(own, "DATA_KEY#"))
    own_material, make, finish = blocks("KMS keys")
    assert UNKNOWN_TO_THE_EMULATOR in own_material
    operator.run(
        own_material.replace("rotate-key-on-demand", "rotate-key-on-demand --generate-cli-skeleton output")
    )
    told = operator.run(make, finish, 'echo "$FORMER $NEW"\n')
    former, new = told.split()[-2:]
    assert '"complete": true' in told
    left = rows(own, "DATA_KEY#")
    assert not earlier & set(left)
    assert {row["kms_key"]["S"] for row in left.values()} == {new}
    state = own.client("kms").describe_key(KeyId=former)["KeyMetadata"]["KeyState"]
    assert state == "PendingDeletion"
    assert token(own, "kms-keys") == 200
    connect(own, atlassian, "kms-keys-2")
    assert rows(own, "DATA_KEY#")[sealed_by(own, "kms-keys-2")]["kms_key"]["S"] == new
    stack = own.client("cloudformation").describe_stacks(StackName="jobticket-local")["Stacks"][0]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert (parameters["EncryptionKeyArn"], parameters["FormerEncryptionKeyArn"]) == (new, "")
