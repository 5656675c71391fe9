"""Puts a Backup's label onto the objects that its apply-label annotation names, and takes it off (6.2, 12).

The objects are of arbitrary kinds, so this is done with the rights of the node's administrator.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from agent.kube import Client, Object, errors
from agent.velero.apply_label import LABEL, ApplyLabelError, LabelTarget, label_patch
from agent.velero.content import get_name, read_targets

log = logging.getLogger(__name__)

ConnectAdmin: TypeAlias = Callable[[], Client]
"""Opens a client with the rights of the node's administrator, to be closed by the caller. Raises AccessError."""

_UNLABEL = [{"op": "remove", "path": f"/metadata/labels/{LABEL.replace('/', '~1')}"}]


class LabelError(Exception):
    """Objects could not be labelled; the pass is to be repeated."""


def label_targets(connect_admin: ConnectAdmin, backup: Object) -> Object:
    """Label the objects that the Backup names, and return the Backup with a selector for them.

    Raises LabelError that names every object which could not be labelled, ApplyLabelError and AccessError.
    """
    targets = read_targets(backup)
    if not targets:
        return backup
    problems = []
    with connect_admin() as admin:
        for target in targets:
            try:
                admin.request(
                    "PATCH",
                    target.path,
                    body=label_patch(get_name(backup)),
                    content_type="application/merge-patch+json",
                )
            except errors.Closed:
                raise
            except errors.ApiError as error:
                problems.append(_describe(target, error))
    if problems:
        raise LabelError("failed to apply backup labels: " + "; ".join(problems))
    return select_labelled(backup)


def select_labelled(backup: Mapping[str, Any]) -> Object:
    """Return the Backup with its own label added to what its selector asks for."""
    spec = backup.get("spec") or {}
    selector = spec.get("labelSelector") or {}
    labels = {**(selector.get("matchLabels") or {}), LABEL: get_name(backup)}
    return {**backup, "spec": {**spec, "labelSelector": {**selector, "matchLabels": labels}}}


def unlabel_targets(connect_admin: ConnectAdmin, backup: Object) -> None:
    """Take the Backup's label off the objects it names; what is gone or not ours to change is only logged."""
    name = get_name(backup)
    try:
        targets = read_targets(backup)
        if not targets:
            return
        with connect_admin() as admin:
            for target in targets:
                _unlabel(admin, name, target)
    except (ApplyLabelError, errors.AccessError) as error:
        log.warning("labels of backup %s stay on its objects: %s", name, error)


def _unlabel(admin: Client, backup: str, target: LabelTarget) -> None:
    try:
        admin.request("PATCH", target.path, body=_UNLABEL, content_type="application/json-patch+json")
    except errors.Closed:
        raise
    except (errors.NotFound, errors.Invalid):
        return  # the object or its label is gone
    except errors.ApiError as error:
        log.warning("label of backup %s stays on %s: %s", backup, target.path, error)


def _describe(target: LabelTarget, error: errors.ApiError) -> str:
    return (
        f"failed to apply backup label on object name:{target.name} namespace:{target.namespace} "
        f"resource:{target.resource} group:{target.group} version:{target.version} err:failed to patch object: {error}"
    )
