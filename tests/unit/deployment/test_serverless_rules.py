"""template.yaml against the rules of awslabs/serverless-rules, by their names there, and against our own for operations.

Their packages read templates after the SAM transform and have not kept up with cfn-lint, so each rule that
applies stands here as a check. The rest do not apply: no AppSync, Step Functions, SNS topics or EventBridge
rules of our own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobticket.observability import PRODUCT
from local.template import load_template, resources_of_type
from tools.openapi import document as openapi

ROOT = Path(__file__).parents[3]
TEMPLATE = load_template()
RESOURCES = TEMPLATE["Resources"]
GLOBALS = TEMPLATE["Globals"]["Function"]
FUNCTIONS = resources_of_type(TEMPLATE, "AWS::Serverless::Function")
ALARMS = resources_of_type(TEMPLATE, "AWS::CloudWatch::Alarm")
QUEUES = resources_of_type(TEMPLATE, "AWS::SQS::Queue")
API = RESOURCES["Api"]["Properties"]
DEFAULT_MEMORY = 128
DEFAULT_TIMEOUT = 3


def functions_with(kind: str) -> list[str]:
    return [
        name
        for name, properties in FUNCTIONS.items()
        if any(event["Type"] == kind for event in properties.get("Events", {}).values())
    ]


def queue_events() -> Iterator[tuple[str, dict[str, Any]]]:
    for function, properties in FUNCTIONS.items():
        for event in properties.get("Events", {}).values():
            if event["Type"] == "SQS":
                yield function, event["Properties"]


def streams() -> list[dict[str, Any]]:
    return [
        event["Properties"]
        for properties in FUNCTIONS.values()
        for event in properties.get("Events", {}).values()
        if event["Type"] == "DynamoDB"
    ]


def main_queues() -> list[str]:
    return [name for name, properties in QUEUES.items() if "RedrivePolicy" in properties]


def places_for_failures() -> set[str]:
    dead = {QUEUES[name]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0] for name in main_queues()}
    failed = {
        FUNCTIONS[name]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        for name in functions_with("ScheduleV2")
    }
    return (
        dead
        | failed
        | {_name(source["DestinationConfig"]["OnFailure"]["Destination"]) for source in streams()}
    )


def alarmed(metric: str) -> set[str]:
    """Return the resources, or services, of which a metric has an alarm."""
    found: set[str] = set()
    for properties in ALARMS.values():
        if properties.get("MetricName") == metric:
            found |= {_name(dimension["Value"]) for dimension in properties["Dimensions"]}
    return found


def _namespaces(value: Any) -> Iterator[Any]:
    """Yield the namespace of every metric."""
    if isinstance(value, list):
        for entry in value:
            yield from _namespaces(entry)
    if isinstance(value, dict):
        if "Namespace" in value:
            yield value["Namespace"]
        yield from _namespaces(list(value.values()))


def _name(value: Any) -> str:
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return name
        case _:
            return str(value)


class TestLambda:
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_tracing(self, function: str) -> None:
        assert (GLOBALS | FUNCTIONS[function])["Tracing"] == "Active"

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_default_memory_size(self, function: str) -> None:
        assert FUNCTIONS[function]["MemorySize"] > DEFAULT_MEMORY

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_default_timeout(self, function: str) -> None:
        assert (GLOBALS | FUNCTIONS[function])["Timeout"] > DEFAULT_TIMEOUT

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_end_of_life_runtime(self, function: str) -> None:
        assert (GLOBALS | FUNCTIONS[function])["Runtime"] == "python3.13"

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_log_retention(self, function: str) -> None:
        group = FUNCTIONS[function]["LoggingConfig"]["LogGroup"]["Ref"]
        assert "RetentionInDays" in RESOURCES[group]["Properties"]

    @pytest.mark.parametrize("function", functions_with("ScheduleV2"))
    def test_async_failure_destination(self, function: str) -> None:
        config = FUNCTIONS[function]["EventInvokeConfig"]
        assert _name(config["DestinationConfig"]["OnFailure"]["Destination"]) in QUEUES
        assert config["MaximumRetryAttempts"] <= 2
        for event in FUNCTIONS[function]["Events"].values():
            if event["Type"] == "ScheduleV2":
                assert _name(event["Properties"]["DeadLetterConfig"]["Arn"]) in QUEUES
                assert "RetryPolicy" in event["Properties"]

    def test_functions_that_call_others_call_what_is_deployed_and_keeps_its_failures(self) -> None:
        """An alias, because a failure destination belongs to it: calls of $LATEST would be lost without a trace."""
        called = {
            value["Ref"].removesuffix(".Alias"): value["Ref"]
            for properties in FUNCTIONS.values()
            for value in properties["Environment"]["Variables"].values()
            if isinstance(value, dict) and value.get("Ref", "").partition(".")[0] in FUNCTIONS
        }
        assert called == {"PushSchedulerFunction": "PushSchedulerFunction.Alias"}
        for function in called:
            destination = FUNCTIONS[function]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
            assert _name(destination["Destination"]) == "FailedEventsQueue"

    @pytest.mark.parametrize("role", resources_of_type(TEMPLATE, "AWS::IAM::Role"))
    def test_no_function_is_called_past_its_alias(self, role: str) -> None:
        for policy in RESOURCES[role]["Properties"].get("Policies", ()):
            for statement in policy["PolicyDocument"]["Statement"]:
                if statement.get("Action") == "lambda:InvokeFunction":
                    assert statement["Resource"]["Ref"].endswith(".Alias")

    @pytest.mark.parametrize(("function", "source"), list(queue_events()))
    def test_eventsourcemapping_failure_destination(self, function: str, source: dict[str, Any]) -> None:
        queue = QUEUES[_name(source["Queue"])]
        assert _name(queue["RedrivePolicy"]["deadLetterTargetArn"]) in QUEUES
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert source["ScalingConfig"]["MaximumConcurrency"], "Jira's limits are shared by all of them"
        # Lambda recommends six times, for messages that it received and cannot work on. MaximumConcurrency
        # keeps it from receiving those.
        assert queue["VisibilityTimeout"] >= 2 * (GLOBALS | FUNCTIONS[function])["Timeout"]

    @pytest.mark.parametrize("source", streams())
    def test_a_stream_is_not_held_up_for_ever(self, source: dict[str, Any]) -> None:
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert source["BisectBatchOnFunctionError"] is True
        assert source["MaximumRetryAttempts"] > 0
        assert 3600 <= source["MaximumRecordAgeInSeconds"] < 24 * 3600, "the stream forgets after a day"

    def test_permission_multiple_principals(self) -> None:
        assert not resources_of_type(TEMPLATE, "AWS::Lambda::Permission"), "SAM makes one for each source"

    @pytest.mark.parametrize("role", resources_of_type(TEMPLATE, "AWS::IAM::Role"))
    def test_star_permissions(self, role: str) -> None:
        for policy in RESOURCES[role]["Properties"].get("Policies", ()):
            for statement in policy["PolicyDocument"]["Statement"]:
                asked_for = statement["Fn::If"][1] if "Fn::If" in statement else statement
                assert "*" not in json.dumps(asked_for["Action"])


class TestApiGateway:
    def test_default_throttling(self) -> None:
        (every,) = (setting for setting in API["MethodSettings"] if setting["ResourcePath"] == "/*")
        assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= every.keys()

    def test_logging(self) -> None:
        assert _name(API["AccessLogSetting"]["DestinationArn"]) == "ApiLogGroup"

    def test_structured_logging(self) -> None:
        line = json.loads(_quoted(API["AccessLogSetting"]["Format"]))
        assert line["resourcePath"] == "$context.resourcePath"

    def test_tracing(self) -> None:
        assert API["TracingEnabled"] is True


def _is_always_there(resource: str) -> bool:
    return "Condition" not in RESOURCES[resource]


def _quoted(line: str) -> str:
    """Return the format with its bare numbers as texts, so that it can be read as JSON."""
    return re.sub(r":(\$context\.\w+)", r':"\1"', line)


class TestSqs:
    @pytest.mark.parametrize("queue", QUEUES)
    def test_redrive_policy(self, queue: str) -> None:
        assert "RedrivePolicy" in QUEUES[queue] or queue in places_for_failures()

    @pytest.mark.parametrize("queue", QUEUES)
    def test_is_encrypted(self, queue: str) -> None:
        assert QUEUES[queue]["SqsManagedSseEnabled"] is True

    @pytest.mark.parametrize("queue", sorted(places_for_failures()))
    def test_what_failed_is_kept_as_long_as_can_be(self, queue: str) -> None:
        assert QUEUES[queue]["MessageRetentionPeriod"] == 14 * 24 * 3600


class TestAlarms:
    @pytest.mark.parametrize("metric", ["Errors", "Throttles", "Duration"])
    def test_of_every_function(self, metric: str) -> None:
        assert alarmed(metric) == set(FUNCTIONS)

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_duration_is_measured_by_the_time_limit(self, function: str) -> None:
        (alarm,) = (
            properties
            for properties in ALARMS.values()
            if properties.get("MetricName") == "Duration"
            and _name(properties["Dimensions"][0]["Value"]) == function
        )
        assert alarm["Threshold"] == (GLOBALS | FUNCTIONS[function])["Timeout"] * 800

    @pytest.mark.parametrize("metric", ["5XXError", "Latency"])
    def test_of_the_api(self, metric: str) -> None:
        assert alarmed(metric) == {"AWS::StackName"}

    def test_of_the_age_of_queues(self) -> None:
        assert alarmed("ApproximateAgeOfOldestMessage") == set(main_queues())

    def test_of_what_failed_for_good(self) -> None:
        assert alarmed("ApproximateNumberOfMessagesVisible") == places_for_failures()

    @pytest.mark.parametrize(
        "metric",
        [
            "ConnectionDied",
            "ConnectionsExpiring",
            "AppRefused",
            "RefreshFailed",
            "UnhandledFaults",
            "KeyRingFault",
        ],
    )
    def test_of_the_product_as_a_whole(self, metric: str) -> None:
        assert alarmed(metric) == {PRODUCT}

    def test_own_metrics_are_those_of_the_stack_alone(self) -> None:
        own = GLOBALS["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]
        assert own == {"Fn::Sub": "Jobticket/${AWS::StackName}"}
        assert not any(
            "POWERTOOLS_METRICS_NAMESPACE" in properties["Environment"]["Variables"]
            for properties in FUNCTIONS.values()
        )
        for namespace in _namespaces(list(ALARMS.values())):
            assert namespace == own or namespace.startswith("AWS/")
        shown = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        assert set(re.findall(r"Jobticket[^\\\"']*", shown)) == {own["Fn::Sub"]}

    @pytest.mark.parametrize("alarm", ALARMS)
    def test_says_what_to_do_and_reaches_somebody(self, alarm: str) -> None:
        told = ALARMS[alarm]["AlarmActions"]
        assert told["Fn::If"][:2] == ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}]]
        assert ALARMS[alarm]["OKActions"] == told
        assert "docs/" in ALARMS[alarm]["AlarmDescription"]
        assert ALARMS[alarm]["TreatMissingData"] == "notBreaching"


class TestDeployment:
    def test_goes_by_and_by_where_it_is_wanted_and_back_on_alarms(self) -> None:
        preference = GLOBALS["DeploymentPreference"]
        assert preference["Enabled"] == {"Ref": "GradualDeployment"}
        assert TEMPLATE["Parameters"]["GradualDeployment"]["Default"] == "false"
        assert preference["Alarms"] == [{"Ref": "UnhandledFaultsAlarm"}], "a 5xx can be Jira's"

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_is_taken_back_on_errors_of_the_function(self, function: str) -> None:
        (alarm,) = FUNCTIONS[function]["DeploymentPreference"]["Alarms"]
        assert _name(ALARMS[alarm["Ref"]]["Dimensions"][0]["Value"]) == function
        assert FUNCTIONS[function]["AutoPublishAliasAllProperties"] is True

    def test_sets_no_concurrency_aside_unless_asked(self) -> None:
        assert TEMPLATE["Parameters"]["ReservedConcurrency"]["Default"] == 0
        for properties in (GLOBALS, *FUNCTIONS.values()):
            reserved = properties.get("ReservedConcurrentExecutions")
            assert reserved is None or reserved["Fn::If"][0] == "ReservesConcurrency"

    @pytest.mark.parametrize(("function", "source"), list(queue_events()))
    def test_sets_aside_what_a_queue_may_use(self, function: str, source: dict[str, Any]) -> None:
        """A message that finds no worker counts as received, and ends as a dead letter without any fault."""
        reserved = FUNCTIONS[function]["ReservedConcurrentExecutions"]["Fn::If"][1]
        used = source["ScalingConfig"]["MaximumConcurrency"]
        if isinstance(used, dict):
            assert used["Fn::If"][2] == reserved
        else:
            assert used < reserved, "a sweep runs beside them"

    def test_has_a_dashboard_of_json(self) -> None:
        body = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
        shown = json.dumps(body)
        # A dashboard cannot name what a parameter leaves out.
        for queue in filter(_is_always_there, QUEUES):
            assert f"${{{queue}.QueueName}}" in shown
        for table in resources_of_type(TEMPLATE, "AWS::DynamoDB::Table"):
            assert f"${{{table}}}" in shown
        for function in filter(_is_always_there, FUNCTIONS):
            assert shown.count(f"${{{function}}}") >= 3  # errors, duration, throttles


def test_every_public_route_has_a_throttle_of_its_own() -> None:
    public = {
        (route.method, route.path if route.path == "/" else "/" + route.path.replace("/", "~1"))
        for _, routes in openapi.declared()
        for route in routes.routes
        if route.scope is None
    }
    throttled = {
        (setting["HttpMethod"], setting["ResourcePath"]): setting["ThrottlingRateLimit"]
        for setting in API["MethodSettings"]
        if setting["ResourcePath"] != "/*"
    }
    assert throttled.keys() == public
    # A page loads a dozen files at once, and each costs little.
    assert throttled.pop(("GET", "/~1assets~1{version}~1{file}")) == {"Ref": "ThrottleRate"}
    assert [where for where, rate in throttled.items() if rate != {"Ref": "PublicThrottleRate"}] == []
