"""When a call may be repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.kube import RetryPolicy, errors
from agent.kube.retry import Attempts

POLICY = RetryPolicy(first_delay_seconds=0.1, longest_delay_seconds=3)


@pytest.mark.parametrize(
    ("error", "idempotent", "repeated"),
    [
        (errors.NotConnected("x"), False, True),
        (errors.TooManyRequests("x"), False, True),
        (errors.Unreachable("x"), False, False),
        (errors.Transient("x"), False, False),
        (errors.Unreachable("x"), True, True),
        (errors.Transient("x"), True, True),
        (errors.Conflict("x"), True, False),
        (errors.Untrusted("x"), True, False),
        (errors.NotFound("x"), True, False),
        (errors.Closed("x"), True, False),
    ],
)
def test_only_what_does_no_harm_is_repeated(error: errors.ApiError, idempotent: bool, repeated: bool) -> None:
    assert (POLICY.delay_seconds(1, error, idempotent=idempotent) is not None) == repeated


@given(st.integers(1, 2000))
def test_pauses_grow_up_to_a_bound_and_vary(attempt: int) -> None:
    delay = POLICY.delay_seconds(attempt, errors.Transient("x"), idempotent=True)
    ceiling = min(0.1 * 2 ** min(attempt, 99) / 2, 3)
    assert delay is not None
    assert ceiling / 2 <= delay <= ceiling


def test_the_server_may_ask_for_a_longer_pause() -> None:
    error = errors.TooManyRequests("x", retry_after_seconds=9)
    assert POLICY.delay_seconds(1, error, idempotent=True) == 9


def test_attempts_end_when_the_server_asks_for_more_than_is_left() -> None:
    attempts = Attempts(POLICY, lambda seconds: None, idempotent=True)
    with pytest.raises(errors.TooManyRequests):
        attempts.pause_after(errors.TooManyRequests("x", retry_after_seconds=99))
