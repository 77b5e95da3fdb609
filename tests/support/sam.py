"""Stands for ``sam`` where SAM CLI or Docker is missing, and says what it does by the same words.

``deploy`` takes the settings of samconfig.toml in the present folder, as SAM does, and packages by itself. On the
stack ``local`` it changes the parameters that are named, and leaves the others. ``restart`` changes none: every
container starts anew. ``local invoke`` runs a function under SAM's runtime interface emulator, without the container.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.aws import Aws
from local.deploy import STACK
from local.emulator import ACCOUNT_KEY, REGION
from local.fixups import apply_what_deployment_leaves_out
from local.packages import upload_code, upload_template
from local.template import load_template
from tests.support.sam_cli import under_emulator, variables_of

ROOT = Path(__file__).parents[2]
CONFIG = Path("samconfig.toml")


def account_environment(folder: Path, endpoint_url: str) -> dict[str, str]:
    """Return the environment of a shell with this ``sam``, in the emulated account."""
    commands = folder / "bin"
    commands.mkdir()
    (commands / "sam").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.support.sam "$@"\n')
    (commands / "sam").chmod(0o755)
    return {
        "PATH": os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.defpath]),
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": ACCOUNT_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCOUNT_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_PAGER": "",
        "NO_PROXY": "*",
    }


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("restart")
    deploying = commands.add_parser("deploy")
    deploying.add_argument("--template-file", required=True)
    deploying.add_argument("--config-env", required=True)
    deploying.add_argument("--parameter-overrides", nargs="+", default=[])
    invoking = commands.add_parser("local").add_subparsers(required=True).add_parser("invoke")
    invoking.add_argument("function")
    invoking.add_argument("-e", dest="event", type=Path, required=True)
    arguments = parser.parse_args()
    match arguments.command:
        case "restart":
            _deploy(STACK, "template.yaml", {})
        case "deploy" if arguments.config_env == "local":
            _deploy(STACK, "template.yaml", _parameters(arguments.parameter_overrides))
        case "deploy":
            settings = tomllib.loads(CONFIG.read_text())[arguments.config_env]["deploy"]["parameters"]
            overrides = arguments.parameter_overrides or settings.get("parameter_overrides", [])
            template = arguments.template_file.removeprefix(".build/deploy/")
            _deploy(settings["stack_name"], template, _parameters(overrides))
        case "local":
            sys.stdout.write(json.dumps(_invoke(arguments.function, json.loads(arguments.event.read_text()))))


def _parameters(overrides: list[str]) -> dict[str, str]:
    return dict(override.split("=", 1) for override in overrides)


def _deploy(stack: str, file: str, changed: Mapping[str, str]) -> None:
    aws = Aws(os.environ["AWS_ENDPOINT_URL"])
    template = load_template(ROOT / file)
    if file == "template.yaml":
        template["Globals"]["Function"]["Environment"]["Variables"]["RELEASE"] = secrets.token_hex(6)
    upload_code(aws, template)
    cloudformation = aws.client("cloudformation")
    try:
        present = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Parameters", [])
        operation, done = cloudformation.update_stack, "stack_update_complete"
    except ClientError:
        present, operation, done = [], cloudformation.create_stack, "stack_create_complete"
    values = {each["ParameterKey"]: each["ParameterValue"] for each in present} | dict(changed)
    operation(
        StackName=stack,
        TemplateURL=upload_template(aws, json.dumps(template)),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    waiting = {"Delay": 1, "MaxAttempts": 120}
    cloudformation.get_waiter(done).wait(StackName=stack, WaiterConfig=waiting)
    apply_what_deployment_leaves_out(aws, template, stack)


def _invoke(function: str, event: Mapping[str, Any]) -> Any:
    named = tomllib.loads(CONFIG.read_text())["default"]["local_invoke"]["parameters"]
    template = load_template(Path(named["template_file"]))
    overrides = json.loads(Path(named["env_vars"]).read_text())
    shell = {"AWS_SESSION_TOKEN": "", "AWS_REGION": REGION, **os.environ}
    properties = template["Resources"][function]["Properties"]
    layers = [template["Resources"][layer["Ref"]]["Properties"] for layer in properties["Layers"]]
    with under_emulator(
        Path(properties["CodeUri"]),
        [Path(layer["ContentUri"]) for layer in layers],
        variables_of(function, template, overrides, shell),
    ) as invoke:
        return invoke(event)


if __name__ == "__main__":
    main()
