"""The routes of functions/ticketing."""

from __future__ import annotations

from typing import Any

from jobticket.ticketing.model import ARCHIVED, STATUSES, TYPES
from jobticket.web.routes import (
    CURSOR,
    IDEMPOTENCY_KEY,
    LIMIT,
    NEXT_CURSOR,
    Example,
    Route,
    Routes,
    Schema,
    array_of,
    detail_envelope,
    model,
    object_of,
    query,
    routes_of,
)

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}

_PAGE = (
    query("page", "Which page, from 1.", {"type": "integer", "minimum": 1, "default": 1}),
    query("size", "Entries of a page.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
)
_FAULTY = "The body is malformed or a field is faulty; the text names the first one."
_BAD_PAGE = {400: "A parameter is not valid."}
_KEY_ERRORS = {
    409: "A request with this Idempotency-Key is under way.",
    422: "The key was used with another request.",
}
_NO_ANOMALY = {404: "There is no such anomaly."}
_NO_LINK = {404: "There is no such anomaly, or no such link of it."}
_NO_INTEGRATION = {404: "There is no ticketing integration."}
_BUSY = {503: "Others are changing the anomaly all the time; `Retry-After` says when to try again."}
_UPSTREAM = {
    502: "Jira refused, or could not be reached; or the connection does not work.",
    503: "Jira's rate limit, or no token for now; `Retry-After` says when to try again.",
    504: "Jira did not answer in time.",
}


def _list_of(entry: Schema) -> dict[str, Any]:
    return object_of(items=array_of(entry), total=_NUMBER, page=_NUMBER, size=_NUMBER, pages=_NUMBER)


ROUTES = Routes(
    detail_envelope,
    (
        Route(
            "getIntegration",
            "GET",
            "/api/integrations/ticketing",
            scope="ticketing",
            summary="Get the ticketing integration",
            answers={200: model("ticketing.model:Integration")},
            errors=_NO_INTEGRATION,
        ),
        Route(
            "createIntegration",
            "POST",
            "/api/integrations/ticketing",
            scope="admin",
            summary="Set the ticketing integration up",
            answers={201: model("ticketing.model:Integration")},
            errors={
                400: "A field is faulty, or Jira refuses the credentials, the project or the issue type.",
                409: "There is an integration already, or a request with this Idempotency-Key is under way.",
                422: _KEY_ERRORS[422],
            },
            body=model("ticketing.bodies:NewIntegration"),
            parameters=(IDEMPOTENCY_KEY,),
            description="`api_url` with `api_access_token` (`email:api_token`, or a Data Center's personal "
            "access token), or the `external_id` of a connection. All of it is checked before it is stored.",
            example=Example(
                headers={"Idempotency-Key": "ticketing-2026"},
                body={
                    "type": "jira",
                    "api_url": "https://your-domain.atlassian.net",
                    "api_access_token": "user@example.com:your-api-token",
                    "project_key": "SCRUM",
                    "issue_type": "Task",
                },
            ),
        ),
        Route(
            "changeIntegration",
            "PUT",
            "/api/integrations/ticketing",
            scope="admin",
            summary="Change the ticketing integration",
            answers={200: model("ticketing.model:Integration")},
            errors={400: _FAULTY, **_NO_INTEGRATION, 409: "Somebody else is changing it."},
            body=model("ticketing.bodies:IntegrationPatch"),
            description="What is given changes, and the whole is checked again. If the connection was "
            "authorized for another site, this takes that one; links to the former one are history then.",
            example=Example(body={"project_key": "SCRUM", "issue_type": "Bug"}),
        ),
        Route(
            "deleteIntegration",
            "DELETE",
            "/api/integrations/ticketing",
            scope="admin",
            summary="Remove the ticketing integration",
            answers={204: None},
            errors=_NO_INTEGRATION,
            description="Links stay as history. Nothing is sent to their tickets any more.",
        ),
        Route(
            "testIntegration",
            "POST",
            "/api/integrations/ticketing/test",
            scope="ticketing",
            summary="Ask Jira whether the integration works",
            answers={200: object_of(("error",), status={"enum": ["Connected", "Error"]}, error=_TEXT)},
            errors=_NO_INTEGRATION,
        ),
        Route(
            "getFormSpecification",
            "GET",
            "/api/integrations/ticketing/form-specification",
            scope="ticketing",
            summary="Get the form for new tickets, with choices live from Jira",
            answers={200: model("ticketing.model:FormSpecification")},
            errors={**_NO_INTEGRATION, **_UPSTREAM},
        ),
        Route(
            "searchTickets",
            "GET",
            "/api/integrations/ticketing/tickets/search",
            scope="ticketing",
            summary="Search tickets by key or summary",
            answers={200: _list_of(model("ticketing.model:TicketSummary"))},
            errors={**_BAD_PAGE, **_NO_INTEGRATION, **_UPSTREAM},
            parameters=(
                query("query", "A key, or words of the summary; without it, what changed last.", _TEXT),
                *_PAGE,
            ),
            description="The first 1,000 tickets can be paged through. On a Cloud site `total` is exact on "
            "the last page and Jira's estimate before it.",
            example=Example(query={"query": "task", "page": "1", "size": "50"}),
        ),
        Route(
            "getTicket",
            "GET",
            "/api/integrations/ticketing/tickets/{ticket_id}",
            scope="ticketing",
            summary="Get a ticket by id or key",
            answers={200: model("ticketing.model:LinkedTicket")},
            errors={404: "There is no such ticket, or no integration.", **_UPSTREAM},
            example=Example(path={"ticket_id": "SCRUM-40"}),
        ),
        Route(
            "createAnomalyTicket",
            "POST",
            "/api/integrations/ticketing/anomalies/{anomaly_id}/tickets",
            scope="ticketing",
            summary="Create a ticket for an anomaly",
            answers={201: model("ticketing.model:TicketAnswer")},
            errors={
                400: "A field is faulty, or Jira refuses it.",
                404: "There is no such anomaly, or no integration.",
                409: "The anomaly has too many links, or a request with this Idempotency-Key is under way.",
                422: _KEY_ERRORS[422],
                502: _UPSTREAM[502] + " Or an earlier try was cut short, whose ticket no label could tell.",
                503: "It is not known yet what became of an earlier try, or Jira's rate limit is reached; "
                "`Retry-After` says when to try again. A repeat makes no second ticket.",
                504: _UPSTREAM[504],
            },
            body=model("ticketing.bodies:NewAnomalyTicket"),
            parameters=(IDEMPOTENCY_KEY,),
            example=Example(
                path={"anomaly_id": "1"},
                headers={"Idempotency-Key": "ticket-for-anomaly-1"},
                body={
                    "title": "summary of ticket",
                    "description": "description of the ticket",
                    "priority": "Medium",
                },
            ),
        ),
        Route(
            "reportAnomaly",
            "POST",
            "/api/anomalies",
            scope="ticketing",
            summary="Report an anomaly",
            answers={201: model("ticketing.model:Anomaly"), 200: model("ticketing.model:Anomaly")},
            errors={400: _FAULTY, **_KEY_ERRORS},
            body=model("ticketing.bodies:NewAnomaly"),
            parameters=(IDEMPOTENCY_KEY,),
            description="200 and the existing anomaly, detected once more, if an open one has the "
            "fingerprint.",
            example=Example(
                headers={"Idempotency-Key": "scan-4711-anomaly-1"},
                body={
                    "type": "shape",
                    "datastore": {"id": 1, "name": "CRM"},
                    "container": {"id": 4, "name": "CUSTOMER"},
                    "failed_checks": [
                        {
                            "message": "8 values in CUSTOMER_NAME were resolved to 7 distinct entities "
                            "using similarity matching",
                            "field": "CUSTOMER_NAME",
                            "rule_type": "entityResolution",
                        }
                    ],
                    "weight": 7,
                    "fingerprint": "customer-name-entities",
                    "description": "Duplicate customers",
                    "detected": "2025-12-21T01:48:42.988233Z",
                },
            ),
        ),
        Route(
            "listAnomalies",
            "GET",
            "/api/anomalies",
            scope="ticketing",
            summary="List anomalies, newest first",
            answers={200: _list_of(model("ticketing.model:Anomaly"))},
            errors={**_BAD_PAGE, 413: "The answer is too large: ask for smaller pages."},
            parameters=(
                query("status", "Only anomalies of this status.", {"type": "string", "enum": list(STATUSES)}),
                query("type", "Only anomalies of this type.", {"type": "string", "enum": list(TYPES)}),
                query("datastore", "Only those of the datastore with this id.", {"type": "integer"}),
                query("archived", "Only archived or only open ones.", {"type": "boolean"}),
                *_PAGE,
            ),
            example=Example(
                query={
                    "status": "Active",
                    "type": "shape",
                    "datastore": "1",
                    "archived": "false",
                    "page": "1",
                    "size": "50",
                }
            ),
        ),
        Route(
            "getAnomaly",
            "GET",
            "/api/anomalies/{anomaly_id}",
            scope="ticketing",
            summary="Get an anomaly",
            answers={200: model("ticketing.model:Anomaly")},
            errors=_NO_ANOMALY,
            example=Example(path={"anomaly_id": "1"}),
        ),
        Route(
            "changeAnomaly",
            "PUT",
            "/api/anomalies/{anomaly_id}",
            scope="ticketing",
            summary="Change an anomaly's status or description",
            answers={200: model("ticketing.model:Anomaly")},
            errors={
                400: _FAULTY,
                **_NO_ANOMALY,
                409: "Another open anomaly has the same fingerprint.",
                **_BUSY,
            },
            body=model("ticketing.bodies:AnomalyPatch"),
            description="An archived anomaly that is given a status is restored, as Acknowledged. A changed "
            "status is sent to its tickets; the same status again sends nothing.",
            example=Example(path={"anomaly_id": "1"}, body={"status": "Acknowledged"}),
        ),
        Route(
            "removeAnomaly",
            "DELETE",
            "/api/anomalies/{anomaly_id}",
            scope="ticketing",
            summary="Archive an anomaly, or delete it",
            answers={204: None},
            errors={**_BAD_PAGE, **_NO_ANOMALY, **_BUSY},
            parameters=(
                query("archive", "`false` deletes.", {"type": "boolean", "default": True}),
                query(
                    "status",
                    "The status of an archived anomaly.",
                    {"type": "string", "enum": list(ARCHIVED), "default": "Resolved"},
                ),
                query("comment", "A comment that goes with archiving.", _TEXT),
            ),
            example=Example(
                path={"anomaly_id": "1"},
                query={"archive": "true", "status": "Resolved", "comment": "merged by hand"},
            ),
            more_examples={"deleteAnomaly": Example(path={"anomaly_id": "1"}, query={"archive": "false"})},
        ),
        Route(
            "getAnomalyHistory",
            "GET",
            "/api/anomalies/{anomaly_id}/history",
            scope="ticketing",
            summary="Show what happened to an anomaly and its tickets, oldest first",
            answers={200: array_of(model("ticketing.model:AnomalyEvent"))},
            errors={400: "limit or cursor is invalid.", **_NO_ANOMALY, 413: "The answer is too large."},
            parameters=(LIMIT, CURSOR),
            description="A deleted anomaly keeps its history.",
            answer_headers=NEXT_CURSOR,
            example=Example(path={"anomaly_id": "1"}, query={"limit": "20"}),
        ),
        Route(
            "listComments",
            "GET",
            "/api/anomalies/{anomaly_id}/comments",
            scope="ticketing",
            summary="List an anomaly's comments, oldest first",
            answers={200: _list_of(model("ticketing.model:AnomalyComment"))},
            errors={**_BAD_PAGE, **_NO_ANOMALY},
            parameters=_PAGE,
            example=Example(path={"anomaly_id": "1"}),
        ),
        Route(
            "addComment",
            "POST",
            "/api/anomalies/{anomaly_id}/comments",
            scope="ticketing",
            summary="Comment on an anomaly; its tickets get the comment too",
            answers={201: model("ticketing.model:AnomalyComment")},
            errors={400: _FAULTY, **_NO_ANOMALY, **_KEY_ERRORS, **_BUSY},
            body=model("ticketing.bodies:NewComment"),
            parameters=(IDEMPOTENCY_KEY,),
            example=Example(
                path={"anomaly_id": "1"},
                headers={"Idempotency-Key": "comment-1"},
                body={"message": "looking into it"},
            ),
        ),
        Route(
            "listLinks",
            "GET",
            "/api/anomalies/{anomaly_id}/ticket-links",
            scope="ticketing",
            summary="List an anomaly's ticket links",
            answers={200: _list_of(model("ticketing.model:AnomalyLink"))},
            errors={**_BAD_PAGE, **_NO_ANOMALY},
            parameters=_PAGE,
            example=Example(path={"anomaly_id": "1"}),
        ),
        Route(
            "addLink",
            "POST",
            "/api/anomalies/{anomaly_id}/ticket-links",
            scope="ticketing",
            summary="Link an anomaly to an existing ticket",
            answers={201: model("ticketing.model:AnomalyLink")},
            errors={
                400: _FAULTY,
                404: "There is no such anomaly, no such ticket, or no integration.",
                409: "The two are linked already, the anomaly has too many links, or a request with this "
                "Idempotency-Key is under way.",
                422: _KEY_ERRORS[422],
                **_UPSTREAM,
            },
            body=model("ticketing.bodies:NewLink"),
            parameters=(IDEMPOTENCY_KEY,),
            example=Example(
                path={"anomaly_id": "1"}, headers={"Idempotency-Key": "link-1"}, body={"ticket_id": "SCRUM-3"}
            ),
        ),
        Route(
            "removeLink",
            "DELETE",
            "/api/anomalies/{anomaly_id}/ticket-links/{link_id}",
            scope="ticketing",
            summary="Unlink an anomaly and a ticket",
            answers={204: None},
            errors={**_NO_LINK, **_BUSY},
            description="The ticket stays as it is. What is still queued for it is dropped.",
            example=Example(path={"anomaly_id": "1", "link_id": "1"}),
        ),
        Route(
            "refreshLink",
            "POST",
            "/api/anomalies/{anomaly_id}/ticket-links/{link_id}/refresh",
            scope="ticketing",
            summary="Read the ticket's status again, and retry what could not be delivered to it",
            answers={200: model("ticketing.model:AnomalyLink")},
            errors={
                404: "There is no such link, no such ticket any more, or no integration.",
                409: "The link's integration was removed, or leads to another site.",
                **_UPSTREAM,
            },
            example=Example(path={"anomaly_id": "1", "link_id": "1"}),
        ),
        *routes_of(__name__, "rule_routes").routes,
    ),
)
