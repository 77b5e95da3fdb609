"""Health, document and pages: public, cached, nothing secret in them."""

from __future__ import annotations

import dataclasses
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

    monkeypatch.setattr(site.dynamodb(), "describe_table", refused)
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


PAGES = ("/", "/docs", "/console")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_allows_its_own_files_and_nothing_else(visitor: Gateway, path: str) -> None:
    answer = visitor.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    for kind in ("script-src", "style-src", "connect-src"):
        assert policy[kind] == "'self'"
    assert (policy["frame-ancestors"], policy["form-action"], policy["base-uri"]) == ("'none'",) * 3
    assert answer.headers["x-frame-options"] == "DENY"
    assert not re.search(r"\s(style|on\w+)=|<style|<script(?! src)", answer.text)
    assert not re.search(r"(src|href)=.?https?:", answer.text)


@pytest.mark.parametrize("path", PAGES)
def test_what_a_page_loads_has_an_address_of_its_content_and_is_kept(visitor: Gateway, path: str) -> None:
    loaded = re.findall(r'(?:src|href)="(assets/[^"]+)"', visitor.get(path).text)
    own = [address for address in loaded if not re.search(r"swagger|uPlot|licences", address)]
    assert len(own) >= 3
    for address in own:
        answer = visitor.get(f"/{address}", headers={"Accept-Encoding": "gzip"})
        assert answer.status == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.body == visitor.get(f"/{address}").body


def test_a_page_that_has_not_changed_is_not_sent_again(visitor: Gateway) -> None:
    first = visitor.get("/console")
    assert first.headers["cache-control"] == "no-cache"
    again = visitor.get("/console", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert visitor.get("/console", headers={"If-None-Match": '"other"'}).status == 200


def test_a_page_of_an_earlier_release_gets_files_that_it_must_not_keep(visitor: Gateway) -> None:
    answer = visitor.get("/assets/0123456789abcdef/console.js")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize("name", ["nothing.js", "console.html", "..%2Fopenapi.json", "..%2Fapp.py"])
def test_no_other_file_is_served(visitor: Gateway, name: str) -> None:
    assert visitor.get(f"/assets/x/{name}").status == 404


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("id=7", "#/anomalies/7"),
        ("", "#/anomalies"),
        ("id=%22%3E", "#/anomalies"),
        ("id=1%23", "#/anomalies"),
    ],
)
def test_a_ticket_leads_to_its_anomaly(visitor: Gateway, query: str, place: str) -> None:
    answer = visitor.get(f"/datastores/1/anomalies?{query}")
    assert (answer.status, answer.headers["location"]) == (302, f"../../console{place}")


def test_only_the_local_stack_leads_to_an_emulated_jira(site: Any, visitor: Gateway) -> None:
    assert "<li hidden>" in visitor.get("/").text
    site.config = dataclasses.replace(site.config, atlassian_url="http://127.0.0.1:8001")
    assert '<li><a class="tile" href="http://127.0.0.1:8001">' in visitor.get("/").text


def test_the_document_is_asked_for_again_with_a_tag(visitor: Gateway) -> None:
    first = visitor.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert first.json()["openapi"] == "3.1.0"
    assert visitor.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]}).status == 304
