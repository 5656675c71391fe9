"""What users see of an ImageBasedUpgrade, without times: the unit in which runs are compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

EARLIER = "2026-01-01T00:00:00Z"
"""The time of everything that happened before a run."""

T = TypeVar("T")
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition without its time."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int = 0

    def __str__(self) -> str:
        return f"{self.type}={self.status}/{self.reason}@{self.observed_generation} {self.message}"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the history, or a phase of one: its name, and whether it has ended."""

    name: str
    ended: bool = False
    phases: tuple[Entry, ...] = ()

    def __str__(self) -> str:
        phases = ":" + ",".join(map(str, self.phases)) if self.phases else ""
        return f"{self.name}{'+' if self.ended else ''}{phases}"


@dataclass(frozen=True, slots=True)
class State:
    """One state of the object; equal states look the same to users."""

    conditions: tuple[Condition, ...] = ()
    next_stages: tuple[str, ...] = ()
    history: tuple[Entry, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()

    def lines(self) -> list[str]:
        """The state for reading, one fact a line."""
        return [
            *map(str, self.conditions),
            f"next: {' '.join(self.next_stages) or '-'}",
            *([self.describe_history()] if self.history else ()),
            *(f"annotation: {key}={value}" for key, value in self.annotations),
        ]

    def describe_history(self) -> str:
        """The history in one line."""
        return f"history: {' '.join(map(str, self.history)) or '-'}"

    def __str__(self) -> str:
        return "\n".join(self.lines())


def read_object(obj: Object) -> State:
    """The state of an object as the API server returns it."""
    status = obj.get("status") or {}
    return State(
        conditions=tuple(
            Condition(c["type"], c["status"], c["reason"], c["message"], c.get("observedGeneration", 0))
            for c in status.get("conditions") or ()
        ),
        next_stages=tuple(status.get("validNextStages") or ()),
        history=tuple(
            Entry(
                entry["stage"],
                bool(entry.get("completionTime")),
                tuple(Entry(p["phase"], bool(p.get("completionTime"))) for p in entry.get("phases") or ()),
            )
            for entry in status.get("history") or ()
        ),
        annotations=_sort_annotations((obj.get("metadata") or {}).get("annotations")),
    )


def read_recorded(entry: Object) -> State:
    """The state of an entry of a recording's `trace`, of its `initial`, or of a saved resource in `files`."""
    return State(
        conditions=tuple(
            Condition(c["type"], c["status"], c["reason"], c["message"], c.get("gen") or 0)
            for c in entry.get("conditions") or ()
        ),
        next_stages=tuple(entry.get("validNextStages") or ()),
        history=tuple(
            Entry(
                item["stage"],
                item.get("end") is not None,
                tuple(Entry(p["phase"], p.get("end") is not None) for p in item.get("phases") or ()),
            )
            for item in entry.get("history") or ()
        ),
        annotations=_sort_annotations(entry.get("annotations")),
    )


def make_object(entry: Object) -> Object:
    """Spec and status, as the API has them, of an `initial` of a recording; everything happened at one time."""
    conditions = [
        {
            **{key: condition[key] for key in ("type", "status", "reason", "message")},
            "observedGeneration": condition.get("gen") or 0,
            "lastTransitionTime": EARLIER,
        }
        for condition in entry.get("conditions") or ()
    ]
    status = {
        "observedGeneration": entry.get("observedGeneration"),
        "validNextStages": entry.get("validNextStages"),
        "rollbackAvailabilityExpiration": entry.get("rollbackAvailabilityExpiration"),
        "conditions": conditions,
        "history": [
            {
                **_make_times("stage", item),
                "phases": [_make_times("phase", phase) for phase in item.get("phases") or ()],
            }
            for item in entry.get("history") or ()
        ],
    }
    return {"spec": entry["spec"]} | (
        {"status": {key: value for key, value in status.items() if value}} if conditions else {}
    )


def _make_times(name: str, item: Object) -> Object:
    ended = {} if item.get("end") is None else {"completionTime": EARLIER}
    return {name: item[name], "startTime": EARLIER, **ended}


def drop_repeats(items: Iterable[T]) -> list[T]:
    """The items without those that equal the one before them."""
    distinct: list[T] = []
    for item in items:
        if not distinct or distinct[-1] != item:
            distinct.append(item)
    return distinct


def fold_loops(items: Iterable[T]) -> list[T]:
    """The items with what is repeated again and again there once: how often depends on time alone.

    An unfinished repetition at the end goes too.
    """
    folded: list[T] = []
    loop: list[T] = []
    rest = 0  # how many items follow the last loop
    for item in drop_repeats(items):
        folded.append(item)
        rest += 1
        for length in range(1, len(folded) // 2 + 1):
            if folded[-length:] == folded[-2 * length : -length]:
                del folded[-length:]
                loop, rest = folded[-length:], 0
                break
    return folded[: len(folded) - rest] if rest and loop[:rest] == folded[-rest:] else folded


def _sort_annotations(annotations: dict[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((annotations or {}).items()))
