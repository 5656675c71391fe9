"""How far a Job is, and what that opens the gates for."""

from typing import Any

import pytest

from agent.ibu.prep.job_state import JobState, classify_job, launches_job, launches_stateroot


def make_job(*true: str, deleted: bool = False) -> dict[str, Any]:
    metadata = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {}
    conditions = [{"type": t, "status": "True"} for t in true] + [{"type": "Suspended", "status": "False"}]
    return {"metadata": metadata, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("job", "state"),
    [
        (None, JobState.ABSENT),
        ({"metadata": {}}, JobState.RUNNING),
        (make_job(), JobState.RUNNING),
        (make_job("SuccessCriteriaMet"), JobState.RUNNING),
        (make_job("SuccessCriteriaMet", "Complete"), JobState.COMPLETE),
        (make_job("Failed"), JobState.FAILED),
        (make_job("Complete", deleted=True), JobState.DELETED),
    ],
)
def test_classify_job_reads_conditions_and_deletion(job: dict[str, Any] | None, state: JobState) -> None:
    assert classify_job(job) is state


@pytest.mark.parametrize(
    ("stateroot", "precache", "for_stateroot", "for_any"),
    [
        (JobState.ABSENT, JobState.ABSENT, True, True),
        (JobState.RUNNING, JobState.ABSENT, False, False),
        (JobState.FAILED, JobState.ABSENT, False, False),
        (JobState.COMPLETE, JobState.ABSENT, False, True),
        (JobState.COMPLETE, JobState.RUNNING, False, False),
    ],
)
def test_gates_open_only_before_a_launch(
    stateroot: JobState, precache: JobState, for_stateroot: bool, for_any: bool
) -> None:
    traits = frozenset({f"stateroot-{stateroot}", f"precache-{precache}"})
    assert (launches_stateroot(traits), launches_job(traits)) == (for_stateroot, for_any)
