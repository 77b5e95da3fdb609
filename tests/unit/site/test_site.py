"""Health, document and page: public, cached, nothing secret in them."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.gateway import Gateway
from tests.unit.conftest import gateway, load_function


@pytest.fixture
def site(aws: None) -> Any:
    return load_function("site", cold=True)


@pytest.fixture
def visitor(site: Any) -> Gateway:
    return gateway(site, key=None)


def test_a_healthy_deployment_says_so_and_names_its_version(visitor: Gateway) -> None:
    answer = visitor.get("/health")
    assert answer.status == 200
    assert answer.json() == {
        "status": "ok",
        "version": visitor.get("/openapi.json").json()["info"]["version"],
        "checks": dict.fromkeys(
            ("jobs table", "connections table", "ticketing table", "key ring", "Atlassian app"), "reachable"
        ),
    }


def test_an_unreachable_table_makes_it_degraded_without_telling_why(
    site: Any, visitor: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "arn:secret"}}, "DescribeTable")

    monkeypatch.setattr(site.dynamodb, "describe_table", refused)
    answer = visitor.get("/health")
    assert (answer.status, answer.headers["retry-after"]) == (503, "10")
    assert answer.json()["status"] == "degraded"
    assert answer.json()["checks"]["jobs table"] == "unreachable"
    assert "arn" not in answer.text


def test_a_look_is_good_for_ten_seconds(site: Any) -> None:
    time = [100.0]
    looks: list[float] = []
    health = site.Health({"table": lambda: looks.append(time[0])}, lambda: time[0])
    for moment in (100.0, 109.9, 110.0, 111.0):
        time[0] = moment
        assert health.look() == {"table": "reachable"}
    assert looks == [100.0, 110.0]


def test_the_page_allows_its_own_style_and_nothing_else(visitor: Gateway) -> None:
    answer = visitor.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "<script" not in answer.text
    assert not re.search(r"\s(style|on\w+)=", answer.text)


def test_the_page_shows_every_route_of_the_document(visitor: Gateway) -> None:
    page = visitor.get("/docs").text
    for methods in visitor.get("/openapi.json").json()["paths"].values():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page
