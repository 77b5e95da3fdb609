"""The routes of the history of jobs, paths, serial numbers and settings."""

from __future__ import annotations

from jobticket.web.routes import (
    CURSOR,
    LIMIT,
    NEXT_CURSOR,
    Example,
    Route,
    Routes,
    array_of,
    message_envelope,
    model,
    query,
)

_JOB = {404: "There is no such job."}
_PATH = {404: "There is no such path."}
_SERIAL = {404: "There is no such serial number."}
_PAGE = {400: "The limit or the cursor is not valid.", 413: "The answer is too large: ask for pages."}
_DAYS = query(
    "days",
    "How many days (UTC), today included.",
    {"type": "integer", "minimum": 1, "maximum": 400, "default": 30},
)
_DAYS_ERROR = {400: "days is not an integer from 1 to 400."}

ROUTES = Routes(
    message_envelope,
    (
        Route(
            "getJobHistory",
            "GET",
            "/api/jobs/{id}/history",
            scope="jobs",
            summary="Show what happened to a job, its paths and its ticket, oldest first",
            answers={200: array_of(model("jobs.model:JobEvent"))},
            errors={**_JOB, **_PAGE},
            parameters=(LIMIT, CURSOR),
            description="A change has each field before and after. A deleted job keeps its history.",
            answer_headers=NEXT_CURSOR,
            example=Example(path={"id": "job_BracketOrder"}, query={"limit": "20"}),
        ),
        Route(
            "getJobFlow",
            "GET",
            "/api/jobs/{id}/flow",
            scope="jobs",
            summary="Show how many serial numbers a job finished and lost on each day",
            answers={200: model("jobs.model:JobFlow")},
            errors={**_JOB, **_DAYS_ERROR},
            parameters=(_DAYS,),
            example=Example(path={"id": "job_BracketOrder"}, query={"days": "14"}),
        ),
        Route(
            "getPathFlow",
            "GET",
            "/api/paths/{id}/flow",
            scope="jobs",
            summary="Show how many serial numbers went through a path on each day",
            answers={200: model("jobs.model:PathFlow")},
            errors={**_PATH, **_DAYS_ERROR},
            parameters=(_DAYS,),
            example=Example(path={"id": "path_MillingRoute"}, query={"days": "14"}),
        ),
        Route(
            "getSerialHistory",
            "GET",
            "/api/serials/{id}/history",
            scope="jobs",
            summary="Show who moved a serial number and when, oldest first",
            answers={200: array_of(model("jobs.model:SerialEvent"))},
            errors={**_SERIAL, **_PAGE},
            parameters=(LIMIT, CURSOR),
            answer_headers=NEXT_CURSOR,
            example=Example(path={"id": "SN-00001"}, query={"limit": "20"}),
        ),
        Route(
            "getSettingsHistory",
            "GET",
            "/api/settings/history",
            scope="admin",
            summary="Show who changed the settings and how, oldest first",
            answers={200: array_of(model("jobs.model:JobEvent"))},
            errors=_PAGE,
            parameters=(LIMIT, CURSOR),
            answer_headers=NEXT_CURSOR,
            example=Example(query={"limit": "20"}),
        ),
    ),
)
