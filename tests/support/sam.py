"""Stands for ``sam deploy`` of a new package: changes the parameters that are named, and leaves the others.

``restart`` changes none: every container starts anew.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
from collections.abc import Mapping

from local.aws import Aws
from local.deploy import STACK
from local.fixups import apply_what_deployment_leaves_out
from local.packages import upload_code, upload_template
from local.template import load_template


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("restart")
    deploying = commands.add_parser("deploy")
    deploying.add_argument("--template-file", required=True)
    deploying.add_argument("--config-env", choices=["local"], required=True)
    deploying.add_argument("--parameter-overrides", nargs="+", required=True)
    arguments = parser.parse_args()
    aws = Aws(os.environ["AWS_ENDPOINT_URL"])
    overrides = arguments.parameter_overrides if arguments.command == "deploy" else []
    _deploy(aws, dict(override.split("=", 1) for override in overrides))


def _parameters(aws: Aws) -> dict[str, str]:
    stack = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    return {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}


def _deploy(aws: Aws, changed: Mapping[str, str]) -> None:
    template = load_template()
    template["Globals"]["Function"]["Environment"]["Variables"]["RELEASE"] = secrets.token_hex(6)
    upload_code(aws, template)
    cloudformation = aws.client("cloudformation")
    values = _parameters(aws) | dict(changed)
    cloudformation.update_stack(
        StackName=STACK,
        TemplateURL=upload_template(aws, json.dumps(template)),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_update_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    apply_what_deployment_leaves_out(aws, template, STACK)


if __name__ == "__main__":
    main()
