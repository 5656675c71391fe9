"""HTTP to one API server: authorization, deadlines, retries, errors."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from agent.kube.access import Access
from agent.kube.errors import (
    AccessError,
    ApiError,
    Closed,
    NotConnected,
    Transient,
    Unauthorized,
    Unreachable,
    Untrusted,
    error_from_response,
)
from agent.kube.pool import build_pool
from agent.kube.retry import Attempts, RetryPolicy

Observer: TypeAlias = Callable[[str, str, int, float], None]
"""Called after each attempt with verb, resource (plural, or empty), HTTP status (0: no answer) and seconds."""

Query: TypeAlias = Mapping[str, str | int | bool | None]

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_AUTHORIZATION_KEPT_SECONDS = 10.0
_RENEW_SECONDS = 5.0
_READ_BYTES = 1 << 20


class _Session:
    """One set of access data with its connections; replaced as a whole when the access data change."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.pool = build_pool(access)
        self._lock = threading.Lock()
        self._authorization: str | None = None
        self._authorization_until = 0.0

    def authorization(self) -> str | None:
        """Return the header's value; asked of the source (a file, a plugin) every few seconds only."""
        with self._lock:
            if time.monotonic() >= self._authorization_until:
                self._authorization = self.access.authorization()
                self._authorization_until = time.monotonic() + _AUTHORIZATION_KEPT_SECONDS
            return self._authorization


@dataclass(frozen=True, slots=True)
class Request:
    """One call; `verb` and `resource` are for the observer, `idempotent` (None: by method) says that repeating after an
    unknown outcome does no harm."""

    method: str
    path: str
    query: Query | None = None
    body: Any = None
    content_type: str = JSON
    accept: str = JSON
    verb: str = ""
    resource: str = ""
    idempotent: bool | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Transport:
    """Sends requests to one API server; usable from several threads."""

    def __init__(
        self, open_access: Callable[[], Access], *, policy: RetryPolicy, observer: Observer | None, user_agent: str
    ) -> None:
        self.policy = policy
        self._open_access = open_access
        self._observer = observer
        self._user_agent = user_agent
        self._closed = threading.Event()
        self._renewing = threading.Lock()
        self._renew_from = 0.0
        self._session = _Session(open_access())

    @property
    def access(self) -> Access:
        """The access data in use."""
        return self._session.access

    def close(self) -> None:
        """Refuse further calls, wake those that pause before a retry, close idle connections."""
        self._closed.set()
        self._session.pool.clear()

    def pause(self, seconds: float) -> None:
        """Wait, or raise `Closed` as soon as the client is closed."""
        if self._closed.wait(seconds):
            raise Closed("the client was closed")

    def call(self, request: Request, *, deadline_seconds: float | None = None) -> bytes:
        """Send a request until it has an answer that counts, and return the answer's body; raises an `ApiError`."""
        deadline = time.monotonic() + (deadline_seconds or self.policy.deadline_seconds)
        idempotent = request.method in _IDEMPOTENT if request.idempotent is None else request.idempotent
        attempts = Attempts(self.policy, self.pause, idempotent=idempotent, until=deadline)
        maybe_processed = False
        while True:
            try:
                with self.open(request, read_seconds=deadline - time.monotonic()) as response:
                    return self._read(response, deadline, request)
            except ApiError as error:
                if request.method == "DELETE" and error.status == 404 and maybe_processed:
                    return b"{}"  # an earlier attempt of this call deleted it
                maybe_processed = maybe_processed or error.maybe_processed
                attempts.pause_after(error)

    def open(self, request: Request, *, read_seconds: float) -> urllib3.BaseHTTPResponse:
        """Make one attempt and return the response with its body unread; a status of 300 and above is raised."""
        session = self._session
        try:
            return self._send(session, request, read_seconds)
        except Unauthorized:
            if not self._renew(session):
                raise
            return self._send(self._session, request, read_seconds)

    def open_stream(self, request: Request, *, idle_seconds: float) -> urllib3.BaseHTTPResponse:
        """Make one attempt as `open` does; after its beginning, the answer may pause for `idle_seconds`.

        It has to begin within the time of a call: a server may take a watch and never say a word.
        """
        response = self.open(request, read_seconds=min(idle_seconds, self.policy.deadline_seconds))
        if (sock := getattr(response.connection, "sock", None)) is not None:
            sock.settimeout(idle_seconds)
        return response

    def _send(self, session: _Session, request: Request, read_seconds: float) -> urllib3.BaseHTTPResponse:
        if self._closed.is_set():
            raise Closed("the client was closed")
        headers = {"Accept": request.accept, "User-Agent": self._user_agent}
        if authorization := session.authorization():
            headers["Authorization"] = authorization
        payload = None
        if request.body is not None:
            headers["Content-Type"] = request.content_type
            payload = json.dumps(request.body, separators=(",", ":")).encode()
        start, status = time.monotonic(), 0
        try:
            response = session.pool.request(
                request.method,
                session.access.server + request.path + encode_query(request.query),
                body=payload,
                headers=headers,
                timeout=urllib3.Timeout(connect=self.policy.connect_seconds, read=max(read_seconds, 0.001)),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            status = response.status
            if status < 300:
                return response
            with response:
                retry_after = parse_retry_after(response.headers.get("Retry-After"))
                raise error_from_response(status, response.read(), what=str(request), retry_after_seconds=retry_after)
        except (HTTPError, OSError) as problem:
            raise translate_failure(problem, session.access.server, request) from problem
        finally:
            if self._observer is not None:
                seconds = time.monotonic() - start
                self._observer(request.verb or request.method.lower(), request.resource, status, seconds)

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float, request: Request) -> bytes:
        """Read the whole body; a server that only drips does not outlive the deadline."""
        parts = []
        try:
            for part in response.stream(_READ_BYTES):
                parts.append(part)
                if time.monotonic() > deadline:
                    raise Transient(f"{request}: the answer of {self.access.server} took too long")
        except (HTTPError, OSError) as problem:
            raise translate_failure(problem, self.access.server, request) from problem
        return b"".join(parts)

    def _renew(self, refused: _Session) -> bool:
        """After a 401 read the access data again (rotated token or certificate); tell whether to try once more."""
        with self._renewing:
            if self._session is not refused:
                return True  # another thread has renewed it
            if time.monotonic() < self._renew_from:
                return False
            self._renew_from = time.monotonic() + _RENEW_SECONDS
            try:
                self._session = _Session(self._open_access())
            except AccessError:
                return False  # the 401 says more
        refused.pool.clear()
        return True


