"""Every method of the client once, as a program that type checkers read. It is not meant to be run."""

from __future__ import annotations

from jobticket_client import Jobticket
from jobticket_client.errors import NeedsReauthorization, OutcomeUnknown


def production(client: Jobticket) -> str:
    job = client.jobs.create(name="Brackets", goal_quantity=50, jira_labels=["rush"])
    client.jobs.change(job["id"], name="Brackets, second batch")
    client.jobs.link(ticket_key="PI-2", job_id=job["id"], idempotency_key="link-4711")
    path = client.paths.create(
        job_id=job["id"],
        name="Main Route",
        goal_quantity=50,
        steps=[{"name": "CNC", "location": "Hall 2"}, {"name": "QC", "optional": True}],
        advancement_mode="flexible",
    )
    client.paths.change(path["id"], goal_quantity=60)
    parts = client.serials.create(path_id=path["id"], quantity=3)
    first, second, third = (part["id"] for part in parts)
    client.serials.advance(first, from_step_index=0, operator="Anna")
    client.serials.advance_all(serial_ids=[second, third], from_step_index=0)
    bypassed = client.serials.advance_to(second, target_step_index=2)["bypassed"]
    client.serials.scrap(third, reason="other", explanation="fell off the bench")
    client.serials.force_complete(first, reason="urgent")
    names = [step["stepName"] for step in bypassed]
    at = [event["at"] for event in client.serials.history(client.serials.get(first)["id"])]
    standing = [day["standing"] for day in client.paths.flow(path["id"])["days"]]
    done = client.jobs.get(job["id"])["progress"]["completedSerials"]
    left = [part["id"] for part in client.serials.list(path["id"], status="in_progress")]
    bottlenecks = [step["isBottleneck"] for step in client.paths.get(path["id"])["distribution"]]
    total = [day["total"] for day in client.jobs.flow(job["id"], days=7)["days"]]
    told = [event["action"] for event in client.jobs.history(job["id"])]
    listed = [each["name"] for each in client.jobs.list(search="bracket", state="open")]
    client.paths.delete(path["id"])
    client.jobs.unlink(job["id"])
    client.jobs.delete(job["id"])
    return f"{names}{at}{standing}{done}{left}{bottlenecks}{total}{told}{listed}"


def pushes(client: Jobticket, job_id: str) -> str:
    client.settings.change(enabled=True, push_enabled=True, field_mappings={"part_number": "customfield_1"})
    pushed = client.jobs.push(job_id)["success"] and client.jobs.comment(job_id)["success"]
    run = client.jobs.push_all()["runId"]
    client.jobs.retry_pushes(run_id=run, job_ids=[job_id])
    failed = [push["status"] for push in client.jobs.pushes(job_id=job_id, status="failed")]
    tickets = [ticket["key"] for ticket in client.jobs.tickets()["tickets"]]
    client.operations.redrive("pushes")
    client.operations.end_stop("example.atlassian.net")
    waiting = [queue["waiting"] for queue in client.operations.get()["queues"]]
    changed = [event["by"] for event in client.settings.history()]
    enabled, summary = client.settings.get()["enabled"], client.jobs.ticket("PI-2")["summary"]
    return f"{pushed}{failed}{tickets}{waiting}{changed}{enabled}{summary}"


def connections(client: Jobticket) -> str:
    client.connections.put_credentials(
        "plant", provider="jira", host="https://example.atlassian.net", credentials="demo@example.com:token"
    )
    client.connect_sessions.create("anna", return_url="http://localhost:3000/settings")
    link = client.connections.connect_url("anna")
    try:
        token = client.connections.access_token("anna")["expires_at"]
    except NeedsReauthorization as error:
        return error.connect_again()
    known = [connection["site_url"] for connection in client.connections.list()]
    state = client.connections.check("anna")["is_invalid"], client.connections.test("anna")["connected"]
    refresh = client.connections.refresh_token("anna")["is_invalid"]
    past = [event["action"] for event in client.connections.history("anna")]
    client.connections.delete("anna")
    return f"{link}{token}{known}{state}{refresh}{past}"


def jira(client: Jobticket, user: str) -> str:
    project = client.jira.projects(user)["projects"][0]["id"]
    client.jira.select_project(user, project)
    selected = client.jira.selected_project(user)
    tickets = client.jira.tickets(user, project, include_sprint=True)["total"]
    boards = [board["name"] for board in client.jira.boards(user)["boards"]]
    sprints = client.jira.sprints(user)["total_sprints"]
    active = client.jira.active_sprints(user)["boards"]
    in_sprint = [ticket["fields"]["summary"] for ticket in client.jira.sprint_tickets(user, 1)["tickets"]]
    try:
        key = client.jira.create_ticket(external_id=user, summary="A crack", issue_type_id="10001")["key"]
    except OutcomeUnknown as error:
        return f"repeat it with {error.idempotency_key}"
    client.jira.edit_issue(external_id=user, issue_id_or_key=key, assignee_account_id=None)
    labels = client.jira.issue(user, key)["labels"]
    client.jira.delete_issue(user, key, delete_subtasks=True)
    return f"{selected}{tickets}{boards}{sprints}{active}{in_sprint}{labels}"


def anomalies(client: Jobticket) -> str:
    client.integration.create(type="jira", external_id="plant", project_key="MISC")
    client.integration.change(project_key="SCRUM")
    rule = client.rules.create(name="Duplicates", when={"types": ["record"]}, daily_limit=10)
    client.rules.change(rule["id"], enabled=False)
    anomaly = client.anomalies.create(
        type="record", datastore={"id": 1, "name": "CRM"}, failed_checks=[{"message": "3 values are empty"}]
    )
    trial = client.rules.test(rule["id"], anomaly["id"])["fits"]
    key = client.anomalies.create_ticket(anomaly["id"], title="Empty names")["ticket"]["ticket_number"]
    link = client.anomalies.link(anomaly["id"], "PI-1")
    client.anomalies.refresh_link(anomaly["id"], link["id"])
    client.anomalies.change(anomaly["id"], status="Acknowledged")
    client.anomalies.comment(anomaly["id"], "The import ran twice.")
    seen = [comment["message"] for comment in client.anomalies.comments(anomaly["id"])]
    links = [each["last_sync_error"] for each in client.anomalies.links(anomaly["id"])]
    client.anomalies.unlink(anomaly["id"], link["id"])
    client.anomalies.archive(anomaly["id"], "Resolved", comment="imported again")
    listed = [each["status"] for each in client.anomalies.list(archived=True)]
    client.anomalies.delete(client.anomalies.get(anomaly["id"])["id"])
    past = [event["action"] for event in client.anomalies.history(anomaly["id"])]
    rules = [each["name"] for each in client.rules.list()]
    client.rules.delete(client.rules.get(rule["id"])["id"])
    found = [ticket["title"] for ticket in client.integration.search("empty")]
    fields = [field["title"] for field in client.integration.form()["properties"]]
    works = client.integration.test()["status"], client.integration.get()["status"]
    secret = client.integration.make_webhook_secret()["url"], client.integration.ticket(key)["title"]
    client.integration.delete()
    return f"{trial}{seen}{links}{listed}{past}{rules}{found}{fields}{works}{secret}"
