"""From answers of the API server to errors."""

from __future__ import annotations

import json

import pytest

from agent.kube import errors
from agent.kube.errors import error_from_response, error_from_status


def status(code: int, reason: str, message: str = "text", **details: object) -> bytes:
    return json.dumps(
        {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    ).encode()


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (400, "BadRequest", errors.BadRequest),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (405, "MethodNotAllowed", errors.MethodNotAllowed),
        (409, "Conflict", errors.Conflict),
        (409, "AlreadyExists", errors.AlreadyExists),
        (410, "Expired", errors.WatchExpired),
        (410, "Gone", errors.WatchExpired),
        (413, "RequestEntityTooLarge", errors.TooLarge),
        (422, "Invalid", errors.Invalid),
        (429, "TooManyRequests", errors.TooManyRequests),
        (500, "InternalError", errors.Transient),
        (500, "ServerTimeout", errors.Transient),
        (504, "Timeout", errors.Transient),
        (418, "", errors.ApiError),
    ],
)
def test_status_and_reason_decide_the_class(code: int, reason: str, expected: type[errors.ApiError]) -> None:
    error = error_from_response(code, status(code, reason), what="GET /x")
    assert type(error) is expected
    assert (str(error), error.status, error.reason) == ("text", code, reason)


def test_causes_carry_the_fields() -> None:
    cause = {"reason": "FieldValueInvalid", "message": "too small", "field": "spec.size"}
    error = error_from_response(422, status(422, "Invalid", causes=[cause]), what="GET /x")
    assert error.causes == (errors.Cause("spec.size", "FieldValueInvalid", "too small"),)


def test_a_404_without_status_object_is_an_unknown_resource() -> None:
    error = error_from_response(404, b"404 page not found\n", what="GET /x")
    assert str(error) == "the server could not find the requested resource"


@pytest.mark.parametrize("body", [b"<html>secret</html>", b"", b"[]", b'"secret"', b"\xff"])
def test_bodies_are_never_quoted(body: bytes) -> None:
    assert str(error_from_response(502, body, what="GET /x")) == "GET /x: HTTP status 502"


def test_a_very_long_message_keeps_both_ends() -> None:
    error = error_from_response(400, status(400, "BadRequest", "a" + "x" * 100_000 + "b"), what="GET /x")
    assert len(str(error)) <= 32_768
    assert (str(error)[0], str(error)[-1]) == ("a", "b")


def test_retry_after_is_read_from_the_status_when_the_header_is_missing() -> None:
    error = error_from_response(429, status(429, "TooManyRequests", retryAfterSeconds=3), what="GET /x")
    assert error.retry_after_seconds == 3


def test_message_that_quotes_the_request_is_cut() -> None:
    decoding = 'Secret in version "v1" cannot be handled as a Secret: v1.Secret.StringData: ReadString: expects "'
    quote = ', error found in #10 byte of ...|"password":5}|..., bigger context ...|"token":"hunter2"}|...'
    error = error_from_status(
        {"message": decoding + quote, "details": {"causes": [{"message": decoding + quote}]}}, 400
    )
    assert (str(error), error.causes[0].message) == (decoding, decoding)
