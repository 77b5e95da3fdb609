"""The local stack itself: its door, its data, its messages."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from local.packages import BUCKET
from local.ports import free_port
from tests.support.deployed import Stack, running
from tools.build_layers import build_layers, running_interpreter

if TYPE_CHECKING:
    from jobticket_client.generated import Job

ROOT = Path(__file__).resolve().parent.parent.parent
NOT_FOUND = {"statusCode": 404, "message": "Not Found"}
pytestmark = pytest.mark.long


def run_local(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def create_job(stack: Stack, *labels: str) -> Job:
    return stack.api().jobs.create(name="Housing", goal_quantity=3, jira_labels=list(labels))


def wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    """Wait for what nothing announces."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def code_of(stack: Stack) -> dict[str, Any]:
    """Return how many versions each function has, and how many objects and files of code lie about."""
    functions = stack.client("lambda")
    names = [function["FunctionName"] for function in functions.list_functions()["Functions"]]
    versions = {
        name: len(functions.list_versions_by_function(FunctionName=name)["Versions"]) for name in names
    }
    objects = stack.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    return {"versions": versions, "objects": len(objects)}


def store_connection(stack: Stack) -> None:
    stack.api().connections.put_credentials(
        "team-1", provider="jira", host=stack.atlassian_url, credentials="demo@example.com:local-api-token"
    )


def read_projects(stack: Stack) -> None:
    """Ask for what the product asks Jira for."""
    stack.request("GET", "/api/backend/jira/get-projects", params={"external_id": "team-1"})


def atlassian(stack: Stack, method: str, path: str, body: Any = None) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, f"{stack.atlassian_url}/_control{path}", json=body, timeout=60).json()


class TestDoor:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/nowhere"),
            ("GET", "/api"),
            ("GET", "/api/nowhere"),
            ("GET", "/live/api/jobs"),
            ("PATCH", "/api/jobs"),
            ("DELETE", "/api/jobs"),
            ("GET", "/api/jira/push"),
            ("OPTIONS", "/api/jobs"),
            ("GET", "/api/jobs/one/two"),
        ],
    )
    @pytest.mark.parametrize("scope", ["*", None])
    def test_routes_that_do_not_exist(self, stack: Stack, method: str, path: str, scope: str | None) -> None:
        response = stack.request(method, path, scope=scope)
        assert response.status_code == 404
        assert response.json() == NOT_FOUND

    def test_an_encoded_slash_is_part_of_a_parameter(self, stack: Stack) -> None:
        answer = stack.request("GET", "/api/jobs/one%2Ftwo", scope="*")
        assert (answer.status_code, answer.json()["message"]) == (404, "Job not found: one/two")

    def test_head_has_no_body(self, stack: Stack) -> None:
        response = stack.request("HEAD", "/api/jobs")
        assert (response.status_code, response.content) == (404, b"")

    @pytest.mark.parametrize(
        ("method", "path", "headers"),
        [
            ("GET", "/_ministack/health", {}),
            ("POST", "/_ministack/reset", {}),
            ("GET", "/_ministack/sqs/messages", {}),
            ("GET", "/_localstack/health", {}),
            ("GET", "/../../../../_ministack/health", {}),
            ("GET", "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/_ministack/health", {}),
            ("GET", "/_aws/execute-api/x/live/api/jobs", {}),
            ("GET", "/restapis", {}),
            ("GET", "/jobticket-code", {}),
            ("GET", "/code.zip", {"Host": "jobticket-code.s3.amazonaws.com"}),
            ("POST", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}),
            ("POST", "/?Action=ListUsers", {}),
            ("POST", "/?Action=GetCallerIdentity&Version=2011-06-15", {}),
            ("GET", "/2015-03-31/functions", {}),
            ("GET", "http://127.0.0.1/_ministack/health", {}),
        ],
    )
    def test_emulator_is_out_of_reach(
        self, stack: Stack, method: str, path: str, headers: dict[str, str]
    ) -> None:
        # Not requests: it would tidy up the path before sending it.
        connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
        connection.request(method, path, body="{}" if method == "POST" else None, headers=headers)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        assert response.status == 404, answer
        assert answer == b'{"statusCode":404,"message":"Not Found"}'

    def test_body_beyond_the_limit_of_api_gateway(self, stack: Stack) -> None:
        response = stack.request("POST", "/api/jobs", data=b" " * (10 * 1024 * 1024 + 1))
        assert response.status_code == 413
        assert response.json() == {"statusCode": 413, "message": "Request Entity Too Large"}

    def test_compressed_answers_pass_unchanged(self, stack: Stack) -> None:
        labels = [f"label-{number:04}-{'x' * 200}" for number in range(20)]
        create_job(stack, *labels)
        compressed = stack.request("GET", "/api/jobs", headers={"Accept-Encoding": "gzip"})
        plain = stack.request("GET", "/api/jobs", headers={"Accept-Encoding": "identity"})
        assert compressed.headers.get("Content-Encoding") == "gzip"
        assert "Content-Encoding" not in plain.headers
        assert compressed.json() == plain.json()

    def test_bursts_wait_instead_of_failing(self, stack: Stack) -> None:
        with ThreadPoolExecutor(30) as callers:
            answers = callers.map(lambda _: stack.request("GET", "/api/settings").status_code, range(90))
        assert set(answers) == {200}


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that each of these tests stops or kills, and leaves running."""
    with running(tmp_path_factory.mktemp("data")) as own:
        yield own


class TestData:
    def test_restart_at_once_after_a_kill_amid_work(self, own_stack: Stack) -> None:
        """The emulator notices the end of the stack, ends its work and saves; the next one waits for it."""
        job = create_job(own_stack)
        store_connection(own_stack)
        atlassian(own_stack, "PUT", "", {"latency_ms": 20_000})
        with ThreadPoolExecutor(1) as callers:
            waiting = callers.submit(read_projects, own_stack)
            wait_until(lambda: atlassian(own_stack, "GET", "")["in_flight"] > 0)
            own_stack.kill()
            own_stack.start()
            assert isinstance(waiting.exception(), requests.ConnectionError)
        assert own_stack.api().jobs.get(job["id"])["name"] == "Housing"

    def test_restarts_keep_data_take_settings_and_leave_no_former_code(
        self, own_stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Functions are called by an alias, and must be published anew for a setting."""
        url, body = "/api/frontend/oauth/initiate-oauth-flow", {"provider": "jira", "external_id": "team-2"}
        job = create_job(own_stack)
        assert own_stack.request("POST", url, scope=None, json=body).status_code == 200
        first = code_of(own_stack)
        for number, mode in enumerate(("token", "open")):
            own_stack.client("s3").put_object(Bucket=BUCKET, Key=f"{number}.zip", Body=b"of a former one")
            for name in first["versions"]:
                own_stack.client("lambda").publish_version(FunctionName=name)
            if number:
                own_stack.kill()
            else:
                own_stack.stop()
                assert not (own_stack.data_dir / "tmp").exists()
            monkeypatch.setenv("CONNECT_MODE", mode)
            own_stack.start()
            assert code_of(own_stack) == first
            status = 401 if mode == "token" else 200
            assert own_stack.request("POST", url, scope=None, json=body).status_code == status
            assert own_stack.api().jobs.get(job["id"])["name"] == "Housing"

    def test_killed_emulator_loses_seconds_at_most(self, own_stack: Stack) -> None:
        job = create_job(own_stack)
        snapshot = own_stack.data_dir / "aws" / "complete" / "dynamodb.json"
        wait_until(lambda: snapshot.exists() and job["id"] in snapshot.read_text())
        os.kill(own_stack.description()["emulator_pid"], signal.SIGKILL)
        assert own_stack.wait() == 1, "a stack without its emulator must end and say so"
        # As if it had been killed between two files of the next snapshot.
        (own_stack.data_dir / "aws" / "state" / "secretsmanager.json").unlink()
        own_stack.start()
        assert own_stack.api().jobs.get(job["id"])["name"] == "Housing"

    def test_tables_expire_and_can_be_restored(self, stack: Stack) -> None:
        dynamodb = stack.client("dynamodb")
        tables = [value for name, value in stack.outputs.items() if name.endswith("TableName")]
        assert len(tables) == 4
        for table in tables:
            expiry = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
            assert (expiry["AttributeName"], expiry["TimeToLiveStatus"]) == ("expires_at", "ENABLED")
            backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
            assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


