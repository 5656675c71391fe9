"""Deletes the Jobs of Prep, whose finalizers keep them until the agent agrees."""

from __future__ import annotations

from agent.kube import Client, Kind, errors

JOB = Kind("batch", "v1", "Job")


def delete_job(client: Client, namespace: str, name: str, finalizer: str) -> None:
    """Take our finalizer off a Job and delete it with its pods; absence is fine. Raises ApiError."""
    job = client.find(JOB, name, namespace)
    if job is None:
        return
    finalizers = job["metadata"].get("finalizers") or []
    try:
        if finalizer in finalizers:
            job["metadata"]["finalizers"] = [item for item in finalizers if item != finalizer]
            client.update(job)
        if not job["metadata"].get("deletionTimestamp"):
            client.delete(JOB, name, namespace, propagation="Foreground")
    except errors.NotFound:
        return
