"""Every text of the state machine that users see in a condition or an event (ibu-api.md 2.6, 5.8, 6, 7, 9).

Users, policies and fleet tools match these texts: they are exact. Where something is added, it stands at the end.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.velero import messages as velero_messages
from crds.imagebasedupgrade import Annotation, Stage

IDLE = "Idle"
IN_PROGRESS = "In progress"
ABORTING = "Aborting"
FINALIZING = "Finalizing"

PREP_STAGE_COMPLETED = "Prep stage completed successfully"
PREP_STAGE_COMPLETED_WITH_WARNING = (
    "Prep stage completed with extramanifests validation warning. "
    f"Please check the annotation '{Annotation.VALIDATION_WARNING}' for details."
)

BACKING_UP = velero_messages.BACKING_UP
BACKUP_IN_PROGRESS = velero_messages.BACKUP_IN_PROGRESS
EXPORTING_APPLICATION_CONFIGURATION = "Exporting Application Configuration"
EXPORTING_MANIFESTS = "Exporting Policy and Config Manifests"
EXPORTING_CLUSTER_CONFIGURATION = "Exporting Cluster, LVM, and cert-manager configuration"
CHECKING_APPLICATION_CONFIGURATION = "Checking Application Configuration"
APPLYING_POLICY_MANIFESTS = "Applying Policy Manifests"
APPLYING_CONFIG_MANIFESTS = "Applying Config Manifests"
RESTORING = velero_messages.RESTORING
RESTORE_IN_PROGRESS = velero_messages.RESTORE_IN_PROGRESS

ROLLBACK_REQUESTED = "Rollback requested"
INITIATING_ROLLBACK = "Initiating rollback"
DEFAULT_DEPLOYMENT_IS_MANUAL = "default deployment must be manually set for next boot"
COMPLETING_ROLLBACK = "Completing rollback"

ROLLBACK_DUE_TO_MISSING_APPLICATION = "missing DataProtectionApplication"
ROLLBACK_DUE_TO_POLICY_MANIFESTS = "failure applying policy manifests"
ROLLBACK_DUE_TO_CONFIG_MANIFESTS = "failure applying config manifests"
ROLLBACK_DUE_TO_RESTORES = "restore failure"

PREVIOUS_STAGE_NOT_SUCCEEDED = "Previous stage not succeeded"
NOTHING_TO_ROLL_BACK = "Upgrade not started or already finalized"
IDLE_REFUSED_ROLLBACK_FAILED = "Transition to Idle not allowed - Rollback failed"
IDLE_REFUSED_ROLLBACK_IN_PROGRESS = "Transition to Idle not allowed - Rollback is in progress"
IDLE_REFUSED_ROLLBACK_FIRST = "Transition to Idle not allowed - Rollback first"
IDLE_REFUSED = "Abort or finalize not allowed"

_RETRYING = ", retrying"
_FAILURE_OCCURRED = ": Failure occurred: "

EVENT_REBOOT_FOR_UPGRADE = "System will now reboot for upgrade"
EVENT_REBOOT_FOR_ROLLBACK = "System will now reboot for rollback"


def stage_failed(stage: Stage) -> str:
    """Message of the stage's completed condition; the detail stands in the in-progress condition."""
    return f"{stage} failed"


def stage_completed(stage: Stage) -> str:
    """Message of both conditions of a stage that ended well (Prep's completed condition has its own)."""
    return f"{stage} completed"


def prep_waiting_for_health(error: str) -> str:
    return f"Waiting for system to stabilize before Prep stage can continue: {error}"


def pre_pivot_waiting_for_health(error: str) -> str:
    return f"Waiting for system to stabilize before Upgrade (pre-pivot) stage can continue: {error}"


def post_pivot_waiting_for_health(error: str) -> str:
    return f"Waiting for system to stabilize: {error}"


def completion_waiting_for_health(error: str) -> str:
    return f"Waiting for system to fully stabilize: {error}"


def finalize_waiting_for_health(error: str) -> str:
    return f"Waiting for system to stabilize before finalize (idle) stage can continue: {error}"


def stateroot_job_launched(name: str, namespace: str) -> str:
    return f"Successfully launched a new job for stateroot setup. {_job(name, namespace)}"


def stateroot_job_in_progress(name: str, namespace: str) -> str:
    return f"Stateroot setup job in progress. {_job(name, namespace)}"


