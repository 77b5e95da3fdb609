"""Set what the emulator's CloudFormation ignores: expiry and recovery of tables."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.template import resources_of_type


def apply_what_deployment_leaves_out(aws: Aws, template: dict[str, Any], stack: str) -> None:
    """Configure tables as the template says."""
    physical_ids = _physical_ids(aws, stack)
    dynamodb = aws.client("dynamodb")
    for name, properties in resources_of_type(template, "AWS::DynamoDB::Table").items():
        _set_expiry(dynamodb, physical_ids[name], properties)
        _set_recovery(dynamodb, physical_ids[name], properties)


def _physical_ids(aws: Aws, stack: str) -> dict[str, str]:
    pages = aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
    }


def _set_expiry(dynamodb: Any, table: str, properties: dict[str, Any]) -> None:
    wanted = properties["TimeToLiveSpecification"]
    present = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if present.get("AttributeName") != wanted["AttributeName"]:
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)


def _set_recovery(dynamodb: Any, table: str, properties: dict[str, Any]) -> None:
    wanted = properties["PointInTimeRecoverySpecification"]
    description = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    present = description.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    if (present == "ENABLED") != wanted["PointInTimeRecoveryEnabled"]:
        dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=wanted)
