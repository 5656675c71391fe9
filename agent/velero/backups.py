"""Backs up an application wave by wave before the pivot (upgrade-and-oadp.md 6).

`run_backups` looks once, does what is due, and says how it stands. Called again, after an event or a kill, it finds its
own Backups by name, cluster and attempt and goes on with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from agent.kube import Client, Object, errors
from agent.kube.manifests import WaveError, group_by_wave
from agent.velero.apply_label import ApplyLabelError
from agent.velero.content import get_name
from agent.velero.deletion import DeletionError, key_of
from agent.velero.evidence import Investigation, report_failure
from agent.velero.failures import Failure, describe_stall, join_failures
from agent.velero.labelling import ConnectAdmin, LabelError, label_targets
from agent.velero.locations import Locations
from agent.velero.messages import (
    BACKING_UP,
    BACKUP_IN_PROGRESS,
    FAILED_BACKUPS,
    READING_BACKUPS_FAILED,
    STALE_CLEANUP_FAILED,
    failure_occurred,
    in_wave,
    list_some,
)
from agent.velero.names import BACKUP
from agent.velero.notice import Report, log_notice
from agent.velero.progress import Standing, describe_progress, judge
from agent.velero.reclaim import ReclaimError, retain_volumes
from agent.velero.stale import Owner, delete_stale, find_stale, list_live_backups
from agent.velero.standstill import is_too_long, note_progress
from agent.velero.starting import RefusedError, StartError, start
from agent.velero.time_limit import DEFAULT_LIMIT, format_duration
from agent.workflow.outcome import Done, Failed, Outcome, Wait

PROGRESS_POLL = timedelta(seconds=30)
PENDING_POLL = timedelta(seconds=60)
DELETION_POLL = timedelta(seconds=5)
RETRY_PAUSE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class BackupRun:
    """What a look at the Backups needs.

    `attempt` identifies this upgrade among all of this cluster, `boot_id` the node's present boot. `evidence` is where
    this process sees the folder `EVIDENCE` of the host; without it nothing is saved. `report` takes warnings for the
    user. A Backup without progress for `time_limit` (None: no limit) has failed; its own annotation wins.
    """

    client: Client
    connect_admin: ConnectAdmin
    cluster_id: str
    attempt: str
    now: datetime
    evidence: Path | None = None
    report: Report = log_notice
    time_limit: timedelta | None = DEFAULT_LIMIT
    boot_id: str = ""

    @property
    def owner(self) -> Owner:
        """Whose Backups these are."""
        return Owner(self.cluster_id, self.attempt, self.boot_id)


def run_backups(run: BackupRun, backups: Sequence[Object]) -> Outcome:
    """Keep the volumes, remove stale Backups, then start and follow the Backups group by group.

    Failed: a Backup failed or can not succeed; Wait: it goes on, or an error occurred that may pass; Done: all Backups
    are complete. Raises nothing but `Closed`.
    """
    if not backups:
        return Done()
    try:
        return _advance(run, group_by_wave(backups))
    except (WaveError, ApplyLabelError) as error:
        return Failed(f"{READING_BACKUPS_FAILED}{error}")
    except DeletionError as error:
        return Failed(f"{STALE_CLEANUP_FAILED}{error}")
    except RefusedError as error:
        run.report(report_failure(BACKUP, error.failure))
        return Failed(join_failures(FAILED_BACKUPS, [error.failure]))
    except errors.Closed:
        raise
    except (errors.ApiError, errors.AccessError, LabelError, ReclaimError, StartError) as error:
        return Wait(failure_occurred(BACKING_UP, error), RETRY_PAUSE)


def _advance(run: BackupRun, groups: Sequence[Sequence[Object]]) -> Outcome:
    retain_volumes(run.client)
    live = list_live_backups(run.client)
    stale = find_stale(live, (backup for group in groups for backup in group), run.owner)
    if awaited := delete_stale(run.client, stale, run.owner, run.now, run.report):
        return Wait(f"{BACKING_UP}: waiting for Velero to delete stale Backups {list_some(awaited)}", DELETION_POLL)
    for number, group in enumerate(groups, 1):
        outcome = _Group(run, group, number, len(groups)).advance([live.get(key_of(backup)) for backup in group])
        if not isinstance(outcome, Done):
            return outcome
    return Done()


@dataclass(frozen=True, slots=True)
class _Group:
    """The Backups of one wave."""

    run: BackupRun
    wanted: Sequence[Object]
    number: int
    count: int

    def advance(self, live: Sequence[Object | None]) -> Outcome:
        """Start those that are missing, and decide (6.6): failure wins over everything that still runs."""
        found = [backup for backup in live if backup is not None]
        unfinished = [backup for backup in found if judge(backup) in (Standing.PENDING, Standing.PROGRESSING)]
        standstills = {get_name(backup): self._measure_standstill(backup) for backup in unfinished}
        if failures := self._find_failures(found, standstills):
            return Failed(join_failures(FAILED_BACKUPS, failures))
        missing = [wanted for wanted, backup in zip(self.wanted, live, strict=True) if backup is None]
        obstacles = self._find_obstacles(missing) if missing else []
        progressing = any(judge(backup) is Standing.PROGRESSING for backup in unfinished)
        awaited = [describe_progress(backup, standstills[get_name(backup)]) for backup in unfinished] + obstacles
        if missing and not obstacles:
            awaited += [describe_progress(self._start(backup)) for backup in missing]
            progressing = True
        if not awaited:
            return Done()
        message = in_wave(BACKUP_IN_PROGRESS, self.number, self.count, awaited)
        return Wait(message, PROGRESS_POLL if progressing else PENDING_POLL)

    def _measure_standstill(self, backup: Object) -> timedelta:
        return self.run.now - note_progress(self.run.client, backup, self.run.now)

    def _find_failures(self, found: Sequence[Object], standstills: Mapping[str, timedelta]) -> list[Failure]:
        """Return why Backups failed, or never end, in the order of the group."""
        failed = [backup for backup in found if judge(backup) is Standing.FAILED]
        explained = Investigation(self.run.client, self.run.evidence, self.run.report).explain(failed)
        stalled = [
            describe_stall(backup, format_duration(standstills[get_name(backup)]))
            for backup in found
            if is_too_long(backup, standstills.get(get_name(backup), timedelta(0)), self.run.time_limit)
        ]
        for failure in stalled:
            self.run.report(report_failure(BACKUP, failure))
        by_name = {failure.name: failure for failure in (*explained, *stalled)}
        return [by_name[name] for name in map(get_name, self.wanted) if name in by_name]

    def _find_obstacles(self, missing: Sequence[Object]) -> list[str]:
        """Return what would let a Backup fail at once: Velero does not wait for a storage location."""
        locations = Locations.read(self.run.client)
        obstacles = ((get_name(backup), locations.find_obstacle(backup)) for backup in missing)
        return [f"{name} not started: {obstacle}" for name, obstacle in obstacles if obstacle]

    def _start(self, backup: Object) -> Object:
        """Label the objects first: Velero looks at them as soon as the Backup is there."""
        return start(self.run.client, label_targets(self.run.connect_admin, self.run.owner.mark(backup)))
