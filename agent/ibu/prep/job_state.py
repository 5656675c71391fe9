"""How far the two Jobs of Prep are: read from their objects, which hold all state of a running Prep."""

from __future__ import annotations

from enum import StrEnum

from agent.ibu.itineraries import StageContext
from agent.ibu.prep.jobs import PRECACHE_JOB, STATEROOT_JOB
from agent.kube import Kind, Object
from agent.workflow.step import Traits

JOB = Kind("batch", "v1", "Job")


class JobState(StrEnum):
    """How far a Job is."""

    ABSENT = "absent"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    DELETED = "deleted"
    """Marked for deletion; its finalizer still holds it."""


def classify_job(job: Object | None) -> JobState:
    """Tell how far a Job is; a deletion counts before everything else."""
    if job is None:
        return JobState.ABSENT
    if job["metadata"].get("deletionTimestamp"):
        return JobState.DELETED
    conditions = (job.get("status") or {}).get("conditions") or ()
    true = {condition["type"] for condition in conditions if condition.get("status") == "True"}
    if "Complete" in true:
        return JobState.COMPLETE
    return JobState.FAILED if "Failed" in true else JobState.RUNNING


def read_job(context: StageContext, name: str) -> JobState:
    """Look at one Job. Raises ApiError."""
    return classify_job(context.ports.client.find(JOB, name, context.ports.namespace))


def observe_jobs(context: StageContext) -> Traits:
    """Tell the gates how far both Jobs are."""
    stateroot = read_job(context, STATEROOT_JOB)
    precache = read_job(context, PRECACHE_JOB) if stateroot is JobState.COMPLETE else JobState.ABSENT
    return frozenset({f"stateroot-{stateroot}", f"precache-{precache}"})


def launches_stateroot(traits: Traits) -> bool:
    """The stateroot Job is still to be launched."""
    return f"stateroot-{JobState.ABSENT}" in traits


def launches_job(traits: Traits) -> bool:
    """One of the two Jobs is to be launched in this pass."""
    precache_due = {f"stateroot-{JobState.COMPLETE}", f"precache-{JobState.ABSENT}"} <= traits
    return launches_stateroot(traits) or precache_due
