"""Rules for every function and resource of template.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.template import load_template, resources_of_type

ROOT = Path(__file__).parents[3]
TEMPLATE = load_template()
FUNCTIONS = resources_of_type(TEMPLATE, "AWS::Serverless::Function")
ROLES = resources_of_type(TEMPLATE, "AWS::IAM::Role")
TABLES = resources_of_type(TEMPLATE, "AWS::DynamoDB::Table")
LOG_GROUPS = resources_of_type(TEMPLATE, "AWS::Logs::LogGroup")
GLOBALS = TEMPLATE["Globals"]["Function"]

CRYPTOGRAPHY = {"Ref": "EncryptionLayer"}
TRACING = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
METHODS = {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}


def role_of(function: str) -> str:
    name: str = FUNCTIONS[function]["Role"]["Fn::GetAtt"][0]
    return name


def statements_of(function: str) -> Iterator[dict[str, Any]]:
    for policy in ROLES[role_of(function)]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            # Statements that a parameter switches on follow the rules too.
            yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def actions_of(statement: dict[str, Any]) -> set[str]:
    actions = statement["Action"]
    return {actions} if isinstance(actions, str) else set(actions)


def variables_of(function: str) -> dict[str, Any]:
    variables: dict[str, Any] = FUNCTIONS[function]["Environment"]["Variables"]
    return variables


def names_of_parts(value: Any) -> set[str]:
    """Return every resource that a value refers to, and every key that a parameter names."""
    text = json.dumps(value)
    names = [*TEMPLATE["Resources"], "FormerEncryptionKeyArn", "PrivateCaSecretArn", "EventBusName"]
    return {
        name
        for name in names
        if f'"{name}"' in text or f'"{name}.' in text or f"${{{name}." in text or f"${{{name}}}" in text
    }


def routes() -> list[tuple[str, str, str]]:
    return [
        (function, event["Properties"]["Method"], event["Properties"]["Path"])
        for function, properties in FUNCTIONS.items()
        for event in properties.get("Events", {}).values()
        if event["Type"] == "Api"
    ]


class TestRoutes:
    @pytest.mark.parametrize(("function", "method", "path"), routes())
    def test_each_names_one_method_and_one_path(self, function: str, method: str, path: str) -> None:
        assert method in METHODS
        assert "+" not in path
        assert "*" not in path

    def test_none_is_given_twice(self) -> None:
        given = [(method, path) for _, method, path in routes()]
        assert len(given) == len(set(given))

    def test_all_belong_to_the_one_api(self) -> None:
        events = [e for f in FUNCTIONS.values() for e in f.get("Events", {}).values() if e["Type"] == "Api"]
        assert {json.dumps(event["Properties"]["RestApiId"]) for event in events} == {'{"Ref": "Api"}'}

    def test_jobs_and_connections(self) -> None:
        assert {
            ("JobsFunction", "POST", "/api/jobs"),
            ("JobsFunction", "POST", "/api/serials/advance"),
            ("JobSyncFunction", "POST", "/api/jira/push"),
            ("JobSyncFunction", "DELETE", "/api/jira/link/{jobId}"),
            ("ConnectionsFunction", "PUT", "/api/backend/connections/{external_id}/api-token"),
        } <= set(routes())


class TestApi:
    API = TEMPLATE["Resources"]["Api"]["Properties"]

    def test_answers_of_its_own_have_the_envelope(self) -> None:
        for name, response in self.API["GatewayResponses"].items():
            body = json.loads(response["ResponseTemplates"]["application/json"])
            assert set(body) == {"statusCode", "message"}, name
            assert str(body["statusCode"]) == response["StatusCode"], name

    def test_route_that_does_not_exist(self) -> None:
        response = self.API["GatewayResponses"]["MISSING_AUTHENTICATION_TOKEN"]
        assert response["StatusCode"] == "404"
        assert json.loads(response["ResponseTemplates"]["application/json"]) == {
            "statusCode": 404,
            "message": "Not Found",
        }

    def test_throttling_covers_every_route(self) -> None:
        setting, *_ = self.API["MethodSettings"]
        assert (setting["ResourcePath"], setting["HttpMethod"]) == ("/*", "*")
        assert setting["ThrottlingRateLimit"] == {"Ref": "ThrottleRate"}
        assert setting["ThrottlingBurstLimit"] == {"Ref": "ThrottleBurst"}

    def test_access_log_names_routes_and_no_paths(self) -> None:
        line = self.API["AccessLogSetting"]["Format"]
        assert "$context.resourcePath" in line
        assert "$context.path" not in line
        assert "\n" not in line


CONNECTIONS = {"connections"}
#: Which functions open secrets that were sealed for another purpose.
OPENED_BY = {
    "OauthFunction": {"consents"},
    "TicketingFunction": {"connections", "webhooks"},
    "WebhooksFunction": {"webhooks"},
}


@pytest.mark.parametrize("function", FUNCTIONS)
class TestFunctions:
    def test_has_a_folder_of_its_own(self, function: str) -> None:
        folders = [properties["CodeUri"] for properties in FUNCTIONS.values()]
        assert folders.count(FUNCTIONS[function]["CodeUri"]) == 1
        assert FUNCTIONS[function]["CodeUri"].startswith("functions/")

    def test_runs_as_all_do(self, function: str) -> None:
        settings = GLOBALS | FUNCTIONS[function]
        assert settings["Runtime"] == "python3.13"
        assert settings["Architectures"] == ["arm64"]
        assert settings["Handler"] == "app.handler"
        assert settings["Tracing"] == "Active"
        assert settings["MemorySize"] >= 256

    def test_answers_before_api_gateway_gives_up(self, function: str) -> None:
        if any(event["Type"] == "Api" for event in FUNCTIONS[function].get("Events", {}).values()):
            assert (GLOBALS | FUNCTIONS[function])["Timeout"] <= 29

    def test_has_a_role_of_its_own(self, function: str) -> None:
        assert [role_of(other) for other in FUNCTIONS].count(role_of(function)) == 1
        assert "Policies" not in FUNCTIONS[function]
        assert "ManagedPolicyArns" not in ROLES[role_of(function)]
        assert "Connectors" not in FUNCTIONS[function]

    def test_actions_are_exact(self, function: str) -> None:
        for statement in statements_of(function):
            assert statement["Effect"] == "Allow"
            assert not [action for action in actions_of(statement) if "*" in action]

    def test_resources_are_exact(self, function: str) -> None:
        for statement in statements_of(function):
            if actions_of(statement) == TRACING:
                continue  # X-Ray has no resources to name
            assert "*" not in json.dumps(statement["Resource"])
            assert len(names_of_parts(statement["Resource"])) == 1

    def test_keys_open_only_what_was_made_for_their_purpose(self, function: str) -> None:
        for statement in statements_of(function):
            if any(action.startswith("kms:") for action in actions_of(statement)):
                locally, without, in_the_cloud = statement["Condition"]["Fn::If"]
                assert (locally, without) == ("IsLocal", {"Ref": "AWS::NoValue"})
                assert in_the_cloud.keys() == {"StringEquals"}
                ((key, purpose),) = in_the_cloud["StringEquals"].items()
                assert key == "kms:EncryptionContext:purpose"
                opens = "kms:Decrypt" in actions_of(statement)
                assert purpose in (OPENED_BY.get(function, CONNECTIONS) if opens else CONNECTIONS)

    def test_environment_names_what_the_role_allows(self, function: str) -> None:
        kept = set(TABLES) | {"EncryptionKey", "KeyRingSecret", "AtlassianAppSecret"}
        granted = set().union(
            *(
                names_of_parts(statement["Resource"])
                for statement in statements_of(function)
                if "dynamodb:GetRecords" not in actions_of(statement)  # Lambda itself reads the stream
            )
        )
        assert names_of_parts(variables_of(function)) & kept == granted & kept

    def test_service_has_the_name_of_its_folder(self, function: str) -> None:
        assert variables_of(function)["POWERTOOLS_SERVICE_NAME"] == Path(FUNCTIONS[function]["CodeUri"]).name

    def test_logs_to_a_group_of_its_own(self, function: str) -> None:
        group = FUNCTIONS[function]["LoggingConfig"]["LogGroup"]["Ref"]
        assert GLOBALS["LoggingConfig"]["LogFormat"] == "JSON"
        assert group in LOG_GROUPS
        (statement,) = (s for s in statements_of(function) if "logs:PutLogEvents" in actions_of(s))
        assert statement["Resource"] == {"Fn::GetAtt": [group, "Arn"]}

    def test_cryptography_comes_only_where_tokens_are(self, function: str) -> None:
        opens_tokens = any(
            action.startswith("kms:")
            for statement in statements_of(function)
            for action in actions_of(statement)
        )
        assert (CRYPTOGRAPHY in FUNCTIONS[function]["Layers"]) == opens_tokens

    def test_layers_are_those_of_the_template(self, function: str) -> None:
        layers = resources_of_type(TEMPLATE, "AWS::Serverless::LayerVersion")
        assert {layer["Ref"] for layer in FUNCTIONS[function]["Layers"]} <= set(layers)
        assert {"Ref": "JobticketLayer"} in FUNCTIONS[function]["Layers"]


@pytest.mark.parametrize("table", TABLES)
class TestTables:
    def test_is_kept(self, table: str) -> None:
        assert TEMPLATE["Resources"][table]["DeletionPolicy"] == "Retain"
        assert TEMPLATE["Resources"][table]["UpdateReplacePolicy"] == "Retain"
        assert TABLES[table]["DeletionProtectionEnabled"] == {"Fn::If": ["IsLocal", False, True]}
        assert TABLES[table]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}

    def test_forgets_what_has_expired(self, table: str) -> None:
        expected = {"AttributeName": "expires_at", "Enabled": True}
        assert TABLES[table]["TimeToLiveSpecification"] == expected

    def test_is_encrypted(self, table: str) -> None:
        assert TABLES[table]["SSESpecification"]["SSEEnabled"] is True

    def test_gets_its_name_from_the_stack(self, table: str) -> None:
        assert "TableName" not in TABLES[table]

    def test_is_paid_by_use(self, table: str) -> None:
        assert TABLES[table]["BillingMode"] == "PAY_PER_REQUEST"


def test_connections_are_encrypted_with_a_key_of_their_own() -> None:
    specification = TABLES["ConnectionsTable"]["SSESpecification"]
    assert specification["KMSMasterKeyId"] == {"Fn::GetAtt": ["ConnectionsTableKey", "Arn"]}


def test_list_of_connections_holds_no_secret() -> None:
    refreshes, index = TABLES["ConnectionsTable"]["GlobalSecondaryIndexes"]
    assert refreshes["Projection"]["ProjectionType"] == "KEYS_ONLY"
    assert index["Projection"]["ProjectionType"] == "INCLUDE"
    assert set(index["Projection"]["NonKeyAttributes"]) == {
        "external_id",
        "provider",
        "kind",
        "site_name",
        "site_url",
        "selected_project_id",
        "status",
        "authorized_at",
        "last_refreshed_at",
        "expires_on",
    }


@pytest.mark.parametrize("key", resources_of_type(TEMPLATE, "AWS::KMS::Key"))
def test_keys_rotate_and_are_kept(key: str) -> None:
    assert TEMPLATE["Resources"][key]["Properties"]["EnableKeyRotation"] is True
    assert TEMPLATE["Resources"][key]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert TEMPLATE["Resources"][key]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("group", LOG_GROUPS)
def test_logs_are_kept_for_a_time(group: str) -> None:
    assert LOG_GROUPS[group]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("secret", resources_of_type(TEMPLATE, "AWS::SecretsManager::Secret"))
def test_a_secret_has_no_value_that_a_later_deployment_could_write_again(secret: str) -> None:
    assert set(TEMPLATE["Resources"][secret]["Properties"]) == {"Description"}
    assert TEMPLATE["Resources"][secret]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert TEMPLATE["Resources"][secret]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("layer", resources_of_type(TEMPLATE, "AWS::Serverless::LayerVersion"))
def test_layers_are_built_from_their_folders(layer: str) -> None:
    resource = TEMPLATE["Resources"][layer]
    folder = ROOT / resource["Properties"]["ContentUri"]
    assert folder.is_dir()
    method = "makefile" if (folder / "Makefile").exists() else "python3.13"
    assert resource["Metadata"]["BuildMethod"] == method
    if method == "makefile":
        assert f"build-{layer}:" in (folder / "Makefile").read_text()


@pytest.mark.parametrize("name", ["PublicUrl", "DefaultReturnUrl", "AnomalyBaseUrl"])
@pytest.mark.parametrize(
    ("value", "taken"),
    [("", True), ("https://app.example.com/back", True), ("javascript:alert(1)", False), ("//x", False)],
)
def test_an_address_in_a_parameter_is_one_of_http(name: str, value: str, taken: bool) -> None:
    assert bool(re.fullmatch(TEMPLATE["Parameters"][name]["AllowedPattern"], value)) is taken
