"""The routes of functions/ticketing."""

from __future__ import annotations

from typing import Any

from jobticket.ticketing import bodies, model
from tools.openapi.operation import IDEMPOTENCY_KEY, Operation, Schema, array_of, object_of, query

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


OPERATIONS = {
    "GET /api/integrations/ticketing": Operation(
        "Get the ticketing integration", {200: model.Integration}, _NO_INTEGRATION
    ),
    "POST /api/integrations/ticketing": Operation(
        "Set the ticketing integration up",
        {201: model.Integration},
        {
            400: "A field is faulty, or Jira does not take the credentials, the project or the issue type.",
            409: "There is an integration already, or a request with this Idempotency-Key is under way.",
            422: _KEY_ERRORS[422],
        },
        bodies.NewIntegration,
        (IDEMPOTENCY_KEY,),
        description="`api_url` with `api_access_token` (`email:api_token`, or a Data Center's personal "
        "access token), or the `external_id` of a connection. All of it is checked before it is stored.",
    ),
    "PUT /api/integrations/ticketing": Operation(
        "Change the ticketing integration",
        {200: model.Integration},
        {400: _FAULTY, **_NO_INTEGRATION, 409: "Somebody else is changing it."},
        bodies.IntegrationChange,
        description="What is given changes, and the whole is checked again. If the connection was authorized "
        "for another site, this takes that one; links to the former one are history then.",
    ),
    "DELETE /api/integrations/ticketing": Operation(
        "Remove the ticketing integration",
        {204: None},
        _NO_INTEGRATION,
        description="Links stay as history. Nothing is sent to their tickets any more.",
    ),
    "POST /api/integrations/ticketing/test": Operation(
        "Ask Jira whether the integration works",
        {200: object_of(("error",), status={"enum": ["Connected", "Error"]}, error=_TEXT)},
        _NO_INTEGRATION,
    ),
    "GET /api/integrations/ticketing/form-specification": Operation(
        "Get the form for new tickets, with choices live from Jira",
        {200: model.FormSpecification},
        {**_NO_INTEGRATION, **_UPSTREAM},
    ),
    "GET /api/integrations/ticketing/tickets/search": Operation(
        "Search tickets by key or summary",
        {200: _list_of(model.TicketSummary)},
        {**_BAD_PAGE, **_NO_INTEGRATION, **_UPSTREAM},
        parameters=(
            query("query", "A key, or words of the summary; without it, what changed last.", _TEXT),
            *_PAGE,
        ),
        description="The first 1,000 tickets can be paged through. On a Cloud site `total` is exact on the "
        "last page and Jira's estimate before it.",
    ),
    "GET /api/integrations/ticketing/tickets/{ticket_id}": Operation(
        "Get a ticket by id or key",
        {200: model.Ticket},
        {404: "There is no such ticket, or no integration.", **_UPSTREAM},
    ),
    "POST /api/integrations/ticketing/anomalies/{anomaly_id}/tickets": Operation(
        "Create a ticket for an anomaly",
        {201: model.TicketAnswer},
        {
            400: "A field is faulty, or Jira does not take it.",
            404: "There is no such anomaly, or no integration.",
            409: "The anomaly has too many links, or a request with this Idempotency-Key is under way.",
            422: _KEY_ERRORS[422],
            502: _UPSTREAM[502] + " Or an earlier try was cut short, whose ticket no label could tell.",
            503: "It is not known yet what became of an earlier try, or Jira's rate limit is reached; "
            "`Retry-After` says when to try again. A repeat makes no second ticket.",
            504: _UPSTREAM[504],
        },
        bodies.NewTicket,
        (IDEMPOTENCY_KEY,),
    ),
    "POST /api/anomalies": Operation(
        "Report an anomaly",
        {201: model.Anomaly, 200: model.Anomaly},
        {400: _FAULTY, **_KEY_ERRORS},
        bodies.NewAnomaly,
        (IDEMPOTENCY_KEY,),
        description="200 and the existing anomaly, detected once more, if an open one has the fingerprint.",
    ),
    "GET /api/anomalies": Operation(
        "List anomalies, newest first",
        {200: _list_of(model.Anomaly)},
        {**_BAD_PAGE, 413: "The answer is too large: ask for smaller pages."},
        parameters=(
            query("status", "Only these.", {"type": "string", "enum": list(model.STATUSES)}),
            query("type", "Only these.", {"type": "string", "enum": list(model.TYPES)}),
            query("datastore", "Only those of the datastore with this id.", {"type": "integer"}),
            query("archived", "Only archived or only open ones.", {"type": "boolean"}),
            *_PAGE,
        ),
    ),
    "GET /api/anomalies/{anomaly_id}": Operation("Get an anomaly", {200: model.Anomaly}, _NO_ANOMALY),
    "PUT /api/anomalies/{anomaly_id}": Operation(
        "Change an anomaly's status or description",
        {200: model.Anomaly},
        {400: _FAULTY, **_NO_ANOMALY, 409: "Another open anomaly has the same fingerprint.", **_BUSY},
        bodies.AnomalyChange,
        description="An archived anomaly that is given a status is restored, as Acknowledged. Its tickets "
        "are told of a status that changed; the same status again tells nobody anything.",
    ),
    "DELETE /api/anomalies/{anomaly_id}": Operation(
        "Archive an anomaly, or delete it",
        {204: None},
        {**_BAD_PAGE, **_NO_ANOMALY, **_BUSY},
        parameters=(
            query("archive", "`false` deletes.", {"type": "boolean", "default": True}),
            query(
                "status",
                "The status of an archived anomaly.",
                {"type": "string", "enum": list(model.ARCHIVED), "default": "Resolved"},
            ),
            query("comment", "A comment that goes with archiving.", _TEXT),
        ),
    ),
    "GET /api/anomalies/{anomaly_id}/comments": Operation(
        "List an anomaly's comments, oldest first",
        {200: _list_of(model.Comment)},
        {**_BAD_PAGE, **_NO_ANOMALY},
        parameters=_PAGE,
    ),
    "POST /api/anomalies/{anomaly_id}/comments": Operation(
        "Comment on an anomaly; its tickets get the comment too",
        {201: model.Comment},
        {400: _FAULTY, **_NO_ANOMALY, **_KEY_ERRORS, **_BUSY},
        bodies.NewComment,
        (IDEMPOTENCY_KEY,),
    ),
    "GET /api/anomalies/{anomaly_id}/ticket-links": Operation(
        "List an anomaly's ticket links",
        {200: _list_of(model.Link)},
        {**_BAD_PAGE, **_NO_ANOMALY},
        parameters=_PAGE,
    ),
    "POST /api/anomalies/{anomaly_id}/ticket-links": Operation(
        "Link an anomaly to an existing ticket",
        {201: model.Link},
        {
            400: _FAULTY,
            404: "There is no such anomaly, no such ticket, or no integration.",
            409: "The two are linked already, the anomaly has too many links, or a request with this "
            "Idempotency-Key is under way.",
            422: _KEY_ERRORS[422],
            **_UPSTREAM,
        },
        bodies.NewLink,
        (IDEMPOTENCY_KEY,),
    ),
    "DELETE /api/anomalies/{anomaly_id}/ticket-links/{link_id}": Operation(
        "Unlink an anomaly and a ticket",
        {204: None},
        {**_NO_LINK, **_BUSY},
        description="The ticket stays as it is. What is still queued for it is dropped.",
    ),
    "POST /api/anomalies/{anomaly_id}/ticket-links/{link_id}/refresh": Operation(
        "Read the ticket's status again, and retry what could not be delivered to it",
        {200: model.Link},
        {
            404: "There is no such link, no such ticket any more, or no integration.",
            409: "The link's integration was removed, or leads to another site.",
            **_UPSTREAM,
        },
    ),
}
