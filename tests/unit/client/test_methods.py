"""The client's methods: one for each operation of the API, over all pages, with the API's names."""

from __future__ import annotations

import ast
import json
from collections import Counter
from pathlib import Path

import jobticket_client
import pytest
from jobticket_client import Jobticket
from jobticket_client.resource import Resource

from tests.support.faulty_service import faulty_service
from tools.openapi.document import declared

SOURCE = Path(jobticket_client.__file__).parent
#: What pages, browsers and Jira call.
FOR_OTHERS = {"oauth", "site", "webhooks"}


def _called() -> Counter[str]:
    """Count the operationIds that the client's methods name."""
    texts = [
        node.value
        for path in SOURCE.glob("*.py")
        if path.name != "generated.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    operations = {route.name for _, routes in declared() for route in routes.routes}
    return Counter(text for text in texts if text in operations)


def test_every_operation_has_a_method() -> None:
    wanted = {
        route.name
        for function, routes in declared()
        for route in routes.routes
        if route.alias_of is None and (function not in FOR_OTHERS or route.scope)
    }
    assert wanted - set(_called()) == set()


def test_an_operation_has_one_method_where_it_does_one_thing() -> None:
    twice = {name for name, count in _called().items() if count > 1}
    assert twice == {"removeAnomaly"}  # archives or deletes


def test_a_program_that_type_checkers_read_uses_every_method() -> None:
    program = (SOURCE.parents[1] / "examples" / "every_method.py").read_text()
    with Jobticket("http://127.0.0.1", "key") as client:
        groups = {name: group for name, group in vars(client).items() if isinstance(group, Resource)}
    methods = [
        f"client.{group}.{method}("
        for group, resource in groups.items()
        for method in dir(resource)
        if not method.startswith("_") and method != "reconnecting"
    ]
    assert [call for call in methods if call not in program] == []


def test_lists_read_all_pages_and_no_more_than_are_looked_at() -> None:
    with faulty_service() as service, Jobticket(service.url, "key") as client:
        service.answers["GET /api/anomalies"] = (200, {"items": [{"id": 1}], "pages": 3})
        assert len(list(client.anomalies.list(page_size=1))) == 3
        next(iter(client.anomalies.list()))
        assert [path for _, path, _, _ in service.requests] == [
            "/api/anomalies?page=1&size=1",
            "/api/anomalies?page=2&size=1",
            "/api/anomalies?page=3&size=1",
            "/api/anomalies?page=1&size=100",
        ]


def test_bodies_get_the_names_of_the_api() -> None:
    with faulty_service() as service, Jobticket(service.url, "key") as client:
        client.settings.change(push_enabled=True, field_mappings={"part_number": "x"})
        client.paths.create(
            job_id="job_1", name="a", goal_quantity=1, steps=[{"name": "b"}], idempotency_key="order-4711"
        )
        assert [body for _, _, _, body in service.requests] == [
            {"pushEnabled": True, "fieldMappings": {"partNumber": "x"}},
            {"jobId": "job_1", "name": "a", "goalQuantity": 1, "steps": [{"name": "b"}]},
        ]
        assert service.requests[-1][2]["Idempotency-Key"] == "order-4711"


@pytest.mark.parametrize("name", ["a/b", "..", "ä@x y", "%2e"])
def test_any_name_arrives(name: str) -> None:
    with faulty_service() as service, Jobticket(service.url, "key") as client:
        client.connections.delete(name)
        assert json.dumps(service.requests[-1][1])


def test_what_is_written_by_hand_stays_small() -> None:
    hand_written = [path for path in SOURCE.glob("*.py") if path.name != "generated.py"]
    assert sum(len(path.read_text().splitlines()) for path in hand_written) <= 900
