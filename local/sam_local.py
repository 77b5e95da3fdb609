"""Write .build/sam-local, from which `sam local` runs functions, and connect them to the running local stack.

    python -m local.sam_local        while `make run` is running; until Ctrl-C

`sam local` passes only variables that its template declares. The written template declares them all: those of
the deployed functions, the emulator's address and its credentials. The deployed template must not name an
endpoint. docs/guides/sam-local.md is the guide.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import platform
import secrets
import shutil
import socket
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local import loopback
from local.aws import Aws
from local.deploy import STACK
from local.emulator import ACCOUNT_KEY, REGION
from local.errors import LocalStackError
from local.settings import HOST, read_settings
from local.stack import DESCRIPTION
from local.template import load_template, resources_of_type
from tools.build_layers import LAMBDA, LayerBuildError, Target, build_layers

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".build" / "sam-local"
#: The names of Lambda and pip for a machine's own name of its architecture.
ARCHITECTURES = {
    "x86_64": ("x86_64", "manylinux2014_x86_64"),
    "amd64": ("x86_64", "manylinux2014_x86_64"),
    "aarch64": ("arm64", "manylinux2014_aarch64"),
    "arm64": ("arm64", "manylinux2014_aarch64"),
}
#: What `sam local` reads of a function. It ignores roles, queues, alarms and the like.
READ_OF_FUNCTION = ("Handler", "Runtime", "Timeout", "MemorySize")
LOOPBACK_LAYER = "LoopbackLayer"
BRIDGE = "docker0"
SIOCGIFADDR = 0x8915
# Docker's name for the machine. On Linux containers know it by --add-host (samconfig.toml).
MACHINE = "host.docker.internal"


@dataclass(frozen=True)
class Tunnel:
    """How containers reach the machine's 127.0.0.1."""

    port: int
    secret: str
    ports: tuple[int, ...]

    def variables(self) -> dict[str, str]:
        """Return the variables that start the container's end."""
        settings = {"host": MACHINE, "port": self.port, "secret": self.secret, "ports": self.ports}
        return {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/loopback", loopback.SETTINGS: json.dumps(settings)}


def architecture(machine: str) -> tuple[str, Target]:
    """Return Lambda's name of a machine's architecture, and what layers are built for."""
    known = ARCHITECTURES.get(machine.lower())
    if known is None:
        raise LocalStackError(f"Lambda runs on x86_64 and arm64, and this machine is {machine}")
    return known[0], Target(LAMBDA.python, known[1])


def write_sam_local(
    folder: Path, aws: Aws, tunnel: Tunnel, named: str, target: Target
) -> dict[str, dict[str, str]]:
    """Write the template, and its variables as --env-vars, which the shell cannot override.

    Parameters
    ----------
    named
        Lambda's name of the architecture.

    Returns
    -------
    dict
        Each function's variables.
    """
    shutil.rmtree(folder, ignore_errors=True)
    layer = folder / "layers" / "loopback"
    layer.mkdir(parents=True)
    shutil.copy(loopback.__file__, layer / "loopback")
    (layer / "loopback").chmod(0o755)
    environments = {name: variables | tunnel.variables() for name, variables in _environments(aws).items()}
    layers = {**build_layers(target), "loopback": layer}
    template = _template(load_template(), environments, named, layers)
    # JSON is YAML, and needs no support for CloudFormation's short forms.
    (folder / "template.yaml").write_text(json.dumps(template, indent=2) + "\n")
    (folder / "env.json").write_text(json.dumps(environments, indent=2) + "\n")
    return environments


def _environments(aws: Aws) -> dict[str, dict[str, str]]:
    """Return each deployed function's environment, with the address of the emulator."""
    functions, cloudformation = aws.client("lambda"), aws.client("cloudformation")
    reached = {
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        # Declared, so that the shell's credentials do not replace them.
        "AWS_ACCESS_KEY_ID": ACCOUNT_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCOUNT_KEY,
        "AWS_SESSION_TOKEN": "",
    }
    found = {}
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
    deployed = {each["LogicalResourceId"] for page in pages for each in page["StackResourceSummaries"]}
    # A function with a condition may not be there: this stack has no bus.
    for name in resources_of_type(load_template(), "AWS::Serverless::Function").keys() & deployed:
        detail = cloudformation.describe_stack_resource(StackName=STACK, LogicalResourceId=name)
        physical_id = detail["StackResourceDetail"]["PhysicalResourceId"]
        configuration = functions.get_function_configuration(FunctionName=physical_id)
        found[name] = configuration["Environment"]["Variables"] | reached
    return found


def _template(
    template: Mapping[str, Any],
    environments: Mapping[str, Mapping[str, str]],
    named: str,
    layers: Mapping[str, Path],
) -> dict[str, Any]:
    resources: dict[str, Any] = {}
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::Serverless::Function" if name not in environments:
                continue
            case "AWS::Serverless::Function":
                own = {**template["Globals"]["Function"], **properties}
                kept = _function(own, environments[name], named)
            case "AWS::Serverless::LayerVersion":
                kept = _layer(layers[Path(properties["ContentUri"]).name], named)
            case "AWS::Serverless::Api":
                kept = {key: properties[key] for key in ("StageName", "BinaryMediaTypes")}
            case _:
                continue
        resources[name] = {"Type": resource["Type"], "Properties": kept}
    resources[LOOPBACK_LAYER] = {
        "Type": "AWS::Serverless::LayerVersion",
        "Properties": _layer(layers["loopback"], named),
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": template["Transform"],
        "Description": "Written by make sam-local, for sam local alone. Never deploy it.",
        "Resources": resources,
    }


def _function(properties: Mapping[str, Any], environment: Mapping[str, str], named: str) -> dict[str, Any]:
    return {
        **{name: properties[name] for name in READ_OF_FUNCTION if name in properties},
        "Architectures": [named],
        "CodeUri": str(ROOT / properties["CodeUri"]),
        "Layers": [*properties["Layers"], {"Ref": LOOPBACK_LAYER}],
        "LoggingConfig": {"LogFormat": "JSON"},
        "Environment": {"Variables": dict(environment)},
        "Events": {
            name: event for name, event in properties.get("Events", {}).items() if event["Type"] == "Api"
        },
    }


def _layer(folder: Path, named: str) -> dict[str, Any]:
    return {"ContentUri": str(folder), "CompatibleArchitectures": [named]}


def _listening(environment: Mapping[str, str]) -> list[socket.socket]:
    """Listen where containers reach this machine.

    On Linux that is Docker's bridge. Docker Desktop runs containers in a virtual machine, and passes their
    connections on to 127.0.0.1. Both may be installed, so this takes the same port on both addresses.
    """
    bridge = environment.get("DOCKER_GATEWAY") or _address_of(BRIDGE)
    try:
        first = socket.create_server((bridge or HOST, 0))
        return [first, socket.create_server((HOST, first.getsockname()[1]))] if bridge else [first]
    except OSError as error:
        raise LocalStackError(f"Cannot listen on {bridge}: {error}. DOCKER_GATEWAY names another.") from error


def _address_of(interface: str) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, SIOCGIFADDR, struct.pack("256s", interface.encode()))
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


