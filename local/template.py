"""Read template.yaml with CloudFormation's short forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"
FUNCTIONS_WITHOUT_PREFIX = ("Ref", "Condition")


class _Loader(yaml.CSafeLoader):
    """Loads `!GetAtt A.B` as `{"Fn::GetAtt": ["A", "B"]}` and its like."""


def _short_form(loader: yaml.CSafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in FUNCTIONS_WITHOUT_PREFIX else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


def load_template(path: Path = TEMPLATE) -> dict[str, Any]:
    """Load a template into plain dictionaries and lists."""
    with path.open(encoding="utf-8") as text:
        template: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506, a safe loader with tags
    return template


def resources_of_type(template: dict[str, Any], type_: str) -> dict[str, dict[str, Any]]:
    """Return the properties of every resource of a type, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == type_
    }


def translate_fast() -> None:
    """Keep SAM from copying the whole API twice for each route, which takes nine tenths of a translation.

    The result is the same but for the digest in the deployment's name.
    """
    from samtranslator.swagger import swagger

    swagger._deepcopy = lambda document: document
