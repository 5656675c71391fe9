"""The server: which controller looks after which kind."""

from __future__ import annotations

from collections.abc import Callable

from agent.kube import Client, Kind
from sandbox.cluster.following import Stopping
from sandbox.controller import Handler, run_controller
from sandbox.faults import Faults
from sandbox.velero.backups import Backups
from sandbox.velero.context import Context
from sandbox.velero.dataprotection import DataProtection
from sandbox.velero.injection import Injection
from sandbox.velero.names import (
    BACKUP,
    DATA_PROTECTION,
    DELETE_BACKUP_REQUEST,
    DOWNLOAD_REQUEST,
    RESTORE,
    SERVER_STATUS_REQUEST,
    STORAGE_LOCATION,
)
from sandbox.velero.requests import Deletions, Downloads, ServerStatus
from sandbox.velero.restores import Restores
from sandbox.velero.syncing import Syncing

OADP_NAMESPACE = "openshift-adp"


class VeleroServer:
    """Velero and OADP of one namespace."""

    def __init__(self, client: Client, *, namespace: str = OADP_NAMESPACE, faults: Faults | None = None) -> None:
        self._client = client
        self._namespace = namespace
        self._faults = faults

    def run(self, stop: Stopping) -> None:
        """Work until `stop` is set or the client is closed."""
        context = Context(self._client, self._namespace, Injection(self._faults))
        backups, restores = Backups(context), Restores(context)
        backups.recover()
        restores.recover()
        handlers: dict[Kind, Handler] = {
            BACKUP: _by_name(backups.handle),
            RESTORE: _by_name(restores.handle),
            DELETE_BACKUP_REQUEST: _by_name(Deletions(context).handle),
            DOWNLOAD_REQUEST: _by_name(Downloads(context).handle),
            SERVER_STATUS_REQUEST: _by_name(ServerStatus(context).handle),
            STORAGE_LOCATION: _by_name(Syncing(context).handle),
            DATA_PROTECTION: _by_name(DataProtection(self._client, self._namespace).handle),
        }
        run_controller(self._client, handlers, stop, namespace=self._namespace)


def _by_name(handle: Callable[[str], float | None]) -> Handler:
    """All objects are in one namespace."""
    return lambda name, _: handle(name)
