"""The state file and the process that keeps it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from local.atlassian.testing import running
from tests.unit.atlassian.conftest import Auth, Caller

REPOSITORY = Path(__file__).parents[3]
ACCOUNT = ("demo@example.com", "local-api-token")
ISSUE = "/rest/api/2/issue/PI-42"


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as base_url:
        jira, auth = Caller(base_url, ACCOUNT), Auth(base_url)
        tokens = auth.tokens()
        jira("PUT", ISSUE, {"fields": {"summary": "Kept"}})
        jira("POST", f"{ISSUE}/comment", {"body": "Kept", "properties": [{"key": "k", "value": 1}]})
        jira(
            "POST", f"{ISSUE}/remotelink", {"globalId": "g", "object": {"url": "http://x.test", "title": "X"}}
        )
        jira("PUT", f"{ISSUE}/properties/p", {"a": 1})
        jira("POST", "/_control/move", {"issue": "PI-42", "project": "SCRUM"})
        jira("POST", "/_control/issues", {"project": "BIG", "count": 450, "boards": 1, "sprints": 1})
        jira("DELETE", "/rest/api/2/issue/PI-44")
        before = jira.get(ISSUE, expand="changelog", properties="*all").json()
        jira.control(latency_ms=1)
    with running(data_dir=tmp_path) as base_url:
        jira, auth = Caller(base_url, ACCOUNT), Auth(base_url)
        after = jira.get(ISSUE, expand="changelog", properties="*all").json()
        assert json.dumps(after).replace(base_url, "") == json.dumps(before).replace(
            before["self"].split("/rest")[0], ""
        )
        assert jira.get("/rest/api/2/comment/10001/properties/k").json()["value"] == 1
        assert jira.get("/_control").json()["sites"][0]["projects"]["BIG"] == 450
        assert jira.get("/rest/agile/1.0/board/3/sprint").json()["total"] == 1
        fields = {"project": {"key": "PI"}, "summary": "Next", "issuetype": {"id": "10001"}}
        assert jira("POST", "/rest/api/2/issue", {"fields": fields}).json()["key"] == "PI-45"
        assert auth.gateway(tokens["access_token"]).get(ISSUE).status_code == 200
        assert auth.refresh(tokens["refresh_token"]).status_code == 200
        # Switches are for the moment.
        assert jira.get("/_control").json()["latency_ms"] == 0


def test_the_process_saves_on_sigterm_and_listens_on_loopback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.atlassian", "--port", "0", "--data-dir", str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().split()[-1]
        assert base_url.startswith("http://127.0.0.1:")
        assert Caller(base_url, ACCOUNT)("PUT", ISSUE, {"fields": {"summary": "Saved"}}).status_code == 204
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    with running(data_dir=tmp_path) as base_url:
        assert Caller(base_url, ACCOUNT).field("PI-42", "summary") == "Saved"
    assert (tmp_path / "atlassian.json").stat().st_mode & 0o077 == 0


def test_a_state_of_another_version_is_left_aside(tmp_path: Path) -> None:
    (tmp_path / "atlassian.json").write_text('{"version": 0}')
    with running(data_dir=tmp_path) as base_url:
        assert Caller(base_url, ACCOUNT).get(ISSUE).status_code == 200
