"""What the API server's audit log tells about one reaction of the operator: where its time went."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

FINISHED = "ResponseComplete"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the API server answered; moments in seconds since the epoch, by the server's clock."""

    user: str
    verb: str
    resource: str
    received: float
    answered: float


def read_requests(lines: Iterable[str]) -> list[Request]:
    """Return the requests of an audit log that have ended, in the order in which they came."""
    found = []
    for record in map(json.loads, lines):
        if record["stage"] == FINISHED and "objectRef" in record:
            target = record["objectRef"]
            resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
            moments = (_read_moment(record[key]) for key in ("requestReceivedTimestamp", "stageTimestamp"))
            found.append(Request(record["user"]["username"], record["verb"], resource, *moments))
    return sorted(found, key=lambda request: request.received)


def divide_reaction(requests: Sequence[Request], operator: str, sent: float, seen: float) -> dict[str, float]:
    """Divide the time from a patch to the status that answers it; milliseconds by part, adding up to the whole.

    `requests` that came between the two moments count. Raises ValueError when there is no patch or no answer to it.
    """
    inside = [request for request in requests if sent <= request.received <= seen]
    patch = next((request for request in inside if request.user != operator and request.verb == "patch"), None)
    ours = [request for request in inside if request.user == operator and request.verb != "watch"]
    if patch is None or not ours:
        raise ValueError(f"no patch and answer among {inside}")
    # An answer is seen by a watch before the server has noted that the request is complete.
    ends = [min(request.answered, seen) for request in ours]
    pauses = [after.received - end for end, (_, after) in zip(ends, pairwise(ours), strict=False)]
    parts = {
        "the patch on its way and in the API server": patch.answered - sent,
        "until the operator's first request arrives": ours[0].received - patch.answered,
        "the operator's requests in the API server": sum(
            end - request.received for end, request in zip(ends, ours, strict=True)
        ),
        "the operator between its requests": sum(pauses),
        "the status on its way to the user": seen - ends[-1],
    }
    return {name: seconds * 1000 for name, seconds in parts.items()}


def _read_moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
