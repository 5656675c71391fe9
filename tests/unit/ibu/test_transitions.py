"""The tables of ibu-api.md 5.6 to 5.8, row by row; the ids carry the rows' numbers."""

from collections.abc import Callable
from datetime import datetime

import pytest

from agent.ibu.stages import find_current_stage
from agent.ibu.transitions import (
    VALID_NEXT,
    Ending,
    Situation,
    begin_stage,
    choose_ending,
    explain_refusal,
    find_row,
    is_rollback_retried,
    is_transition_requested,
    list_valid_next,
    refuse_stage,
    withdraw_refusals,
)
from agent.workflow.conditions import Conditions
from crds.imagebasedupgrade import Stage

Make = Callable[..., Conditions]

BUSY = "Idle=False/InProgress"
PREPARED = (BUSY, "PrepInProgress=False/Completed", "PrepCompleted=True/Completed")
UPGRADING = (*PREPARED, "UpgradeInProgress=True/InProgress")
UPGRADE_FAILED = (*PREPARED, "UpgradeCompleted=False/Failed", "UpgradeInProgress=False/Failed")
UPGRADED = (*PREPARED, "UpgradeInProgress=False/Completed", "UpgradeCompleted=True/Completed")
ROLLING_BACK = (*UPGRADE_FAILED, "RollbackInProgress=True/InProgress")
ROLLBACK_FAILED = (*UPGRADE_FAILED, "RollbackCompleted=False/Failed", "RollbackInProgress=False/Failed")
ROLLED_BACK = (*UPGRADE_FAILED, "RollbackInProgress=False/Completed", "RollbackCompleted=True/Completed")
BEFORE, AFTER = False, True

ROWS: list[tuple[str, tuple[str, ...], bool, list[str]]] = [
    ("1a", ("PrepInProgress=True/InProgress", "Idle=False/Aborting"), BEFORE, []),
    ("1a", ("Idle=False/AbortFailed",), BEFORE, []),
    ("1a", ("Idle=False/Finalizing",), AFTER, []),
    ("1a", ("Idle=False/FinalizeFailed",), AFTER, []),
    ("1a", ROLLING_BACK, AFTER, []),
    ("1a", ROLLING_BACK, BEFORE, []),
    ("1b", ROLLBACK_FAILED, AFTER, []),
    ("1c", ROLLBACK_FAILED, BEFORE, ["Idle"]),
    ("2", (BUSY, "PrepInProgress=True/InProgress"), BEFORE, ["Idle"]),
    ("2", (BUSY, "PrepCompleted=False/Failed", "PrepInProgress=False/Failed"), AFTER, ["Idle"]),
    ("3a", UPGRADING, AFTER, ["Rollback"]),
    ("3a", UPGRADE_FAILED, AFTER, ["Rollback"]),
    ("3b", UPGRADING, BEFORE, ["Idle"]),
    ("3b", UPGRADE_FAILED, BEFORE, ["Idle"]),
    ("3b", ROLLED_BACK, BEFORE, ["Idle"]),
    ("4", (BUSY, "RollbackCompleted=True/Completed"), BEFORE, ["Idle"]),
    ("5", UPGRADED, AFTER, ["Idle", "Rollback"]),
    ("6", PREPARED, BEFORE, ["Idle", "Upgrade"]),
    ("7", ("Idle=True/Idle",), AFTER, ["Prep"]),
    ("8", (), BEFORE, ["Idle"]),
    ("9", ("Idle=False/Blocked",), BEFORE, ["Upgrade"]),
    ("10a", ("Idle=False/Whatever",), BEFORE, ["Idle"]),
    ("10a", (BUSY, "UpgradeInProgress=False/InvalidTransition"), BEFORE, ["Idle"]),
    ("10", ("Idle=False/Whatever",), AFTER, []),
]


@pytest.mark.parametrize(
    ("number", "conditions", "after_pivot", "allowed"), [pytest.param(*row, id=f"row{row[0]}") for row in ROWS]
)
def test_valid_next(
    make_conditions: Make, number: str, conditions: tuple[str, ...], after_pivot: bool, allowed: list[str]
) -> None:
    situation = Situation(make_conditions(*conditions), Stage.UPGRADE, after_pivot)
    assert (find_row(situation).number, [*list_valid_next(situation)]) == (number, allowed)


def test_valid_next_rows_are_all_tested() -> None:
    assert {row.number for row in VALID_NEXT} == {number for number, *_ in ROWS}


def test_valid_next_of_a_blocked_idle_without_a_stage_is_none(make_conditions: Make) -> None:
    assert list_valid_next(Situation(make_conditions("Idle=False/Blocked"), None, after_pivot=False)) == ()


