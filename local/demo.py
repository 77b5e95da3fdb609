"""The demonstration: a job and the table in its Jira ticket, an anomaly and its ticket.

Each step is printed with its command, which works in a shell while the stack runs.
"""

from __future__ import annotations

import json
import shlex
import textwrap
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from local import past
from local.aws import Aws
from local.person import connect
from local.settings import Settings

TICKET = "PI-42"
PROJECT = "PI"
CONNECTION = "plant-north"
JIRA_CREDENTIALS = "demo@example.com:local-api-token"
ANOMALY_PROJECT = "MISC"
USER = "anna"
ANOMALY = {
    "type": "record",
    "datastore": {"id": 1, "name": "CRM"},
    "failed_checks": [{"field": "CUSTOMER_NAME", "message": "3 values are empty"}],
}
SECONDS = 180
WIDTH = 100

Json = Any


class DemonstrationError(Exception):
    """A step did not do what the demonstration shows."""


def has_jobs(settings: Settings) -> bool:
    """Tell whether there are data that a demonstration would only clutter."""
    return bool(_answer_of(_ask(settings, "GET", "/api/jobs?limit=1")))


def demonstrate(settings: Settings, aws: Aws, outputs: Mapping[str, str]) -> None:
    """Show what the product does, on the running stack."""
    demonstration = Demonstration(settings)
    demonstration.run()
    path, serials = demonstration.work_for_weeks()
    past.date_back(aws.client("dynamodb"), outputs, path, serials)
    demonstration.show_weeks(path)