class TestMessages:
    def test_port_is_taken(self, stack: Stack, tmp_path: Path) -> None:
        finished = run_local("run", environment=stack.environment() | {"DATA_DIR": str(tmp_path)})
        assert finished.returncode == 1
        assert finished.stderr == (
            f"Error: Port {stack.port} is taken, perhaps by another local stack. "
            "Stop that or choose another: PORT=…\n"
        )

    def test_data_are_in_use(self, stack: Stack) -> None:
        ports = {"PORT": str(free_port()), "ATLASSIAN_PORT": str(free_port())}
        finished = run_local("run", environment=stack.environment() | ports)
        assert finished.returncode == 1
        assert finished.stderr.startswith("Error: Another local stack uses the data in ")

    @pytest.mark.parametrize(
        ("name", "value"),
        [("PORT", "http"), ("PORT", "70000"), ("API_KEYS", "{"), ("API_KEYS", '[{"name": "a"}]')],
    )
    def test_malformed_setting(self, name: str, value: str) -> None:
        finished = run_local("run", environment=os.environ | {name: value})
        assert finished.returncode == 1
        assert re.fullmatch(f"Error: {name} must be [^\n]*\n", finished.stderr)


def test_demonstration_ends_well() -> None:
    finished = run_local("demo", environment=os.environ)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    # Jira keeps a table in a form of its own, with or without blanks.
    assert "||Date||CNC||Deburr||QC||Completed||" in finished.stdout.replace(" ", "")
    assert "curl -X POST http://127.0.0.1:" in finished.stdout
    told = [line for line in finished.stdout.splitlines() if "| " in line and "Qualytics" in line]
    assert [line.partition("Qualytics")[2] for line in told] == [
        " Anomaly Status: Acknowledged",
        ": The import dropped a column.",
        " Anomaly Status: Resolved",
    ]
    assert "→ 204 No Content" in finished.stdout
    assert "→ null" not in finished.stdout


def test_layers_carry_compiled_code_and_no_aws_sdk() -> None:
    for folder in build_layers(running_interpreter()).values():
        python = folder / "python"
        sources = [path for path in python.rglob("*.py") if "__pycache__" not in path.parts]
        compiled = {path.name.split(".")[0] for path in python.rglob("*.pyc")}
        assert sources
        assert {path.stem for path in sources} <= compiled
        assert not list(python.glob("boto*"))
