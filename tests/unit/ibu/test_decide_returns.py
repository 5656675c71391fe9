"""What one pass makes of boots that nobody wrote down, and of an automatic rollback (docs/reliability.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from agent.ibu import messages
from agent.ibu.decide import Facts, Work, decide, has_returned
from agent.ibu.fold import fold_event
from agent.pivot.decided import DecidedRollback
from agent.pivot.returns import Departure
from agent.workflow.outcome import Done, Failed, Wait
from agent.workflow.replay import Completed, Ended, Started
from agent.workflow.step import Step
from crds.imagebasedupgrade import Annotation, History, ImageBasedUpgrade, Stage

MakeIbu = Callable[..., ImageBasedUpgrade]
Shorten = Callable[[ImageBasedUpgrade], list[str]]

UPGRADING = ("Idle=False/InProgress", "PrepCompleted=True/Completed", "UpgradeInProgress=True/InProgress")
FAILED = (
    "Idle=False/InProgress",
    "PrepCompleted=True/Completed",
    "UpgradeCompleted=False/Failed/Upgrade failed",
    "UpgradeInProgress=False/Failed/Rollback due to x: e",
)
ROLLING_BACK = ("UpgradeCompleted=False/Failed", "RollbackInProgress=True/InProgress")
ROLLBACK_FAILED = ("UpgradeCompleted=False/Failed", "RollbackCompleted=False/Failed", "RollbackInProgress=False/Failed")
UNCONTROLLED = [
    "UpgradeCompleted=False/Failed/Upgrade failed",
    "UpgradeInProgress=False/Failed/Uncontrolled rollback",
]
BEFORE, AFTER = Facts(after_pivot=False), Facts(after_pivot=True)
DECIDED = DecidedRollback("Rollback due to x: e", "e")
STEP = Step("any", lambda _: Done())


def with_history(cr: ImageBasedUpgrade, stage: Stage, start: datetime) -> ImageBasedUpgrade:
    history = (History(stage=stage, start_time=start),)
    return cr.model_copy(update={"status": cr.status.model_copy(update={"history": history})})


def depart(rationale: str, at: datetime) -> Departure:
    return Departure("an earlier boot", rationale, at)


def test_original_release_that_was_left_shows_the_return(make_ibu: MakeIbu, now: datetime, shorten: Shorten) -> None:
    cr = with_history(make_ibu(*UPGRADING, stage="Upgrade"), Stage.UPGRADE, now)
    decision = decide(cr, replace(BEFORE, departure=depart("upgrade", now)), now + timedelta(hours=1))
    assert decision.work is None
    assert shorten(decision.cr)[-2:] == UNCONTROLLED
    assert decision.cr.status.valid_next_stages == ("Idle",)


@pytest.mark.parametrize(
    ("facts", "departure", "work"),
    [
        pytest.param(BEFORE, None, Work.PRE_PIVOT, id="never-left"),
        pytest.param(BEFORE, ("upgrade", -1), Work.PRE_PIVOT, id="left-for-an-earlier-upgrade"),
        pytest.param(BEFORE, ("rollback", 1), Work.PRE_PIVOT, id="left-by-a-rollback"),
        pytest.param(AFTER, ("upgrade", 1), Work.POST_PIVOT, id="new-release"),
        pytest.param(AFTER, ("rollback", 1), Work.POST_PIVOT, id="new-release-booted-again"),
    ],
)
def test_upgrade_goes_on_where_nothing_says_that_it_was_undone(
    make_ibu: MakeIbu, now: datetime, facts: Facts, departure: tuple[str, int] | None, work: Work
) -> None:
    cr = with_history(make_ibu(*UPGRADING, stage="Upgrade"), Stage.UPGRADE, now)
    if departure:
        facts = replace(facts, departure=depart(departure[0], now + timedelta(seconds=departure[1])))
    assert decide(cr, facts, now).work is work


def test_abort_wins_over_a_return(make_ibu: MakeIbu, now: datetime) -> None:
    cr = with_history(make_ibu(*UPGRADING, stage="Idle"), Stage.UPGRADE, now)
    assert decide(cr, replace(BEFORE, departure=depart("upgrade", now)), now).work is Work.ABORT


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_rollback_has_returned_only_with_a_departure_of_its_own(make_ibu: MakeIbu, now: datetime, seconds: int) -> None:
    cr = with_history(make_ibu(*ROLLING_BACK, stage="Rollback"), Stage.ROLLBACK, now)
    departure = depart("rollback", now + timedelta(seconds=seconds))
    assert has_returned(cr, departure, Stage.ROLLBACK) is (seconds >= 0)
    assert not has_returned(cr, depart("upgrade", now), Stage.ROLLBACK)
    assert not has_returned(make_ibu(*ROLLING_BACK, stage="Rollback"), departure, Stage.ROLLBACK)


def test_stage_that_begins_forgets_earlier_departures(make_ibu: MakeIbu, now: datetime) -> None:
    retried = make_ibu(*ROLLBACK_FAILED, stage="Rollback", annotations=(Annotation.MANUAL_CLEANUP_DONE,))
    assert decide(retried, AFTER, now).forget_departure
    assert not decide(make_ibu(*UPGRADING, stage="Upgrade"), AFTER, now).forget_departure


@pytest.mark.parametrize("conditions", [UPGRADING, FAILED], ids=["before-the-status", "after-the-status"])
def test_decided_rollback_is_shown_and_carried_out(
    make_ibu: MakeIbu, now: datetime, shorten: Shorten, conditions: tuple[str, ...]
) -> None:
    decision = decide(make_ibu(*conditions, stage="Upgrade"), replace(AFTER, rollback=DECIDED), now)
    assert decision.work is Work.AUTOMATIC_ROLLBACK
    assert shorten(decision.cr)[-1] == "UpgradeInProgress=False/Failed/Rollback due to x: e"
    assert decision.cr.status.valid_next_stages == ("Rollback",)


def test_decided_rollback_that_ended_in_the_same_release_is_settled(
    make_ibu: MakeIbu, now: datetime, shorten: Shorten
) -> None:
    facts = replace(AFTER, rollback=replace(DECIDED, returned=True))
    decision = decide(make_ibu(*FAILED, stage="Upgrade"), facts, now)
    assert decision.work is None
    assert decision.forget_rollback
    assert shorten(decision.cr)[-1] == f"UpgradeInProgress=False/Failed/{messages.automatic_rollback_returned('e')}"


@pytest.mark.parametrize(
    ("stage", "conditions", "facts", "work"),
    [
        pytest.param("Rollback", FAILED, AFTER, Work.ROLLBACK, id="the-user-asks-for-it"),
        pytest.param("Rollback", ROLLING_BACK, AFTER, Work.ROLLBACK, id="the-user-has-asked-for-it"),
        pytest.param("Upgrade", FAILED, BEFORE, None, id="original-release"),
        pytest.param("Idle", ("Idle=True/Idle",), AFTER, None, id="idle"),
        pytest.param("Upgrade", ("UpgradeCompleted=True/Completed",), AFTER, None, id="completed"),
    ],
)
def test_decided_rollback_is_left_alone_where_it_does_not_belong(
    make_ibu: MakeIbu, now: datetime, stage: str, conditions: tuple[str, ...], facts: Facts, work: Work | None
) -> None:
    decision = decide(make_ibu(*conditions, stage=stage), replace(facts, rollback=DECIDED), now)
    assert decision.work is work


@pytest.mark.parametrize("event", [Started(STEP, ""), Ended(STEP, Wait("w", timedelta(0)), False), Completed()])
def test_failed_status_stays_while_the_node_goes_back(make_ibu: MakeIbu, now: datetime, event: object) -> None:
    cr = decide(make_ibu(*FAILED, stage="Upgrade"), replace(AFTER, rollback=DECIDED), now).cr
    assert fold_event(cr, AFTER, event, now) == cr  # type: ignore[arg-type]


def test_failed_rollback_shows_in_the_failed_status(make_ibu: MakeIbu, now: datetime, shorten: Shorten) -> None:
    cr = make_ibu(*FAILED, stage="Upgrade")
    cr = fold_event(cr, AFTER, Ended(STEP, Failed("e; no"), ends_phase=False), now)
    assert shorten(cr)[-1] == "UpgradeInProgress=False/Failed/e; no"
    assert cr.status.valid_next_stages == ("Rollback",)


def test_spec_is_accepted_in_the_new_release_too(make_ibu: MakeIbu, now: datetime) -> None:
    cr = make_ibu(*UPGRADING, stage="Upgrade")
    assert decide(cr, replace(AFTER, spec_accepted=False), now).accept_spec
    assert not decide(cr, AFTER, now).accept_spec
    assert not decide(cr, replace(BEFORE, spec_accepted=False), now).accept_spec
