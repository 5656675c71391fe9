"""The status of ClusterVersion: the booted release, and whether its operators are well (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from agent.kube import Object
from sandbox.cluster.operators.health import set_times


def cluster_version_status(before: Object, *, version: str, image: str, unhealthy: Sequence[str], now: str) -> Object:
    """Status of ClusterVersion `version`; `unhealthy` names the operators that are not available yet."""
    history = list(before.get("history") or [])
    if not history or history[0]["version"] != version:
        entry = {"version": version, "image": image, "startedTime": now, "completionTime": None, "verified": False}
        history.insert(0, {**entry, "state": "Partial"})
    if history[0]["state"] != "Completed" and not unhealthy:
        history[0] = {**history[0], "state": "Completed", "completionTime": now}
    return {
        "availableUpdates": None,
        "conditions": _conditions(version, history[0], unhealthy, before.get("conditions") or [], now),
        "desired": {"version": version, "image": image},
        "history": history,
        "observedGeneration": 1,
        "versionHash": hashlib.sha256(image.encode()).hexdigest()[:12],
    }


def _conditions(
    version: str, current: Object, unhealthy: Sequence[str], before: Sequence[Object], now: str
) -> list[Object]:
    partial = current["state"] == "Partial"
    names = ", ".join(unhealthy)
    if partial:
        progress = f"Working towards {version}: waiting on {names}"
    elif unhealthy:
        progress = f"Error while reconciling {version}: cluster operators not available: {names}"
    else:
        progress = f"Cluster version is {version}"
    failing = bool(unhealthy) and not partial
    wanted = [
        ("Available", not partial, f"Done applying {version}" if not partial else ""),
        ("Failing", failing, f"Cluster operators not available: {names}" if failing else ""),
        ("Progressing", partial, progress),
    ]
    return [
        set_times({"type": kind, "status": str(is_true), "message": message}, before, now)
        for kind, is_true, message in wanted
    ]
