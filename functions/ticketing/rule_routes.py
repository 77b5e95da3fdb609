"""The routes of rules, which make tickets, and of webhooks."""

from __future__ import annotations

from jobticket.web.routes import (
    IDEMPOTENCY_KEY,
    Example,
    Route,
    Routes,
    array_of,
    detail_envelope,
    model,
    object_of,
    query,
)

_PATH = "/api/integrations/ticketing/rules"
_RULE = model("ticketing.model:Rule")
_NUMBER = {"type": "integer"}
_PAGE = (
    query("page", "Which page, from 1.", {"type": "integer", "minimum": 1, "default": 1}),
    query("size", "Entries of a page.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
)
_NO_RULE = {404: "There is no such rule."}
_FAULTY = {400: "The body is malformed or a field is faulty; the text names the first one."}
_EXAMPLE = {
    "name": "Duplicates in the CRM",
    "enabled": True,
    "position": 1,
    "when": {
        "types": ["shape"],
        "datastore_ids": [1],
        "container_ids": [4],
        "rule_types": ["entityResolution"],
        "min_weight": 5,
    },
    "ticket": {
        "project_key": "SCRUM",
        "issue_type": "Bug",
        "priority": "High",
        "title": "{type} anomaly {id} in {container}",
    },
    "daily_limit": 20,
    "on_recurrence": "comment",
}

ROUTES = Routes(
    detail_envelope,
    (
        Route(
            "listRules",
            "GET",
            _PATH,
            scope="ticketing",
            summary="List the rules that make tickets, in their order",
            answers={
                200: object_of(
                    items=array_of(_RULE), total=_NUMBER, page=_NUMBER, size=_NUMBER, pages=_NUMBER
                )
            },
            errors={400: "A parameter is not valid."},
            parameters=_PAGE,
        ),
        Route(
            "createRule",
            "POST",
            _PATH,
            scope="ticketing",
            summary="Add a rule that makes tickets",
            answers={201: _RULE},
            errors={
                **_FAULTY,
                409: "There are 50 rules already, or a request with this Idempotency-Key is under way.",
                422: "The key was used with another request.",
            },
            body=model("ticketing.bodies:NewRule"),
            parameters=(IDEMPOTENCY_KEY,),
            description="The first enabled rule by position that fits a new anomaly makes its ticket, "
            "later and once. Anomalies that are there already get none.",
            example=Example(headers={"Idempotency-Key": "rule-1"}, body=_EXAMPLE),
        ),
        Route(
            "getRule",
            "GET",
            f"{_PATH}/{{rule_id}}",
            scope="ticketing",
            summary="Get a rule, and what it did today",
            answers={200: _RULE},
            errors=_NO_RULE,
            example=Example(path={"rule_id": "1"}),
        ),
        Route(
            "changeRule",
            "PUT",
            f"{_PATH}/{{rule_id}}",
            scope="ticketing",
            summary="Change a rule",
            answers={200: _RULE},
            errors={**_FAULTY, **_NO_RULE},
            body=model("ticketing.bodies:RulePatch"),
            description="What is given changes; `when` and `ticket` as a whole. A broken rule works again.",
            example=Example(path={"rule_id": "1"}, body={"enabled": False}),
        ),
        Route(
            "deleteRule",
            "DELETE",
            f"{_PATH}/{{rule_id}}",
            scope="ticketing",
            summary="Delete a rule; its tickets stay",
            answers={204: None},
            errors=_NO_RULE,
            example=Example(path={"rule_id": "1"}),
        ),
        Route(
            "testRule",
            "POST",
            f"{_PATH}/{{rule_id}}/test",
            scope="ticketing",
            summary="Show what a rule would do with an anomaly; nothing is sent",
            answers={200: model("ticketing.model:RuleTrial")},
            errors={**_FAULTY, 404: "There is no such rule, or no such anomaly."},
            body=model("ticketing.bodies:RuleTest"),
            example=Example(path={"rule_id": "1"}, body={"anomaly_id": 1}),
        ),
        Route(
            "makeWebhookSecret",
            "POST",
            "/api/integrations/ticketing/webhook",
            scope="admin",
            summary="Make the secret for an administrator's webhook, in place of an earlier one",
            answers={
                200: object_of(
                    url={"type": "string", "description": "Where Jira sends its webhooks."},
                    secret={"type": "string", "description": "What Jira signs them with."},
                )
            },
            errors={404: "There is no ticketing integration."},
            description="The secret is shown this once. A Jira administrator sets up a webhook with both.",
        ),
    ),
)
