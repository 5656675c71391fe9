"""Who may hold the lease, as pure functions; the election itself is tested on the real API server."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.runtime.leader import Observation, may_take, next_spec

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)


def seen(holder: str, seconds: int = 270) -> Observation:
    return Observation({"holderIdentity": holder, "leaseDurationSeconds": seconds, "leaseTransitions": 4}, at=1000.0)


@pytest.mark.parametrize(
    ("observed", "now", "expected"),
    [
        pytest.param(None, 0.0, True, id="absent"),
        pytest.param(seen(""), 1000.0, True, id="released"),
        pytest.param(seen("me"), 1000.0, True, id="own"),
        pytest.param(seen("other"), 1269.9, False, id="held-by-another"),
        pytest.param(seen("other"), 1270.0, True, id="not-renewed-for-its-duration"),
    ],
)
def test_may_take_lease(observed: Observation | None, now: float, expected: bool) -> None:
    assert may_take("me", observed, now) is expected


@pytest.mark.parametrize(
    ("observed", "acquired", "transitions"),
    [
        pytest.param(None, "2026-01-02T03:04:05.000678Z", 0, id="first"),
        pytest.param(seen("other"), "2026-01-02T03:04:05.000678Z", 5, id="taken-over"),
        pytest.param(seen("me"), None, 4, id="renewed"),
    ],
)
def test_next_spec_counts_transitions_and_keeps_the_time_of_acquiring(
    observed: Observation | None, acquired: Any, transitions: int
) -> None:
    spec = next_spec("me", observed, 270.0, NOW)
    assert (spec["acquireTime"], spec["leaseTransitions"]) == (acquired, transitions)
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("me", 270)
