"""A function's environment as template.yaml words it, with every reference given a value.

It serves functions that run without a deployment: under Lambda's runtime interface client, or in `sam local`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def environment_of(template: Mapping[str, Any], function: str, known: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a function of the template gets.

    Parameters
    ----------
    known
        Values of parameters and resources by their names; a parameter that is left out has its default, a
        resource its name.
    """
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    own = template["Resources"][function]["Properties"]["Environment"]["Variables"]
    return {name: _value(template, value, known) for name, value in {**shared, **own}.items()}


def _value(template: Mapping[str, Any], value: Any, known: Mapping[str, str]) -> str:
    match value:
        case {"Ref": name} | {"Fn::GetAtt": [name, *_]}:
            return _named(template, name, known)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:]+)(?:\.\w+)?\}", lambda found: _named(template, found[1], known), text)
        case {"Fn::If": [_, chosen, _]}:
            return _value(template, chosen, known)
        case _:
            return str(value)


def _named(template: Mapping[str, Any], name: str, known: Mapping[str, str]) -> str:
    default = template["Parameters"].get(name, {}).get("Default", name)
    return known.get(name, str(default))
