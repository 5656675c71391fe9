"""The custom resource and its Secret on the host, while they are deleted from the cluster (A.7 steps 5, 11-14, A.8)."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from agent.kube import Client, Object, errors
from agent.pivot.saved import drop_nulls
from agent.seedgen.context import Context
from agent.seedgen.kind import SECRET, SECRET_NAME, SEEDGEN, SEEDGEN_NAME, UPGRADE, UPGRADE_NAME
from agent.seedgen.ports import Ports
from agent.workflow.outcome import Failed, Outcome
from hostops import files
from hostops.hostroot import HostRoot
from seeds.creation.workspace import WORKSPACE

logger = logging.getLogger(__name__)

CR_FILE, SECRET_FILE = "seedgen-cr.json", "seedgen-secret.json"
PULL_SECRET_FILE = "pull-secret.json"  # noqa: S105
_GIVEN_BY_SERVER = (
    *("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "deletionTimestamp"),
    *("deletionGracePeriodSeconds", "selfLink"),
)


def has_stored_files(root: HostRoot) -> bool:
    """Whether files lie on the host that belong back into the cluster."""
    return any(root.path(f"{WORKSPACE}/{name}").exists() for name in (CR_FILE, SECRET_FILE, PULL_SECRET_FILE))


def store_secret(context: Context) -> Outcome | None:
    """Keep the Secret on the host."""
    ports = context.ports
    try:
        secret = ports.client.get(SECRET, SECRET_NAME, ports.namespace)
    except errors.Transient:
        raise
    except errors.ApiError as error:
        return Failed(f"could not access secret {SECRET_NAME} in {ports.namespace}: {error}")
    files.write_json(ports.workspace(SECRET_FILE), secret)
    return None


def store_generator(context: Context) -> None:
    """Keep the custom resource with its status on the host."""
    files.write_json(context.ports.workspace(CR_FILE), context.resource.raw)


def remove_secret(context: Context) -> None:
    """Delete the Secret: credentials must not be in a seed."""
    _delete(context.ports.client, SECRET_NAME, context.ports.namespace)


def remove_generator(context: Context) -> None:
    """Delete the custom resource."""
    with contextlib.suppress(errors.NotFound):
        context.ports.client.delete(SEEDGEN, SEEDGEN_NAME)
    context.resource.read()


def remove_upgrade(context: Context) -> None:
    """Delete the upgrade's resource; its controller makes a fresh one."""
    with contextlib.suppress(errors.NotFound):
        context.ports.client.delete(UPGRADE, UPGRADE_NAME)


def restore_secret(context: Context) -> None:
    """Create the Secret again if it is gone."""
    ports = context.ports
    stored = _read(ports, SECRET_FILE)
    if stored is not None:
        _create_missing(ports.client, stored)
        _set_aside(ports, SECRET_FILE)


def restore_generator(context: Context) -> None:
    """Create the custom resource again, with the status that it had; one that exists by now stays as it is."""
    ports = context.ports
    stored = _read(ports, CR_FILE)
    if stored is None:
        return
    live = _create_missing(ports.client, stored)
    if not live.get("status") and stored.get("status"):
        ports.client.update_status({**live, "status": drop_nulls(stored["status"])})
    _set_aside(ports, CR_FILE)
    context.resource.read()


def _create_missing(client: Client, stored: Object) -> Object:
    metadata = {key: value for key, value in stored["metadata"].items() if key not in _GIVEN_BY_SERVER}
    wanted: Object = drop_nulls({**stored, "metadata": metadata})
    wanted.pop("status", None)
    try:
        return client.create(wanted)
    except errors.AlreadyExists:
        kind = SEEDGEN if stored["kind"] == SEEDGEN.kind else SECRET
        return client.get(kind, metadata["name"], metadata.get("namespace"))


def _read(ports: Ports, name: str) -> Any:
    path = ports.workspace(name)
    try:
        return files.read_json(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        # Written atomically, so this is not ours to mend; without it nothing else may be held up.
        logger.error("%s is set aside: %s", name, error)
        _set_aside(ports, name)
        return None


def _set_aside(ports: Ports, name: str) -> None:
    path = ports.workspace(name)
    path.replace(path.with_name(f"{name}.bak"))
    files.sync_directory(path.parent)


def _delete(client: Client, name: str, namespace: str) -> None:
    with contextlib.suppress(errors.NotFound):
        client.delete(SECRET, name, namespace)
