"""Prep as an itinerary: everything is checked before the first Job, then two Jobs do the work (prep.md 2)."""

from __future__ import annotations

from datetime import timedelta

from agent.ibu import messages
from agent.ibu.health.waiting import await_health
from agent.ibu.itineraries import StageContext
from agent.ibu.ports import WORKSPACE
from agent.ibu.prep.extra_manifests import Unfinished, check_extra_manifests
from agent.ibu.prep.findings import Findings, join_bounded
from agent.ibu.prep.job_state import launches_job, launches_stateroot, observe_jobs
from agent.ibu.prep.job_steps import build_stateroot, precache_images
from agent.ibu.prep.oadp_check import await_stale_backups
from agent.ibu.prep.seed_check import check_seed_image, find_container_storage_target
from agent.ibu.prep.spec_check import check_spec
from agent.ibu.prep.storage import free_container_storage
from agent.velero.deletion import DeletionError
from agent.workflow.outcome import Done, Failed, Outcome, Wait
from agent.workflow.step import Itinerary, Step
from crds.imagebasedupgrade import Annotation
from hostops.files import make_directory

DELETION_POLL = timedelta(seconds=5)

_SPEC = "failed to validate IBU spec: "
_SEED = "failed to validate seed image info: "


def wait_healthy(context: StageContext) -> Outcome:
    """Start nothing on a cluster that is not stable."""
    return await_health(context, messages.prep_waiting_for_health)


def validate(context: StageContext) -> Outcome:
    """Check spec, ConfigMaps, policies and seed image; report everything that stops Prep, remember every warning."""
    target = find_container_storage_target(context.ports)
    if target is None:
        return Failed("container storage mountpoint target not found")
    _make_workspace(context)
    # First: it may take several passes, and what comes after it runs in the last one only.
    extra = check_extra_manifests(context) if context.cr.spec.extra_manifests else Findings()
    if isinstance(extra, Unfinished):
        text = f"{messages.IN_PROGRESS}: {extra.tried} of {extra.total} extra manifests are validated"
        return Wait(text, timedelta(0))
    spec = check_spec(context, extra)
    findings = Findings(warnings=list(spec.findings.warnings))
    findings.add(_SPEC, spec.findings.problems)
    if not findings.problems:
        _show_warnings(context, findings)  # also when the seed image turns out not to fit
    if spec.version_fits:
        seed = check_seed_image(context, target)
        findings.add(_SEED, seed.problems)
        findings.warnings += seed.warnings
    if findings.problems:
        return Failed("; ".join(findings.problems))
    try:
        awaited = await_stale_backups(context, spec.content)
    except DeletionError as error:
        return Failed(f"{_SPEC}failed to validate oadp configMap: {error}")
    if awaited:
        return Wait(f"{messages.IN_PROGRESS}: waiting for Velero to delete stale Backups {awaited}", DELETION_POLL)
    _show_warnings(context, findings)
    return Done()


def make_room(context: StageContext) -> Outcome:
    """Remove images that nobody needs while the container storage is fuller than the threshold."""
    free_container_storage(context.cr, context.ports)
    return Done()


def _show_warnings(context: StageContext, findings: Findings) -> None:
    if findings.warnings:
        context.resource.annotate(Annotation.VALIDATION_WARNING, join_bounded(findings.warnings))


def _make_workspace(context: StageContext) -> None:
    make_directory(context.ports.root.path(WORKSPACE), 0o700)


PREP: Itinerary[StageContext] = Itinerary(
    "prep",
    (
        Step("wait_healthy", wait_healthy, applies=launches_job),
        Step("validate", validate, applies=launches_stateroot),
        Step("make_room", make_room, applies=launches_stateroot),
        Step("build_stateroot", build_stateroot, phase="Stateroot"),
        Step("precache_images", precache_images, phase="Precache"),
    ),
    observe_jobs,
)
