"""Making the custom resource: a fresh idle one, or the one saved before a reboot or a deletion (ibu-api.md 8.2)."""

from __future__ import annotations

import logging
from datetime import datetime

from agent.ibu.kind import IBU, IBU_NAME
from agent.kube import Client, Object, errors
from agent.pivot.saved import Damaged, SavedResource, drop_nulls, prepare_for_create

log = logging.getLogger(__name__)

_ATTEMPTS = 5


def ensure_resource(client: Client, saved: SavedResource, now: datetime) -> bool:
    """Restore the saved resource, or create a fresh one where there is none; return whether anything was done.

    Raises ApiError and OSError; it may be repeated at any point, since the saved file is removed last.
    """
    found = saved.load()
    if isinstance(found, dict):
        try:
            _restore(client, found)
            saved.remove()
            log.info("resource restored from its file", extra={"object": IBU_NAME})
            return True
        except (errors.Invalid, errors.BadRequest) as error:
            found = saved.move_aside(f"the API server refuses it: {error}")
    if isinstance(found, Damaged):
        log.error("saved resource can not be used", extra={"moved_to": found.moved_to, "reason": found.reason})
    return _create_fresh(client, found, now)


def describe_damage(damaged: Damaged) -> str:
    """Return the message of a fresh resource that should have been another one."""
    return (
        f"Idle. The state saved before the last reboot or deletion could not be read ({damaged.reason}) and was moved "
        f"to {damaged.moved_to}: check with 'ostree admin status' which release is booted before preparing an upgrade; "
        "a release that was booted for an upgrade may roll back by itself"
    )


def make_fresh() -> Object:
    """Return an idle resource, as the operator creates it."""
    metadata = {"name": IBU_NAME}
    spec = {"stage": "Idle", "seedImageRef": {}}
    return {"apiVersion": IBU.api_version, "kind": IBU.kind, "metadata": metadata, "spec": spec}


def _create_fresh(client: Client, damaged: Damaged | None, now: datetime) -> bool:
    try:
        upgrade = client.create(make_fresh())
        log.info("resource created", extra={"object": IBU_NAME})
    except errors.AlreadyExists:
        upgrade = client.get(IBU, IBU_NAME)
        if damaged is None or upgrade.get("status"):
            return False
    if damaged is not None:
        from crds.base import format_time  # rarely needed, and slow to import at a start

        idle = {
            "type": "Idle",
            "status": "True",
            "reason": "Idle",
            "message": describe_damage(damaged),
            "lastTransitionTime": format_time(now),
            "observedGeneration": upgrade["metadata"]["generation"],
        }
        client.update_status({**upgrade, "status": {"conditions": [idle], "validNextStages": ["Prep"]}})
    return True


def _restore(client: Client, saved: Object) -> None:
    """Replace whatever is there by the saved object, with its status."""
    wanted = prepare_for_create(saved, api_version=IBU.api_version, kind=IBU.kind)
    restored = _recreate(client, wanted)
    if saved.get("status"):
        client.update_status({**restored, "status": drop_nulls(saved["status"])})


def _recreate(client: Client, wanted: Object) -> Object:
    """Create `wanted` in the place of an existing object; others, a GitOps controller for one, may do so as well."""
    for attempt in range(1, _ATTEMPTS + 1):
        existing = client.find(IBU, IBU_NAME)
        try:
            if existing is not None and not existing.get("status"):
                # Nothing has begun, so it may still be changed in every field.
                metadata = {**existing["metadata"], **wanted["metadata"]}
                return client.update({**existing, "metadata": metadata, "spec": wanted["spec"]})
            if existing is not None:
                client.delete(IBU, IBU_NAME, uid=existing["metadata"]["uid"])
            return client.create(wanted)
        except (errors.AlreadyExists, errors.Conflict, errors.NotFound):
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")