def precache_job_launched(name: str, namespace: str) -> str:
    return f"Successfully launched a new job precache. {_job(name, namespace)}"


def precache_job_in_progress(name: str, namespace: str, progress: str) -> str:
    """`progress` is what the status file tells, or why it tells nothing."""
    return f"Precache job in progress. {_job(name, namespace)}. {progress}"


def failure_occurred(doing: str, error: str) -> str:
    """An error of the Upgrade stage, before or after the pivot: the work is repeated, and the user sees why."""
    return f"{doing}{_FAILURE_OCCURRED}{error}"


def error_retrying(doing: str, error: str) -> str:
    """An error of any other stage: the work is repeated with growing delay, and the user sees why."""
    return f"{doing}: {error}{_RETRYING}"


def is_error_shown(message: str) -> bool:
    """The message was made by `failure_occurred` or `error_retrying`."""
    return _FAILURE_OCCURRED in message or message.endswith(_RETRYING)


def rollback_due_to(cause: str, error: str) -> str:
    """Why the node leaves the new release by itself; the original release shows it as well.

    `cause` is one of the `ROLLBACK_DUE_TO_` texts.
    """
    return f"Rollback due to {cause}: {error}"


def kept_after_failure(error: str, watchdog: timedelta | None) -> str:
    """An upgrade that failed where the automatic rollback is off; `watchdog`: after how long that acts anyway."""
    if watchdog is None:
        return error
    return (
        f"{error}; annotation '{Annotation.NO_ROLLBACK_AFTER_COMPLETION_FAILURE}' keeps this release booted for now, "
        f"but lca-init-monitor.service still rolls back {int(watchdog.total_seconds())} s after the boot: stop and "
        "disable it on the node to prevent that"
    )


def automatic_rollback_failed(error: str, why: str) -> str:
    """An upgrade that failed, and the node could not be sent back."""
    return f"{error}; the automatic rollback failed: {why}; set spec.stage to {Stage.ROLLBACK} to try it again"


def automatic_rollback_returned(error: str) -> str:
    """An upgrade that failed; the node was sent back, and is booted into the new release all the same."""
    return f"{error}; the node was rebooted for the automatic rollback and is booted into the new release again"


def rollback_returned(stateroot: str) -> str:
    """A rollback after whose reboot the new release runs again."""
    return (
        f"the node was rebooted for the rollback and is booted into {stateroot} again: look at the boot log of the "
        "original release"
    )


def completion_waiting_for_reboot(rationale: str) -> str:
    return completion_waiting_for_health(f"a reboot ({rationale}) was requested before the upgrade completed")


def warn_of_expiration(expiration: datetime | None, now: datetime, notice: timedelta) -> str:
    """The end of a message about a rollback: its certificates have expired or will within `notice`; "" otherwise."""
    if expiration is None or expiration - now > notice:
        return ""
    verb = "passed" if expiration <= now else "passes"
    return (
        f"; rollbackAvailabilityExpiration {verb} at {expiration:%Y-%m-%dT%H:%M:%SZ}: when the certificates of the "
        "original release have expired, its pending certificate signing requests must be approved by hand"
    )


def rollback_failed(error: str) -> str:
    return f"{error}; correct the cause, then add '{Annotation.MANUAL_CLEANUP_DONE}' annotation to ibu CR to try again"


def cleanup_failed(errors: str) -> str:
    """`errors`: what could not be cleaned up, one text or several joined by `; `."""
    return (
        f"{errors} Perform cleanup manually then add '{Annotation.MANUAL_CLEANUP_DONE}' annotation to ibu CR "
        "to transition back to Idle"
    )


def cleanup_waiting(doing: str, awaited: list[str]) -> str:
    """`doing`: ABORTING or FINALIZING; `awaited`: what has to end first."""
    return f"{doing}: waiting for {', '.join(awaited)}"


def spec_changed(fields: tuple[str, ...]) -> str:
    """A stage that can not start, since the spec is not the one that Prep was run with."""
    changed = ", ".join(f"spec.{field}" for field in fields)
    return f"{changed} changed since Prep: restore the old value, or set spec.stage to Idle and prepare again"


def _job(name: str, namespace: str) -> str:
    return f"job-name: {name}, job-namespace: {namespace}"
