"""Times and numbers of template.yaml that must agree with the code, or with each other."""

from __future__ import annotations

from typing import Any

from jobticket.ticketing import new_ticket, relay
from local.template import load_template

TEMPLATE: dict[str, Any] = load_template()
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def properties(name: str) -> dict[str, Any]:
    """A resource's properties; a function's include what the template says of all functions."""
    found: dict[str, Any] = RESOURCES[name]["Properties"]
    shared = TEMPLATE["Globals"]["Function"] if name.endswith("Function") else {}
    return {**shared, **found}


def test_the_queue_gives_up_when_the_worker_does() -> None:
    redrive = properties("TicketEventsQueue")["RedrivePolicy"]
    assert redrive["maxReceiveCount"] == relay.MOST_TRIES
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["TicketEventsDeadLetters", "Arn"]}


def test_messages_keep_their_order_within_an_issue() -> None:
    queue = properties("TicketEventsQueue")
    assert queue["FifoQueue"] is True
    assert queue["FifoThroughputLimit"] == "perMessageGroupId"  # other issues do not wait
    event = properties("TicketSyncFunction")["Events"]["WakeUps"]["Properties"]
    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_lease_outlasts_its_holder() -> None:
    assert relay.LEASE_TIME.total_seconds() > properties("TicketSyncFunction")["Timeout"]
    assert new_ticket.LEASE.total_seconds() > properties("TicketingFunction")["Timeout"]


def test_a_message_stays_hidden_while_the_worker_is_at_it() -> None:
    timeout = properties("TicketSyncFunction")["Timeout"]
    assert properties("TicketEventsQueue")["VisibilityTimeout"] == 6 * timeout


def test_dead_letters_and_refusals_ring() -> None:
    dead = properties("TicketEventsDeadLettersAlarm")
    assert dead["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert dead["Dimensions"][0]["Value"] == {"Fn::GetAtt": ["TicketEventsDeadLetters", "QueueName"]}
    failed = properties("TicketEventsFailedAlarm")
    assert (failed["Namespace"], failed["MetricName"]) == (
        {"Fn::Sub": "Jobticket/${AWS::StackName}"},
        "EventsFailed",
    )
    for alarm in (dead, failed):
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")


def test_the_names_of_a_deployment_are_parameters() -> None:
    parameters = load_template()["Parameters"]
    assert parameters["TicketingName"]["Default"] == "Qualytics"
    assert parameters["AnomalyBaseUrl"]["Default"] == ""
    for function in ("TicketingFunction", "TicketSyncFunction"):
        variables = properties(function)["Environment"]["Variables"]
        assert variables["TICKETING_NAME"] == {"Ref": "TicketingName"}
        assert variables["ANOMALY_BASE_URL"] == {
            "Fn::If": ["HasAnomalyBaseUrl", {"Ref": "AnomalyBaseUrl"}, {"Ref": "PublicUrl"}]
        }
