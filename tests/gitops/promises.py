"""What the hub relies on in every version of the resource, and from one to the next (F.3.4, F.3.5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from agent.kube import Object

_CLEANING_REASONS = ("Aborting", "AbortFailed", "Finalizing", "FinalizeFailed")


def check_versions(versions: Iterable[Object]) -> None:
    """Check a stream of versions, first to last. Raises AssertionError with the version that breaks a promise."""
    kept = list(versions)
    for version in kept:
        conditions = _list_conditions(version)
        assert max(Counter(c["type"] for c in conditions).values(), default=1) == 1, version
        assert {c["status"] for c in conditions} <= {"True", "False"}, version
        stale = {c["type"] for c in conditions if c["reason"] != "InvalidTransition"} - {"Idle"}
        assert not (stale and _is_idle(version)), version
    for before, after in pairwise(kept):
        if _list_conditions(before) and not _is_idle(before) and _is_idle(after):
            reasons = [c["reason"] for c in _list_conditions(before) if c["type"] == "Idle"]
            assert reasons == [] or reasons[0] in (*_CLEANING_REASONS, "InvalidTransition"), (before, after)


def _list_conditions(version: Object) -> list[Object]:
    return list((version.get("status") or {}).get("conditions") or ())


def _is_idle(version: Object) -> bool:
    return any(c["type"] == "Idle" and c["status"] == "True" for c in _list_conditions(version))
