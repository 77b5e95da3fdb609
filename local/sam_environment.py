"""Write local/env.json: the environment of every function, pointing at the running local stack.

    python -m local.sam_environment        while `make run` is running

For `sam local invoke <Function> -e events/<function>/<event>.json --env-vars local/env.json`. It is written
and not kept, because the emulator's port and the names of the tables change from stack to stack.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.aws import Aws
from local.deploy import STACK
from local.emulator import ACCOUNT_KEY, REGION
from local.errors import LocalStackError
from local.settings import read_settings
from local.stack import DESCRIPTION
from local.template import load_template, resources_of_type

__all__ = ["environments", "main"]

FILE = Path(__file__).parent / "env.json"


def environments(aws: Aws) -> dict[str, dict[str, str]]:
    """Return what each deployed function has in its environment, and how it reaches the emulator."""
    functions, cloudformation = aws.client("lambda"), aws.client("cloudformation")
    reached = {
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCOUNT_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCOUNT_KEY,
    }
    found = {}
    for name in resources_of_type(load_template(), "AWS::Serverless::Function"):
        detail = cloudformation.describe_stack_resource(StackName=STACK, LogicalResourceId=name)
        physical_id = detail["StackResourceDetail"]["PhysicalResourceId"]
        configuration = functions.get_function_configuration(FunctionName=physical_id)
        found[name] = configuration["Environment"]["Variables"] | reached
    return found


def main(environment: Mapping[str, str] = os.environ) -> None:
    """Write the file."""
    note = read_settings(environment).data_dir / DESCRIPTION
    if not note.exists():
        raise LocalStackError("No local stack is running on this data: make run")
    description: dict[str, Any] = json.loads(note.read_text())
    FILE.write_text(json.dumps(environments(Aws(description["aws_endpoint_url"])), indent=2) + "\n")
    print(f"Written: {FILE.relative_to(Path.cwd()) if FILE.is_relative_to(Path.cwd()) else FILE}")


if __name__ == "__main__":
    try:
        main()
    except LocalStackError as error:
        sys.exit(f"Error: {error}")
