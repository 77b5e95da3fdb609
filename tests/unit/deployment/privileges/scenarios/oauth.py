from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from jobticket.connections.connect_tokens import ConnectTokens
from jobticket.connections.model import ConnectionId
from jobticket.connections.sessions import SessionStore
from jobticket.connections.vault import LOOK_AGAIN
from jobticket.store.table import Table
from tests.support.consent_flow import CALLBACK, CREATE, INITIATE, SITES, Atlassian, Browser, Walk
from tests.support.gateway import Gateway
from tests.unit.conftest import FORMER_KEY, client
from tests.unit.deployment.privileges.driving import Driven


def drive(oauth: Driven) -> None:
    def send(method: str, url: str, body: Any, headers: Mapping[str, str]) -> Any:
        return oauth.call(method, url, body, key=None, headers=headers)

    for url in (INITIATE, SITES, CREATE):
        oauth.call("OPTIONS", url, key=None)
    for name in ("page.css", "page.js"):
        oauth.call("GET", f"/finalize-connection/assets/{name}", key=None)
    oauth.call("POST", INITIATE, {"provider": "jira", "external_id": "by-key"})
    atlassian = Atlassian(oauth.atlassian)
    walk = Walk(Browser(send), atlassian)
    sessions = ConnectTokens(SessionStore(Table(client("dynamodb"), "connections")))
    for _ in range(2):  # the second takes the place of the first
        token, _ = sessions.mint(ConnectionId("jira", "team-1"), None, 900)
        walk.to_choice(headers={"x_connect_token": token})
        # Another container: it finds the data key made.
        oauth.module.vault._data_keys.clear()
        assert walk.page().status == walk.sites().status == walk.create().status == 200
        _let_time_pass(oauth)
    _change_the_kms_key(oauth, walk)
    oauth.call("GET", f"{CALLBACK}?state=unknown&code=x", key=None, expect=400)
    atlassian.close()


def _let_time_pass(oauth: Driven) -> None:
    """Let the container look again whether its data keys have been retired."""
    for each in (oauth.module.sealer, oauth.module.vault):
        name, looked_at = each._sealing
        each._sealing = name, looked_at - LOOK_AGAIN


def _change_the_kms_key(oauth: Driven, walk: Walk) -> None:
    """Let the deployment's KMS key change while a user is choosing a site."""
    vault = oauth.module.vault
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vault, "_key_arn", FORMER_KEY)
        begun = Gateway(oauth.module.api, oauth.module.handler, "every-scope")
        walk.browser.send, usual = begun.call, walk.browser.send
        walk.to_choice("team-2")
    walk.browser.send = usual
    vault._data_keys.clear()
    assert walk.page().status == 200
