"""Which watch events are worth a pass: pure functions of what was seen before (ibu-api.md 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Change(StrEnum):
    """What has to happen to a watched annotation to be worth a pass."""

    PRESENCE = "presence"
    """It was added or removed; its value does not matter."""
    ADDED_OR_CHANGED = "added-or-changed"
    """It was added, or its value changed; removing it does not matter."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of an object between two events."""

    uid: str
    generation: int | None
    annotations: Mapping[str, str]


def note_object(obj: Mapping[str, Any], annotations: Mapping[str, Change]) -> Seen:
    """Pick what the filter looks at from an object of the API."""
    metadata = obj.get("metadata") or {}
    present = metadata.get("annotations") or {}
    return Seen(
        uid=metadata.get("uid", ""),
        generation=metadata.get("generation"),
        annotations={key: present[key] for key in annotations if key in present},
    )


def is_worth_a_pass(before: Seen | None, now: Seen, annotations: Mapping[str, Change]) -> bool:
    """Tell whether an object that was `before` (None: never seen) and is `now` needs a pass.

    A new object always does; a known one when its spec changed (the generation tells) or a watched annotation did.
    Status writes, other annotations and labels are no reason.
    """
    if before is None or before.uid != now.uid or before.generation != now.generation:
        return True
    return any(
        _has_changed(before.annotations.get(key), now.annotations.get(key), change)
        for key, change in annotations.items()
    )


def _has_changed(before: str | None, now: str | None, change: Change) -> bool:
    if change is Change.PRESENCE:
        return (before is None) != (now is None)
    return now is not None and now != before


@dataclass(slots=True)
class TriggerFilter:
    """Remembers every object it was asked about; one per controller, used by one thread."""

    annotations: Mapping[str, Change]
    _seen: dict[tuple[str | None, str], Seen] = field(default_factory=dict)

    def admits(self, event_type: str, obj: Mapping[str, Any]) -> bool:
        """Tell whether an event of `event_type` (ADDED, MODIFIED, DELETED) about `obj` needs a pass."""
        metadata = obj["metadata"]
        key = (metadata.get("namespace"), metadata["name"])
        if event_type == "DELETED":
            self._seen.pop(key, None)
            return True
        now = note_object(obj, self.annotations)
        worth = is_worth_a_pass(self._seen.get(key), now, self.annotations)
        self._seen[key] = now
        return worth
