"""Ends the stateroot Job and removes every stateroot that is not booted (ibu-api.md 6.3, parts 1a and 1b)."""

from __future__ import annotations

from datetime import timedelta

from agent.ibu.cleanup.jobs import delete_job
from agent.ibu.cleanup.parts import PartError, measure_elapsed
from agent.ibu.itineraries import StageContext
from agent.ibu.prep.jobs import STATEROOT_FINALIZER, STATEROOT_JOB
from agent.kube import Kind, Object, errors
from hostops.rpmostree import DeploymentError
from hostops.stateroots import StaterootError, Stateroots

POD = Kind("", "v1", "Pod")
# The Job's own grace period: its critical part, writing the stateroot, runs to its end.
POD_LIMIT = timedelta(seconds=1800)
_PREFIX = "failed to cleanup cluster stateroot resources: "


def remove_stateroots(context: StageContext) -> str | None:
    """Delete the Job, wait until nothing of it runs any more, then remove what it built."""
    ports = context.ports
    try:
        delete_job(ports.client, ports.namespace, STATEROOT_JOB, STATEROOT_FINALIZER)
        pods = [p for p in ports.client.list(POD, ports.namespace, labels=f"job-name={STATEROOT_JOB}") if _runs(p)]
    except errors.ApiError as error:
        raise PartError(f"{_PREFIX}{error}") from error
    if pods:
        left = POD_LIMIT - measure_elapsed(context)
        if left <= timedelta(0):
            raise PartError(
                f"{_PREFIX}failed to wait until stateroot setup job pod is removed: context deadline exceeded"
            )
        name = pods[0]["metadata"]["name"]
        return f"pod {name} of the stateroot setup job to end (at most {int(left.total_seconds())} s more)"
    try:
        Stateroots(ports.runner, ports.root).remove_unbooted()
    except (StaterootError, DeploymentError) as error:
        raise PartError(f"failed to clean up host stateroot resources: {error}") from error
    return None


def _runs(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
