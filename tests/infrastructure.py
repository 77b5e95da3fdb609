"""Tables made from template.yaml, so that tests and deployment cannot drift apart."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).parent.parent / "template.yaml"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as ``{tag: value}``."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {f"!{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


@cache
def template() -> dict[str, Any]:
    """Return template.yaml with its short forms as mappings."""
    with TEMPLATE.open() as file:
        loaded: dict[str, Any] = yaml.load(file, _Loader)
    return loaded


def create_table(client: Any, resource: str, name: str) -> None:
    """Create the table that a resource of the template describes."""
    properties = template()["Resources"][resource]["Properties"]
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    client.create_table(TableName=name, **{key: properties[key] for key in wanted if key in properties})
