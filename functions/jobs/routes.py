"""The routes of functions/jobs."""

from __future__ import annotations

from jobticket.web.routes import (
    CURSOR,
    IDEMPOTENCY_KEY,
    LIMIT,
    NEXT_CURSOR,
    Example,
    Route,
    Routes,
    array_of,
    message_envelope,
    model,
    object_of,
    query,
    routes_of,
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
_PAGE = {400: "The limit or the cursor is not valid.", 413: "The answer is too large: ask for pages."}


ROUTES = Routes(
    message_envelope,
    (
        Route(
            "createJob",
            "POST",
            "/api/jobs",
            scope="jobs",
            summary="Create a job",
            answers={201: model("jobs.model:Job")},
            errors={**_FAULTY, **_KEY_ERRORS},
            body=model("jobs.bodies:NewJob"),
            parameters=_CREATE,
            example=Example(
                headers={"Idempotency-Key": "order-4711"},
                body={
                    "name": "JOB-2024-001",
                    "goalQuantity": 50,
                    "jiraTicketKey": "PI-42",
                    "jiraTicketSummary": "Build 50 aluminum housings",
                    "jiraPartNumber": "ALU-HOUSING-7075",
                    "jiraPriority": "High",
                    "jiraEpicLink": "PI-10",
                    "jiraLabels": ["Q1-2024", "rush"],
                },
            ),
        ),
        Route(
            "listJobs",
            "GET",
            "/api/jobs",
            scope="jobs",
            summary="List jobs, newest first",
            description=(
                "With `search` or `state`, a request looks at 200 jobs at most: a page may be short, or "
                "empty, and still have a next one. With `state`, each job comes with its progress."
            ),
            answers={200: array_of(model("jobs.model:ListedJob"))},
            errors={**_PAGE, 400: "A parameter is not valid."},
            parameters=(
                LIMIT,
                CURSOR,
                query(
                    "search", "Only jobs whose name or ticket contains this, in any case.", {"type": "string"}
                ),
                query(
                    "state",
                    "Only jobs that are open, or done: the goal without the scrapped ones is completed.",
                    {"type": "string", "enum": ["open", "done"]},
                ),
            ),
            answer_headers=NEXT_CURSOR,
            example=Example(query={"limit": "20", "search": "housing", "state": "open"}),
        ),
        Route(
            "getJob",
            "GET",
            "/api/jobs/{id}",
            scope="jobs",
            summary="Get a job with its paths and progress",
            answers={200: model("jobs.model:JobDetails")},
            errors=_JOB,
            example=Example(path={"id": "job_BracketOrder"}),
        ),
        Route(
            "changeJob",
            "PUT",
            "/api/jobs/{id}",
            scope="jobs",
            summary="Change a job's name or goal",
            answers={200: model("jobs.model:Job")},
            errors={**_FAULTY, **_JOB},
            body=model("jobs.bodies:JobChange"),
            example=Example(
                path={"id": "job_BracketOrder"}, body={"name": "JOB-2024-001-REV2", "goalQuantity": 75}
            ),
        ),
        Route(
            "deleteJob",
            "DELETE",
            "/api/jobs/{id}",
            scope="jobs",
            summary="Delete a job without paths",
            answers={204: None},
            errors={400: "The job still has paths.", **_JOB},
            example=Example(path={"id": "job_PlannedOrder"}),
        ),
        Route(
            "createPath",
            "POST",
            "/api/paths",
            scope="jobs",
            summary="Create a path of process steps",
            answers={201: model("jobs.model:Path")},
            errors={**_FAULTY, **_JOB, **_KEY_ERRORS},
            body=model("jobs.bodies:NewPath"),
            parameters=_CREATE,
            example=Example(
                headers={"Idempotency-Key": "order-4711"},
                body={
                    "jobId": "job_BracketOrder",
                    "name": "Main Route",
                    "goalQuantity": 50,
                    "steps": [
                        {"name": "CNC", "location": "Hall 1"},
                        {"name": "Deburr", "optional": True},
                        {"name": "QC"},
                    ],
                    "advancementMode": "flexible",
                },
            ),
        ),
        Route(
            "getPath",
            "GET",
            "/api/paths/{id}",
            scope="jobs",
            summary="Get a path and the distribution of its serial numbers",
            answers={200: model("jobs.model:PathDetails")},
            errors=_PATH,
            example=Example(path={"id": "path_MillingRoute"}),
        ),
        Route(
            "changePath",
            "PUT",
            "/api/paths/{id}",
            scope="jobs",
            summary="Change a path",
            answers={200: model("jobs.model:Path")},
            errors={400: "A field is faulty, or the steps are fixed by serial numbers.", **_PATH},
            body=model("jobs.bodies:PathChange"),
            description="`steps` replaces the list; a step whose `id` is given keeps its identity.",
            example=Example(path={"id": "path_MillingRoute"}, body={"name": "Milling", "goalQuantity": 60}),
        ),
        Route(
            "deletePath",
            "DELETE",
            "/api/paths/{id}",
            scope="jobs",
            summary="Delete a path without serial numbers",
            answers={204: None},
            errors={400: "The path has serial numbers.", **_PATH},
            example=Example(path={"id": "path_ReworkRoute1"}),
        ),
        Route(
            "createSerials",
            "POST",
            "/api/serials",
            scope="jobs",
            summary="Create serial numbers at a path's first step, all or none",
            answers={201: array_of(model("jobs.model:SerialNumber"))},
            errors={
                400: "A field is faulty, or the path belongs to another job.",
                **_PATH,
                409: "The steps have just been changed, or a request with this Idempotency-Key is under way.",
                422: _KEY_ERRORS[422],
            },
            body=model("jobs.bodies:NewSerials"),
            parameters=_CREATE,
            example=Example(
                headers={"Idempotency-Key": "order-4711"},
                body={"pathId": "path_MillingRoute", "quantity": 20, "jobId": "job_BracketOrder"},
            ),
        ),
        Route(
            "listSerials",
            "GET",
            "/api/serials",
            scope="jobs",
            summary="List the serial numbers of a path",
            answers={200: array_of(model("jobs.model:SerialNumber"))},
            errors={
                400: "A parameter is not valid.",
                **_PATH,
                413: "The answer is too large: ask for pages.",
            },
            parameters=(
                query("pathId", "The path.", {"type": "string"}, required=True),
                query(
                    "status",
                    "Only serial numbers of this status.",
                    {"type": "string", "enum": ["in_progress", "completed", "scrapped"]},
                ),
                LIMIT,
                CURSOR,
            ),
            answer_headers=NEXT_CURSOR,
            example=Example(query={"pathId": "path_MillingRoute", "status": "in_progress", "limit": "100"}),
        ),
        Route(
            "getSerial",
            "GET",
            "/api/serials/{id}",
            scope="jobs",
            summary="Get a serial number",
            answers={200: model("jobs.model:SerialNumber")},
            errors=_SERIAL,
            example=Example(path={"id": "SN-00001"}),
        ),
        Route(
            "advanceSerial",
            "POST",
            "/api/serials/{id}/advance",
            scope="jobs",
            summary="Move a serial number one step forward",
            answers={200: model("jobs.model:SerialNumber")},
            errors=_MOVE,
            body=model("jobs.bodies:AdvanceOne"),
            example=Example(path={"id": "SN-00001"}, body={"fromStepIndex": 0, "operator": "Anna Nowak"}),
        ),
        Route(
            "advanceSerialTo",
            "POST",
            "/api/serials/{id}/advance-to",
            scope="jobs",
            summary="Move a serial number forward to a step",
            answers={
                200: object_of(
                    serial=model("jobs.model:SerialNumber"), bypassed=array_of(model("jobs.model:Bypassed"))
                )
            },
            errors=_MOVE,
            body=model("jobs.bodies:AdvanceTo"),
            example=Example(path={"id": "SN-00002"}, body={"targetStepIndex": 2}),
        ),
        Route(
            "advanceSerials",
            "POST",
            "/api/serials/advance",
            scope="jobs",
            summary="Move a tray of serial numbers one step forward, each for itself",
            answers={
                200: object_of(
                    advanced={"type": "integer"},
                    failed={"type": "integer"},
                    results=array_of(
                        object_of(
                            ("serial", "error"),
                            serialId={"type": "string"},
                            success={"type": "boolean"},
                            serial=model("jobs.model:SerialNumber"),
                            error={"type": "string"},
                        )
                    ),
                )
            },
            errors=_FAULTY,
            body=model("jobs.bodies:AdvanceBatch"),
            example=Example(body={"serialIds": ["SN-00003", "SN-00004"], "fromStepIndex": 0}),
        ),
        Route(
            "scrapSerial",
            "POST",
            "/api/serials/{id}/scrap",
            scope="jobs",
            summary="Take a serial number out of production for good",
            answers={200: model("jobs.model:SerialNumber")},
            errors=_MOVE,
            body=model("jobs.bodies:Scrap"),
            example=Example(
                path={"id": "SN-00005"}, body={"reason": "other", "explanation": "Fell off the cart"}
            ),
        ),
        Route(
            "forceCompleteSerial",
            "POST",
            "/api/serials/{id}/force-complete",
            scope="jobs",
            summary="Complete a serial number wherever it stands",
            answers={200: model("jobs.model:SerialNumber")},
            errors=_MOVE,
            body=model("jobs.bodies:ForceComplete"),
            example=Example(
                path={"id": "SN-00006"}, body={"reason": "The last test is not needed for this customer"}
            ),
        ),
        Route(
            "getSettings",
            "GET",
            "/api/settings",
            scope="jobs",
            summary="Get the settings",
            answers={200: model("jobs.model:JobSettings")},
        ),
        Route(
            "changeSettings",
            "PUT",
            "/api/settings",
            scope="admin",
            summary="Change the settings",
            answers={200: model("jobs.model:JobSettings")},
            errors=_FAULTY,
            body=model("jobs.bodies:SettingsChange"),
            example=Example(
                body={
                    "enabled": True,
                    "pushEnabled": True,
                    "externalId": "plant-north",
                    "projectKey": "PI",
                    "fieldMappings": {"partNumber": "customfield_10908"},
                }
            ),
        ),
        *routes_of(__name__, "history_routes").routes,
    ),
)
