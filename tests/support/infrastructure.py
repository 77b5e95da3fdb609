"""Tables made from template.yaml, so that tests and deployment cannot drift apart."""

from __future__ import annotations

from functools import cache
from typing import Any

from local.template import load_template

template = cache(load_template)


def create_table(client: Any, resource: str, name: str) -> None:
    """Create the table that a resource of the template describes."""
    properties = template()["Resources"][resource]["Properties"]
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    client.create_table(TableName=name, **{key: properties[key] for key in wanted if key in properties})
