"""Deletes Backups by requests to Velero, so that the object store is cleaned too (upgrade-and-oadp.md 6.3, 6.7).

One look at a time: what was asked for in an earlier pass is recognised by its requests. Their names count the tries, so
that no crash makes us forget one or ask without end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from agent.kube import Client, Object, errors
from agent.velero.names import BACKUP, CLUSTER_ID_LABEL, DELETE_REQUEST
from agent.velero.progress import (
    FAILED_VALIDATION,
    describe_progress,
    is_running,
    read_phase,
    read_status,
)
from agent.velero.standstill import is_too_long, note_progress

LIMIT = timedelta(minutes=5)
"""How long Velero may take to answer a request."""
TRIES = 3
PAUSE = timedelta(seconds=30)
"""Between a refusal and the next try: most causes pass."""

_STILL_RUNNING = "backup is still in progress"
_LONGEST_NAME = 253
_SHORT_UID = 8

Key: TypeAlias = tuple[str, str]
"""Namespace and name of a Backup."""


class DeletionError(Exception):
    """Velero refuses to delete a Backup, or does not answer; the text begins as documented."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """How Backups are deleted: through whom, in whose name, seen when.

    `prepare` is called before the first request for a Backup is made, perhaps more than once.
    """

    client: Client
    cluster_id: str
    now: datetime
    prepare: Callable[[Object], object]

    def delete(self, backups: Sequence[Object]) -> list[str]:
        """Do what is due for each Backup, and return what is being waited for; nothing: all are gone.

        Raises DeletionError when there is nothing left to try for one of them, after all have been looked at; ApiError.
        """
        if not backups:
            return []
        requests = self._list_requests()
        awaited, problems = [], []
        for backup in backups:
            try:
                awaited.append(self._advance(backup, requests[key_of(backup)]))
            except DeletionError as problem:
                problems.append(str(problem))
        if problems:
            raise DeletionError(f"failed to delete backups: {'; '.join(problems)}")
        return awaited

    def _advance(self, backup: Object, requests: Sequence[Object]) -> str:
        name = backup["metadata"]["name"]
        answered = [request for request in requests if read_phase(request) == "Processed"]
        unanswered = [request for request in requests if read_phase(request) != "Processed"]
        if unanswered:
            return self._await_answer(name, unanswered)
        if is_running(backup):
            return self._await_end(backup)
        refused = sorted(filter(self._is_ours, answered), key=_read_try)
        if len(refused) >= TRIES:
            self._give_up(name, refused)
        if refused and self.now - _read_creation(refused[-1]) < PAUSE:
            return f"{name} (refused, asked again soon: {_describe_errors(refused[-1])})"
        if not self._still_exists(backup):
            return str(name)
        self.prepare(backup)
        if read_phase(backup) == FAILED_VALIDATION:
            self._remove(backup)
        else:
            self._request(backup, _read_try(refused[-1]) + 1 if refused else 1)
        return str(name)

    def _still_exists(self, backup: Object) -> bool:
        """Look again: requests that we do not see may have been carried out since the Backup was read."""
        metadata = backup["metadata"]
        live = self.client.find(BACKUP, metadata["name"], metadata["namespace"])
        return live is not None and bool(live["metadata"]["uid"] == metadata["uid"])

    def _remove(self, backup: Object) -> None:
        """Delete the object of a Backup that never began: what the store holds under its name is not its own."""
        metadata = backup["metadata"]
        try:
            self.client.delete(BACKUP, metadata["name"], metadata["namespace"], uid=metadata["uid"])
        except errors.NotFound:
            return

    def _await_answer(self, name: str, requests: Iterable[Object]) -> str:
        first = min(requests, key=_read_creation)
        if self.now - _read_creation(first) <= LIMIT:
            return name
        metadata = first["metadata"]
        raise DeletionError(
            f"context deadline exceeded (deleteBackupRequest {metadata['name']} is open since "
            f"{metadata['creationTimestamp']}: is the velero pod in {metadata['namespace']} running?)"
        )

    def _await_end(self, backup: Object) -> str:
        standstill = self.now - note_progress(self.client, backup, self.now)
        progress = describe_progress(backup, standstill)
        if not is_too_long(backup, standstill):
            return f"{progress}, deleted when it has ended"
        raise DeletionError(
            f"{_STILL_RUNNING}: {progress}; if deployment/velero is started again, it gives the backup up"
        )

    def _give_up(self, name: str, refused: Sequence[Object]) -> None:
        for request in refused:  # the next cleanup begins anew
            _forget(self.client, request)
        if errors_told := _describe_errors(refused[-1]):
            raise DeletionError(f"deleteBackupRequest {name} failed with errors: [{errors_told}]")
        raise DeletionError(f"all DeleteBackupRequests are processed, but backup {name} is not deleted")

    def _request(self, backup: Object, number: int) -> None:
        metadata = backup["metadata"]
        request: Object = {
            "apiVersion": DELETE_REQUEST.api_version,
            "kind": DELETE_REQUEST.kind,
            "metadata": {
                "name": name_request(metadata["name"], metadata["uid"], number),
                "namespace": metadata["namespace"],
                "labels": {CLUSTER_ID_LABEL: self.cluster_id},
            },
            "spec": {"backupName": metadata["name"]},
        }
        try:
            self.client.create(request)
        except errors.AlreadyExists:  # made since we looked; the next pass sees it
            return

    def _list_requests(self) -> dict[Key, list[Object]]:
        """All requests by Backup, whoever made them."""
        found: dict[Key, list[Object]] = defaultdict(list)
        for request in self.client.list(DELETE_REQUEST):
            found[request["metadata"]["namespace"], (request.get("spec") or {}).get("backupName", "")].append(request)
        return found

    def _is_ours(self, request: Object) -> bool:
        return (request["metadata"].get("labels") or {}).get(CLUSTER_ID_LABEL) == self.cluster_id


def delete_own_backups(
    client: Client, cluster_id: str, now: datetime, prepare: Callable[[Object], object]
) -> list[str]:
    """Delete every Backup that bears this cluster's ID; other clusters' stay (upgrade-and-oadp.md 12).

    Returns what is being waited for; nothing: all are gone. Raises DeletionError and ApiError.
    """
    own = client.list(BACKUP, labels=f"{CLUSTER_ID_LABEL}={cluster_id}")
    return Deletion(client, cluster_id, now, prepare).delete(own)


def forget_requests(client: Client, cluster_id: str) -> None:
    """Delete all requests that were made in the name of this cluster. Raises ApiError."""
    for request in client.list(DELETE_REQUEST, labels=f"{CLUSTER_ID_LABEL}={cluster_id}"):
        _forget(client, request)


def key_of(backup: Object) -> Key:
    """Return namespace and name of a Backup."""
    metadata = backup["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def name_request(backup: str, uid: str, number: int) -> str:
    """Return the name of the request with this number for one very Backup."""
    suffix = f"-{uid[:_SHORT_UID]}-{number}"
    return backup[: _LONGEST_NAME - len(suffix)].rstrip(".-") + suffix


def _forget(client: Client, request: Object) -> None:
    metadata = request["metadata"]
    try:
        client.delete(DELETE_REQUEST, metadata["name"], metadata["namespace"])
    except errors.NotFound:
        return


def _read_try(request: Object) -> int:
    number = request["metadata"]["name"].rpartition("-")[2]
    return int(number) if number.isascii() and number.isdigit() else 0


def _read_errors(request: Object) -> list[str]:
    return [str(error) for error in read_status(request).get("errors") or ()]


def _describe_errors(request: Object) -> str:
    return " ".join(_read_errors(request))


def _read_creation(request: Object) -> datetime:
    return datetime.fromisoformat(request["metadata"]["creationTimestamp"])
