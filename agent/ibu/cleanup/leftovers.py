"""What Prep leaves besides stateroots: precache objects, warning annotation, files (ibu-api.md 6.3 parts 2, 3, 5)."""

from __future__ import annotations

import logging
import shutil

from agent.ibu.cleanup.jobs import delete_job
from agent.ibu.cleanup.parts import PartError
from agent.ibu.itineraries import StageContext
from agent.ibu.ports import WORKSPACE
from agent.ibu.prep.jobs import PRECACHE_CONFIG_MAP, PRECACHE_FINALIZER, PRECACHE_JOB
from agent.kube import Kind, errors
from agent.pivot.completion import is_completed, remove_completion_mark
from agent.pivot.decided import RollbackDecision
from agent.pivot.saved import SAVED_PATH, SavedResource
from agent.pivot.watchdog import call_off
from crds.imagebasedupgrade import Annotation
from hostops.reboot import Rebooter
from hostops.runner import CommandError

logger = logging.getLogger(__name__)

CONFIG_MAP = Kind("", "v1", "ConfigMap")


def remove_precache_objects(context: StageContext) -> None:
    """Delete the precache Job and its image list."""
    ports = context.ports
    try:
        delete_job(ports.client, ports.namespace, PRECACHE_JOB, PRECACHE_FINALIZER)
    except errors.ApiError as error:
        raise PartError(f"failed to job: {error}") from error
    try:
        ports.client.delete(CONFIG_MAP, PRECACHE_CONFIG_MAP, ports.namespace)
    except errors.NotFound:
        return
    except errors.ApiError as error:
        raise PartError(f"failed to delete configMaps: {error}") from error


def remove_warning(context: StageContext) -> None:
    """Take the validation warning off the upgrade resource."""
    try:
        context.resource.annotate(Annotation.VALIDATION_WARNING, None)
    except errors.Conflict:
        raise  # the resource has changed: this pass is void
    except errors.ApiError as error:
        raise PartError(f"failed to update annotations: {error}") from error


def remove_saved_resource(context: StageContext) -> None:
    """Forget the copy that was saved for a reboot, and the request for one.

    The copy, restored later, would bring a finished upgrade back; the request would be taken for that of the next one.
    """
    try:
        SavedResource(context.ports.root).remove()
        Rebooter(context.ports.runner, context.ports.root).withdraw()
    except OSError as error:
        raise PartError(f"removing {SAVED_PATH} failed: {error}") from error


def forget_pivot(context: StageContext) -> None:
    """Forget that the upgrade has completed, unless a watchdog is left that has to find it on its disk."""
    ports = context.ports
    try:
        RollbackDecision(ports.root).remove()
        if not is_completed(ports.root):
            return
        try:
            call_off(ports.runner, ports.root)
        except CommandError as error:
            logger.error("the watchdog can not be stopped; the note that holds it back stays: %s", error)
            return
        remove_completion_mark(ports.root)
    except OSError as error:
        raise PartError(f"failed to remove what the pivot has left: {error}") from error


def remove_workspace(context: StageContext) -> None:
    """Remove the workspace, which holds only what belongs to this upgrade."""
    path = context.ports.root.path(WORKSPACE)
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise PartError(f"removing {WORKSPACE} failed: {error}") from error
