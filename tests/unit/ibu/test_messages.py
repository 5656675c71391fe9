"""Each text of the state machine, rendered, as users and tools know it (ibu-api.md 2.6, 5.8, 6, 7, 9)."""

from datetime import UTC, datetime, timedelta
from types import FunctionType

import pytest

from agent.ibu import messages
from crds.imagebasedupgrade import Stage

JOB = ("lca-prep-stateroot-setup", "openshift-lifecycle-agent")
PRECACHE = ("lca-prep-precache", "openshift-lifecycle-agent")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ANNOTATE = "'lca.openshift.io/manual-cleanup-done' annotation to ibu CR"

TEXTS: dict[str, tuple[str, str]] = {
    "IDLE": (messages.IDLE, "Idle"),
    "IN_PROGRESS": (messages.IN_PROGRESS, "In progress"),
    "ABORTING": (messages.ABORTING, "Aborting"),
    "FINALIZING": (messages.FINALIZING, "Finalizing"),
    "PREP_STAGE_COMPLETED": (messages.PREP_STAGE_COMPLETED, "Prep stage completed successfully"),
    "PREP_STAGE_COMPLETED_WITH_WARNING": (
        messages.PREP_STAGE_COMPLETED_WITH_WARNING,
        "Prep stage completed with extramanifests validation warning. Please check the annotation "
        "'extra-manifest.lca.openshift.io/validation-warning' for details.",
    ),
    "BACKING_UP": (messages.BACKING_UP, "Backing up Application Data"),
    "BACKUP_IN_PROGRESS": (messages.BACKUP_IN_PROGRESS, "Backup of Application Data is in progress"),
    "EXPORTING_APPLICATION_CONFIGURATION": (
        messages.EXPORTING_APPLICATION_CONFIGURATION,
        "Exporting Application Configuration",
    ),
    "EXPORTING_MANIFESTS": (messages.EXPORTING_MANIFESTS, "Exporting Policy and Config Manifests"),
    "EXPORTING_CLUSTER_CONFIGURATION": (
        messages.EXPORTING_CLUSTER_CONFIGURATION,
        "Exporting Cluster, LVM, and cert-manager configuration",
    ),
    "CHECKING_APPLICATION_CONFIGURATION": (
        messages.CHECKING_APPLICATION_CONFIGURATION,
        "Checking Application Configuration",
    ),
    "APPLYING_POLICY_MANIFESTS": (messages.APPLYING_POLICY_MANIFESTS, "Applying Policy Manifests"),
    "APPLYING_CONFIG_MANIFESTS": (messages.APPLYING_CONFIG_MANIFESTS, "Applying Config Manifests"),
    "RESTORING": (messages.RESTORING, "Restoring Application Data"),
    "RESTORE_IN_PROGRESS": (messages.RESTORE_IN_PROGRESS, "Restore of Application Data is in progress"),
    "ROLLBACK_REQUESTED": (messages.ROLLBACK_REQUESTED, "Rollback requested"),
    "INITIATING_ROLLBACK": (messages.INITIATING_ROLLBACK, "Initiating rollback"),
    "DEFAULT_DEPLOYMENT_IS_MANUAL": (
        messages.DEFAULT_DEPLOYMENT_IS_MANUAL,
        "default deployment must be manually set for next boot",
    ),
    "COMPLETING_ROLLBACK": (messages.COMPLETING_ROLLBACK, "Completing rollback"),
    "PREVIOUS_STAGE_NOT_SUCCEEDED": (messages.PREVIOUS_STAGE_NOT_SUCCEEDED, "Previous stage not succeeded"),
    "NOTHING_TO_ROLL_BACK": (messages.NOTHING_TO_ROLL_BACK, "Upgrade not started or already finalized"),
    "IDLE_REFUSED_ROLLBACK_FAILED": (
        messages.IDLE_REFUSED_ROLLBACK_FAILED,
        "Transition to Idle not allowed - Rollback failed",
    ),
    "IDLE_REFUSED_ROLLBACK_IN_PROGRESS": (
        messages.IDLE_REFUSED_ROLLBACK_IN_PROGRESS,
        "Transition to Idle not allowed - Rollback is in progress",
    ),
    "IDLE_REFUSED_ROLLBACK_FIRST": (
        messages.IDLE_REFUSED_ROLLBACK_FIRST,
        "Transition to Idle not allowed - Rollback first",
    ),
    "IDLE_REFUSED": (messages.IDLE_REFUSED, "Abort or finalize not allowed"),
    "EVENT_REBOOT_FOR_UPGRADE": (messages.EVENT_REBOOT_FOR_UPGRADE, "System will now reboot for upgrade"),
    "EVENT_REBOOT_FOR_ROLLBACK": (messages.EVENT_REBOOT_FOR_ROLLBACK, "System will now reboot for rollback"),
    "stage_failed": (messages.stage_failed(Stage.UPGRADE), "Upgrade failed"),
    "stage_completed": (messages.stage_completed(Stage.ROLLBACK), "Rollback completed"),
    "prep_waiting_for_health": (
        messages.prep_waiting_for_health("e"),
        "Waiting for system to stabilize before Prep stage can continue: e",
    ),
    "pre_pivot_waiting_for_health": (
        messages.pre_pivot_waiting_for_health("e"),
        "Waiting for system to stabilize before Upgrade (pre-pivot) stage can continue: e",
    ),
    "post_pivot_waiting_for_health": (
        messages.post_pivot_waiting_for_health("e"),
        "Waiting for system to stabilize: e",
    ),
    "completion_waiting_for_health": (
        messages.completion_waiting_for_health("e"),
        "Waiting for system to fully stabilize: e",
    ),
    "finalize_waiting_for_health": (
        messages.finalize_waiting_for_health("e"),
        "Waiting for system to stabilize before finalize (idle) stage can continue: e",
    ),
    "stateroot_job_launched": (
        messages.stateroot_job_launched(*JOB),
        "Successfully launched a new job for stateroot setup. "
        "job-name: lca-prep-stateroot-setup, job-namespace: openshift-lifecycle-agent",
    ),
    "stateroot_job_in_progress": (
        messages.stateroot_job_in_progress(*JOB),
        "Stateroot setup job in progress. job-name: lca-prep-stateroot-setup, job-namespace: openshift-lifecycle-agent",
    ),
    "precache_job_launched": (
        messages.precache_job_launched(*PRECACHE),
        "Successfully launched a new job precache. "
        "job-name: lca-prep-precache, job-namespace: openshift-lifecycle-agent",
    ),
    "precache_job_in_progress": (
        messages.precache_job_in_progress(*PRECACHE, "total: 5 (pulled: 4, failed: 1)"),
        "Precache job in progress. job-name: lca-prep-precache, job-namespace: openshift-lifecycle-agent. "
        "total: 5 (pulled: 4, failed: 1)",
    ),
    "failure_occurred": (
        messages.failure_occurred(messages.RESTORING, "e"),
        "Restoring Application Data: Failure occurred: e",
    ),
    "error_retrying": (messages.error_retrying(messages.IN_PROGRESS, "e"), "In progress: e, retrying"),
    "ROLLBACK_DUE_TO_MISSING_APPLICATION": (
        messages.rollback_due_to(messages.ROLLBACK_DUE_TO_MISSING_APPLICATION, "e"),
        "Rollback due to missing DataProtectionApplication: e",
    ),
    "ROLLBACK_DUE_TO_POLICY_MANIFESTS": (
        messages.rollback_due_to(messages.ROLLBACK_DUE_TO_POLICY_MANIFESTS, "e"),
        "Rollback due to failure applying policy manifests: e",
    ),
    "ROLLBACK_DUE_TO_CONFIG_MANIFESTS": (
        messages.rollback_due_to(messages.ROLLBACK_DUE_TO_CONFIG_MANIFESTS, "e"),
        "Rollback due to failure applying config manifests: e",
    ),
    "ROLLBACK_DUE_TO_RESTORES": (
        messages.rollback_due_to(messages.ROLLBACK_DUE_TO_RESTORES, "Failed restore CRs: a,b"),
        "Rollback due to restore failure: Failed restore CRs: a,b",
    ),
    "rollback_due_to": (messages.rollback_due_to("c", "e"), "Rollback due to c: e"),
    "kept_after_failure": (
        messages.kept_after_failure("e", timedelta(seconds=1800)),
        "e; annotation 'auto-rollback-on-failure.lca.openshift.io/upgrade-completion' keeps this release booted for "
        "now, but lca-init-monitor.service still rolls back 1800 s after the boot: stop and disable it on the node to "
        "prevent that",
    ),
    "automatic_rollback_failed": (
        messages.automatic_rollback_failed("e", "why"),
        "e; the automatic rollback failed: why; set spec.stage to Rollback to try it again",
    ),
    "automatic_rollback_returned": (
        messages.automatic_rollback_returned("e"),
        "e; the node was rebooted for the automatic rollback and is booted into the new release again",
    ),
    "rollback_returned": (
        messages.rollback_returned("rhcos_4.16.1"),
        "the node was rebooted for the rollback and is booted into rhcos_4.16.1 again: look at the boot log of the "
        "original release",
    ),
    "completion_waiting_for_reboot": (
        messages.completion_waiting_for_reboot("rollback"),
        "Waiting for system to fully stabilize: a reboot (rollback) was requested before the upgrade completed",
    ),
    "warn_of_expiration": (
        messages.warn_of_expiration(NOON, NOON, timedelta(hours=1)),
        "; rollbackAvailabilityExpiration passed at 2026-01-01T12:00:00Z: when the certificates of the original "
        "release have expired, its pending certificate signing requests must be approved by hand",
    ),
    "rollback_failed": (
        messages.rollback_failed("failed to remount sysroot: e"),
        f"failed to remount sysroot: e; correct the cause, then add {ANNOTATE} to try again",
    ),
    "cleanup_failed": (
        messages.cleanup_failed("failed to clean up host stateroot resources: failed to remove 1 stateroots"),
        "failed to clean up host stateroot resources: failed to remove 1 stateroots "
        f"Perform cleanup manually then add {ANNOTATE} to transition back to Idle",
    ),
    "cleanup_waiting": (
        messages.cleanup_waiting(messages.ABORTING, ["backup a", "backup b"]),
        "Aborting: waiting for backup a, backup b",
    ),
    "spec_changed": (
        messages.spec_changed(("seedImageRef", "oadpContent")),
        "spec.seedImageRef, spec.oadpContent changed since Prep: "
        "restore the old value, or set spec.stage to Idle and prepare again",
    ),
}


