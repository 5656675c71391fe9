"""What one pass decides: status, work, annotation and requeue (ibu-api.md 3 to 6)."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from agent.ibu.decide import Facts, Work, decide, delay_cleanup
from crds.imagebasedupgrade import Annotation, ImageBasedUpgrade

MakeIbu = Callable[..., ImageBasedUpgrade]
Shorten = Callable[[ImageBasedUpgrade], list[str]]

BUSY = "Idle=False/InProgress"
PREPARED = (BUSY, "PrepInProgress=False/Completed", "PrepCompleted=True/Completed")
UPGRADING = (*PREPARED, "UpgradeInProgress=True/InProgress")
UPGRADED = (*PREPARED, "UpgradeInProgress=False/Completed", "UpgradeCompleted=True/Completed")
ROLLING_BACK = (*PREPARED, "UpgradeCompleted=False/Failed", "RollbackInProgress=True/InProgress")
ROLLBACK_FAILED = (*PREPARED, "RollbackCompleted=False/Failed", "RollbackInProgress=False/Failed")
BEFORE, AFTER = Facts(after_pivot=False), Facts(after_pivot=True)
RETRY = (Annotation.MANUAL_CLEANUP_DONE,)


@pytest.mark.parametrize(
    ("stage", "conditions", "facts", "work"),
    [
        pytest.param("Idle", ("Idle=True/Idle",), BEFORE, None, id="idle"),
        pytest.param("Prep", ("Idle=True/Idle",), BEFORE, Work.PREP, id="prep-begins"),
        pytest.param("Prep", (BUSY, "PrepInProgress=True/InProgress"), BEFORE, Work.PREP, id="prep-goes-on"),
        pytest.param("Prep", PREPARED, BEFORE, None, id="prep-completed"),
        pytest.param("Upgrade", PREPARED, BEFORE, Work.PRE_PIVOT, id="upgrade-begins"),
        pytest.param("Upgrade", UPGRADING, AFTER, Work.POST_PIVOT, id="upgrade-after-the-pivot"),
        pytest.param("Rollback", UPGRADED, AFTER, Work.ROLLBACK, id="rollback-begins"),
        pytest.param("Rollback", UPGRADED, BEFORE, Work.CONFIRM_ROLLBACK, id="rollback-original-booted"),
        pytest.param("Rollback", ROLLING_BACK, BEFORE, Work.CONFIRM_ROLLBACK, id="rollback-booted-back"),
        pytest.param("Rollback", ROLLBACK_FAILED, AFTER, None, id="rollback-failed"),
        pytest.param("Idle", UPGRADING, BEFORE, Work.ABORT, id="abort"),
        pytest.param("Idle", UPGRADED, AFTER, Work.FINALIZE, id="finalize"),
        pytest.param("Idle", UPGRADING, AFTER, Work.POST_PIVOT, id="idle-refused-upgrade-goes-on"),
        pytest.param("Prep", ("Idle=False/Aborting",), BEFORE, Work.ABORT, id="prep-refused-abort-goes-on"),
        pytest.param(None, (), BEFORE, None, id="no-stage"),
    ],
)
def test_work_is_chosen(
    make_ibu: MakeIbu, now: datetime, stage: str | None, conditions: tuple[str, ...], facts: Facts, work: Work | None
) -> None:
    assert decide(make_ibu(*conditions, stage=stage), facts, now).work is work


def test_object_created_without_stage_gets_only_next_stages(make_ibu: MakeIbu, now: datetime) -> None:
    status = decide(make_ibu(stage=None), BEFORE, now).cr.status
    assert status.write() == {"observedGeneration": 2, "validNextStages": ["Idle"]}


def test_object_created_with_prep_is_refused_until_idle(make_ibu: MakeIbu, now: datetime, shorten: Shorten) -> None:
    refused = decide(make_ibu(stage="Prep"), BEFORE, now).cr
    assert shorten(refused) == ["PrepInProgress=False/InvalidTransition/Previous stage not succeeded"]
    idle = refused.model_copy(update={"spec": make_ibu(stage="Idle").spec})
    assert shorten(decide(idle, BEFORE, now).cr) == ["Idle=True/Idle/Idle"]


def test_generation_is_observed_on_both_conditions_of_the_wanted_stage(make_ibu: MakeIbu, now: datetime) -> None:
    status = decide(make_ibu(*PREPARED, stage="Prep"), BEFORE, now).cr.status
    assert status.observed_generation == 2
    assert [c.observed_generation for c in status.conditions] == [1, 2, 2]


def test_history_entry_is_made_for_the_stage_that_runs(make_ibu: MakeIbu, now: datetime) -> None:
    decision = decide(make_ibu(*UPGRADING, stage="Rollback"), BEFORE, now)
    assert [entry.stage for entry in decision.cr.status.history] == ["Upgrade"]


@pytest.mark.parametrize("stage", ["Idle", "Upgrade"])
def test_history_survives_a_refused_idle_and_ends_with_an_abort(make_ibu: MakeIbu, now: datetime, stage: str) -> None:
    upgrading = decide(make_ibu(*UPGRADING, stage="Upgrade"), AFTER, now).cr
    wanted = upgrading.model_copy(update={"spec": make_ibu(stage=stage).spec})
    assert decide(wanted, AFTER, now).cr.status.history == upgrading.status.history
    assert decide(wanted, BEFORE, now).cr.status.history == (() if stage == "Idle" else upgrading.status.history)


def test_history_is_kept_while_plainly_idle(make_ibu: MakeIbu, now: datetime) -> None:
    history = decide(make_ibu(*UPGRADING, stage="Upgrade"), AFTER, now).cr.status.history
    idle = make_ibu("Idle=True/Idle")
    idle = idle.model_copy(update={"status": idle.status.model_copy(update={"history": history})})
    assert decide(idle, BEFORE, now).cr.status.history == history


def test_rollback_expiration_is_set_once_after_the_pivot(make_ibu: MakeIbu, now: datetime) -> None:
    later = Facts(after_pivot=True, rollback_expiration=now + timedelta(days=1))
    first = decide(make_ibu(*UPGRADING, stage="Upgrade"), Facts(after_pivot=True, rollback_expiration=now), now).cr
    assert first.status.rollback_availability_expiration == now
    assert decide(first, later, now).cr.status.rollback_availability_expiration == now


@pytest.mark.parametrize(("reason", "work"), [("AbortFailed", Work.ABORT), ("FinalizeFailed", Work.FINALIZE)])
class TestFailedCleanup:
    def test_it_waits_for_the_user(self, make_ibu: MakeIbu, now: datetime, reason: str, work: Work) -> None:
        decision = decide(make_ibu(f"Idle=False/{reason}"), BEFORE, now)
        assert (decision.work, decision.requeue_after) == (None, timedelta(seconds=300))

    def test_annotation_is_consumed_and_repeats_it(
        self, make_ibu: MakeIbu, now: datetime, reason: str, work: Work
    ) -> None:
        decision = decide(make_ibu(f"Idle=False/{reason}", annotations=RETRY), BEFORE, now)
        assert (decision.work, decision.consume_annotation) == (work, True)

    def test_it_is_repeated_when_due(self, make_ibu: MakeIbu, now: datetime, reason: str, work: Work) -> None:
        due = Facts(after_pivot=False, cleanup_wait=timedelta(0))
        decision = decide(make_ibu(f"Idle=False/{reason}"), due, now)
        assert (decision.work, decision.consume_annotation) == (work, False)

    def test_it_waits_until_due(self, make_ibu: MakeIbu, now: datetime, reason: str, work: Work) -> None:
        soon = Facts(after_pivot=False, cleanup_wait=timedelta(seconds=7))
        decision = decide(make_ibu(f"Idle=False/{reason}"), soon, now)
        assert (decision.work, decision.requeue_after) == (None, timedelta(seconds=7))


def test_cleanup_delay_grows_to_an_hour() -> None:
    seconds = [delay_cleanup(failures).total_seconds() for failures in (1, 2, 3, 4, 5, 1000)]
    assert seconds == [300, 600, 1200, 2400, 3600, 3600]


@pytest.mark.parametrize("conditions", [("Idle=True/Idle",), ("Idle=False/Aborting",), PREPARED])
def test_annotation_is_left_alone_in_any_other_state(
    make_ibu: MakeIbu, now: datetime, conditions: tuple[str, ...]
) -> None:
    assert not decide(make_ibu(*conditions, annotations=RETRY), BEFORE, now).consume_annotation


def test_failed_rollback_is_repeated_by_the_annotation(make_ibu: MakeIbu, now: datetime, shorten: Shorten) -> None:
    decision = decide(make_ibu(*ROLLBACK_FAILED, stage="Rollback", annotations=RETRY), AFTER, now)
    assert (decision.work, decision.consume_annotation) == (Work.ROLLBACK, True)
    assert "RollbackInProgress=True/InProgress/In progress" in shorten(decision.cr)


def test_refusal_is_withdrawn_when_the_user_returns_to_idle(make_ibu: MakeIbu, now: datetime, shorten: Shorten) -> None:
    cr = decide(make_ibu("Idle=True/Idle", "UpgradeInProgress=False/InvalidTransition"), BEFORE, now).cr
    assert shorten(cr) == ["Idle=True/Idle/old"]


def test_prep_that_begins_accepts_the_spec(make_ibu: MakeIbu, now: datetime) -> None:
    assert decide(make_ibu("Idle=True/Idle", stage="Prep"), BEFORE, now).accept_spec
    assert not decide(make_ibu(*PREPARED, stage="Prep"), BEFORE, now).accept_spec


def test_upgrade_with_another_spec_than_prep_had_is_refused(make_ibu: MakeIbu, now: datetime, shorten: Shorten) -> None:
    decision = decide(make_ibu(*PREPARED, stage="Upgrade"), Facts(after_pivot=False, drift=("seedImageRef",)), now)
    assert decision.work is None
    assert shorten(decision.cr)[-1].startswith(
        "UpgradeInProgress=False/InvalidTransition/spec.seedImageRef changed since Prep"
    )


def test_prep_that_was_blocked_is_refused_and_can_be_aborted(make_ibu: MakeIbu, now: datetime) -> None:
    blocked = (BUSY, "PrepInProgress=False/Blocked")
    refused = decide(make_ibu(*blocked, stage="Prep"), BEFORE, now)
    assert (refused.work, refused.cr.status.valid_next_stages) == (None, ("Idle",))
    assert decide(make_ibu(*blocked, stage="Idle"), BEFORE, now).work is Work.ABORT


def test_upgrade_that_was_blocked_begins(make_ibu: MakeIbu, now: datetime, shorten: Shorten) -> None:
    decision = decide(make_ibu(*PREPARED, "UpgradeInProgress=False/Blocked", stage="Upgrade"), BEFORE, now)
    assert decision.work is Work.PRE_PIVOT
    assert shorten(decision.cr)[-1] == "UpgradeInProgress=True/InProgress/In progress"


def test_prep_for_the_booted_version_can_be_aborted(make_ibu: MakeIbu, now: datetime) -> None:
    assert decide(make_ibu(*PREPARED, stage="Idle"), AFTER, now).work is Work.ABORT


def test_unknown_fields_of_the_status_survive(make_ibu: MakeIbu, now: datetime) -> None:
    raw = make_ibu("Idle=True/Idle", stage="Prep").write()
    raw["status"]["fromAnotherVersion"] = 1
    assert decide(ImageBasedUpgrade.read(raw), BEFORE, now).cr.write()["status"]["fromAnotherVersion"] == 1