@pytest.mark.parametrize(
    ("conditions", "stage"),
    [
        pytest.param(("PrepInProgress=True/InProgress", "Idle=False/Aborting"), "Idle", id="an-abort-wins"),
        pytest.param((BUSY, "PrepInProgress=True/InProgress"), "Prep", id="prep"),
        pytest.param(UPGRADING, "Upgrade", id="upgrade"),
        pytest.param(ROLLING_BACK, "Rollback", id="rollback"),
        pytest.param(("Idle=False/FinalizeFailed",), "Idle", id="a-failed-cleanup-is-in-progress"),
        pytest.param(("Idle=True/Idle",), None, id="idle"),
        pytest.param(UPGRADED, None, id="completed"),
        pytest.param(ROLLBACK_FAILED, None, id="failed"),
    ],
)
def test_current_stage(make_conditions: Make, conditions: tuple[str, ...], stage: str | None) -> None:
    assert find_current_stage(make_conditions(*conditions)) == stage


@pytest.mark.parametrize(
    ("wanted", "conditions", "requested"),
    [
        pytest.param(None, (), False, id="no-stage"),
        pytest.param("Idle", (), True, id="idle-without-condition"),
        pytest.param("Idle", ("Idle=True/Idle",), False, id="idle-is-true"),
        pytest.param("Idle", ("Idle=False/Aborting",), False, id="idle-aborting"),
        pytest.param("Idle", ("Idle=False/FinalizeFailed",), False, id="idle-finalize-failed"),
        pytest.param("Idle", (BUSY,), True, id="idle-from-a-stage"),
        pytest.param("Prep", ("Idle=True/Idle",), True, id="prep-from-idle"),
        pytest.param("Prep", (BUSY, "PrepInProgress=True/InProgress"), False, id="prep-runs"),
        pytest.param("Prep", PREPARED, False, id="prep-completed"),
        pytest.param("Prep", (BUSY, "PrepCompleted=False/Failed"), False, id="prep-failed"),
        pytest.param("Prep", (BUSY, "PrepInProgress=False/InvalidTransition"), True, id="prep-refused-before"),
        pytest.param("Rollback", ROLLBACK_FAILED, False, id="rollback-failed"),
    ],
)
def test_transition_is_requested(
    make_conditions: Make, wanted: str | None, conditions: tuple[str, ...], requested: bool
) -> None:
    stage = Stage(wanted) if wanted else None
    situation = Situation(make_conditions(*conditions), stage, after_pivot=False)
    assert is_transition_requested(situation) is requested


@pytest.mark.parametrize(
    ("wanted", "after_pivot", "retry", "retried"),
    [
        pytest.param("Rollback", True, True, True, id="annotated"),
        pytest.param("Rollback", True, False, False, id="not-annotated"),
        pytest.param("Rollback", False, True, False, id="original-release-booted"),
        pytest.param("Idle", True, True, False, id="other-stage"),
    ],
)
def test_failed_rollback_is_retried(
    make_conditions: Make, wanted: str, after_pivot: bool, retry: bool, retried: bool
) -> None:
    situation = Situation(make_conditions(*ROLLBACK_FAILED), Stage(wanted), after_pivot, retry)
    assert is_rollback_retried(situation) is retried


@pytest.mark.parametrize(
    ("wanted", "conditions", "after_pivot", "text"),
    [
        ("Prep", (), BEFORE, "Previous stage not succeeded"),
        ("Upgrade", ("Idle=True/Idle",), BEFORE, "Previous stage not succeeded"),
        ("Rollback", ("Idle=True/Idle",), BEFORE, "Upgrade not started or already finalized"),
        ("Idle", ROLLBACK_FAILED, AFTER, "Transition to Idle not allowed - Rollback failed"),
        ("Idle", ROLLING_BACK, AFTER, "Transition to Idle not allowed - Rollback is in progress"),
        ("Idle", UPGRADING, AFTER, "Transition to Idle not allowed - Rollback first"),
        ("Idle", ROLLING_BACK, BEFORE, "Abort or finalize not allowed"),
    ],
)
def test_refusal_is_explained(
    make_conditions: Make, wanted: str, conditions: tuple[str, ...], after_pivot: bool, text: str
) -> None:
    assert explain_refusal(Situation(make_conditions(*conditions), Stage(wanted), after_pivot)) == text


@pytest.mark.parametrize(
    ("conditions", "after_pivot", "ending"),
    [
        pytest.param(UPGRADED, AFTER, Ending.FINALIZE, id="kind1-upgraded"),
        pytest.param(UPGRADED, BEFORE, Ending.FINALIZE, id="kind1-upgraded-and-booted-back"),
        pytest.param(ROLLED_BACK, BEFORE, Ending.FINALIZE, id="kind1-rolled-back"),
        pytest.param(ROLLBACK_FAILED, BEFORE, Ending.FINALIZE, id="kind1-rollback-failed-and-booted-back"),
        pytest.param((BUSY, "PrepInProgress=True/InProgress"), BEFORE, Ending.ABORT, id="kind2-prep"),
        pytest.param(UPGRADING, BEFORE, Ending.ABORT, id="kind2-upgrade-before-pivot"),
        pytest.param(UPGRADE_FAILED, BEFORE, Ending.ABORT, id="kind2-automatic-rollback"),
        pytest.param(PREPARED, AFTER, Ending.ABORT, id="kind2-prep-for-the-booted-version"),
        pytest.param(("Idle=False/Whatever",), BEFORE, Ending.ABORT, id="kind2-unknown-reason"),
        pytest.param((), BEFORE, Ending.RESET, id="kind3-no-idle-condition"),
        pytest.param(PREPARED[1:], BEFORE, Ending.ABORT, id="idle-condition-lost"),
    ],
)
def test_ending(make_conditions: Make, conditions: tuple[str, ...], after_pivot: bool, ending: Ending) -> None:
    assert choose_ending(make_conditions(*conditions), after_pivot=after_pivot) is ending


