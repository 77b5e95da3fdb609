"""The state file and the process that keeps it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from local.atlassian import default_data
from local.atlassian.bodies import DEEPEST
from local.atlassian.emulator import Emulator
from local.atlassian.persistence import load, save
from local.atlassian.testing import running
from local.atlassian.world import World
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


FIELDS = '{"project":{"key":"PI"},"issuetype":{"id":"10001"},"summary":%s}'


UNSTORABLE = {
    "first half": r'"\ud800"',
    "second half": r'"before \udfff after"',
    "name": r'{"\udc00": 1}',
    "bytes that no UTF-8 has": '"\ud83d"',
    "no JSON": "NaN",
    "deep": "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
    "very deep": "[" * 100_000 + "]" * 100_000,
}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/rest/api/2/issue", '{"fields":' + FIELDS + "}"),
        ("PUT", ISSUE, '{"fields":{"summary":%s}}'),
        ("POST", f"{ISSUE}/comment", '{"body":%s}'),
        ("PUT", f"{ISSUE}/properties/p", "%s"),
        ("POST", f"{ISSUE}/remotelink", '{"globalId":%s,"object":{"url":"http://x.test","title":"X"}}'),
        ("POST", "/oauth/token", '{"grant_type":%s}'),
        ("POST", "/_control/issues", '{"project":%s,"count":1}'),
    ],
)
def test_what_cannot_be_stored_is_refused(base_url: str, method: str, path: str, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    for name, value in UNSTORABLE.items():
        given = (body % value).encode("utf-8", "surrogatepass")
        answer = requests.request(
            method, base_url + path, data=given, auth=ACCOUNT, headers=headers, timeout=30
        )
        assert answer.status_code == 400, name


def test_what_is_refused_does_not_stop_saving(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as base_url:
        jira = Caller(base_url, ACCOUNT)
        assert jira("PUT", ISSUE, {"fields": {"summary": "\ud800"}}).status_code == 400
        assert jira("PUT", ISSUE, {"fields": {"summary": "After \U0001f527"}}).status_code == 204
        wait_until(lambda: "After \U0001f527" in saved(tmp_path))


def test_half_of_a_pair_that_got_in_is_saved_all_the_same(tmp_path: Path) -> None:
    emulator = Emulator(World(), "http://127.0.0.1")
    default_data.fill(emulator.world)
    emulator.world.default_site.issues[min(emulator.world.default_site.issues)].summary = "\ud800"
    save(emulator, tmp_path / "state.json")
    restored = Emulator(World(), "http://127.0.0.1")
    assert load(restored, tmp_path / "state.json")
    assert "\ud800" in {issue.summary for issue in restored.world.default_site.issues.values()}


def test_saving_that_fails_is_told_and_tried_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = ""

    def has_said(text: str) -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return text in said

    obstacle = tmp_path / "atlassian.new"
    obstacle.mkdir()
    with running(data_dir=tmp_path) as base_url:
        assert Caller(base_url, ACCOUNT)("PUT", ISSUE, {"fields": {"summary": "Kept"}}).status_code == 204
        wait_until(lambda: has_said("What the emulated Atlassian holds cannot be saved"))
        obstacle.rmdir()
        wait_until(lambda: has_said("can be saved again"))
        assert "Kept" in saved(tmp_path)
    assert said.count("cannot be saved") == 1


def saved(folder: Path) -> str:
    file = folder / "atlassian.json"
    return file.read_text(encoding="utf-8") if file.exists() else ""


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for what nothing announces."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
