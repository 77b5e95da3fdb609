"""The generated module of the Python client: types of bodies and answers, and a table of operations.

``python -m tools.client_types`` writes it from the OpenAPI document; ``--check`` tells if it is out of date.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from tools.openapi.document import DOCUMENT, ROOT, declared

GENERATED = ROOT / "clients" / "python" / "src" / "jobticket_client" / "generated.py"
COMMAND = (
    *(sys.executable, "-m", "datamodel_code_generator", "--input-file-type", "openapi"),
    *("--output-model-type", "typing.TypedDict", "--target-python-version", "3.11"),
    *("--use-union-operator", "--enum-field-as-literal", "all", "--use-schema-description"),
    *("--formatters", "builtin", "--disable-timestamp", "--naming-strategy", "parent-prefixed"),
)


def generated(document: dict[str, Any]) -> str:
    """Return the module for an OpenAPI document. An alias gets no method, so it needs no type."""
    aliases = {route.name for _, routes in declared() for route in routes.routes if route.alias_of}
    for methods in document["paths"].values():
        for method in [each for each in methods if methods[each]["operationId"] in aliases]:
            del methods[method]
    ran = subprocess.run(
        COMMAND, input=json.dumps(_with_names(document)), capture_output=True, text=True, check=True, cwd=ROOT
    )
    heading = '"""Generated from the OpenAPI document by tools.client_types; not edited by hand."""\n\n'
    types = ran.stdout[ran.stdout.index("from __future__") :].rstrip()
    rows = "".join(f"    {row},\n" for row in _operations(document))
    about = "#: Each operation's method, its path, and whether it takes an Idempotency-Key.\n"
    module = f"{heading}{types}\n\n{about}OPERATIONS: dict[str, tuple[str, str, bool]] = {{\n{rows}}}\n"
    ruff = (sys.executable, "-m", "ruff", "format", "--stdin-filename", str(GENERATED), "-")
    return subprocess.run(ruff, input=module, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def _with_names(document: dict[str, Any]) -> dict[str, Any]:
    """Name every body and answer; give the members of bodies, which are arguments, Python's names."""
    named = copy.deepcopy(document)
    schemas = named["components"]["schemas"]
    bodies: dict[str, None] = {}
    for methods in named["paths"].values():
        for operation in methods.values():
            name = operation["operationId"][0].upper() + operation["operationId"][1:]
            for status, answer in operation["responses"].items():
                if status.startswith("2"):
                    _named(answer, f"{name}Answer", schemas)
            body = _named(operation.get("requestBody", {}), f"{name}Body", schemas)
            bodies |= dict.fromkeys(_reached(body, schemas))
            if "$ref" in body and _takes_key(operation):
                members = schemas[body["$ref"].rsplit("/", 1)[1]]["properties"]
                members["idempotency_key"] = {
                    "type": "string",
                    "description": "Repeats with it do the work once.",
                }
    for schema in map(schemas.__getitem__, bodies):
        if "properties" in schema:
            schema["properties"] = {_snake(key): value for key, value in schema["properties"].items()}
            schema["required"] = [_snake(key) for key in schema.get("required", ())]
    return named


def _named(holder: dict[str, Any], name: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a body or an answer, by reference if it is an object."""
    content = holder.get("content", {}).get("application/json", {})
    if content.get("schema", {}).get("properties"):
        schemas[name], content["schema"] = content["schema"], {"$ref": f"#/components/schemas/{name}"}
    schema: dict[str, Any] = content.get("schema", {})
    return schema


def _reached(schema: Any, schemas: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the schemas that a schema refers to."""
    for reference in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(schema)):
        yield reference
        yield from _reached(schemas[reference], schemas)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", lambda found: "_" + found[0].lower(), name)


def _takes_key(operation: dict[str, Any]) -> bool:
    return any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            facts = (method.upper(), path, _takes_key(operation))
            yield f'"{operation["operationId"]}": {facts}'


def main() -> int:
    text = generated(json.loads(DOCUMENT.read_text()))
    if "--check" not in sys.argv:
        GENERATED.write_text(text)
    elif GENERATED.read_text() != text:
        print("clients/python: generated.py is out of date; run `make openapi`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