def main(environment: Mapping[str, str] = os.environ) -> None:
    """Write the files, and connect containers until Ctrl-C."""
    note = read_settings(environment).data_dir / DESCRIPTION
    if not note.exists():
        raise LocalStackError("No local stack is running on this data: make run")
    description: dict[str, Any] = json.loads(note.read_text())
    ports = tuple(urlsplit(description[name]).port or 0 for name in ("aws_endpoint_url", "atlassian_url"))
    named, target = architecture(platform.machine())
    listening = _listening(environment)
    tunnel = Tunnel(listening[0].getsockname()[1], secrets.token_hex(16), ports)
    try:
        write_sam_local(FOLDER, Aws(description["aws_endpoint_url"]), tunnel, named, target)
    except LayerBuildError as error:
        raise LocalStackError(str(error)) from error
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(listening, tunnel, named))


async def _serve(listening: list[socket.socket], tunnel: Tunnel, named: str) -> None:
    await loopback.serve_machine(listening, tunnel.secret, {port: (HOST, port) for port in tunnel.ports})
    where = " and ".join(sorted({each.getsockname()[0] for each in listening}))
    print(f"Written: {FOLDER.relative_to(ROOT)}, for {named}. Now, in another shell:\n")
    print("  sam local invoke JobsFunction -e events/jobs/list_jobs.json")
    print("  sam local start-api\n")
    print(f"Connecting containers through {where}, port {tunnel.port}, until Ctrl-C.", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        main()
    except LocalStackError as error:
        sys.exit(f"Error: {error}")
