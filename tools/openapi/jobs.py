"""The routes of functions/jobs."""

from __future__ import annotations

from jobticket.jobs import bodies, model
from tools.openapi.operation import (
    CURSOR,
    IDEMPOTENCY_KEY,
    LIMIT,
    NEXT_CURSOR,
    Operation,
    array_of,
    object_of,
    query,
)

_KEY_ERRORS = {
    409: "A request with this Idempotency-Key is under way.",
    422: "The key was used with another request.",
}
_FAULTY = {400: "The body is malformed or a field is faulty; the message names the first one."}
_JOB = {404: "There is no such job."}
_PATH = {404: "There is no such path."}
_SERIAL = {404: "There is no such serial number."}
_MOVE = {
    **_SERIAL,
    400: "The body is faulty, or the serial number is scrapped or completed.",
    409: "The serial number stands elsewhere, or someone else has just moved it.",
}
_CREATE = (IDEMPOTENCY_KEY,)

OPERATIONS = {
    "POST /api/jobs": Operation(
        "Create a job", {201: model.Job}, {**_FAULTY, **_KEY_ERRORS}, bodies.NewJob, _CREATE
    ),
    "GET /api/jobs": Operation(
        "List jobs, newest first",
        {200: array_of(model.Job)},
        {400: "The limit or the cursor is not valid.", 413: "The answer is too large: ask for pages."},
        parameters=(LIMIT, CURSOR),
        answer_headers=NEXT_CURSOR,
    ),
    "GET /api/jobs/{id}": Operation("Get a job with its paths and progress", {200: model.JobDetails}, _JOB),
    "PUT /api/jobs/{id}": Operation(
        "Change a job's name or goal", {200: model.Job}, {**_FAULTY, **_JOB}, bodies.JobChange
    ),
    "DELETE /api/jobs/{id}": Operation(
        "Delete a job without paths", {204: None}, {400: "The job still has paths.", **_JOB}
    ),
    "POST /api/paths": Operation(
        "Create a path of process steps",
        {201: model.Path},
        {**_FAULTY, **_JOB, **_KEY_ERRORS},
        bodies.NewPath,
        _CREATE,
    ),
    "GET /api/paths/{id}": Operation(
        "Get a path and the distribution of its serial numbers", {200: model.PathDetails}, _PATH
    ),
    "PUT /api/paths/{id}": Operation(
        "Change a path",
        {200: model.Path},
        {400: "A field is faulty, or the steps are fixed by serial numbers.", **_PATH},
        bodies.PathChange,
        description="`steps` replaces the list; a step whose `id` is given keeps its identity.",
    ),
    "DELETE /api/paths/{id}": Operation(
        "Delete a path without serial numbers", {204: None}, {400: "The path has serial numbers.", **_PATH}
    ),
    "POST /api/serials": Operation(
        "Create serial numbers at a path's first step, all or none",
        {201: array_of(model.SerialNumber)},
        {
            400: "A field is faulty, or the path belongs to another job.",
            **_PATH,
            409: "The steps have just been changed, or a request with this Idempotency-Key is under way.",
            422: _KEY_ERRORS[422],
        },
        bodies.NewSerials,
        _CREATE,
    ),
    "GET /api/serials": Operation(
        "List the serial numbers of a path",
        {200: array_of(model.SerialNumber)},
        {400: "A parameter is not valid.", **_PATH, 413: "The answer is too large: ask for pages."},
        parameters=(
            query("pathId", "The path.", {"type": "string"}, required=True),
            query(
                "status", "Only these.", {"type": "string", "enum": ["in_progress", "completed", "scrapped"]}
            ),
            LIMIT,
            CURSOR,
        ),
        answer_headers=NEXT_CURSOR,
    ),
    "GET /api/serials/{id}": Operation("Get a serial number", {200: model.SerialNumber}, _SERIAL),
    "POST /api/serials/{id}/advance": Operation(
        "Move a serial number one step forward", {200: model.SerialNumber}, _MOVE, bodies.AdvanceOne
    ),
    "POST /api/serials/{id}/advance-to": Operation(
        "Move a serial number forward to a step",
        {200: object_of(serial=model.SerialNumber, bypassed=array_of(model.Bypassed))},
        _MOVE,
        bodies.AdvanceTo,
    ),
    "POST /api/serials/advance": Operation(
        "Move a tray of serial numbers one step forward, each for itself",
        {
            200: object_of(
                advanced={"type": "integer"},
                failed={"type": "integer"},
                results=array_of(
                    object_of(
                        ("serial", "error"),
                        serialId={"type": "string"},
                        success={"type": "boolean"},
                        serial=model.SerialNumber,
                        error={"type": "string"},
                    )
                ),
            )
        },
        _FAULTY,
        bodies.AdvanceBatch,
    ),
    "POST /api/serials/{id}/scrap": Operation(
        "Take a serial number out of production for good", {200: model.SerialNumber}, _MOVE, bodies.Scrap
    ),
    "POST /api/serials/{id}/force-complete": Operation(
        "Complete a serial number wherever it stands", {200: model.SerialNumber}, _MOVE, bodies.ForceComplete
    ),
    "GET /api/settings": Operation("Get the settings", {200: model.JobSettings}),
    "PUT /api/settings": Operation(
        "Change the settings", {200: model.JobSettings}, _FAULTY, bodies.SettingsChange
    ),
}
