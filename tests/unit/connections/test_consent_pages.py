"""The pages as a browser gets them, before any script runs."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from jobticket.connections import atlassian
from jobticket.connections.atlassian import GrantedSite
from jobticket.connections.consent_pages import ConsentPages
from jobticket.connections.origins import ReturnOrigins
from jobticket.errors import InvalidError
from tests.support.consent_flow import DATA_TEAM, PLANT_NORTH
from tests.unit.conftest import gateway
from tests.unit.connections.conftest import Product

FOLDER = Path(__file__).parents[3] / "functions" / "oauth" / "pages"
HOSTILE = "\"><script>alert(1)</script>'&{}${x}"


class Document(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def site() -> ConsentPages:
    return ConsentPages("https://jobticket.example/live", FOLDER)


def choice(site: ConsentPages, **changes: Any) -> str:
    given: dict[str, Any] = {
        "code": "code",
        "external_id": "team-1",
        "account": "Dana Demo",
        "return_url": "https://app.example/x",
        "sites": [GrantedSite("1", "Plant North", "https://north.example", None)],
    }
    return str(site.choice(**given | changes).body)


def test_everything_from_outside_is_text(site: ConsentPages) -> None:
    body = choice(
        site,
        code=HOSTILE,
        external_id=HOSTILE,
        account=HOSTILE,
        return_url=f"https://app.example/{HOSTILE}",
        sites=[GrantedSite(HOSTILE, HOSTILE, f"https://x.example/{HOSTILE}", None)],
    )
    document = Document(body)
    (script,) = document.all("script")
    assert script == {
        "src": "https://jobticket.example/live/finalize-connection/assets/page.js",
        "defer": None,
    }
    assert document.all("form")[0]["data-code"] == HOSTILE
    assert "".join(document.words).count(HOSTILE) == 4  # the id, the account, the site's name and its URL
    assert "alert" not in {tag for tag, _ in document.elements}


def test_no_page_has_anything_inline(site: ConsentPages) -> None:
    notices = json.loads((FOLDER / "notices.json").read_text())
    bodies = [choice(site), *(str(site.notice(400, notice).body) for notice in notices)]
    assert len(bodies) == 10
    for body in bodies:
        document = Document(body)
        assert document.all("style") == []
        for tag, attributes in document.elements:
            assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
            for name in ("src", "href"):
                address = attributes.get(name) or "https://jobticket.example"
                assert address.startswith(("https://jobticket.example", "https://app.example")), address
        assert not re.search(r"<script[^>]*>\s*[^<\s]", body)


def test_the_files_name_no_other_host() -> None:
    for path in FOLDER.iterdir():
        assert not re.search(r"https?://|//[a-z]", path.read_text()), path.name


def test_the_only_site_is_chosen_already(site: ConsentPages) -> None:
    (radio,) = Document(choice(site)).all("input")
    assert "checked" in radio
    two = [GrantedSite(str(n), "Plant", "https://x.example", None) for n in range(2)]
    assert not [radio for radio in Document(choice(site, sites=two)).all("input") if "checked" in radio]


def test_without_sites_there_is_nothing_to_choose(site: ConsentPages) -> None:
    body = choice(site, sites=[])
    assert "No Jira site was granted" in body
    assert Document(body).all("input") == []
    assert Document(body).all("button") == []


def test_says_who_connects_what_and_where_it_leads(product: Product) -> None:
    walk = product.walk()
    walk.to_choice("team-1", sites=(PLANT_NORTH, DATA_TEAM), return_url="http://localhost:3000/done")
    words = " ".join(Document(walk.page().text).words)
    for told in ("team-1", "Dana Demo", "localhost:3000", "Plant North", "Data Team"):
        assert told in words


def test_an_account_that_cannot_be_found_out_is_no_hindrance(product: Product) -> None:
    walk = product.walk()
    walk.to_choice()
    product.atlassian.control(faults=[{"path": "myself", "status": 403, "times": None}])
    page = walk.page()
    assert page.status == 200
    assert "not known" in page.text


def test_a_site_that_keeps_its_answer_does_not_keep_the_page(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = product.walk()
    walk.to_choice()
    monkeypatch.setattr(atlassian, "ACCOUNT_SECONDS", 0.1)
    product.atlassian.control(faults=[{"path": "myself", "held": True, "times": None}])
    page = walk.page()
    assert (page.status, "not known" in page.text) == (200, True)


@pytest.mark.parametrize("which", ["choice", "expired", "leaked", "state", "denied"])
def test_headers(product: Product, which: str) -> None:
    walk = product.walk()
    if which == "state":
        page = walk.come_back({"state": "x", "code": "y"}, Accept="text/html")
    elif which == "denied":
        sent = walk.consent(walk.initiate().json()["authorization_uri"], accept=False)
        page = walk.come_back(sent, Accept="text/html")
    else:
        walk.to_choice()
        if which == "expired":
            product.elapsed += timedelta(hours=1)
        if which == "leaked":
            walk.browser.cookies.clear()
        page = walk.page()
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy.split("; "))
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("sent", "title"),
    [
        ({"state": "x", "code": "y"}, "This sign-in has expired"),
        ({"state": "x"}, "This link is not complete"),
        ({"code": "x"}, "This link is not complete"),
        ({"state": "x", "error": "access_denied"}, "This sign-in has expired"),
    ],
)
def test_a_browser_gets_a_page_for_what_went_wrong(
    product: Product, sent: dict[str, str], title: str
) -> None:
    page = product.walk().come_back(sent, Accept="text/html,application/xhtml+xml")
    assert page.status == 400
    assert f"<h1>{title}</h1>" in page.text


def test_a_failed_exchange_is_a_page(product: Product) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"])
    page = walk.come_back(sent | {"code": "made up"}, Accept="text/html")
    assert (page.status, "Connecting Jira failed" in page.text) == (400, True)


@pytest.mark.parametrize(("name", "kind"), [("page.css", "text/css"), ("page.js", "text/javascript")])
def test_assets(product: Product, name: str, kind: str) -> None:
    asset = gateway(product.oauth, None).get(f"/finalize-connection/assets/{name}")
    assert asset.status == 200
    assert asset.headers["content-type"] == f"{kind}; charset=utf-8"
    assert asset.body == (FOLDER / name).read_bytes()


def test_reloading_after_success_says_that_the_connection_stands(product: Product) -> None:
    walk = product.walk()
    walk.to_choice(sites=(PLANT_NORTH,), return_url="http://localhost:3000/done?a=1")
    assert walk.create().status == 200
    page = walk.page()
    assert page.status == 200
    document = Document(page.text)
    assert "Jira site Plant North is connected." in " ".join(document.words)
    assert [link["href"] for link in document.all("a")] == ["http://localhost:3000/done?a=1"]
    assert walk.create().json() == {
        "error": "Connection ID not found: session is either expired or does not exist"
    }


def test_another_browser_and_a_later_one_learn_nothing_of_a_success(product: Product) -> None:
    walk = product.walk()
    walk.to_choice()
    assert walk.create().status == 200
    own, walk.browser = walk.browser, product.walk().browser
    assert "This page has expired" in walk.page().text
    walk.browser = own
    product.elapsed += timedelta(minutes=15)
    assert "This page has expired" in walk.page().text


def test_what_fails_leads_back_to_where_the_user_came_from(product: Product) -> None:
    walk = product.walk()
    walk.to_choice(return_url="http://localhost:3000/done")
    product.atlassian.control(faults=[{"path": "accessible-resources", "status": 500, "times": None}])
    page = walk.page()
    assert page.status == 502
    assert [link["href"] for link in Document(page.text).all("a")] == ["http://localhost:3000/done"]


def test_users_may_be_sent_back_to_the_console(product: Product) -> None:
    origins = ReturnOrigins.parse("https://app.example,https://jobticket.example/live,")
    assert origins.check("https://jobticket.example/live/console#/connections/x")
    assert origins.check("https://app.example/back")
    with pytest.raises(InvalidError):
        origins.check("https://jobticket.example.evil/")
