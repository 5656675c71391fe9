"""What users are told besides the conditions: events about the upgrade (ibu-api.md 9)."""

from __future__ import annotations

from typing import Literal

from agent.ibu.itineraries import StageContext
from agent.runtime.events import make_event, send_event

SOURCE = "ImageBasedUpgrade"


def tell(context: StageContext, kind: Literal["Normal", "Warning"], reason: str, note: str) -> None:
    """Send an event about the upgrade; one that is refused is logged, and never fails the work."""
    event = make_event(
        context.resource.raw,
        controller=SOURCE,
        instance=context.ports.pod_name or SOURCE,
        kind=kind,
        reason=reason,
        note=note,
    )
    send_event(context.ports.client, event)
