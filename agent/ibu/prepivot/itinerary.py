"""The Upgrade stage up to the reboot as an itinerary (upgrade-and-oadp.md 2).

Nothing marks how far a pass has come: each runs all steps, so that what is handed over is what the cluster is at the
end. Up to the switch of the default the running release is as it was, but for backups and the volumes' reclaim policy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from agent.ibu import messages
from agent.ibu.health.waiting import await_health
from agent.ibu.itineraries import StageContext
from agent.ibu.prepivot.application import back_up, export_application
from agent.ibu.prepivot.cert_manager import export_certificates
from agent.ibu.prepivot.cluster_configuration import export_cluster_configuration
from agent.ibu.prepivot.local_storage import export_local_storage
from agent.ibu.prepivot.manifests import export_manifests
from agent.ibu.prepivot.reboot import find_stateroot, is_before_reboot, make_default, observe_reboot, reboot
from agent.ibu.prepivot.saving import save_for_new_release, save_for_old_release
from agent.ibu.prepivot.target import locate, repeated
from agent.workflow.outcome import Done, Outcome
from agent.workflow.step import Itinerary, Step
from hostops.files import make_directory, write_atomically
from hostops.mounts import remount_writable
from seeds.autorollback import CONFIG_FILE, AutoRollbackConfig
from seeds.handover import CLUSTER_MANIFESTS

log = logging.getLogger(__name__)

PHASE = "PrePivot"


def wait_healthy(context: StageContext) -> Outcome:
    """Take along only a cluster that is stable."""
    return await_health(context, messages.pre_pivot_waiting_for_health)


def open_stateroot(context: StageContext) -> Outcome:
    """Make the new stateroot writable, with the folder that `/opt` will be."""
    with repeated("error while remounting sysroot"):
        remount_writable(context.ports.runner)
        make_directory(locate(context, "/var/opt"), 0o755)
    return Done()


def refresh_rollback_settings(context: StageContext) -> Outcome:
    """Freeze the switches of the automatic rollback as they are now: the annotations may be newer than Prep."""
    with repeated("error while exporting automatic rollback configuration"):
        path = locate(context, f"/{CONFIG_FILE}")
        make_directory(path.parent, 0o700)
        write_atomically(path, AutoRollbackConfig.choose(context.cr).dump())
    return Done()


def list_exports(context: StageContext) -> Outcome:
    """Note in the log what the new release will apply first."""
    with repeated("error while listing exported manifests"):
        files = sorted(locate(context, CLUSTER_MANIFESTS).iterdir())
        sizes = ", ".join(f"{path.name} {path.stat().st_size}" for path in files)
    log.info("manifests for the new release", extra={"bytes": sizes or "none"})
    return Done()


def _before_reboot(run: Callable[[StageContext], Outcome], announce: str = "", phase: str = "") -> Step[StageContext]:
    return Step(run.__name__, run, phase, announce, is_before_reboot)


_EXPORTING = messages.EXPORTING_CLUSTER_CONFIGURATION
PRE_PIVOT: Itinerary[StageContext] = Itinerary(
    "pre-pivot",
    (
        _before_reboot(find_stateroot, phase=PHASE),
        _before_reboot(wait_healthy, phase=PHASE),
        _before_reboot(back_up, messages.BACKING_UP, PHASE),
        _before_reboot(open_stateroot, messages.BACKING_UP, PHASE),
        _before_reboot(refresh_rollback_settings, messages.BACKING_UP, PHASE),
        _before_reboot(export_application, messages.EXPORTING_APPLICATION_CONFIGURATION, PHASE),
        _before_reboot(export_manifests, messages.EXPORTING_MANIFESTS, PHASE),
        _before_reboot(export_cluster_configuration, _EXPORTING, PHASE),
        _before_reboot(export_local_storage, _EXPORTING, PHASE),
        _before_reboot(export_certificates, _EXPORTING, PHASE),
        _before_reboot(list_exports, messages.IN_PROGRESS, PHASE),
        _before_reboot(save_for_new_release),
        _before_reboot(save_for_old_release),
        _before_reboot(make_default),
        Step("reboot", reboot),
    ),
    observe_reboot,
)
