"""Routes, bodies, envelopes and faults, whatever the function."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from jobticket import errors
from jobticket.errors import RefusalError
from jobticket.shown import Shown
from jobticket.web.api import LARGEST_ANSWER, Answer, Api, Request
from jobticket.web.paging import decode_cursor, encode_cursor, limit_of
from jobticket.web.routes import Route, Routes, detail_envelope, error_envelope, message_envelope
from tests.support.faults import LASTING, PASSING
from tests.support.gateway import Gateway, LambdaContext

REFUSALS = errors.RefusalError.__subclasses__()


class Thing(Shown):
    shows_null = False

    name: str
    note: str | None = None


def gateway_of(handle: Any, envelope: Any = message_envelope, method: str = "POST") -> Gateway:
    route = Route("handleThing", method, "/things/{id}", None, "Handle a thing", {200: None})
    api = Api(Routes(envelope, [route]))
    api.route("handleThing")(handle)
    return Gateway(api, lambda event, context: api.resolve(event, context), None)


def answering(answer: Any) -> Gateway:
    return gateway_of(lambda request: answer)


def raising(error: BaseException, envelope: Any = message_envelope) -> Gateway:
    def handle(request: Request) -> Answer:
        raise error

    return gateway_of(handle, envelope)


@pytest.mark.parametrize("kind", REFUSALS)
def test_each_refusal_has_its_status_in_every_envelope(kind: type[RefusalError]) -> None:
    refusal = kind("No.", details={"needs_reauthorization": True}, retry_after=7)
    more = {"needs_reauthorization": True}
    for envelope, expected in [
        (message_envelope, {"statusCode": kind.status, "message": "No.", **more}),
        (error_envelope, {"error": "No.", **more}),
        (detail_envelope, {"detail": "No.", **more}),
    ]:
        answer = raising(refusal, envelope).post("/things/1")
        assert (answer.status, answer.json()) == (kind.status, expected)
        assert answer.headers["retry-after"] == "7"
        assert answer.headers["content-type"] == "application/json"
    assert "retry-after" not in raising(kind("No.")).post("/things/1").headers


@pytest.mark.parametrize(
    "error", [RuntimeError("secret detail"), KeyError("secret detail"), RecursionError()]
)
def test_a_fault_is_a_plain_500_and_is_logged(
    error: Exception, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = raising(error).post("/things/1", {"name": "x"})
    assert (answer.status, answer.json()) == (500, {"statusCode": 500, "message": "Internal Server Error"})
    (record,) = (record for record in caplog.records if record.levelname == "ERROR")
    assert record.message == "unhandled fault"
    assert record.exc_info
    assert record.exc_info[1] is error
    assert '"UnhandledFaults":[1.0]' in capfd.readouterr().out, "an alarm takes deployments back"


def test_an_answer_that_cannot_be_written_is_a_plain_500() -> None:
    assert answering(Answer(body=object())).post("/things/1").json()["message"] == "Internal Server Error"


def test_absent_fields_are_left_out_and_false_ones_are_not() -> None:
    body = {"one": Thing(name="ü💡"), "many": [Thing(name="", note="n")], "none": False, "zero": 0}
    answer = answering(Answer(201, body)).post("/things/1")
    assert answer.status == 201
    assert answer.json() == {
        "one": {"name": "ü💡"},
        "many": [{"name": "", "note": "n"}],
        "none": False,
        "zero": 0,
    }
    assert "ü💡" in answer.text


def test_an_empty_answer_has_no_body_and_no_type() -> None:
    answer = answering(Answer(204)).post("/things/1")
    assert (answer.status, answer.body) == (204, b"")
    assert "content-type" not in answer.headers


def test_an_empty_list_is_a_body() -> None:
    answer = answering(Answer(body=[])).post("/things/1")
    assert (answer.status, answer.text, answer.headers["content-type"]) == (200, "[]", "application/json")


# ------------------------------------------------------------------------------------------ bodies of requests


def echo(request: Request) -> Answer:
    return Answer(body={"got": request.json})


def sent(raw: bytes | None, *, encoded: bool = False) -> tuple[int, Any]:
    api = gateway_of(echo)
    event = api.event("POST", "/things/1")
    if raw is not None:
        event["body"] = base64.b64encode(raw).decode() if encoded else raw.decode("utf-8", "surrogatepass")
        event["isBase64Encoded"] = encoded
    answer = api._handler(event, LambdaContext())
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, {}),
        (b"", {}),
        (b" \r\n\t", {}),
        (b"null", {}),
        (b"{}", {}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"ü": "💡"}'.encode(), {"ü": "💡"}),
        (b'{"a": "\\ud83d\\udca1"}', {"a": "💡"}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": 1E400}', {"a": float("inf")}),
        (b'{"a": "\\u0000"}', {"a": "\0"}),
    ],
)
@pytest.mark.parametrize("encoded", [False, True])
def test_a_body_is_read(raw: bytes | None, expected: Any, encoded: bool) -> None:
    assert sent(raw, encoded=encoded) == (200, {"got": expected})


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b'"text"',
        b"1",
        b"true",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1} x',
        b'{"a": undefined}',
        b'{"a": "\\ud800"}',
        b'{"\\udc00": 1}',
        b'{"a": "\n"}',
        b"\xff\xfe",
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b"\x1f\x8b\x08\x00",
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-32"),
        b'{"a": "\\ud800"}'.decode().encode("utf-16-le"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_malformed_body_is_refused(raw: bytes) -> None:
    expected = (400, {"statusCode": 400, "message": "Invalid JSON body"})
    assert sent(raw, encoded=True) == expected
    try:
        raw.decode()
    except UnicodeDecodeError:
        return
    assert sent(raw) == expected


def test_a_body_that_is_no_base64_is_refused() -> None:
    api = gateway_of(echo)
    event = api.event("POST", "/things/1", "%%%") | {"isBase64Encoded": True}
    assert json.loads(api._handler(event, LambdaContext())["body"])["message"] == "Invalid JSON body"


def test_text_with_a_lone_surrogate_is_refused() -> None:
    event = gateway_of(echo).event("POST", "/things/1") | {"body": '{"a": "\ud800"}'}
    assert gateway_of(echo)._handler(event, LambdaContext())["statusCode"] == 400


# ------------------------------------------------------------------------------------------------------ routes


def test_a_route_sees_the_decoded_path_whatever_the_stage() -> None:
    api = gateway_of(lambda request: Answer(body={"id": request.path("id"), "route": request.route}))
    for raw, decoded in [
        ("a%20b", "a b"),
        ("%F0%9F%92%A1", "💡"),
        ("a%2Fb", "a/b"),
        ("%25", "%"),
        ("%2540", "%40"),
        ("anna%40example.com", "anna@example.com"),
        ("a+b", "a+b"),
        ("{id}", "{id}"),
    ]:
        event = api.event("POST", f"/things/{raw}") | {"path": f"/live/things/{raw}"}
        answer = api._handler(event, LambdaContext())
        assert json.loads(answer["body"]) == {"id": decoded, "route": "/things/{id}"}


@pytest.mark.parametrize("raw", ["%", "%4", "%zz", "a%", "%25%", "%ff", "%c3", "%ed%a0%80", "\ud800"])
@pytest.mark.parametrize("envelope", [message_envelope, error_envelope, detail_envelope])
def test_a_path_that_is_no_encoded_text_is_refused(raw: str, envelope: Any) -> None:
    api = gateway_of(lambda request: Answer(), envelope)
    event = api.event("POST", "/things/x") | {"pathParameters": {"id": raw}}
    answer = api._handler(event, LambdaContext())
    expected = envelope(400, "Invalid percent-encoding in the path", {})
    assert (answer["statusCode"], json.loads(answer["body"])) == (400, expected)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"multiValueQueryStringParameters": {"a": ["x", "\ud800"]}}, "query"),
        ({"multiValueQueryStringParameters": {"\udfff": ["x"]}}, "query"),
        ({"multiValueQueryStringParameters": None, "queryStringParameters": {"a": "\udc00"}}, "query"),
        ({"headers": {"Idempotency-Key": "\ud83d"}}, "headers"),
        ({"headers": {"X-\ud800": "x"}}, "headers"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused_wherever_it_stands(change: dict[str, Any], what: str) -> None:
    api = gateway_of(lambda request: Answer())
    answer = api._handler(api.event("POST", "/things/1") | change, LambdaContext())
    assert (answer["statusCode"], json.loads(answer["body"])["message"]) == (
        400,
        f"Invalid characters in the {what}",
    )


def test_of_a_query_parameter_given_twice_the_last_counts() -> None:
    api = gateway_of(lambda request: Answer(body=request.query))
    assert api.post("/things/1?a=1&b=2&a=&a=3").json() == {"a": "3", "b": "2"}
    # The local stack's API Gateway has the first in one member, and all in the other.
    event = api.event("POST", "/things/1?a=1&a=3") | {"queryStringParameters": {"a": "1"}}
    assert json.loads(api._handler(event, LambdaContext())["body"]) == {"a": "3"}
    event |= {"multiValueQueryStringParameters": None}
    assert json.loads(api._handler(event, LambdaContext())["body"]) == {"a": "1"}


# --------------------------------------------------------------------------------------------- headers of all


@pytest.mark.parametrize("answer", [Answer(), Answer(body={}), Answer(204), Answer(302)], ids=repr)
@pytest.mark.parametrize("proto", ["https", "http", None])
def test_every_answer_is_kept_nowhere_and_over_https_asks_for_https(
    answer: Answer, proto: str | None
) -> None:
    headers = {} if proto is None else {"X-Forwarded-Proto": proto}
    got = answering(answer).post("/things/1", headers=headers).headers
    assert (got["x-content-type-options"], got["cache-control"]) == ("nosniff", "no-store")
    assert got.get("strict-transport-security") == ("max-age=31536000" if proto == "https" else None)


def test_so_is_every_refusal_and_what_is_to_be_kept_says_so() -> None:
    for api in (raising(errors.NotFoundError("No.")), raising(KeyError())):
        got = api.post("/things/1", headers={"X-Forwarded-Proto": "https"}).headers
        assert (got["x-content-type-options"], got["cache-control"]) == ("nosniff", "no-store")
        assert "strict-transport-security" in got
    kept = answering(Answer(body=b"x", headers={"Cache-Control": "public, max-age=300"})).post("/things/1")
    assert kept.headers["cache-control"] == "public, max-age=300"


# ----------------------------------------------------------------------------------------------- AWS in trouble


@pytest.mark.parametrize("envelope", [message_envelope, error_envelope, detail_envelope])
@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_trouble_of_awss_is_503_in_the_familys_envelope(
    fault: Exception, envelope: Any, caplog: pytest.LogCaptureFixture
) -> None:
    answer = raising(fault, envelope).post("/things/1")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.json() == envelope(503, "Temporarily unavailable. Please try again.", {})
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("fault", LASTING, ids=repr)
def test_a_mistake_of_ours_at_aws_is_a_fault(fault: Exception) -> None:
    assert raising(fault).post("/things/1").status == 500


@pytest.mark.parametrize(
    "change",
    [
        {"resource": "/other"},
        {"resource": "/things"},
        {"httpMethod": "DELETE"},
        {"resource": ""},
        {"resource": None, "pathParameters": None},
        {"pathParameters": {"id": ""}},
        {"pathParameters": {"id": None}},
    ],
)
def test_an_unknown_route_or_method_is_not_found(change: dict[str, Any]) -> None:
    api = gateway_of(echo)
    answer = api._handler(api.event("POST", "/things/1") | change, LambdaContext())
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"]) == {"statusCode": 404, "message": "Not Found"}


def test_headers_are_found_in_any_case_and_may_be_missing() -> None:
    api = gateway_of(lambda request: Answer(body=request.headers.get("x-tag", "none")))
    assert api.post("/things/1", headers={"X-TAG": "v"}).json() == "v"
    event = api.event("POST", "/things/1") | {"headers": None, "multiValueHeaders": None}
    assert json.loads(api._handler(event, LambdaContext())["body"]) == "none"


def test_a_public_route_has_no_caller() -> None:
    assert gateway_of(lambda request: Answer(body=request.caller.name)).post("/things/1").status == 500


# ----------------------------------------------------------------------------------------------- compression

LONG = {"text": "a long answer " * 200}


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZip", True),
        ("deflate, gzip;q=0.5, br", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*;q=1, gzip;q=0", False),
        ("*;q=0, gzip", True),
        ("identity", False),
        ("br", False),
        ("gzipped", False),
        ("gzip;q=x", True),
    ],
)
def test_long_answers_are_compressed_for_those_who_can_read_it(
    accepted: str | None, compressed: bool
) -> None:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    api = answering(Answer(body=LONG))
    raw = api._handler(api.event("POST", "/things/1", headers=headers), LambdaContext())
    assert raw["isBase64Encoded"] is compressed
    answer = api.post("/things/1", headers=headers)
    assert answer.json() == LONG
    assert (answer.headers.get("content-encoding") == "gzip") is compressed
    assert answer.headers["vary"] == "Accept-Encoding"
    if compressed:
        assert len(base64.b64decode(raw["body"])) < 200
        assert json.loads(gzip.decompress(base64.b64decode(raw["body"]))) == LONG


def test_short_answers_are_sent_as_they_are() -> None:
    answer = answering(Answer(body={"a": 1})).post("/things/1", headers={"Accept-Encoding": "gzip"})
    assert answer.json() == {"a": 1}
    assert not {"content-encoding", "vary"} & set(answer.headers)


# ----------------------------------------------------------------------------------------------- too large


@pytest.mark.parametrize(
    "text", ["x" * LARGEST_ANSWER, '"' * (LARGEST_ANSWER // 3), "ü" * (LARGEST_ANSWER // 2)]
)
def test_an_answer_beyond_lambdas_limit_is_413_with_a_hint(text: str) -> None:
    answer = answering(Answer(body={"text": text})).post("/things/1")
    assert answer.status == 413
    assert answer.json() == {
        "statusCode": 413,
        "message": "The answer is too large: ask for it in pages, with limit and cursor",
    }
    compressed = answering(Answer(body={"text": text})).post("/things/1", headers={"Accept-Encoding": "gzip"})
    assert (compressed.status, compressed.json()) == (200, {"text": text})


def test_what_lambda_sends_back_stays_below_its_limit() -> None:
    text = '"' * (LARGEST_ANSWER // 4 - 10)
    api = answering(Answer(body={"text": text}))
    answer = api._handler(api.event("POST", "/things/1"), LambdaContext())
    assert answer["statusCode"] == 200
    assert len(json.dumps(answer, ensure_ascii=False).encode()) < 6 * 1024 * 1024


# -------------------------------------------------------------------------------------------------- paging


@pytest.mark.parametrize(
    "position", [0, 1, 10**11, "2026-11-22T09:30:00.000Z#job_aaaaaaaaaaaa", ["a", {"b": None}]]
)
def test_a_cursor_carries_its_position(position: Any) -> None:
    cursor = encode_cursor(position)
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&? ")
    assert decode_cursor(cursor) == position


@pytest.mark.parametrize(
    "cursor", ["", "%", "A", "not base64!", "💡", "\ud800", "e30=e30", "W" * 200_000, "-_-_", "Ilx1ZDgwMCI"]
)
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(errors.InvalidError, match=r"^Invalid cursor$"):
        decode_cursor(cursor)


@pytest.mark.parametrize(("text", "limit"), [("1", 1), ("500", 500), ("007", 7)])
def test_a_limit_is_a_whole_number_in_range(text: str, limit: int) -> None:
    assert limit_of({"limit": text}) == limit
    assert limit_of({}) is None


@pytest.mark.parametrize("text", ["", "0", "501", "-1", "+1", "1.0", "1e2", " 5", "٣", "²", "9" * 5000])
def test_any_other_limit_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidError, match=r"^limit must be an integer from 1 to 500$"):
        limit_of({"limit": text})
