"""Layers and functions as deployed: their size, their content, and what a start must not import."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import botocore
import pytest

from local.environment import environment_of
from local.runtime import running_container
from local.template import load_template, resources_of_type
from tools.build_layers import AWS_SERVICES, build_function, build_layers, running_interpreter

ROOT = Path(__file__).parents[3]
TEMPLATE = load_template()
FUNCTIONS = {
    name: properties
    for name, properties in resources_of_type(TEMPLATE, "AWS::Serverless::Function").items()
    if (ROOT / properties["CodeUri"] / "app.py").exists()
}
LAYERS = resources_of_type(TEMPLATE, "AWS::Serverless::LayerVersion")
MEGABYTE = 1024 * 1024

#: Modules that are too slow for a start, and what to use instead.
HEAVY = {
    "aws_lambda_powertools.event_handler": "API Gateway has matched the route already",
    "aws_xray_sdk": "Tracing: Active alone",
    "boto3.s3": "no function uses S3",
    "cryptography": "imported when the first secret is opened",
    "fastapi": "",
    "jsonschema": "",
    "numpy": "",
    "pandas": "",
    "pydantic": "jobticket.web.api.LateModule",
    "pydantic_settings": "jobticket.config",
    "moto": "",
    "pytest": "",
}


@pytest.fixture(scope="module")
def layers() -> dict[str, Path]:
    built = build_layers(running_interpreter())
    return {name: built[Path(properties["ContentUri"]).name] for name, properties in LAYERS.items()}


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def layers_of(function: str, layers: dict[str, Path]) -> list[Path]:
    return [layers[layer["Ref"]] for layer in FUNCTIONS[function]["Layers"]]


@pytest.mark.parametrize("function", FUNCTIONS)
class TestFunctions:
    def test_function_and_layers_are_small(
        self, function: str, layers: dict[str, Path], tmp_path: Path
    ) -> None:
        code = build_function(ROOT / FUNCTIONS[function]["CodeUri"], tmp_path / "code", running_interpreter())
        own = layers_of(function, layers)
        has_cryptography = layers["EncryptionLayer"] in own
        assert list(code.rglob("*.pyc")), "measured with compiled code"
        total = size_of(code) + sum(map(size_of, own))
        assert total < (35 if has_cryptography else 20) * MEGABYTE

    def test_start_imports_nothing_heavy(
        self, function: str, layers: dict[str, Path], tmp_path: Path
    ) -> None:
        found = modules_at_start(function, layers, tmp_path)
        assert "boto3" in found
        assert {name: why for name, why in HEAVY.items() if name in found} == {}


def modules_at_start(function: str, layers: dict[str, Path], tmp_path: Path) -> set[str]:
    """Start the function under Lambda's runtime interface client, and return what it imported."""
    folder = build_function(ROOT / FUNCTIONS[function]["CodeUri"], tmp_path / "code", running_interpreter())
    (folder / "telling.py").write_text(
        "import sys\nimport app\nfound = sorted(sys.modules)\n\n\ndef handler(event, context):\n    return found\n"
    )
    environment = environment_of(
        TEMPLATE, function, {"Environment": "local", "PublicUrl": "http://127.0.0.1"}
    )
    with running_container(
        folder, layers_of(function, layers), environment, handler="telling.handler"
    ) as container:
        return set(container.invoke({}))


class TestLayers:
    def test_none_has_a_copy_of_what_the_runtime_brings_or_tests(self, layers: dict[str, Path]) -> None:
        for folder in layers.values():
            names = {path.name for path in (folder / "python").rglob("*")}
            assert not names & {"boto3", "botocore", "s3transfer", "tests", "test", "conftest.py"}

    def test_are_compiled_for_their_own_python(self, layers: dict[str, Path]) -> None:
        for folder in layers.values():
            sources = list((folder / "python").rglob("*.py"))
            assert sources
            assert [path for path in sources if not Path(cache_from_source(str(path))).exists()] == []

    @pytest.mark.parametrize("service", AWS_SERVICES)
    def test_descriptions_of_services_lack_nothing_but_documentation(
        self, service: str, layers: dict[str, Path]
    ) -> None:
        (version,) = (layers["DependenciesLayer"] / "aws-data" / service).iterdir()
        original = Path(botocore.__file__).parent / "data" / service / version.name
        for path in version.iterdir():
            read = json.loads(gzip.decompress((original / f"{path.name}.gz").read_bytes()))
            assert json.loads(path.read_text()) == without_documentation(read)

    def test_clients_made_from_them_do_what_others_do(self, layers: dict[str, Path]) -> None:
        lean = endpoints_and_operations({"AWS_DATA_PATH": str(layers["DependenciesLayer"] / "aws-data")})
        assert lean == endpoints_and_operations({})


def without_documentation(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: without_documentation(entry)
            for name, entry in value.items()
            if name != "documentation" or not isinstance(entry, str)
        }
    return [without_documentation(entry) for entry in value] if isinstance(value, list) else value


def endpoints_and_operations(environment: dict[str, str]) -> Any:
    """Return the operations and endpoints of fresh clients of every service, in several partitions."""
    script = f"""
import json, boto3
told = {{}}
for service in {AWS_SERVICES!r}:
    for region in ("eu-west-1", "us-gov-west-1", "cn-north-1"):
        client = boto3.client(service, region_name=region)
        told[service + region] = [client.meta.endpoint_url, sorted(client.meta.method_to_api_mapping)]
print(json.dumps(told))
"""
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    finished = subprocess.run(
        [sys.executable, "-c", script], env=keys | environment, capture_output=True, text=True, check=True
    )
    return json.loads(finished.stdout)
