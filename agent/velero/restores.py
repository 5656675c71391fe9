"""Restores an application wave by wave after the pivot (upgrade-and-oadp.md 11, post-pivot-and-rollback.md 9.1).

`run_restores` looks once, does what is due, and says how it stands; a repeat finds its Restores by name. There is no
time limit here: the watchdog of the whole configuration ends what never does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from agent.kube import Client, Object, errors
from agent.velero.content import get_name
from agent.velero.evidence import Investigation, report_failure
from agent.velero.failures import join_failures
from agent.velero.locations import Locations
from agent.velero.messages import FAILED_RESTORES, RESTORE_IN_PROGRESS, RESTORING, failure_occurred, in_wave
from agent.velero.names import BACKUP, CLUSTER_ID_LABEL, RESTORE
from agent.velero.notice import Report, log_notice
from agent.velero.portable import make_portable
from agent.velero.progress import Standing, describe_progress, judge, read_status
from agent.velero.starting import RefusedError, StartError, start
from agent.workflow.outcome import Done, Failed, Outcome, Wait

PROGRESS_POLL = timedelta(seconds=30)
PENDING_POLL = timedelta(seconds=60)
RETRY_PAUSE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class RestoreRun:
    """What a look at the Restores needs.

    `cluster_id` is the one that the Backups bear. `evidence` is where this process sees the folder `EVIDENCE` of the
    system to which a rollback would lead; without it nothing is saved. `report` takes warnings for the user.
    """

    client: Client
    cluster_id: str
    now: datetime
    evidence: Path | None = None
    report: Report = log_notice


def run_restores(run: RestoreRun, groups: Sequence[Sequence[Object]]) -> Outcome:
    """Start and follow the Restores group by group.

    Failed: a Restore failed; Wait: it goes on, its Backup has not been found in the bucket yet, or an error occurred
    that may pass; Done: all Restores are complete. Raises nothing but `Closed`.
    """
    try:
        for number, group in enumerate(groups, 1):
            outcome = _advance(run, group, number, len(groups))
            if not isinstance(outcome, Done):
                return outcome
    except RefusedError as error:
        run.report(report_failure(RESTORE, error.failure))
        return Failed(join_failures(FAILED_RESTORES, [error.failure]))
    except errors.Closed:
        raise
    except (errors.ApiError, StartError) as error:
        return Wait(failure_occurred(RESTORING, error), RETRY_PAUSE)
    return Done()


def _advance(run: RestoreRun, group: Sequence[Object], number: int, count: int) -> Outcome:
    live = [run.client.find(RESTORE, get_name(restore), restore["metadata"].get("namespace")) for restore in group]
    failed = [restore for restore in live if restore is not None and judge(restore) is Standing.FAILED]
    if failed:
        failures = Investigation(run.client, run.evidence, run.report).explain(failed)
        return Failed(join_failures(FAILED_RESTORES, failures))
    awaited, progressing = [], False
    for wanted, found in zip(group, live, strict=True):
        if found is None:
            if obstacle := _find_obstacle(run, wanted):
                awaited.append(f"{get_name(wanted)} {obstacle}")
                continue
            found, progressing = start(run.client, make_portable(wanted)), True
        standing = judge(found)
        progressing = progressing or standing is Standing.PROGRESSING
        if standing is not Standing.SUCCEEDED:
            awaited.append(_describe(found, run.now))
    if not awaited:
        return Done()
    message = in_wave(RESTORE_IN_PROGRESS, number, count, awaited)
    return Wait(message, PROGRESS_POLL if progressing else PENDING_POLL)


def _describe(restore: Object, now: datetime) -> str:
    started = read_status(restore).get("startTimestamp")
    minutes = int((now - datetime.fromisoformat(started)).total_seconds()) // 60 if started else 0
    return describe_progress(restore) + (f", for {minutes} min" if minutes > 0 else "")


def _find_obstacle(run: RestoreRun, restore: Object) -> str | None:
    """Return what a Restore has to wait for before it may be created; Velero would fail it at once."""
    name = str((restore.get("spec") or {}).get("backupName", ""))
    backup = run.client.find(BACKUP, name, restore["metadata"].get("namespace")) if name else None
    if backup is None:
        return f"waits until Velero has found Backup {name or '(spec.backupName is empty)'} in the bucket"
    cluster_id = (backup["metadata"].get("labels") or {}).get(CLUSTER_ID_LABEL)
    if cluster_id != run.cluster_id:
        return f"waits: Backup {name} is of cluster {cluster_id or 'unknown'}, not of this one ({run.cluster_id})"
    obstacle = Locations.read(run.client).find_obstacle(backup)
    return f"waits: {obstacle}" if obstacle else None
