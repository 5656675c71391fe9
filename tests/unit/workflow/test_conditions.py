"""Setting, moving, resetting and clearing conditions (ibu-api.md 2.3)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.workflow.conditions import (
    Change,
    Conditions,
    clear_invalid,
    find_condition,
    observe_generation,
    reset_conditions,
    set_condition,
    truncate_message,
)
from crds.base import Condition

EARLIER = datetime(2024, 6, 26, tzinfo=UTC)
NOW = EARLIER + timedelta(hours=1)


def make(*short: str) -> Conditions:
    """`Idle=False/InProgress` is type, status and reason; all have generation 1 and the earlier time."""
    parsed = [text.replace("/", "=").split("=") for text in short]
    return tuple(
        Condition(type=t, status=s, reason=r, message="old", observed_generation=1, last_transition_time=EARLIER)
        for t, s, r in parsed
    )


def shorten(conditions: Conditions) -> list[str]:
    return [f"{c.type}={c.status}/{c.reason}" for c in conditions]


def put(conditions: Conditions, change: Change) -> Conditions:
    return set_condition(conditions, change, generation=2, now=NOW)


BUSY = ("Idle=False/InProgress", "PrepInProgress=True/InProgress")


def test_new_condition_is_appended_with_the_time() -> None:
    conditions = put(make(*BUSY), Change("PrepCompleted", "True", "Completed", "done"))
    assert shorten(conditions) == [*BUSY, "PrepCompleted=True/Completed"]
    assert (conditions[-1].last_transition_time, conditions[-1].observed_generation) == (NOW, 2)


def test_changed_status_moves_to_the_end_with_the_time() -> None:
    conditions = put(make("PrepInProgress=True/InProgress", "X=True/Y"), Change("PrepInProgress", "False", "F", "m"))
    assert shorten(conditions) == ["X=True/Y", "PrepInProgress=False/F"]
    assert conditions[-1].last_transition_time == NOW


def test_changed_status_of_the_last_stays_with_a_new_time() -> None:
    conditions = put(make(*BUSY), Change("PrepInProgress", "False", "Failed", "m"))
    assert shorten(conditions) == [BUSY[0], "PrepInProgress=False/Failed"]
    assert conditions[-1].last_transition_time == NOW


def test_same_status_stays_in_place_with_its_time_and_new_texts() -> None:
    conditions = put(make("PrepInProgress=True/A", "X=True/Y"), Change("PrepInProgress", "True", "B", "new"))
    assert shorten(conditions) == ["PrepInProgress=True/B", "X=True/Y"]
    first = conditions[0]
    assert (first.last_transition_time, first.message, first.observed_generation) == (EARLIER, "new", 2)


def test_idle_moves_even_with_the_same_status() -> None:
    conditions = put(make(*BUSY), Change("Idle", "False", "Aborting", "Aborting"))
    assert shorten(conditions) == [BUSY[1], "Idle=False/Aborting"]
    assert conditions[-1].last_transition_time == NOW


def test_idle_already_last_keeps_its_time() -> None:
    conditions = put(make("X=True/Y", "Idle=False/Aborting"), Change("Idle", "False", "AbortFailed", "m"))
    assert shorten(conditions) == ["X=True/Y", "Idle=False/AbortFailed"]
    assert conditions[-1].last_transition_time == EARLIER


def test_reset_leaves_only_a_true_idle() -> None:
    conditions = reset_conditions(make(*BUSY), generation=2, now=NOW)
    assert shorten(conditions) == ["Idle=True/Idle"]
    assert (conditions[0].message, conditions[0].last_transition_time) == ("Idle", NOW)


def test_reset_of_nothing_makes_idle() -> None:
    assert shorten(reset_conditions((), generation=1, now=NOW)) == ["Idle=True/Idle"]


def test_reset_of_a_true_idle_keeps_its_time() -> None:
    assert reset_conditions(make("Idle=True/Idle"), generation=2, now=NOW)[0].last_transition_time == EARLIER


def test_clear_invalid_removes_refused_stages() -> None:
    conditions = make("Idle=True/Idle", "UpgradeInProgress=False/InvalidTransition")
    assert clear_invalid(conditions, generation=2, now=NOW) == conditions[:1]


def test_clear_invalid_puts_idle_in_progress_at_the_end() -> None:
    conditions = make("Idle=False/InvalidTransition", "UpgradeInProgress=True/InProgress")
    cleared = clear_invalid(conditions, generation=2, now=NOW)
    assert shorten(cleared) == ["UpgradeInProgress=True/InProgress", "Idle=False/InProgress"]
    assert cleared[-1].message == "In progress"


def test_clear_invalid_without_refusals_changes_nothing() -> None:
    assert clear_invalid(make(*BUSY), generation=2, now=NOW) == make(*BUSY)


def test_observed_generation_is_marked_only_on_the_given_types() -> None:
    conditions = observe_generation(make(*BUSY), ["PrepInProgress", "PrepCompleted"], 7)
    assert [c.observed_generation for c in conditions] == [1, 7]


@pytest.mark.parametrize("length", [0, 32767, 32768])
def test_message_within_the_limit_is_kept(length: int) -> None:
    assert truncate_message("x" * length) == "x" * length


def test_long_message_keeps_head_and_tail() -> None:
    message = put((), Change("A", "True", "B", "head" + "x" * 100_000 + "tail"))[0].message
    assert len(message) == 32768
    assert message.startswith("headxxx")
    assert message.endswith("xxxtail")
    assert "100008 characters in all" in message


TYPES = st.sampled_from(["Idle", "PrepInProgress", "PrepCompleted", "UpgradeInProgress"])
CHANGES = st.builds(Change, TYPES, st.sampled_from(["True", "False"]), st.sampled_from(["R", "S"]), st.text())


@given(st.lists(CHANGES, min_size=1, max_size=12))
def test_any_series_of_changes_keeps_one_condition_per_type_and_the_last_value(changes: list[Change]) -> None:
    conditions: Conditions = ()
    for change in changes:
        conditions = put(conditions, change)
        found = find_condition(conditions, change.type)
        assert found
        assert (found.status, found.reason, found.message) == (change.status, change.reason, change.message)
    assert sorted(c.type for c in conditions) == sorted({change.type for change in changes})
