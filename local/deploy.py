"""Deploy template.yaml to the emulator, as CloudFormation does in an account."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local.aws import Aws
from local.errors import LocalStackError
from local.fixups import apply_what_deployment_leaves_out
from local.leftovers import delete_code_of_former_deployments
from local.packages import upload_code, upload_template
from local.settings import Settings
from local.template import load_template, resources_of_type

STACK = "jobticket-local"
POLL_SECONDS = 0.1
SECONDS = 120
UNTHROTTLED = "10000"


@dataclass(frozen=True)
class Deployed:
    """What a deployment has made."""

    api_id: str
    outputs: Mapping[str, str]
    functions: frozenset[str]  # the template's names


def deploy(aws: Aws, settings: Settings) -> Deployed:
    """Create or update the stack. Unchanged code and an unchanged template cost nothing."""
    template = load_template()
    parameters = _parameters(template, settings)
    upload_code(aws, template)
    template["Globals"]["Function"]["Environment"]["Variables"]["RELEASE"] = release_of(template, parameters)
    if settings.event_bus:
        _make_bus(aws.client("events"), settings.event_bus)
    cloudformation = aws.client("cloudformation")
    url = upload_template(aws, json.dumps(template, separators=(",", ":")))
    created = _create_or_update(cloudformation, url, parameters)
    apply_what_deployment_leaves_out(aws, template, STACK)
    if not created:
        delete_code_of_former_deployments(aws, template, url)
    return Deployed(
        _physical_id(cloudformation, "Api"),
        _outputs(cloudformation),
        frozenset(resources_of_type(template, "AWS::Serverless::Function")),
    )


def _parameters(template: dict[str, Any], settings: Settings) -> list[dict[str, str]]:
    """Return the template's parameters that the local stack sets."""
    wanted = {
        "Environment": "local",
        "PublicUrl": settings.url,
        "AllowPrivateHosts": "true",
        "AtlassianAuthUrl": settings.atlassian_url,
        "AtlassianApiUrl": settings.atlassian_url,
        "ThrottleRate": UNTHROTTLED,
        "ThrottleBurst": UNTHROTTLED,
        "PublicThrottleRate": UNTHROTTLED,
        "PublicThrottleBurst": UNTHROTTLED,
        "ReturnOrigins": settings.return_origins,
        "ConnectMode": settings.connect_mode,
        "PushSchedule": settings.push_schedule,
        "EventBusName": settings.event_bus,
    }
    return [
        {"ParameterKey": name, "ParameterValue": value}
        for name, value in wanted.items()
        if name in template["Parameters"] and value is not None
    ]


def release_of(template: dict[str, Any], parameters: list[dict[str, str]]) -> str:
    """Return what changes with the parameters and the layers, so that functions get new versions.

    Parameters
    ----------
    template
        With the addresses of uploaded code, which change with the code.
    """
    layers = resources_of_type(template, "AWS::Serverless::LayerVersion")
    code = sorted(layer["ContentUri"] for layer in layers.values())
    return hashlib.sha256(json.dumps([parameters, code]).encode()).hexdigest()[:12]


def _make_bus(events: Any, name: str) -> None:
    with contextlib.suppress(events.exceptions.ResourceAlreadyExistsException):
        events.create_event_bus(Name=name)


def _create_or_update(cloudformation: Any, url: str, parameters: list[dict[str, str]]) -> bool:
    """Deploy, and tell whether the stack is new."""
    status = _status(cloudformation)
    if status in ("ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED"):
        # A stack whose creation failed can only be deleted.
        cloudformation.delete_stack(StackName=STACK)
        _wait(cloudformation)
        status = None
    is_new = status in (None, "DELETE_COMPLETE")
    operation = cloudformation.create_stack if is_new else cloudformation.update_stack
    try:
        operation(
            StackName=STACK,
            TemplateURL=url,
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Tags=[{"Key": "application", "Value": "jobticket"}, {"Key": "environment", "Value": "local"}],
        )
    except ClientError as error:
        reason = error.response["Error"]["Message"]
        if "No updates are to be performed" in reason:
            return False
        raise LocalStackError(f"template.yaml was refused: {reason}") from error
    if _wait(cloudformation) not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise LocalStackError(f"template.yaml could not be deployed:\n{_failures(cloudformation)}")
    return is_new


def _wait(cloudformation: Any) -> str | None:
    end = time.monotonic() + SECONDS
    while (status := _status(cloudformation)) and status.endswith("_IN_PROGRESS"):
        if time.monotonic() > end:
            raise LocalStackError(f"The deployment is still {status} after {SECONDS} s")
        time.sleep(POLL_SECONDS)
    return status


def _status(cloudformation: Any) -> str | None:
    try:
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    except ClientError:
        return None
    status: str = stack["StackStatus"]
    return status


def _failures(cloudformation: Any) -> str:
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    return "\n".join(
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '?')}" for event in failed
    )


def _physical_id(cloudformation: Any, logical_id: str) -> str:
    detail = cloudformation.describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
    physical_id: str = detail["StackResourceDetail"]["PhysicalResourceId"]
    return physical_id


def _outputs(cloudformation: Any) -> dict[str, str]:
    stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
