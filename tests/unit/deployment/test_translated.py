"""SAM's translation of template.yaml meets the requirements of an account, in every deployment."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jobticket.observability import PRODUCT
from jobticket.web.api import STRICT_TRANSPORT
from local.template import load_template, resources_of_type
from tools.translated import DEPLOYMENTS, findings, translated

ROOT = Path(__file__).parents[3]
TEMPLATE = load_template()
FUNCTIONS = resources_of_type(TEMPLATE, "AWS::Serverless::Function")
ALL_ON = "every switch on"
ACCOUNT, REGION = "123456789012", "ap-southeast-1"
#: Lambda's limit is 20,480 bytes; a few more routes must still fit.
MOST_POLICY_BYTES = 18_000
#: API Gateway's own answers, and what callers must get (developer guide, gateway response types).
STATUSES = {
    "DEFAULT_4XX": "404",
    "MISSING_AUTHENTICATION_TOKEN": "404",
    "BAD_REQUEST_PARAMETERS": "400",
    "BAD_REQUEST_BODY": "400",
    "WAF_FILTERED": "403",
    "REQUEST_TOO_LARGE": "413",
    "UNSUPPORTED_MEDIA_TYPE": "415",
    "THROTTLED": "429",
    "DEFAULT_5XX": "502",
    "INTEGRATION_TIMEOUT": "504",
    "INTEGRATION_FAILURE": "504",
}
#: The metrics of AWS that the template uses, by namespace and dimension.
PUBLISHED = {
    ("AWS/ApiGateway", "ApiName"): {"Count", "4XXError", "5XXError", "Latency", "IntegrationLatency"},
    ("AWS/Lambda", "FunctionName"): {
        "Invocations",
        "Errors",
        "Throttles",
        "Duration",
        "ConcurrentExecutions",
    },
    ("AWS/SQS", "QueueName"): {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
    ("AWS/DynamoDB", "TableName"): {"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"},
}
TYPES = {
    "FunctionName": "AWS::Lambda::Function",
    "QueueName": "AWS::SQS::Queue",
    "TableName": "AWS::DynamoDB::Table",
}

Metric = tuple[Any, str, dict[str, Any]]


@cache
def made(deployment: str) -> dict[str, Any]:
    return translated(DEPLOYMENTS[deployment])


def resources(deployment: str) -> dict[str, Any]:
    found: dict[str, Any] = made(deployment)["Resources"]
    return found


def mentions_the_stack(value: Any) -> bool:
    """Tell whether a name contains the stack's name, or that of another resource of the stack."""
    text = json.dumps(value)
    return "AWS::StackName" in text or '"Ref"' in text or "Fn::GetAtt" in text


def fixed_names(template: dict[str, Any]) -> list[str]:
    """Return the resources that would have the same name in another stack."""
    return [
        logical_id
        for logical_id, resource in template["Resources"].items()
        for names in [
            {key: value for key, value in resource.get("Properties", {}).items() if _names(key)},
        ]
        if names and not any(map(mentions_the_stack, names.values()))
    ]


def _names(key: str) -> bool:
    """Return a resource's own name, or that of the resource that it belongs to."""
    return key == "RestApiId" or (key.endswith("Name") and key != "MetricName")


class TestLint:
    def test_sees_what_hangs_on_a_resource_that_may_not_be_there(self) -> None:
        """cfn-lint is silent on this where SAM's own resource is looked at."""
        looked_at = {name: resources("defaults")[name] for name in ("ApiliveStage", "Domain")}
        looked_at["ApiliveStage"] = looked_at["ApiliveStage"] | {"DependsOn": "Domain"}
        template = made("defaults") | {"Resources": looked_at, "Outputs": {}}
        assert any(line.startswith("E3005") for line in findings(json.dumps(template)))


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
class TestNames:
    def test_none_is_fixed(self, deployment: str) -> None:
        assert fixed_names(made(deployment)) == []


@pytest.mark.parametrize(
    ("resource", "fixed"),
    [
        ({"Type": "AWS::Scheduler::Schedule", "Properties": {"Name": "PushSchedulerFunctionRun"}}, True),
        ({"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "pushes"}}, True),
        ({"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${AWS::StackName}-x"}}}, False),
        ({"Type": "AWS::SQS::Queue", "Properties": {}}, False),
    ],
)
def test_what_a_fixed_name_is(resource: dict[str, Any], fixed: bool) -> None:
    assert bool(fixed_names({"Resources": {"It": resource}})) is fixed


