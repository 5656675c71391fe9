"""The delay queue's arithmetic: one entry per key, the earlier wins, exponential back-off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime.schedule import Backoff, Schedule


def test_schedule_same_key_twice_keeps_the_earlier() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 30.0)
    schedule.add("a", 5.0)
    schedule.add("a", 60.0)
    assert schedule.next_due() == 5.0
    assert schedule.pop_due(5.0) == "a"
    assert schedule.next_due() is None


def test_schedule_nothing_due_pops_nothing() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 1.0)
    assert schedule.pop_due(0.999) is None
    assert schedule.next_due() == 1.0


def test_schedule_several_due_pops_the_longest_overdue() -> None:
    schedule: Schedule[str] = Schedule()
    for key, due in (("late", 3.0), ("first", 1.0), ("second", 2.0)):
        schedule.add(key, due)
    assert [schedule.pop_due(2.5), schedule.pop_due(2.5), schedule.pop_due(2.5)] == ["first", "second", None]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1e6))))
def test_schedule_any_additions_hands_out_each_key_once_at_its_minimum(entries: list[tuple[str, float]]) -> None:
    schedule: Schedule[str] = Schedule()
    for key, due in entries:
        schedule.add(key, due)
    expected = {key: min(due for k, due in entries if k == key) for key, _ in entries}
    handed_out = {}
    while (due := schedule.next_due()) is not None:
        key = schedule.pop_due(due)
        assert key is not None
        assert key not in handed_out
        handed_out[key] = due
    assert handed_out == expected


def test_backoff_repeated_failures_doubles_from_5_ms_to_1000_s() -> None:
    backoff: Backoff[str] = Backoff()
    delays = [backoff.next_delay("a") for _ in range(25)]
    assert delays[:4] == [0.005, 0.01, 0.02, 0.04]
    assert delays[17] == pytest.approx(655.36)
    assert delays[18:] == [1000.0] * 7


def test_backoff_thousands_of_failures_stays_at_the_maximum() -> None:
    backoff: Backoff[str] = Backoff()
    for _ in range(5000):
        delay = backoff.next_delay("a")
    assert delay == 1000.0


def test_backoff_success_starts_over_for_that_key_only() -> None:
    backoff: Backoff[str] = Backoff()
    for key in ("a", "a", "b"):
        backoff.next_delay(key)
    backoff.reset("a")
    assert (backoff.next_delay("a"), backoff.next_delay("b")) == (0.005, 0.01)
