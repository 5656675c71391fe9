"""What can go wrong when talking to an API server; `str(error)` is the server's own message.

    ApiError
      BadRequest  Unauthorized  Forbidden  MethodNotAllowed  TooLarge  Invalid
      NotFound -> KindNotServed
      Conflict    AlreadyExists
      WatchExpired
      Transient -> Unreachable -> NotConnected
                -> TooManyRequests, DiscoveryFailed
      Untrusted   (the server's certificate does not verify)
      Closed      (this client was closed)
    AccessError   (no usable kubeconfig, token or certificate; nothing was sent)

Messages never hold a request or response body, only what the server says in `Status.message`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MESSAGE_LIMIT = 32_768
# Servers before 1.23 quote what they could not decode, which may be a Secret.
_QUOTED_BODY = re.compile(r", error found in #\d+ byte of \.\.\.\|.*\|\.\.\.", re.DOTALL)


class AccessError(Exception):
    """The way to the API server is not configured; the text says what is missing and where."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason of a refusal: `field` is a path such as `spec.stage`, empty when the server names none."""

    field: str
    reason: str
    message: str


class ApiError(Exception):
    """A call failed.

    `status` is the HTTP status (0: no answer came), `reason` the API's machine-readable reason, `message` the server's
    text. `maybe_processed` is False when the server surely did not act on the call.
    """

    maybe_processed = True

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        causes: tuple[Cause, ...] = (),
        details: Mapping[str, Any] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason
        self.causes = causes
        self.details: Mapping[str, Any] = details or {}
        self.retry_after_seconds = retry_after_seconds


class BadRequest(ApiError):
    """400, and calls that are refused here because the server could only refuse them."""


class Unauthorized(ApiError):
    """401: who we are is not accepted."""


class Forbidden(ApiError):
    """403: we may not do this."""


class NotFound(ApiError):
    """404: no such object (or namespace)."""


class KindNotServed(NotFound):
    """The API server does not serve this kind in this version (for example, the CRD is not installed)."""


class MethodNotAllowed(ApiError):
    """405: the resource does not support this verb."""


class Conflict(ApiError):
    """409: the object changed since it was read, or a precondition does not hold; read again."""


class AlreadyExists(ApiError):
    """409: an object of this name exists."""


class WatchExpired(ApiError):
    """410: the history since this resourceVersion is no longer there; list again and watch from there."""


class TooLarge(ApiError):
    """413: the request is larger than the server accepts."""


class Invalid(ApiError):
    """422: the object breaks the schema or a rule; `causes` names the fields."""


class Transient(ApiError):
    """May work later: timeouts, 5xx; the call was already repeated where that is safe."""


class Unreachable(Transient):
    """The connection was lost before the whole answer came."""


class NotConnected(Unreachable):
    """No connection could be made: refused, unroutable, unknown host; nothing was sent."""

    maybe_processed = False


class TooManyRequests(Transient):
    """429: the server did nothing and asks to come back after `retry_after_seconds`."""

    maybe_processed = False


class DiscoveryFailed(Transient):
    """The API group is registered but does not answer (for example, an aggregated API server is down)."""


class Untrusted(ApiError):
    """The server's certificate is not signed by the expected CA, expired, or for another name."""


class Closed(ApiError):
    """This client was closed while the call was running or before it started."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    408: Transient,
    409: Conflict,
    410: WatchExpired,
    413: TooLarge,
    422: Invalid,
    429: TooManyRequests,
}

_BY_REASON: dict[str, type[ApiError]] = {
    "AlreadyExists": AlreadyExists,
    "Timeout": Transient,
    "ServerTimeout": Transient,
}


def error_from_response(status: int, body: bytes, *, what: str, retry_after_seconds: float | None = None) -> ApiError:
    """Build the error of an HTTP answer; `what` names the call when a proxy answered and not the API server."""
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict) and parsed.get("kind") == "Status":
        return error_from_status(parsed, status, retry_after_seconds=retry_after_seconds)
    message = "the server could not find the requested resource" if status == 404 else f"{what}: HTTP status {status}"
    return _class_for(status, "")(message, status=status, retry_after_seconds=retry_after_seconds)


def error_from_status(
    status_object: Mapping[str, Any], status: int = 0, *, retry_after_seconds: float | None = None
) -> ApiError:
    """Build the error of a `Status` object, as bodies of failed calls and ERROR events of watches carry it."""
    code = int(status_object.get("code") or status)
    reason = str(status_object.get("reason") or "")
    details = status_object.get("details") or {}
    causes = tuple(
        Cause(str(c.get("field") or ""), str(c.get("reason") or ""), _clean(str(c.get("message") or "")))
        for c in details.get("causes") or ()
    )
    message = str(status_object.get("message") or reason or f"HTTP status {code}")
    if retry_after_seconds is None and details.get("retryAfterSeconds"):
        retry_after_seconds = float(details["retryAfterSeconds"])
    return _class_for(code, reason)(
        _clean(message),
        status=code,
        reason=reason,
        causes=causes,
        details=details,
        retry_after_seconds=retry_after_seconds,
    )


def _class_for(status: int, reason: str) -> type[ApiError]:
    found = _BY_REASON.get(reason) or _BY_STATUS.get(status)
    return found or (Transient if status >= 500 else ApiError)


def _clean(text: str) -> str:
    """Take out what the server quotes of the request, and the middle of what is too long."""
    text = _QUOTED_BODY.sub("", text)
    if len(text) <= _MESSAGE_LIMIT:
        return text
    half = _MESSAGE_LIMIT // 2 - 3
    return f"{text[:half]} ... {text[-half:]}"
