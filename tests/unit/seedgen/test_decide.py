from dataclasses import replace

import pytest

from agent.seedgen.decide import Facts, Work, decide
from agent.seedgen.journal import Journal, Phase
from tests.unit.seedgen.objects import make_cr

JOURNAL = Journal(Phase.STABILIZING, "uid", "quay.io/seed", "quay.io/recert")
FRESH = make_cr()
RUNNING = make_cr("SeedGenInProgress=True/InProgress/x")
FAILED = make_cr("SeedGenCompleted=False/Failed/x", "SeedGenInProgress=False/Failed/x")
DONE = make_cr("SeedGenInProgress=False/Completed/x", "SeedGenCompleted=True/Completed/x")
OTHER = make_cr(uid="another")


@pytest.mark.parametrize(
    ("cr", "phase", "work"),
    [
        pytest.param(FRESH, None, Work.VALIDATE, id="A.5-initial"),
        pytest.param(
            make_cr("SeedGenInProgress=True/InProgress/"), None, Work.VALIDATE, id="A.5-initial-empty-message"
        ),
        pytest.param(RUNNING, None, Work.VALIDATE, id="progress-without-journal-starts-over"),
        pytest.param(FAILED, None, Work.NOTHING, id="A.5-failed"),
        pytest.param(DONE, None, Work.NOTHING, id="A.5-completed"),
        pytest.param(None, None, Work.NOTHING, id="nothing-at-all"),
        pytest.param(RUNNING, Phase.STABILIZING, Work.STABILIZE, id="stabilizing"),
        pytest.param(FRESH, Phase.STABILIZING, Work.STABILIZE, id="killed-before-the-first-status"),
        pytest.param(RUNNING, Phase.PREPARING, Work.PREPARE, id="preparing"),
        pytest.param(RUNNING, Phase.CLEANING, Work.CLEAN, id="cleaning"),
        *(
            pytest.param(cr, phase, Work.CALL_OFF, id=f"{phase}-{name}")
            for phase in (Phase.STABILIZING, Phase.PREPARING, Phase.CLEANING)
            for name, cr in (("deleted", None), ("replaced", OTHER), ("failed", FAILED))
        ),
        *(
            pytest.param(cr, phase, work, id=f"{phase}-{name}")
            for phase, work in (
                (Phase.LAUNCHING, Work.LAUNCH),
                (Phase.BUILDING, Work.FINALIZE),
                (Phase.UNDOING, Work.UNDO),
            )
            for name, cr in (("deleted", None), ("there", RUNNING), ("restored", OTHER), ("failed", FAILED))
        ),
    ],
)
def test_work_follows_from_object_and_journal(cr, phase, work):
    journal = replace(JOURNAL, phase=phase) if phase else None
    assert decide(Facts(cr, journal, builder_runs=False)) is work


@pytest.mark.parametrize("phase", [None, *Phase])
@pytest.mark.parametrize("cr", [None, FRESH, RUNNING, OTHER])
def test_nothing_is_touched_while_the_builder_runs(cr, phase):
    journal = replace(JOURNAL, phase=phase) if phase else None
    assert decide(Facts(cr, journal, builder_runs=True, stored=True)) is Work.AWAIT_BUILDER


@pytest.mark.parametrize("cr", [None, FRESH, RUNNING, FAILED, DONE])
def test_files_without_a_journal_are_taken_back(cr):
    assert decide(Facts(cr, None, builder_runs=False, stored=True)) is Work.CALL_OFF
