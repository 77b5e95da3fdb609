"""The page at /docs: the OpenAPI document as plain HTML, without scripts and without third parties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

_TITLES = {
    "jobs": "Jobs, paths, serial numbers, settings",
    "job_sync": "Jobs and their Jira tickets",
    "oauth": "Connecting a site",
    "connections": "Connections and tokens",
    "jira": "Jira operations",
    "ticketing": "Tickets for anomalies",
    "site": "About this deployment",
}

STYLE = (Path(__file__).parent / "page.css").read_text()


def page(document: Mapping[str, Any]) -> str:
    """Return the page for a document."""
    schemas = document["components"]["schemas"]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(document['info']['title'])} API</title>",
            f"<style>{STYLE}</style></head><body><main>",
            f"<h1>{escape(document['info']['title'])} API</h1>",
            f"<p>{escape(document['info']['description'])}</p>",
            f'<p class="dim">Version {escape(document["info"]["version"])}. '
            'The same as a document: <a href="openapi.json">openapi.json</a>.</p>',
            "<p>Every route but the public ones needs <code>Authorization: Bearer &lt;key&gt;</code>, "
            "with a key that has the scope named.</p>",
            *_sections(document["paths"], schemas),
            "</main></body></html>",
            "",
        ]
    )


def _sections(paths: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append((method, path, operation))
    for tag in [tag for tag in _TITLES if tag in by_tag]:
        yield f'<h2 id="{tag}">{escape(_TITLES[tag])}</h2>'
        for method, path, operation in by_tag[tag]:
            yield from _operation(method, path, operation, schemas)


def _operation(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[str]:
    yield f'<details id="{operation["operationId"]}"><summary><span class="method">{method.upper()}</span> '
    yield f"<code>{escape(path)}</code><br>{escape(operation['summary'])}</summary>"
    scope = operation.get("x-scope")
    yield f'<p class="dim">{f"Scope: {scope}" if scope else "Public"}</p>'
    if "description" in operation:
        yield f"<p>{escape(operation['description'])}</p>"
    if parameters := operation.get("parameters"):
        yield "<h3>Parameters</h3><dl>"
        for parameter in parameters:
            required = ", required" if parameter.get("required") else ""
            yield f"<dt><code>{escape(parameter['name'])}</code></dt><dd>in the {parameter['in']}{required}. "
            yield f"{escape(parameter.get('description', ''))}</dd>"
        yield "</dl>"
    if "requestBody" in operation:
        yield f"<h3>Body</h3>{_schema(_json_schema(operation['requestBody']), schemas)}"
    yield "<h3>Answers</h3><dl>"
    for status, answer in operation["responses"].items():
        shown = _schema(_json_schema(answer), schemas) if int(status) < 300 else ""
        yield f"<dt>{status}</dt><dd>{escape(answer['description'])}{shown}</dd>"
    yield "</dl></details>"


def _json_schema(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = holder.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _schema(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> str:
    resolved = _resolve(schema, schemas)
    if resolved.get("type") == "array":
        return f"<p>A list of:</p>{_schema(resolved['items'], schemas, depth)}"
    properties = resolved.get("properties")
    if not properties or depth > 4:
        return f"<p>{escape(_kind(resolved))}</p>" if resolved else ""
    required = resolved.get("required", ())
    entries = [
        _member(name, member, schemas, depth, required=name in required)
        for name, member in properties.items()
    ]
    return f"<ul>{''.join(entries)}</ul>"


def _member(
    name: str, member: Mapping[str, Any], schemas: Mapping[str, Any], depth: int, *, required: bool
) -> str:
    resolved = _resolve(member, schemas)
    nested = resolved if "properties" in resolved else _resolve(resolved.get("items", {}), schemas)
    inner = _schema(nested, schemas, depth + 1) if "properties" in nested else ""
    needed = ", required" if required else ""
    kind = f'<span class="dim">{escape(_kind(resolved))}{needed}</span>'
    return f"<li><code>{escape(name)}</code> {kind}{inner}</li>"


def _resolve(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return schemas[reference.rsplit("/", 1)[1]] if reference else schema


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = schema.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
