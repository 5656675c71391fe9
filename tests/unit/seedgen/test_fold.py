"""Conditions of SeedGenerator (seed-image-and-gitops.md A.4): what users see, and in which order."""

import pytest

from agent.seedgen.fold import complete, fail, is_settled, show_progress
from tests.unit.seedgen.objects import EARLIER, NOW, make_cr, shorten

RUNNING = "SeedGenInProgress=True/InProgress/Launching imager container"


def test_first_progress_starts_the_generation():
    cr = show_progress(make_cr(), "Waiting for system to stabilize", NOW)
    assert shorten(cr) == ["SeedGenInProgress=True/InProgress/Waiting for system to stabilize"]
    assert (cr.status.started_at, cr.status.completed_at, cr.status.observed_generation) == (NOW, None, 1)


def test_later_progress_keeps_start_and_transition_time():
    first = show_progress(make_cr(), "Waiting for system to stabilize", EARLIER)
    cr = show_progress(first, "Pulling recert image", NOW)
    assert shorten(cr) == ["SeedGenInProgress=True/InProgress/Pulling recert image"]
    assert cr.status.started_at == EARLIER
    assert cr.status.conditions[0].last_transition_time == EARLIER


def test_success_shows_completed_last():
    cr = complete(make_cr(RUNNING, generation=2), NOW)
    assert shorten(cr) == [
        "SeedGenInProgress=False/Completed/Seed Generation completed",
        "SeedGenCompleted=True/Completed/Seed Generation completed",
    ]
    assert cr.status.completed_at == NOW
    assert [c.observed_generation for c in cr.status.conditions] == [2, 2]
    assert cr.status.observed_generation == 2


def test_failure_shows_the_plain_message_last():
    cr = fail(make_cr(RUNNING), "could not find seedAuth in seedgen secret", NOW)
    assert shorten(cr) == [
        "SeedGenCompleted=False/Failed/Seed generation failed: could not find seedAuth in seedgen secret",
        "SeedGenInProgress=False/Failed/could not find seedAuth in seedgen secret",
    ]
    assert cr.status.completed_at is None


def test_rejection_of_a_fresh_object_has_the_same_order():
    cr = fail(make_cr(), "Rejected: x", NOW)
    assert shorten(cr) == [
        "SeedGenCompleted=False/Failed/Seed generation failed: Rejected: x",
        "SeedGenInProgress=False/Failed/Rejected: x",
    ]


def test_prefix_is_not_doubled():
    message = "Seed generation failed: imager container status check failed: expected container exit code 0, found: 1"
    cr = fail(make_cr(RUNNING), message, NOW)
    assert {c.message for c in cr.status.conditions} == {message}


@pytest.mark.parametrize(
    ("conditions", "settled"),
    [
        ((), False),
        ((RUNNING,), False),
        (("SeedGenInProgress=False/Failed/x",), True),
        (("SeedGenCompleted=False/Failed/x",), True),
        (("SeedGenCompleted=True/Completed/x",), True),
        (("SeedGenInProgress=False/Completed/x",), False),
    ],
)
def test_settled_is_what_has_failed_or_completed(conditions, settled):
    assert is_settled(make_cr(*conditions)) is settled