def encode_query(query: Query | None) -> str:
    """Return `?a=b` with unset values left out and booleans as the API writes them."""
    given = {k: str(v).lower() if isinstance(v, bool) else v for k, v in (query or {}).items() if v is not None}
    return f"?{urlencode(given)}" if given else ""


def parse_retry_after(value: str | None) -> float | None:
    """Read a Retry-After header in seconds; the API server never sends a date."""
    return float(value) if value and value.isascii() and value.isdigit() else None


def translate_failure(problem: Exception, server: str, request: Request) -> ApiError:
    """Turn a failed connection into one clear line."""
    cause: BaseException = problem
    while (
        deeper := cause.__cause__ or next((a for a in cause.args if isinstance(a, BaseException)), None)
    ) is not None:
        cause = deeper
    text = getattr(cause, "verify_message", "") or getattr(cause, "strerror", "") or str(cause) or type(cause).__name__
    if getattr(cause, "verify_code", None):
        return Untrusted(f"the certificate of {server} is not trusted: {text}")
    if isinstance(problem, (NewConnectionError, ConnectTimeoutError, ProxyError, SSLError)):
        return NotConnected(f"cannot connect to the API server {server}: {text}")
    if isinstance(problem, ReadTimeoutError):
        return Unreachable(f"no answer from the API server {server} in time ({request})")
    return Unreachable(f"lost the connection to the API server {server}: {text} ({request})")
