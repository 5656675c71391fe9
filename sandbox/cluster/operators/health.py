"""When each ClusterOperator is healthy, and what its conditions say (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.kube import Object

DEFAULT_UNHEALTHY = "authentication"


@dataclass(frozen=True)
class Health:
    """Three of the conditions of an operator, with one text for all that are not as they should be."""

    available: bool
    progressing: bool = False
    degraded: bool = False
    reason: str = "AsExpected"
    message: str = ""


HEALTHY = Health(available=True)
STARTING = ("Starting", "Rollout")
"""Reasons that go away by themselves."""


def operator_health(
    name: str, position: int, seconds_up: float, *, operator_seconds: float, faults: Mapping[str, str], pivoted: bool
) -> Health:
    """Health of the operator that comes up as number `position` (from 0), `seconds_up` after the cluster's start."""
    if pivoted and "never-healthy-after-pivot" in faults:
        return Health(False, progressing=True, reason="RolloutStuck", message="waiting for a rollout that does not end")
    if (faults.get("unhealthy-operator", "") or DEFAULT_UNHEALTHY) == name and "unhealthy-operator" in faults:
        return Health(False, degraded=True, reason="Fault", message="the fault unhealthy-operator is injected")
    if seconds_up < position * operator_seconds:
        return Health(False, reason="Starting", message="the operator has not started yet")
    if seconds_up < (position + 1) * operator_seconds:
        return Health(False, progressing=True, reason="Rollout", message="the new revision is being rolled out")
    return HEALTHY


def operator_conditions(health: Health, before: Sequence[Object], now: str) -> list[Object]:
    """The conditions of a ClusterOperator; the time of each changes only with its status."""
    upgradeable = health.available and not health.degraded
    wanted = [
        ("Available", health.available, health.available),
        ("Progressing", health.progressing, not health.progressing),
        ("Degraded", health.degraded, not health.degraded),
        ("Upgradeable", upgradeable, upgradeable),
    ]
    return [
        set_times(
            {
                "type": kind,
                "status": str(is_true),
                "reason": "AsExpected" if good else health.reason,
                "message": "" if good else health.message,
            },
            before,
            now,
        )
        for kind, is_true, good in wanted
    ]


def set_times(condition: Object, before: Sequence[Object], now: str) -> Object:
    """Add lastTransitionTime: that of the condition in `before` if its status was the same, else `now`."""
    same = next((c for c in before if c["type"] == condition["type"] and c["status"] == condition["status"]), None)
    return {**condition, "lastTransitionTime": same["lastTransitionTime"] if same else now}