def show(conditions: Conditions) -> list[str]:
    return [f"{c.type}={c.status}/{c.reason}/{c.message}" for c in conditions]


BEGINNINGS = [
    pytest.param("Idle", (), BEFORE, ["Idle=True/Idle/Idle"], id="first"),
    pytest.param(
        "Prep",
        ("Idle=True/Idle", "UpgradeInProgress=False/InvalidTransition"),
        BEFORE,
        ["Idle=False/InProgress/In progress", "PrepInProgress=True/InProgress/In progress"],
        id="prep-clears-a-refusal",
    ),
    pytest.param(
        "Upgrade",
        (BUSY, "PrepCompleted=True/Completed"),
        BEFORE,
        [
            "Idle=False/InProgress/old",
            "PrepCompleted=True/Completed/old",
            "UpgradeInProgress=True/InProgress/In progress",
        ],
        id="upgrade",
    ),
    pytest.param(
        "Rollback",
        (BUSY, "UpgradeInProgress=False/Completed", "UpgradeCompleted=True/Completed"),
        AFTER,
        [
            "Idle=False/InProgress/old",
            "UpgradeInProgress=False/Failed/Rollback requested",
            "UpgradeCompleted=False/Failed/Rollback requested",
            "RollbackInProgress=True/InProgress/In progress",
        ],
        id="rollback-of-a-completed-upgrade",
    ),
    pytest.param(
        "Rollback",
        (BUSY, "UpgradeInProgress=True/InProgress"),
        AFTER,
        [
            "Idle=False/InProgress/old",
            "UpgradeCompleted=False/Failed/Rollback requested",
            "UpgradeInProgress=False/Failed/Rollback requested",
            "RollbackInProgress=True/InProgress/In progress",
        ],
        id="rollback-of-a-running-upgrade",
    ),
    pytest.param(
        "Rollback",
        ("RollbackCompleted=False/Failed", "RollbackInProgress=False/Failed"),
        AFTER,
        [
            "UpgradeCompleted=False/Failed/Rollback requested",
            "UpgradeInProgress=False/Failed/Rollback requested",
            "RollbackInProgress=True/InProgress/In progress",
        ],
        id="rollback-again",
    ),
    pytest.param(
        "Idle",
        (BUSY, "PrepInProgress=True/InProgress"),
        BEFORE,
        ["PrepInProgress=True/InProgress/old", "Idle=False/Aborting/Aborting"],
        id="abort",
    ),
    pytest.param(
        "Idle",
        (BUSY, "UpgradeCompleted=True/Completed"),
        AFTER,
        ["UpgradeCompleted=True/Completed/old", "Idle=False/Finalizing/Finalizing"],
        id="finalize",
    ),
]


@pytest.mark.parametrize(("wanted", "conditions", "after_pivot", "expected"), BEGINNINGS)
def test_stage_begins(
    make_conditions: Make,
    now: datetime,
    wanted: str,
    conditions: tuple[str, ...],
    after_pivot: bool,
    expected: list[str],
) -> None:
    situation = Situation(make_conditions(*conditions), Stage(wanted), after_pivot)
    assert show(begin_stage(situation, generation=2, now=now)) == expected


def test_refused_stage_replaces_an_earlier_refusal(make_conditions: Make, now: datetime) -> None:
    conditions = make_conditions("Idle=True/Idle", "UpgradeInProgress=False/InvalidTransition")
    situation = Situation(conditions, Stage.ROLLBACK, after_pivot=False)
    refused = refuse_stage(situation, "no", generation=2, now=now)
    assert show(refused) == ["Idle=True/Idle/old", "RollbackInProgress=False/InvalidTransition/no"]


def test_refusal_repeated_changes_nothing(make_conditions: Make, now: datetime) -> None:
    situation = Situation(make_conditions("Idle=True/Idle"), Stage.UPGRADE, after_pivot=False)
    once = refuse_stage(situation, "no", generation=2, now=now)
    again = Situation(once, Stage.UPGRADE, after_pivot=False)
    assert refuse_stage(again, "no", generation=2, now=now) == once


def test_withdrawn_refusal_of_idle_stands_first_again(make_conditions: Make) -> None:
    conditions = make_conditions("UpgradeInProgress=True/InProgress", "Idle=False/InvalidTransition")
    assert show(withdraw_refusals(conditions)) == [
        "Idle=False/InProgress/In progress",
        "UpgradeInProgress=True/InProgress/old",
    ]
