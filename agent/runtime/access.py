"""Who may read the metrics: TokenReview, then SubjectAccessReview (ibu-api.md 10.6)."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from agent.kube import Object, errors
from agent.runtime.http_server import Response, Route

log = logging.getLogger(__name__)

_CACHE_SECONDS = 60.0
_CACHE_SIZE = 64


class ReviewClient(Protocol):
    """The part of the API client that is needed here."""

    def create(self, obj: Object, *, dry_run: bool = False) -> Object:
        """Create `obj` and return the server's answer."""


@dataclass(slots=True)
class AccessGuard:
    """Lets a request through to `route` when the API server knows its bearer token and allows `get` on `path`.

    Answers 401, 403, or 500 when the API server can not be asked. Decisions are kept for a minute, by a digest of the
    token: a scrape must not cost two API requests each time.
    """

    client: ReviewClient
    path: str
    route: Route
    clock: Callable[[], float] = time.monotonic
    _decisions: dict[bytes, tuple[float, Response | None]] = field(default_factory=dict)

    def __call__(self, headers: Mapping[str, str]) -> Response:
        """Answer the request, or refuse it."""
        scheme, _, token = (headers.get("authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return _UNAUTHORIZED
        refusal = self._review(token.strip())
        return refusal or self.route(headers)

    def _review(self, token: str) -> Response | None:
        digest, now = hashlib.sha256(token.encode()).digest(), self.clock()
        known = self._decisions.get(digest)
        if known is not None and known[0] > now:
            return known[1]
        try:
            refusal = self._ask(token)
        except errors.ApiError as error:
            log.warning("could not review access to the metrics", extra={"reason": str(error)})
            return Response(500, b"Authentication failed: the API server could not be asked\n")
        if len(self._decisions) >= _CACHE_SIZE:
            self._decisions.clear()
        self._decisions[digest] = (now + _CACHE_SECONDS, refusal)
        return refusal

    def _ask(self, token: str) -> Response | None:
        review = self.client.create(
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        )
        status = review.get("status") or {}
        if not status.get("authenticated"):
            return _UNAUTHORIZED
        user = status.get("user") or {}
        spec = {
            "user": user.get("username", ""),
            "groups": user.get("groups") or [],
            "uid": user.get("uid", ""),
            "extra": user.get("extra") or {},
            "nonResourceAttributes": {"path": self.path, "verb": "get"},
        }
        answer = self.client.create(
            {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        )
        if (answer.get("status") or {}).get("allowed"):
            return None
        return Response(403, f"Authorization denied for user {spec['user']}\n".encode())


_UNAUTHORIZED = Response(401, b"Unauthorized\n")
