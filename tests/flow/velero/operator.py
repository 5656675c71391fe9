"""Plays the operator around the engine: looks, waits for the next event, looks again, as its controller does."""

from __future__ import annotations

import contextlib
import queue
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.kube import Client, Kind, Object
from agent.velero.backups import BackupRun, run_backups
from agent.velero.deletion import delete_own_backups, forget_requests
from agent.velero.labelling import unlabel_targets
from agent.velero.names import BACKUP, DELETE_REQUEST, DOWNLOAD_REQUEST, RESTORE, STORAGE_LOCATION
from agent.velero.notice import Notice
from agent.velero.restores import RestoreRun, run_restores
from agent.workflow.outcome import Done, Failed, Outcome, Wait
from sandbox.cluster.following import Stopping, follow
from sandbox.velero import OADP_NAMESPACE

WATCHED = (BACKUP, RESTORE, DELETE_REQUEST, STORAGE_LOCATION)
PATIENCE_SECONDS = 120.0
Look = Callable[[], Outcome]


@dataclass
class Operator:
    """One cluster's operator during one attempt.

    `connect` opens its clients, `delay` sets its clock ahead, `retry_at_once` saves the pause after an error.
    """

    connect: Callable[[], Client]
    cluster_id: str = field(default_factory=lambda: f"cluster-{uuid.uuid4().hex[:8]}")
    attempt: str = "uid 2026-01-01T00:00:00Z"
    boot_id: str = "boot 1"
    evidence: Path | None = None
    notices: list[Notice] = field(default_factory=list)
    delay: timedelta = timedelta(0)
    seen: list[str] = field(default_factory=list)
    retry_at_once: bool = False

    def __post_init__(self) -> None:
        self.client = self.connect()

    def __enter__(self) -> Operator:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def look_at_backups(self, backups: Sequence[Object]) -> Outcome:
        run = BackupRun(
            client=self.client,
            connect_admin=self.connect,
            cluster_id=self.cluster_id,
            attempt=self.attempt,
            now=self.now(),
            evidence=self.evidence,
            report=self.notices.append,
            boot_id=self.boot_id,
        )
        return run_backups(run, backups)

    def look_at_restores(self, groups: Sequence[Sequence[Object]]) -> Outcome:
        run = RestoreRun(self.client, self.cluster_id, self.now(), self.evidence, self.notices.append)
        return run_restores(run, groups)

    def back_up(self, backups: Sequence[Object], until: Callable[[Outcome], bool] | None = None) -> Outcome:
        """Look at the Backups until they have ended, or until `until` holds."""
        return self.drive(lambda: self.look_at_backups(backups), until)

    def restore(self, groups: Sequence[Sequence[Object]], until: Callable[[Outcome], bool] | None = None) -> Outcome:
        return self.drive(lambda: self.look_at_restores(groups), until)

    def delete_own(self) -> list[str]:
        return delete_own_backups(
            self.client, self.cluster_id, self.now(), lambda backup: unlabel_targets(self.connect, backup)
        )

    def clean_up(self) -> None:
        """Delete this cluster's Backups, as abort and finalize do."""
        self.drive(lambda: Wait(str(awaited), timedelta(seconds=5)) if (awaited := self.delete_own()) else Done())
        forget_requests(self.client, self.cluster_id)

    def drive(self, look: Look, until: Callable[[Outcome], bool] | None = None) -> Outcome:
        """Look after every event of Velero's objects; what is waited for is kept in `seen`."""
        done = until or (lambda outcome: not isinstance(outcome, Wait))
        with self._events() as events:
            deadline = datetime.now(UTC) + timedelta(seconds=PATIENCE_SECONDS)
            while True:
                outcome = look()
                if isinstance(outcome, Wait) and self.seen[-1:] != [outcome.message]:
                    self.seen.append(outcome.message)
                if done(outcome):
                    return outcome
                left = (deadline - datetime.now(UTC)).total_seconds()
                assert left > 0, f"not there after {PATIENCE_SECONDS:g} s: {outcome}"
                after = outcome.after.total_seconds() if isinstance(outcome, Wait) else 0.0
                if self.retry_at_once and isinstance(outcome, Wait) and "Failure occurred" in outcome.message:
                    continue
                with contextlib.suppress(queue.Empty):
                    events.get(timeout=min(left, after))

    def now(self) -> datetime:
        return datetime.now(UTC) + self.delay

    @contextlib.contextmanager
    def _events(self) -> Iterator[queue.Queue[None]]:
        events: queue.Queue[None] = queue.Queue()
        stop = Stopping()

        def feed(kind: Kind) -> None:
            for _ in follow(self.client, kind, stop, OADP_NAMESPACE):
                events.put(None)

        threads = [threading.Thread(target=feed, args=(kind,)) for kind in WATCHED]
        for thread in threads:
            thread.start()
        try:
            yield events
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def says(*parts: str) -> Callable[[Outcome], bool]:
    """The outcome's message holds all parts."""
    return lambda outcome: not isinstance(outcome, Done) and all(part in outcome.message for part in parts)


def message_of(outcome: Outcome) -> str:
    """The message of a failure."""
    assert isinstance(outcome, Failed), outcome
    return outcome.message


def label_of(velero: Any, kind: Kind, name: str, namespace: str) -> str | None:
    """The Backup whose label an object bears."""
    labels = velero.client.get(kind, name, namespace)["metadata"].get("labels") or {}
    return labels.get("lca.openshift.io/backup")


def list_download_requests(velero: Any, name: str) -> list[Object]:
    """What is left of the requests for files of the Backup or Restore `name`."""
    requests = velero.client.list(DOWNLOAD_REQUEST, OADP_NAMESPACE)
    return [request for request in requests if request["spec"]["target"]["name"] == name]


def make_backup(name: str, wave: int | str | None = None, label: str | None = None, **spec: Any) -> Object:
    """A Backup as it stands in a ConfigMap."""
    annotations = {} if wave is None else {"lca.openshift.io/apply-wave": str(wave)}
    if label is not None:
        annotations["lca.openshift.io/apply-label"] = label
    return _make("Backup", name, annotations, spec)


def make_restore(name: str, backup: str | None = None, wave: int | None = None, **spec: Any) -> Object:
    annotations = {} if wave is None else {"lca.openshift.io/apply-wave": str(wave)}
    return _make("Restore", name, annotations, {"backupName": backup or name, **spec})


def _make(kind: str, name: str, annotations: dict[str, str], spec: Object) -> Object:
    metadata = {"name": name, "namespace": OADP_NAMESPACE, **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": "velero.io/v1", "kind": kind, "metadata": metadata, "spec": spec}
