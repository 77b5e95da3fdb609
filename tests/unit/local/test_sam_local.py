"""What `sam local` is told: which machine, which files."""

from __future__ import annotations

import tomllib

import pytest

from local.errors import LocalStackError
from local.sam_local import FOLDER, MACHINE, ROOT, architecture
from local.template import load_template, resources_of_type
from tools.build_layers import Target


@pytest.mark.parametrize(
    ("machine", "named", "platform"),
    [
        ("x86_64", "x86_64", "manylinux2014_x86_64"),
        ("AMD64", "x86_64", "manylinux2014_x86_64"),
        ("aarch64", "arm64", "manylinux2014_aarch64"),
        ("arm64", "arm64", "manylinux2014_aarch64"),
    ],
)
def test_layers_are_for_the_machine(machine: str, named: str, platform: str) -> None:
    assert architecture(machine) == (named, Target("3.13", platform))


def test_other_machines_are_refused() -> None:
    with pytest.raises(LocalStackError, match="riscv64"):
        architecture("riscv64")


@pytest.mark.parametrize("command", ["local_invoke", "local_start_api"])
def test_sam_local_finds_what_is_written(command: str) -> None:
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"][command]["parameters"]
    assert ROOT / configured["template_file"] == FOLDER / "template.yaml"
    assert ROOT / configured["env_vars"] == FOLDER / "env.json"
    assert configured["add_host"] == f"{MACHINE}:host-gateway"


def test_what_is_deployed_names_no_endpoint() -> None:
    template = load_template()
    functions = resources_of_type(template, "AWS::Serverless::Function").values()
    declared = [each["Environment"]["Variables"] for each in (template["Globals"]["Function"], *functions)]
    assert not [name for variables in declared for name in variables if name.startswith("AWS_ENDPOINT_URL")]