class TestPolicies:
    def test_are_those_of_every_function(self) -> None:
        assert set(resources_of_type(made(ALL_ON), "AWS::Lambda::Function")) == set(FUNCTIONS)

    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_that_of_a_function_has_a_place_at_lambda(self, function: str) -> None:
        """Return the policy as AWS stores it: a statement for each permission, with full names."""
        statements = [
            _statement(name, properties)
            for name, properties in resources_of_type(made(ALL_ON), "AWS::Lambda::Permission").items()
            if properties["FunctionName"] == {"Ref": f"{function}Aliaslive"}
        ]
        policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
        assert len(json.dumps(policy, separators=(",", ":"))) < MOST_POLICY_BYTES


def _physical_name(logical_id: str) -> str:
    """Return CloudFormation's name for it, cut to the length of a function's name."""
    return f"{f'jobticket-staging-{logical_id}'[:51]}-{'A1b2C3d4E5f6'}"


def _statement(logical_id: str, properties: dict[str, Any]) -> dict[str, Any]:
    function = properties["FunctionName"]["Ref"].removesuffix("Aliaslive")
    pattern, values = properties["SourceArn"]["Fn::Sub"]
    source = pattern.replace("${AWS::Partition}", "aws").replace("${AWS::Region}", REGION)
    source = source.replace("${AWS::AccountId}", ACCOUNT).replace("${__ApiId__}", "a1b2c3d4e5")
    source = source.replace("${__Stage__}", str(values.get("__Stage__", "")))
    assert "${" not in source
    return {
        "Sid": f"jobticket-staging-{logical_id}-A1b2C3d4E5f6",
        "Effect": "Allow",
        "Principal": {"Service": properties["Principal"]},
        "Action": properties["Action"],
        "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{_physical_name(function)}:live",
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    }


