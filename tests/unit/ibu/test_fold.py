"""How work shows in conditions and history (ibu-api.md 2.6 and 3)."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from agent.ibu import messages
from agent.ibu.decide import Facts
from agent.ibu.fold import fold_error, fold_event, fold_outcome
from agent.pivot.failure import UNCONTROLLED_ROLLBACK, fail_upgrade
from agent.workflow.outcome import Done, Failed, Wait
from agent.workflow.replay import Completed, Ended, Started
from agent.workflow.step import Step
from crds.imagebasedupgrade import Annotation, History, ImageBasedUpgrade

MakeIbu = Callable[..., ImageBasedUpgrade]
Shorten = Callable[[ImageBasedUpgrade], list[str]]

BUSY = "Idle=False/InProgress"
PREPARING = (BUSY, "PrepInProgress=True/InProgress")
UPGRADING = (BUSY, "UpgradeInProgress=True/InProgress")
ROLLING_BACK = ("UpgradeInProgress=False/Failed", "UpgradeCompleted=False/Failed", "RollbackInProgress=True/InProgress")
BEFORE, AFTER = Facts(after_pivot=False), Facts(after_pivot=True)


def make_step(phase: str = "", announce: str = "") -> Step[None]:
    return Step("step", lambda _: Done(), phase, announce)


WAIT = Wait("not yet", timedelta(seconds=30))


@pytest.mark.parametrize(
    ("conditions", "shown"),
    [
        pytest.param(PREPARING, "PrepInProgress=True/InProgress/not yet", id="prep"),
        pytest.param(UPGRADING, "UpgradeInProgress=True/InProgress/not yet", id="upgrade"),
        pytest.param(ROLLING_BACK, "RollbackInProgress=True/InProgress/not yet", id="rollback"),
        pytest.param(("Idle=False/Aborting",), "Idle=False/Aborting/not yet", id="abort"),
        pytest.param(("Idle=False/FinalizeFailed",), "Idle=False/Finalizing/not yet", id="finalize-again"),
    ],
)
def test_wait_is_shown_and_moves_nothing(
    make_ibu: MakeIbu, shorten: Shorten, now: datetime, conditions: tuple[str, ...], shown: str
) -> None:
    cr = fold_outcome(make_ibu(*conditions), BEFORE, make_step(), WAIT, now)
    assert shorten(cr)[-1] == shown
    assert len(shorten(cr)) == len(conditions)


@pytest.mark.parametrize(
    ("conditions", "facts", "shown", "following"),
    [
        pytest.param(
            PREPARING,
            BEFORE,
            ["PrepCompleted=False/Failed/Prep failed", "PrepInProgress=False/Failed/broken"],
            ("Idle",),
            id="prep",
        ),
        pytest.param(
            UPGRADING,
            BEFORE,
            ["UpgradeCompleted=False/Failed/Upgrade failed", "UpgradeInProgress=False/Failed/broken"],
            ("Idle",),
            id="upgrade-before-pivot",
        ),
        pytest.param(
            UPGRADING,
            AFTER,
            ["UpgradeCompleted=False/Failed/Upgrade failed", "UpgradeInProgress=False/Failed/broken"],
            ("Rollback",),
            id="upgrade-after-pivot",
        ),
        pytest.param(
            ROLLING_BACK,
            AFTER,
            [
                "RollbackCompleted=False/Failed/Rollback failed",
                f"RollbackInProgress=False/Failed/{messages.rollback_failed('broken')}",
            ],
            (),
            id="rollback",
        ),
        pytest.param(
            ("Idle=False/Aborting",),
            BEFORE,
            [f"Idle=False/AbortFailed/{messages.cleanup_failed('broken')}"],
            (),
            id="abort",
        ),
        pytest.param(
            ("Idle=False/Finalizing",),
            AFTER,
            [f"Idle=False/FinalizeFailed/{messages.cleanup_failed('broken')}"],
            (),
            id="finalize",
        ),
    ],
)
def test_failure_ends_the_stage(
    make_ibu: MakeIbu,
    shorten: Shorten,
    now: datetime,
    conditions: tuple[str, ...],
    facts: Facts,
    shown: list[str],
    following: tuple[str, ...],
) -> None:
    cr = fold_outcome(make_ibu(*conditions), facts, make_step(), Failed("broken"), now)
    assert shorten(cr)[-len(shown) :] == shown
    assert cr.status.valid_next_stages == following


@pytest.mark.parametrize(
    ("conditions", "shown"),
    [
        pytest.param(
            PREPARING,
            [
                "PrepInProgress=False/Completed/Prep completed",
                "PrepCompleted=True/Completed/Prep stage completed successfully",
            ],
            id="prep",
        ),
        pytest.param(
            UPGRADING,
            [
                "UpgradeInProgress=False/Completed/Upgrade completed",
                "UpgradeCompleted=True/Completed/Upgrade completed",
            ],
            id="upgrade",
        ),
        pytest.param(
            ROLLING_BACK,
            [
                "RollbackInProgress=False/Completed/Rollback completed",
                "RollbackCompleted=True/Completed/Rollback completed",
            ],
            id="rollback",
        ),
        pytest.param(("UpgradeCompleted=True/Completed", "Idle=False/Aborting"), ["Idle=True/Idle/Idle"], id="idle"),
    ],
)
def test_completion(
    make_ibu: MakeIbu, shorten: Shorten, now: datetime, conditions: tuple[str, ...], shown: list[str]
) -> None:
    cr = fold_event(make_ibu(*conditions), BEFORE, Completed(), now)
    assert shorten(cr)[-2:] == shown


def test_completion_of_prep_with_a_warning_says_so(make_ibu: MakeIbu, now: datetime) -> None:
    cr = make_ibu(*PREPARING, annotations=(Annotation.VALIDATION_WARNING,))
    shown = fold_event(cr, BEFORE, Completed(), now).status.conditions[-1]
    assert shown.message == messages.PREP_STAGE_COMPLETED_WITH_WARNING


def test_completed_cleanup_forgets_the_rollback_expiration(make_ibu: MakeIbu, now: datetime) -> None:
    cr = make_ibu("Idle=False/Finalizing")
    cr = cr.model_copy(update={"status": cr.status.model_copy(update={"rollback_availability_expiration": now})})
    status = fold_event(cr, AFTER, Completed(), now).status.write()
    assert "rollbackAvailabilityExpiration" not in status


@pytest.mark.parametrize(("announce", "kept"), [(messages.INITIATING_ROLLBACK, True), ("Completing rollback", False)])
def test_rollback_expiration_is_forgotten_when_the_rollback_is_launched(
    make_ibu: MakeIbu, now: datetime, announce: str, kept: bool
) -> None:
    cr = make_ibu(*ROLLING_BACK)
    cr = cr.model_copy(update={"status": cr.status.model_copy(update={"rollback_availability_expiration": now})})
    cr = fold_event(cr, AFTER, Started(make_step(announce=announce), announce), now)
    assert (cr.status.rollback_availability_expiration == now) is kept


def test_phase_starts_with_its_step_and_ends_when_told(make_ibu: MakeIbu, now: datetime) -> None:
    step = make_step(phase="Stateroot", announce="working")
    cr = make_ibu(*PREPARING, stage="Prep")
    cr = cr.model_copy(update={"status": cr.status.model_copy(update={"history": (entry_of_prep(now),)})})
    cr = fold_event(cr, BEFORE, Started(step, step.announce), now)
    assert cr.status.history[0].phases[0].write() == {"phase": "Stateroot", "startTime": "2024-06-26T01:00:00Z"}
    assert cr.status.conditions[-1].message == "working"
    cr = fold_event(cr, BEFORE, Ended(step, Done(), ends_phase=False), now)
    assert cr.status.history[0].phases[0].completion_time is None
    cr = fold_event(cr, BEFORE, Ended(step, Done(), ends_phase=True), now)
    assert cr.status.history[0].phases[0].completion_time == now
    assert fold_event(cr, BEFORE, Completed(), now).status.history[0].completion_time == now


def entry_of_prep(now: datetime) -> History:
    return History(stage="Prep", start_time=now)


@pytest.mark.parametrize(
    ("conditions", "announce", "message"),
    [
        pytest.param(PREPARING, "", "In progress: disk full, retrying", id="without-announcement"),
        pytest.param(PREPARING, "Working", "Working: disk full, retrying", id="with-announcement"),
        pytest.param(UPGRADING, "Exporting", "Exporting: Failure occurred: disk full", id="upgrade"),
        pytest.param(("Idle=False/Aborting",), "", "Aborting: disk full, retrying", id="abort"),
        pytest.param(("Idle=False/Finalizing",), "", "Finalizing: disk full, retrying", id="finalize"),
    ],
)
def test_error_is_shown_without_ending_the_stage(
    make_ibu: MakeIbu, now: datetime, conditions: tuple[str, ...], announce: str, message: str
) -> None:
    step = make_step(announce=announce)
    once = fold_error(make_ibu(*conditions), BEFORE, step, "disk full", now)
    assert once.status.conditions[-1].message == message
    assert fold_error(once, BEFORE, step, "disk full", now) == once


@pytest.mark.parametrize("conditions", [PREPARING, UPGRADING], ids=["prep", "upgrade"])
def test_error_stays_until_a_later_step_starts(make_ibu: MakeIbu, now: datetime, conditions: tuple[str, ...]) -> None:
    failed = fold_error(make_ibu(*conditions), BEFORE, make_step(), "disk full", now)
    assert fold_event(failed, BEFORE, Started(make_step(), "", again=True), now) == failed
    cr = fold_event(failed, BEFORE, Started(make_step(), ""), now)
    assert cr.status.conditions[-1].message == "In progress"


def test_start_without_announcement_keeps_the_message(make_ibu: MakeIbu, now: datetime) -> None:
    cr = fold_event(make_ibu(*PREPARING), BEFORE, Started(make_step(), ""), now)
    assert cr.status.conditions[-1].message == "old"


def test_upgrade_that_did_not_stay_booted_is_shown_as_failed(
    make_ibu: MakeIbu, shorten: Shorten, now: datetime
) -> None:
    cr = fail_upgrade(make_ibu(*UPGRADING, stage="Upgrade"), UNCONTROLLED_ROLLBACK, now)
    assert shorten(cr)[1:] == [
        "UpgradeCompleted=False/Failed/Upgrade failed",
        "UpgradeInProgress=False/Failed/Uncontrolled rollback",
    ]
    assert cr.status.valid_next_stages == ("Idle",)


def test_outcome_without_a_stage_in_progress_is_an_error(make_ibu: MakeIbu, now: datetime) -> None:
    with pytest.raises(ValueError, match="no stage is in progress"):
        fold_event(make_ibu("Idle=True/Idle"), BEFORE, Completed(), now)


def test_message_that_is_too_long_is_cut(make_ibu: MakeIbu, now: datetime) -> None:
    cr = fold_outcome(make_ibu(*PREPARING), BEFORE, make_step(), Failed("x" * 100_000), now)
    assert len(cr.status.conditions[-1].message) == 32768
