"""Events on the upgrade resource (ibu-api.md 9)."""

from __future__ import annotations

from typing import Literal

from agent.ibu.itineraries import StageContext
from agent.ibu.kind import IBU
from agent.runtime.events import make_event, send_event

REBOOT = "Reboot"


def announce(context: StageContext, reason: str, note: str, kind: Literal["Normal", "Warning"] = "Normal") -> None:
    """Send an event about the resource; a refusal is logged and fails nothing."""
    ports = context.ports
    event = make_event(
        context.resource.raw,
        controller=IBU.kind,
        instance=ports.pod_name or IBU.kind,
        kind=kind,
        reason=reason,
        note=note,
    )
    send_event(ports.client, event)