class TestAnswersOfTheGateway:
    def responses(self) -> dict[str, Any]:
        (api,) = resources_of_type(made(ALL_ON), "AWS::ApiGateway::RestApi").values()
        found: dict[str, Any] = api["Body"]["x-amazon-apigateway-gateway-responses"]
        return found

    def test_each_has_a_status_of_its_own(self) -> None:
        """Without one, it has that of DEFAULT_4XX or DEFAULT_5XX."""
        assert {name: answer.get("statusCode") for name, answer in self.responses().items()} == STATUSES

    @pytest.mark.parametrize("name", STATUSES)
    def test_each_can_be_read_by_the_page_that_asked(self, name: str) -> None:
        parameters = self.responses()[name]["responseParameters"]
        assert parameters["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
        assert "gatewayresponse.header.Access-Control-Allow-Credentials" not in parameters

    @pytest.mark.parametrize("name", STATUSES)
    def test_each_is_as_safe_as_those_of_functions(self, name: str) -> None:
        parameters = self.responses()[name]["responseParameters"]
        given = {key.removeprefix("gatewayresponse.header."): value for key, value in parameters.items()}
        assert (
            given.items()
            >= {
                "Cache-Control": "'no-store'",
                "Strict-Transport-Security": f"'{STRICT_TRANSPORT}'",
                "X-Content-Type-Options": "'nosniff'",
            }.items()
        )

    def test_a_page_learns_when_to_come_again(self) -> None:
        parameters = self.responses()["THROTTLED"]["responseParameters"]
        assert parameters["gatewayresponse.header.Retry-After"] == "'1'"
        assert parameters["gatewayresponse.header.Access-Control-Expose-Headers"] == "'Retry-After'"


def of_alarms() -> Iterator[Metric]:
    for alarm in resources_of_type(made(ALL_ON), "AWS::CloudWatch::Alarm").values():
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
        yield _text(alarm["Namespace"]), alarm["MetricName"], {k: _text(v) for k, v in dimensions.items()}


def of_the_dashboard() -> Iterator[Metric]:
    body = json.loads(resources(ALL_ON)["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    for widget in body["widgets"]:
        before: list[str] = []
        for row in widget["properties"]["metrics"]:
            before = _written_out([part for part in row if isinstance(part, str)], before)
            names = before[2:]
            yield before[0], before[1], dict(list(pairwise(names))[::2])


def _written_out(row: list[str], before: list[str]) -> list[str]:
    """Return a row of a dashboard without its short forms: `.` for one part above, `...` for several."""
    if row[0] == "...":
        return before[: len(before) - len(row) + 1] + row[1:]
    return [above if part == "." else part for part, above in zip(row, before or row, strict=True)]


def _text(value: Any) -> str:
    match value:
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": str(text)}:
            return text
        case _:
            return str(value)


@cache
def counted() -> dict[str, set[str]]:
    """Return the names of our own metrics that the code has, by service."""
    domain = (ROOT / "layers/jobticket/jobticket").rglob("*.py")
    services = (ROOT / "functions").glob("*/app.py")
    return {PRODUCT: set().union(*map(_literals, domain))} | {
        path.parent.name: _literals(path) for path in services
    }


def _literals(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def exists(namespace: str, name: str, dimensions: dict[str, str]) -> bool:
    """Tell whether an existing resource writes a metric."""
    if namespace == "Jobticket/${AWS::StackName}":
        return set(dimensions) == {"service"} and name in counted().get(dimensions["service"], set())
    ((kind, value),) = dimensions.items()
    if name not in PUBLISHED.get((namespace, kind), set()):
        return False
    if kind == "ApiName":
        (api,) = resources_of_type(made(ALL_ON), "AWS::ApiGateway::RestApi").values()
        return value == _text(api["Name"])
    named = re.fullmatch(r"\$\{(\w+?)(\.QueueName)?\}", value)
    return named is not None and resources(ALL_ON)[named[1]]["Type"] == TYPES[kind]


class TestMetrics:
    @pytest.mark.parametrize(
        ("namespace", "name", "dimensions"),
        [*of_alarms(), *of_the_dashboard()],
        ids=lambda value: value if isinstance(value, str) else "-".join(value.values()),
    )
    def test_that_somebody_looks_at_exist(
        self, namespace: str, name: str, dimensions: dict[str, str]
    ) -> None:
        assert exists(namespace, name, dimensions)

    def test_a_dashboard_searches_for_nothing(self) -> None:
        """A search finds names by their words, and those of functions are one word with the stack's."""
        assert "SEARCH" not in json.dumps(resources(ALL_ON)["Dashboard"])

    @pytest.mark.parametrize(
        ("namespace", "name", "dimensions"),
        [
            ("AWS/Lambda", "Errors", {"FunctionName": "${JobsTable}"}),
            ("AWS/Lambda", "Mistakes", {"FunctionName": "${JobsFunction}"}),
            ("AWS/ApiGateway", "5XXError", {"ApiId": "${Api}"}),
            ("Jobticket/${AWS::StackName}", "ConnectionDied", {"service": "jira"}),
            ("Jobticket/${AWS::StackName}", "PushesLost", {"service": "push_worker"}),
        ],
    )
    def test_that_do_not_exist_are_found(self, namespace: str, name: str, dimensions: dict[str, str]) -> None:
        assert not exists(namespace, name, dimensions)

    def test_of_single_methods_are_not_paid_for(self) -> None:
        """Each costs 0.30 a month for every method and metric, without a use."""
        (stage,) = resources_of_type(made(ALL_ON), "AWS::ApiGateway::Stage").values()
        assert not any(setting.get("MetricsEnabled") for setting in stage["MethodSettings"])


DEFAULTS = {name: str(parameter["Default"]) for name, parameter in TEMPLATE["Parameters"].items()}


class TestRules:
    def refusals(self, parameters: dict[str, str], account: str = ACCOUNT) -> list[str]:
        values = {**DEFAULTS, **parameters, "AWS::AccountId": account}
        return [
            assertion["AssertDescription"]
            for rule in made("defaults")["Rules"].values()
            if holds(rule.get("RuleCondition", True), values)
            for assertion in rule["Assertions"]
            if not holds(assertion["Assert"], values)
        ]

    @pytest.mark.parametrize("deployment", DEPLOYMENTS)
    def test_let_every_deployment_pass(self, deployment: str) -> None:
        assert self.refusals(DEPLOYMENTS[deployment]) == []

    def test_let_the_local_stack_pass_where_it_belongs(self) -> None:
        assert self.refusals({"Environment": "local"}, "000000000000") == []
        assert len(self.refusals({"Environment": "local"})) == 1

    @pytest.mark.parametrize("given", [{"DomainName": "x.example.com"}, {"CertificateArn": "arn:x"}])
    def test_ask_for_a_whole_domain(self, given: dict[str, str]) -> None:
        assert self.refusals(given | {"PublicUrl": "https://x.example.com"})
        assert not self.refusals(
            {"DomainName": "x", "CertificateArn": "arn:x", "PublicUrl": "https://x.example.com"}
        )
        assert self.refusals({"DomainName": "x", "CertificateArn": "arn:x"})


def holds(expression: Any, values: dict[str, str]) -> bool:
    """Return the value of a rule's expression (CloudFormation, rule functions)."""
    match expression:
        case bool():
            return expression
        case {"Fn::And": parts}:
            return all(holds(part, values) for part in parts)
        case {"Fn::Or": parts}:
            return any(holds(part, values) for part in parts)
        case {"Fn::Not": [part]}:
            return not holds(part, values)
        case {"Fn::Equals": [left, right]}:
            return _value(left, values) == _value(right, values)
    raise ValueError(f"rules know no {expression}")


def _value(part: Any, values: dict[str, str]) -> str:
    return values[part["Ref"]] if isinstance(part, dict) else str(part)