class Demonstration:
    """Sends the requests and prints them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._step = 0

    def run(self) -> None:
        self._connect_site()
        job = self._create_job()
        self._work_on_main_route(job)
        self._work_on_rework_loop(job)
        self._show_job(job)
        self._push(job)
        self._show_ticket()
        self._connect_user()
        self._report_anomaly()
        self._follow_ticket()

    def work_for_weeks(self) -> tuple[str, list[str]]:
        """Make a job to look at, and return its path and serial numbers."""
        self._say("A job with a past: three weeks of sample work, backdated in the tables.")
        name = "Demonstration: valve body (made up)"
        job = self._send("POST", "/api/jobs", {"name": name, "goalQuantity": past.A_WEEK * past.WEEKS})
        route = {"jobId": job["id"], "name": "Main Route", "goalQuantity": job["goalQuantity"]}
        path = self._send("POST", "/api/paths", {**route, "steps": [{"name": step} for step in past.STEPS]})[
            "id"
        ]
        ids: list[str] = []
        for _ in range(past.WEEKS):
            body = {"pathId": path, "quantity": past.A_WEEK}
            ids += [serial["id"] for serial in self._quietly("POST", "/api/serials", body)]
        self._quietly_move(ids)
        return path, ids

    def _quietly_move(self, ids: list[str]) -> None:
        for step, number in enumerate(past.REACHED):
            for person, operator in enumerate(past.PEOPLE):
                tray = ids[:number][person :: len(past.PEOPLE)]
                body = {"serialIds": tray, "fromStepIndex": step, "operator": operator}
                self._quietly("POST", "/api/serials/advance", body)
        for serial in ids[past.REACHED[2] : past.REACHED[2] + past.SCRAPPED]:
            body = {"reason": "out_of_tolerance", "operator": past.PEOPLE[0]}
            self._quietly("POST", f"/api/serials/{serial}/scrap", body)
        print(f"   … {len(ids)} serial numbers, moved by {len(past.PEOPLE)} people", flush=True)

    def _quietly(self, method: str, path: str, body: Json) -> Json:
        return _answer_of(_ask(self._settings, method, path, body))

    def show_weeks(self, path: str) -> None:
        self._say("For each day and step: how many parts came, and how many stood there in the evening:")
        self._send("GET", f"/api/paths/{path}/flow?days=22")

    def _connect_site(self) -> None:
        self._say(
            "Connect the Jira site of the northern plant by an API token; it is checked and kept encrypted."
        )
        self._send(
            "PUT",
            f"/api/backend/connections/{CONNECTION}/api-token",
            {"provider": "jira", "host": self._settings.atlassian_url, "credentials": JIRA_CREDENTIALS},
        )
        self._say("Let jobs push to that site.")
        self._send(
            "PUT",
            "/api/settings",
            {"enabled": True, "pushEnabled": True, "externalId": CONNECTION, "projectKey": PROJECT},
        )

    def _create_job(self) -> Json:
        self._say(f"Create a job that belongs to the ticket {TICKET}.")
        return self._send(
            "POST",
            "/api/jobs",
            {"name": "Bearing housing, 12 pieces", "goalQuantity": 12, "jiraTicketKey": TICKET},
        )

    def _work_on_main_route(self, job: Json) -> None:
        self._say("Give it a path. It is strict: a part goes from step to step and cannot skip one.")
        path = self._send(
            "POST",
            "/api/paths",
            {
                "jobId": job["id"],
                "name": "Main Route",
                "goalQuantity": 8,
                "steps": [
                    {"name": "CNC", "location": "Hall 2"},
                    {"name": "Deburr"},
                    {"name": "QC", "location": "Lab"},
                ],
            },
        )
        self._say("Five parts get serial numbers. They stand at the first step.")
        serials = self._send("POST", "/api/serials", {"pathId": path["id"], "quantity": 5})
        ids = [serial["id"] for serial in serials]
        self._say("A tray of three parts moves on to deburring.")
        self._send("POST", "/api/serials/advance", {"serialIds": ids[:3], "fromStepIndex": 0})
        self._say(f"{ids[0]} goes on to quality control, and passes it.")
        self._send("POST", f"/api/serials/{ids[0]}/advance", {"fromStepIndex": 1})
        self._send("POST", f"/api/serials/{ids[0]}/advance", {"fromStepIndex": 2})
        self._say(f"{ids[1]} has been dropped: it is scrapped, and counts nowhere any more.")
        self._send("POST", f"/api/serials/{ids[1]}/scrap", {"reason": "damaged"})

    def _work_on_rework_loop(self, job: Json) -> None:
        self._say("A second path, for rework. It is flexible, and its middle step is optional.")
        path = self._send(
            "POST",
            "/api/paths",
            {
                "jobId": job["id"],
                "name": "Rework",
                "goalQuantity": 4,
                "advancementMode": "flexible",
                "steps": [{"name": "Grind"}, {"name": "Polish", "optional": True}, {"name": "Inspect"}],
            },
        )
        serials = self._send("POST", "/api/serials", {"pathId": path["id"], "quantity": 2})
        self._say(f"{serials[0]['id']} needs no polish and goes straight to inspection.")
        self._send("POST", f"/api/serials/{serials[0]['id']}/advance-to", {"targetStepIndex": 2})

    def _show_job(self, job: Json) -> None:
        self._say("Where the job stands:")
        self._send("GET", f"/api/jobs/{job['id']}", part="progress")

    def _push(self, job: Json) -> None:
        self._say(f"Push it to {TICKET}: the description gets a table of every path.")
        answer = self._send("POST", "/api/jira/push", {"jobId": job["id"]})
        if not answer.get("success"):
            raise DemonstrationError(f"the push failed: {answer.get('error')}")

    def _show_ticket(self) -> None:
        url = f"{self._settings.atlassian_url}/rest/api/2/issue/{TICKET}"
        user, _, token = JIRA_CREDENTIALS.partition(":")
        self._say(f"What people see in {TICKET} now ({self._settings.atlassian_url}/browse/{TICKET}):")
        print(f"   curl -u {JIRA_CREDENTIALS} {shlex.quote(url)}\n", flush=True)
        description = _answer_of(_session().get(url, auth=(user, token), timeout=SECONDS))["fields"][
            "description"
        ]
        print(textwrap.indent(description, "   | "), flush=True)

    def _connect_user(self) -> None:
        self._say("A user connects her own account. Your backend makes a token that is only for her.")
        body = {"provider": "jira", "external_id": USER}
        self._send("POST", "/api/backend/connect-sessions", body)
        self._say("Your page begins with that token (here: with the key). The answer is the address to open.")
        begun = self._send("POST", "/api/frontend/oauth/initiate-oauth-flow", body)
        try:
            site = connect(_session(), self._settings.url, begun["authorization_uri"])
        except requests.HTTPError as error:
            raise DemonstrationError(f"the consent failed: {error}") from error
        self._say(f"She accepts there and chooses the site {site}. The demonstration has done both for her.")
        self._say("From now on your backend calls Jira in her name, or asks for a fresh token.")
        self._send("GET", f"/api/backend/jira/get-projects?external_id={USER}")

    def _report_anomaly(self) -> None:
        self._say("The data team's anomalies get their tickets at the same site.")
        integration = "/api/integrations/ticketing"
        body = {"type": "jira", "external_id": CONNECTION, "project_key": ANOMALY_PROJECT}
        self._send("POST", integration, body)
        self._say("A check has found something: report it, and create a ticket for it.")
        anomaly = self._send("POST", "/api/anomalies", ANOMALY)["id"]
        ticket = {"title": "Customers without a name", "description": "Found by the nightly scan."}
        made = self._send("POST", f"{integration}/anomalies/{anomaly}/tickets", ticket)["ticket"]
        self._say("Acknowledge, comment, resolve. No request waits for Jira: a worker updates the ticket.")
        self._send("PUT", f"/api/anomalies/{anomaly}", {"status": "Acknowledged"})
        self._send("POST", f"/api/anomalies/{anomaly}/comments", {"message": "The import dropped a column."})
        self._send("DELETE", f"/api/anomalies/{anomaly}?archive=true&status=Resolved")
        self._show_comments(made["ticket_number"])

    def _follow_ticket(self) -> None:
        integration = "/api/integrations/ticketing"
        self._say("A rule makes tickets automatically. And let anomalies follow their tickets:")
        self._send("POST", f"{integration}/rules", {"name": "CRM", "when": {"datastore_ids": [1]}})
        self._send("PUT", integration, {"status_in": {"Done": "Resolved", "In Progress": "Acknowledged"}})
        self._say("Report another anomaly; its ticket is there a moment later.")
        number = self._send("POST", "/api/anomalies", ANOMALY)["id"]
        anomaly = f"/api/anomalies/{number}"
        (link,) = self._await(f"{anomaly}/ticket-links", lambda found: found["items"])
        key = link["ticket_number"]
        self._say(f"Somebody moves the ticket to Done ({self._settings.atlassian_url}/browse/{key}).")
        _move_to_done(f"{self._settings.atlassian_url}/rest/api/2/issue/{key}/transitions")
        self._say(
            "The anomaly follows: within 5 minutes, at once with a webhook, or when its link is refreshed."
        )
        self._send("POST", f"{anomaly}/ticket-links/{link['id']}/refresh")
        self._await(anomaly, lambda found: found["status"] == "Resolved")
        self._send("GET", anomaly)

    def _await(self, path: str, arrived: Callable[[Json], Json]) -> Json:
        """Ask until what is awaited has arrived, and return it."""
        end = time.monotonic() + SECONDS
        while not (found := arrived(_answer_of(_ask(self._settings, "GET", path)))):
            if time.monotonic() > end:
                raise DemonstrationError(f"{path} does not show what was awaited")
            time.sleep(0.1)
        return found

    def _show_comments(self, key: str) -> None:
        url = f"{self._settings.atlassian_url}/rest/api/2/issue/{key}/comment"
        self._say(f"What the ticket got ({self._settings.atlassian_url}/browse/{key}):")
        print(f"   curl -u {JIRA_CREDENTIALS} {shlex.quote(url)}\n", flush=True)
        for comment in _comments(url, expected=3):
            print(textwrap.indent(comment, "   | "), flush=True)

    def _say(self, text: str) -> None:
        self._step += 1
        print(f"\n{self._step}. {text}", flush=True)

    def _send(self, method: str, path: str, body: Json = None, *, part: str | None = None) -> Json:
        """Send a request and print it with its answer, or with the part of the answer that matters."""
        print(textwrap.indent(_curl(self._settings, method, path, body), "   "), flush=True)
        response = _ask(self._settings, method, path, body)
        answer = _answer_of(response)
        told = f"{response.status_code} {response.reason}" if answer is None else _shortened(answer)
        if part is not None:
            told = f'{{… "{part}": {json.dumps(answer[part], ensure_ascii=False)}}}'
        print(f"   → {told}", flush=True)
        return answer


def _move_to_done(url: str) -> None:
    user, _, token = JIRA_CREDENTIALS.partition(":")
    found = _answer_of(_session().get(url, auth=(user, token), timeout=SECONDS))["transitions"]
    (number,) = [each["id"] for each in found if each["to"]["name"] == "Done"]
    body = {"transition": {"id": number}}
    _answer_of(_session().post(url, json=body, auth=(user, token), timeout=SECONDS))


def _comments(url: str, *, expected: int) -> list[str]:
    """Read a ticket's comments once there are as many as expected."""
    user, _, token = JIRA_CREDENTIALS.partition(":")
    end = time.monotonic() + SECONDS
    while True:
        found = _answer_of(_session().get(url, auth=(user, token), timeout=SECONDS))["comments"]
        if len(found) >= expected:
            return [comment["body"] for comment in found]
        if time.monotonic() > end:
            raise DemonstrationError(f"only {len(found)} of {expected} comments have arrived")
        time.sleep(0.1)


def _curl(settings: Settings, method: str, path: str, body: Json) -> str:
    """Return the shell command that sends a request."""
    lines = [f"curl -X {method} {shlex.quote(settings.url + path)}"]
    lines.append(f"-H {shlex.quote(f'Authorization: Bearer {settings.api_key}')}")
    if body is not None:
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d {shlex.quote(json.dumps(body))}")
    return " \\\n  ".join(lines)


def _ask(settings: Settings, method: str, path: str, body: Json = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {settings.api_key}"}
    url = settings.url + path
    return _session().request(method, url, json=body, headers=headers, timeout=SECONDS)


def _answer_of(response: requests.Response) -> Json:
    if not response.ok:
        request = response.request
        raise DemonstrationError(
            f"{request.method} {request.url} answered {response.status_code}: {response.text}"
        )
    return response.json() if response.content else None


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy from the environment for the loopback address
    session.headers["Accept-Encoding"] = "identity"  # as in the printed commands
    return session


def _shortened(answer: Json) -> str:
    text = json.dumps(answer, ensure_ascii=False)
    return text if len(text) <= 4 * WIDTH else f"{text[: 4 * WIDTH]} …"
