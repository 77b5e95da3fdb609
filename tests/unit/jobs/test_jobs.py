"""Jobs over HTTP."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.faults import Faults
from tests.support.gateway import Gateway
from tests.support.shop_floor import advance, new_job, new_path, new_serials

FULL = {
    "name": "JOB-2024-001",
    "goalQuantity": 50,
    "jiraTicketKey": "PI-42",
    "jiraTicketSummary": "Build 50 aluminum housings",
    "jiraPartNumber": "ALU-HOUSING-7075",
    "jiraPriority": "High",
    "jiraEpicLink": "PI-10",
    "jiraLabels": ["Q1-2024", "rush"],
}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_job_is_created_with_its_jira_fields(jobs_api: Gateway) -> None:
    answer = jobs_api.post("/api/jobs", FULL)
    assert answer.status == 201
    job = answer.json()
    assert re.fullmatch(r"job_[A-Za-z0-9_-]{12}", job["id"])
    assert TIMESTAMP.fullmatch(job["createdAt"])
    assert job["createdAt"] == job["updatedAt"]
    assert {key: job[key] for key in FULL} == FULL
    assert set(job) == {*FULL, "id", "createdAt", "updatedAt"}


def test_absent_fields_are_left_out(jobs_api: Gateway) -> None:
    job = jobs_api.post("/api/jobs", {"name": "  JOB  ", "goalQuantity": 200, "jiraPriority": None}).json()
    assert set(job) == {"id", "name", "goalQuantity", "createdAt", "updatedAt"}
    assert job["name"] == "JOB"


def test_a_client_sent_id_is_ignored_and_empty_labels_are_kept(jobs_api: Gateway) -> None:
    job = jobs_api.post(
        "/api/jobs", {"id": "job_mine", "name": "J", "goalQuantity": 1, "jiraLabels": []}
    ).json()
    assert job["id"] != "job_mine"
    assert jobs_api.get(f"/api/jobs/{job['id']}").json()["jiraLabels"] == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "name is required"),
        ({"name": None, "goalQuantity": 1}, "name is required"),
        ({"name": "   ", "goalQuantity": 1}, "name is required"),
        ({"name": 7}, "name must be a string"),
        ({"name": "x" * 256, "goalQuantity": 1}, "name must be at most 255 characters"),
        ({"name": "J"}, "goalQuantity is required"),
        ({"name": "J", "goalQuantity": None}, "goalQuantity is required"),
        ({"name": "J", "goalQuantity": "5"}, "goalQuantity must be a number"),
        ({"name": "J", "goalQuantity": True}, "goalQuantity must be a number"),
        ({"name": "J", "goalQuantity": [1]}, "goalQuantity must be a number"),
        ({"name": "J", "goalQuantity": float("nan")}, "goalQuantity must be a number"),
        ({"name": "J", "goalQuantity": float("inf")}, "goalQuantity must be a number"),
        ({"name": "J", "goalQuantity": 0}, "goalQuantity must be greater than 0"),
        ({"name": "J", "goalQuantity": -2.5}, "goalQuantity must be greater than 0"),
        ({"name": "J", "goalQuantity": 2.5}, "goalQuantity must be an integer"),
        ({"name": "J", "goalQuantity": 10**400}, "goalQuantity must be at most 1000000000"),
        ({"name": "J", "goalQuantity": 1, "jiraTicketKey": 42}, "jiraTicketKey must be a string"),
        ({"name": "J", "goalQuantity": 1, "jiraEpicLink": {}}, "jiraEpicLink must be a string"),
        ({"name": "J", "goalQuantity": 1, "jiraLabels": "rush"}, "jiraLabels must be an array of strings"),
        ({"name": "J", "goalQuantity": 1, "jiraLabels": ["a", 1]}, "jiraLabels must be an array of strings"),
        (
            {"name": "J", "goalQuantity": 1, "jiraLabels": ["a"] * 101},
            "jiraLabels must have at most 100 entries",
        ),
    ],
)
def test_a_faulty_job_is_refused_in_the_documented_words(
    jobs_api: Gateway, body: dict[str, Any], message: str
) -> None:
    answer = jobs_api.post("/api/jobs", body)
    assert (answer.status, answer.json()) == (400, {"statusCode": 400, "message": message})
    assert jobs_api.get("/api/jobs").json() == []


@pytest.mark.parametrize(
    "body",
    ["{", "[1]", '"text"', "1", '{"name": "\\ud800"}', "[" * 100_000, '{"goalQuantity": ' + "9" * 5000 + "}"],
)
def test_a_malformed_body_is_refused(jobs_api: Gateway, body: str) -> None:
    answer = jobs_api.post("/api/jobs", body)
    assert (answer.status, answer.json()) == (400, {"statusCode": 400, "message": "Invalid JSON body"})


def test_a_missing_body_counts_as_an_empty_object(jobs_api: Gateway) -> None:
    assert jobs_api.post("/api/jobs").json()["message"] == "name is required"


def test_text_of_any_script_is_kept(jobs_api: Gateway) -> None:
    name = "Gehäuse 外壳 🔩 \u202e" + "ü" * 200
    job = jobs_api.post("/api/jobs", {"name": name, "goalQuantity": 1}).json()
    assert jobs_api.get(f"/api/jobs/{job['id']}").json()["name"] == name


def test_jobs_are_listed_newest_first_page_by_page(jobs_api: Gateway) -> None:
    made = [jobs_api.post("/api/jobs", {"name": f"J{n}", "goalQuantity": 1}).json() for n in range(7)]
    expected = [
        job["id"] for job in sorted(made, key=lambda job: (job["createdAt"], job["id"]), reverse=True)
    ]
    assert [job["id"] for job in jobs_api.get("/api/jobs").json()] == expected

    seen: list[str] = []
    url: str | None = "/api/jobs?limit=3"
    while url:
        answer = jobs_api.get(url)
        seen += [job["id"] for job in answer.json()]
        cursor = answer.headers.get("x-next-cursor")
        url = f"/api/jobs?limit=3&cursor={cursor}" if cursor else None
    assert seen == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 6])
def test_the_last_page_of_jobs_is_neither_empty_nor_followed(
    jobs_api: Gateway, faults: Faults, limit: int
) -> None:
    """DynamoDB names a last key whenever it has read as many items as it was told to, at the end as well."""
    real = faults.client

    class NamesLastKeys:
        def __getattr__(self, name: str) -> Any:
            def call(**parameters: Any) -> Any:
                answer = getattr(real, name)(**parameters)
                if len(answer.get("Items", ())) == parameters.get("Limit"):
                    last = answer["Items"][-1]
                    answer["LastEvaluatedKey"] = {
                        key: last[key] for key in ("pk", "sk", "list_pk", "list_sk")
                    }
                return answer

            return call

    for number in range(6):
        jobs_api.post("/api/jobs", {"name": f"J{number}", "goalQuantity": 1})
    faults.client = NamesLastKeys()
    pages = []
    cursor: str | None = ""
    while cursor is not None:
        answer = jobs_api.get(f"/api/jobs?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        pages.append(len(answer.json()))
        cursor = answer.headers.get("x-next-cursor")
    assert pages == [limit] * (6 // limit)


@pytest.mark.parametrize("cursor", ["nonsense", "eyJhIjoxfQ", "W10", "", "%00", "MQ", "IngjeSI"])
def test_a_foreign_cursor_is_refused(jobs_api: Gateway, cursor: str) -> None:
    answer = jobs_api.get(f"/api/jobs?limit=3&cursor={cursor}")
    assert (answer.status, answer.json()["message"]) == (400, "Invalid cursor")


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1.5", "", "٣"])
def test_a_limit_out_of_range_is_refused(jobs_api: Gateway, limit: str) -> None:
    answer = jobs_api.get(f"/api/jobs?limit={limit}")
    assert (answer.status, answer.json()["message"]) == (400, "limit must be an integer from 1 to 500")


@pytest.mark.parametrize(
    "job_id", ["job_000000000000", "path_000000000000", "x", "job_%00", "x" * 5000, "%F0%9F%94%A9"]
)
def test_an_unknown_job_is_not_found(jobs_api: Gateway, job_id: str) -> None:
    from urllib.parse import unquote

    expected = {"statusCode": 404, "message": f"Job not found: {unquote(job_id)}"}
    for method, body in [("GET", None), ("PUT", {}), ("PUT", {"name": ""}), ("DELETE", None)]:
        answer = jobs_api.call(method, f"/api/jobs/{job_id}", body)
        assert (answer.status, answer.json()) == (404, expected)


def test_a_change_touches_what_it_names_and_the_time(jobs_api: Gateway) -> None:
    job = jobs_api.post("/api/jobs", FULL).json()
    changed = jobs_api.put(f"/api/jobs/{job['id']}", {"goalQuantity": 75, "jiraTicketKey": "XX-1", "id": "x"})
    assert changed.status == 200
    assert changed.json() == job | {"goalQuantity": 75, "updatedAt": changed.json()["updatedAt"]}
    unchanged = jobs_api.put(f"/api/jobs/{job['id']}", {})
    assert unchanged.status == 200
    assert unchanged.json()["updatedAt"] >= changed.json()["updatedAt"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": " "}, "name cannot be empty"),
        ({"name": 5}, "name must be a string"),
        ({"goalQuantity": 0}, "goalQuantity must be greater than 0"),
        ({"goalQuantity": "7"}, "goalQuantity must be a number"),
        ({"goalQuantity": 1.5}, "goalQuantity must be an integer"),
    ],
)
def test_a_faulty_change_changes_nothing(jobs_api: Gateway, body: dict[str, Any], message: str) -> None:
    job = jobs_api.post("/api/jobs", FULL).json()
    answer = jobs_api.put(f"/api/jobs/{job['id']}", body)
    assert (answer.status, answer.json()["message"]) == (400, message)
    assert jobs_api.get("/api/jobs").json() == [job]


def test_a_job_with_paths_cannot_be_deleted(jobs_api: Gateway) -> None:
    job = jobs_api.post("/api/jobs", FULL).json()
    body = {"jobId": job["id"], "name": "Main", "goalQuantity": 1, "steps": [{"name": "CNC"}]}
    paths = [jobs_api.post("/api/paths", body).json() for _ in range(2)]
    refused = jobs_api.delete(f"/api/jobs/{job['id']}")
    assert refused.json() == {
        "statusCode": 400,
        "message": "Cannot delete job: it has 2 path(s). Remove all paths first.",
    }
    for path in paths:
        assert jobs_api.delete(f"/api/paths/{path['id']}").status == 204
    deleted = jobs_api.delete(f"/api/jobs/{job['id']}")
    assert (deleted.status, deleted.body) == (204, b"")
    assert jobs_api.get(f"/api/jobs/{job['id']}").status == 404


def test_a_fault_of_the_database_is_a_plain_500(
    jobs_api: Gateway, jobs_function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(jobs_function.table, "query", broken)
    answer = jobs_api.get("/api/jobs")
    assert (answer.status, answer.json()) == (500, {"statusCode": 500, "message": "Internal Server Error"})


@pytest.mark.parametrize("character", ["\x00", "\t", "\x07", "\x0b", "\x1b", "\x7f", "\x85", "\x9b"])
def test_a_control_character_in_a_name_is_refused_wherever_names_are_given(
    jobs_api: Gateway, character: str
) -> None:
    job = jobs_api.post("/api/jobs", {"name": "J", "goalQuantity": 1}).json()["id"]
    body: dict[str, Any] = {"jobId": job, "name": "P", "goalQuantity": 1, "steps": [{"name": "S"}]}
    path = jobs_api.post("/api/paths", body).json()["id"]
    name = f"a{character}b"
    steps = [{"name": name}]
    for method, url, sent, what in (
        ("POST", "/api/jobs", {"name": name, "goalQuantity": 1}, "name"),
        ("PUT", f"/api/jobs/{job}", {"name": name}, "name"),
        ("POST", "/api/paths", body | {"name": name}, "name"),
        ("POST", "/api/paths", body | {"steps": steps}, "steps[0].name"),
        ("PUT", f"/api/paths/{path}", {"name": name}, "name"),
        ("PUT", f"/api/paths/{path}", {"steps": steps}, "steps[0].name"),
    ):
        answer = jobs_api.call(method, url, sent)
        assert answer.status == 400
        assert answer.json()["message"] == f"{what} must not contain control characters"
    broken = jobs_api.post("/api/jobs", {"name": "a\r\nb", "goalQuantity": 1})
    assert broken.json()["name"] == "a\r\nb"


class TestWanted:
    """Jobs that are searched for, or open or done."""

    @pytest.fixture
    def floor(self, jobs_api: Gateway) -> dict[str, str]:
        """Three jobs: one done, one with a part that is not, one without any."""
        names = {}
        for name, ticket, goal in (
            ("Housing", "PI-1", 1),
            ("Bracket", "PI-2", 1),
            ("Big housing", "PI-3", 1),
        ):
            job = new_job(jobs_api, name=name, jiraTicketKey=ticket, goalQuantity=goal)
            names[name] = job["id"]
        for name in ("Housing", "Bracket"):
            path = new_path(jobs_api, names[name], steps=("CNC",))
            serial = new_serials(jobs_api, path["id"])[0]["id"]
            if name == "Housing":
                advance(jobs_api, serial)
        return names

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("search=HOUSING", ["Big housing", "Housing"]),
            ("search=pi-2", ["Bracket"]),
            ("search=%20", ["Big housing", "Bracket", "Housing"]),
            ("search=nothing", []),
            ("state=done", ["Housing"]),
            ("state=open", ["Big housing", "Bracket"]),
            ("state=open&search=housing", ["Big housing"]),
        ],
    )
    def test_lists_only_these(self, jobs_api: Gateway, floor: Any, query: str, expected: list[str]) -> None:
        answer = jobs_api.get(f"/api/jobs?{query}")
        assert [job["name"] for job in answer.json()] == expected
        assert "x-next-cursor" not in answer.headers

    def test_a_state_that_is_asked_for_comes_with_the_progress(self, jobs_api: Gateway, floor: Any) -> None:
        for job in jobs_api.get("/api/jobs?state=done").json():
            assert job["progress"] == jobs_api.get(f"/api/jobs/{job['id']}").json()["progress"]
        assert "progress" not in jobs_api.get("/api/jobs?search=pi-2").json()[0]

    def test_an_unknown_state_is_refused(self, jobs_api: Gateway) -> None:
        answer = jobs_api.get("/api/jobs?state=closed")
        assert (answer.status, answer.json()["message"]) == (400, "state must be one of: open, done")

    @pytest.mark.parametrize("looked_at", [1, 2, 3, 200])
    def test_pages_go_on_until_all_were_looked_at(
        self, jobs_api: Gateway, floor: Any, monkeypatch: pytest.MonkeyPatch, looked_at: int
    ) -> None:
        monkeypatch.setattr("jobticket.jobs.jobs.MOST_LOOKED_AT", looked_at)
        found, cursor = [], ""
        for _ in range(5):
            answer = jobs_api.get(
                "/api/jobs?search=housing&limit=1" + (f"&cursor={cursor}" if cursor else "")
            )
            found += [job["name"] for job in answer.json()]
            cursor = answer.headers.get("x-next-cursor", "")
            if not cursor:
                break
        assert found == ["Big housing", "Housing"]
        assert not cursor
