"""Kubernetes events; telling the user never fails the work (ibu-api.md 9)."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from typing import Literal, Protocol

from agent.kube import Object, errors

log = logging.getLogger(__name__)

_NOTE_LIMIT = 1024


class EventClient(Protocol):
    """The part of the API client that is needed here."""

    def create(self, obj: Object, *, dry_run: bool = False) -> Object:
        """Create `obj` and return the server's answer."""


def make_event(
    regarding: Object, *, controller: str, instance: str, kind: Literal["Normal", "Warning"], reason: str, note: str
) -> Object:
    """Build an `events.k8s.io/v1` event; one about a cluster-scoped object lives in the namespace `default`."""
    metadata = regarding["metadata"]
    fields = {"uid": metadata.get("uid"), "resourceVersion": metadata.get("resourceVersion")}
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{metadata['name']}.{uuid.uuid4().hex[:16]}",
            "namespace": metadata.get("namespace") or "default",
        },
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": kind,
        "reason": reason,
        "action": reason,
        "note": note if len(note) <= _NOTE_LIMIT else f"{note[: _NOTE_LIMIT - 3]}...",
        "reportingController": controller,
        "reportingInstance": instance,
        "regarding": {
            "apiVersion": regarding["apiVersion"],
            "kind": regarding["kind"],
            "name": metadata["name"],
            **{name: value for name, value in fields.items() if value},
        },
    }


def send_event(client: EventClient, event: Object) -> bool:
    """Create `event`; a refusal is logged and returned as False, never raised."""
    try:
        client.create(event)
    except errors.ApiError as error:
        log.warning("event refused", extra={"event_reason": event["reason"], "reason": str(error)})
        return False
    return True
