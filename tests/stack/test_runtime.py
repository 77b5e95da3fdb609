"""Every sample event goes through its function as `sam local invoke` does it, without the container around it.

With the files that `make sam-local` writes, SAM's own rule for what a function gets of them, and the runtime
interface emulator that SAM puts into its containers. The layers are those for the interpreter that runs this.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws import Aws
from local.sam_local import Tunnel, write_sam_local
from local.template import load_template, resources_of_type
from tests.support.deployed import Stack
from tests.support.sam_cli import Invoke, under_emulator, variables_of
from tools.build_layers import running_interpreter

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATE = load_template()
FUNCTIONS = {
    name: properties
    for name, properties in resources_of_type(TEMPLATE, "AWS::Serverless::Function").items()
    if "Condition" not in TEMPLATE["Resources"][name]  # needs a bus, which the local stack has not
}
#: A developer's shell: another endpoint, and credentials of a real account.
SHELL = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "AKIAOFARREALACCOUNT",
    "AWS_SECRET_ACCESS_KEY": "secret-of-a-real-account",
    "AWS_SESSION_TOKEN": "token-of-a-real-account",
    "AWS_REGION": "us-west-2",
    "AWS_DEFAULT_REGION": "us-west-2",
    "PUBLIC_URL": "https://jobticket.example.com",
}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the runtime interface emulator is Linux's")


@pytest.fixture(scope="module")
def written(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "sam-local"
    aws = Aws(stack.description()["aws_endpoint_url"])
    write_sam_local(folder, aws, Tunnel(1, "secret", ()), "x86_64", running_interpreter())
    return folder


@pytest.fixture(params=FUNCTIONS)
def function(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def template(written: Path) -> dict[str, Any]:
    return load_template(written / "template.yaml")


@pytest.fixture
def variables(function: str, template: dict[str, Any], written: Path) -> dict[str, str]:
    overrides = json.loads((written / "env.json").read_text())
    return variables_of(function, template, overrides, SHELL)


@pytest.fixture
def invoke(function: str, template: dict[str, Any], variables: dict[str, str]) -> Iterator[Invoke]:
    properties = template["Resources"][function]["Properties"]
    layers = [template["Resources"][layer["Ref"]]["Properties"] for layer in properties["Layers"]]
    with under_emulator(
        Path(properties["CodeUri"]), [Path(layer["ContentUri"]) for layer in layers], variables
    ) as running:
        yield running


def test_every_sample_event_is_answered(function: str, invoke: Invoke) -> None:
    events = sorted((ROOT / "events" / Path(FUNCTIONS[function]["CodeUri"]).name).glob("*.json"))
    assert events, "a function has sample events"
    for path in events:
        answer = invoke(json.loads(path.read_text()))
        assert is_no_fault(answer), (path.name, answer)


def test_the_shell_leads_no_function_astray(stack: Stack, variables: dict[str, str]) -> None:
    assert variables["AWS_ENDPOINT_URL"] == stack.description()["aws_endpoint_url"]
    assert not set(variables.values()) & set(SHELL.values())


def test_what_is_written_keeps_every_route(template: dict[str, Any]) -> None:
    functions = resources_of_type(template, "AWS::Serverless::Function")
    assert _routes(functions) == _routes(FUNCTIONS)


def _routes(functions: dict[str, dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {
        (name, event["Properties"]["Method"], event["Properties"]["Path"])
        for name, properties in functions.items()
        for event in properties.get("Events", {}).values()
        if event["Type"] == "Api"
    }


def is_no_fault(answer: Any) -> bool:
    """Tell an answer of the product from one that says it did not know what to do.

    The samples name jobs, connections and tickets that this stack does not have; what is refused for that, and
    whom Jira does not know, is documented. That AWS gives no answer is 503, and a fault here.
    """
    if not isinstance(answer, dict):
        return True
    if "statusCode" not in answer:
        return "errorType" not in answer and not answer.get("batchItemFailures")
    status: int = answer["statusCode"]
    return status < 500 or status == 502
