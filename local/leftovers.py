"""Delete the code of former deployments. Nothing else does: SAM retains versions of functions."""

from __future__ import annotations

from typing import Any

from local.aws import Aws
from local.packages import BUCKET
from local.template import resources_of_type


def delete_code_of_former_deployments(aws: Aws, template: dict[str, Any], template_url: str) -> None:
    """Delete all code except what the deployed template uses.

    Parameters
    ----------
    template
        With the addresses of uploaded code.
    """
    _delete_versions(aws.client("lambda"))
    code = [each["CodeUri"] for each in resources_of_type(template, "AWS::Serverless::Function").values()]
    layers = resources_of_type(template, "AWS::Serverless::LayerVersion").values()
    used = [*code, *(layer["ContentUri"] for layer in layers), template_url]
    _delete_objects(aws.client("s3"), {address.rpartition("/")[2] for address in used})


def _delete_versions(functions: Any) -> None:
    for page in functions.get_paginator("list_functions").paginate():
        for name in (function["FunctionName"] for function in page["Functions"]):
            aliases = functions.list_aliases(FunctionName=name)["Aliases"]
            used = {"$LATEST"} | {alias["FunctionVersion"] for alias in aliases}
            for versions in functions.get_paginator("list_versions_by_function").paginate(FunctionName=name):
                for version in {each["Version"] for each in versions["Versions"]} - used:
                    functions.delete_function(FunctionName=name, Qualifier=version)


def _delete_objects(s3: Any, used: set[str]) -> None:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", []):
            if entry["Key"] not in used:
                s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