@pytest.mark.parametrize(("rendered", "expected"), [pytest.param(*pair, id=name) for name, pair in TEXTS.items()])
def test_text_is_the_known_one(rendered: str, expected: str) -> None:
    assert rendered == expected


def test_every_text_of_the_module_is_rendered_here() -> None:
    texts = {
        name
        for name, value in vars(messages).items()
        if (isinstance(value, str) and name.isupper()) or isinstance(value, FunctionType)
        if not name.startswith("_") and name != "is_error_shown"
    }
    assert texts == set(TEXTS)


@pytest.mark.parametrize(
    ("minutes", "verb"),
    [(-1, "passed"), (1, "passes"), (60, "passes"), (61, None)],
    ids=["past", "soon", "limit", "far"],
)
def test_expiration_is_mentioned_when_it_is_near(minutes: int, verb: str | None) -> None:
    text = messages.warn_of_expiration(NOON + timedelta(minutes=minutes), NOON, timedelta(hours=1))
    assert text.partition(" at ")[0] == (f"; rollbackAvailabilityExpiration {verb}" if verb else "")


def test_nothing_is_added_where_there_is_nothing_to_say() -> None:
    assert messages.warn_of_expiration(None, NOON, timedelta(hours=1)) == ""
    assert messages.kept_after_failure("e", None) == "e"


def test_message_of_an_error_is_recognised() -> None:
    assert messages.is_error_shown(messages.error_retrying("a", "b"))
    assert messages.is_error_shown(messages.failure_occurred("a", "b"))
    assert not messages.is_error_shown(messages.IN_PROGRESS)
