"""Every sample event goes through its function as Lambda runs it: runtime interface client, built layers.

What `sam local invoke` does in a container, on the local stack's AWS. The layers are those that were deployed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws import Aws
from local.runtime import Container, running_container
from local.sam_environment import environments
from local.template import load_template, resources_of_type
from tests.deployed import Stack
from tools.build_layers import build_function, build_layers, running_interpreter

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATE = load_template()
FUNCTIONS = resources_of_type(TEMPLATE, "AWS::Serverless::Function")
LAYERS = resources_of_type(TEMPLATE, "AWS::Serverless::LayerVersion")


@pytest.fixture(params=FUNCTIONS)
def function(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def container(function: str, stack: Stack, tmp_path: Path) -> Iterator[Container]:
    properties = FUNCTIONS[function]
    built = build_layers(running_interpreter())
    layers = [built[Path(LAYERS[layer["Ref"]]["ContentUri"]).name] for layer in properties["Layers"]]
    code = build_function(ROOT / properties["CodeUri"], tmp_path / "code", running_interpreter())
    environment = environments(Aws(stack.description()["aws_endpoint_url"]))[function]
    with running_container(code, layers, environment) as running:
        yield running


def test_every_sample_event_is_answered(function: str, container: Container) -> None:
    events = sorted((ROOT / "events" / Path(FUNCTIONS[function]["CodeUri"]).name).glob("*.json"))
    assert events, "a function has sample events"
    for path in events:
        answer = container.invoke(json.loads(path.read_text()))
        assert is_no_fault(answer), (path.name, answer)


def is_no_fault(answer: Any) -> bool:
    """Tell an answer of the product from one that says it did not know what to do.

    The samples name jobs, connections and tickets that this stack does not have; what is refused for that, and
    whom Jira does not know, is documented.
    """
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return True
    status: int = answer["statusCode"]
    return status < 500 or status in (502, 503)
