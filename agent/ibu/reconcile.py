"""The controller's pass: read, observe, decide, write, run, fold (ibu-api.md 5.2). All decisions are made elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from agent.ibu.decide import Work, decide, delay_cleanup
from agent.ibu.drift import pin_spec
from agent.ibu.facts import collect_facts
from agent.ibu.fold import fold_error, fold_event
from agent.ibu.itineraries import StageContext, load_itinerary
from agent.ibu.kind import IBU, IBU_NAME
from agent.ibu.ports import Ports
from agent.ibu.resource import LiveResource
from agent.ibu.restoring import ensure_resource
from agent.ibu.stages import find_current_stage
from agent.ibu.succession import Succession
from agent.ibu.workspace import AcceptedSpec
from agent.kube import Object, errors
from agent.pivot.decided import RollbackDecision
from agent.pivot.returns import forget_departure
from agent.pivot.saved import SavedResource
from agent.runtime.worker import Request
from agent.workflow.conditions import find_condition
from agent.workflow.outcome import Done, Failed, Wait
from agent.workflow.replay import Ended, Started, replay
from agent.workflow.step import Step
from crds.imagebasedupgrade import Annotation, ImageBasedUpgrade, Reason, Stage
from hostops.reboot import Rebooter
from hostops.rpmostree import KnownDeployments
from seeds.creation.workspace import is_cluster_claimed

log = logging.getLogger(__name__)

_CRD_MISSING_DELAY = timedelta(seconds=5)
_SEED_GENERATION_DELAY = timedelta(seconds=5)
_MISSPELLED_PREFIX = "lca.openshit.io/"
Follow: TypeAlias = Callable[[Iterable[Hashable]], object]
"""Told after every pass what is waited for besides what is watched all the time."""

_BEFORE_THE_FIRST_STEP: Step[StageContext] = Step("begin", lambda _: Done())
_CLEANUPS = (Work.ABORT, Work.FINALIZE)


@dataclass(slots=True)
class CleanupRetries:
    """How often the cleanup failed since this process started, and when (monotonic seconds) it is due again."""

    failures: int = 0
    due: float = 0.0

    def note_failure(self, now: float) -> timedelta:
        """Count a failure; return how long to wait."""
        self.failures += 1
        delay = delay_cleanup(self.failures)
        self.due = now + delay.total_seconds()
        return delay

    def wait(self, cr: ImageBasedUpgrade, now: float) -> timedelta | None:
        """Return the time left when a cleanup has failed, else None; another process's failure counts as the first."""
        idle = find_condition(cr.status.conditions, Stage.IDLE.in_progress_type)
        if idle is None or idle.reason not in (Reason.ABORT_FAILED, Reason.FINALIZE_FAILED):
            if idle is not None and idle.status == "True":
                self.failures = 0
            return None
        if not self.failures:
            self.note_failure(now)
        return timedelta(seconds=max(0.0, self.due - now))


class UpgradeController:
    """Reconciles the one ImageBasedUpgrade; called by one thread, except for `note_deleted`."""

    def __init__(
        self,
        ports: Ports,
        saved: SavedResource,
        *,
        follow: Follow = lambda watched: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ports = ports
        self._saved = saved
        self._follow = follow
        self._now = now
        self._clock = clock
        self._deployments = KnownDeployments(ports.runner, ports.root)
        self._rebooter = Rebooter(ports.runner, ports.root)
        self._accepted = AcceptedSpec(ports.root)
        self._rollback = RollbackDecision(ports.root)
        self._retries = CleanupRetries()
        self._succession = Succession(saved)
        self._resume = ""
        self._watched: tuple[Hashable, ...] = ()

    def note_deleted(self, obj: Object) -> None:
        """Remember the last state of a deleted resource; the next pass brings it back or starts afresh."""
        self._succession.note_deleted(obj)

    def reconcile(self, request: Request) -> timedelta | None:
        """Make one pass; return after which time to look again. What it raises means: back off and start over."""
        if request.name != IBU_NAME:
            log.warning("ignored: the only valid name is 'upgrade'", extra={"object": str(request)})
            return None
        self._watched = ()
        try:
            left = self._await_reboot()
            if left is None and is_cluster_claimed(self._ports.root):
                left = _SEED_GENERATION_DELAY
            return self._pass() if left is None else left
        finally:
            self._follow(self._watched)

    def _pass(self) -> timedelta | None:
        try:
            raw = self._ports.client.find(IBU, IBU_NAME)
            self._succession.settle(raw)
            if self._must_be_made(raw) and ensure_resource(self._ports.client, self._saved, self._now()):
                return None
        except errors.KindNotServed:
            log.warning("the CRD is not installed: kubectl apply -k deploy/", extra={"kind": str(IBU)})
            return _CRD_MISSING_DELAY
        if raw is None:
            return None
        resource = LiveResource(self._ports.client, raw)
        try:
            return self._work(resource)
        finally:
            self._succession.note_seen(resource.raw)

    def _await_reboot(self) -> timedelta | None:
        """Return how long a requested reboot may still take; until then nothing else may begin.

        An abort would remove what is about to be booted.
        """
        request, now = self._rebooter.pending(), self._now()
        if request is None or request.is_overdue(now):
            return None
        log.info(
            "waiting for the reboot", extra={"rationale": request.rationale, "since": request.requested_at.isoformat()}
        )
        return request.time_left(now)

    def _must_be_made(self, raw: Object | None) -> bool:
        """There is no resource, or only an empty one and perhaps the saved state that belongs to it."""
        return raw is None or (not raw.get("status") and self._saved.exists())

    def _work(self, resource: LiveResource) -> timedelta | None:
        _log_annotations(resource.cr)
        asked = resource.cr.metadata.generation != resource.cr.status.observed_generation
        deployments = self._deployments.status(fresh=asked)  # a wish is decided on what the host says now
        accepted = self._accepted.read()
        wait = self._retries.wait(resource.cr, self._clock())
        facts = collect_facts(self._ports.root, resource.cr, accepted, deployments, wait)
        decision = decide(pin_spec(resource.cr, accepted), facts, self._now())
        if decision.accept_spec:
            self._accepted.write(decision.cr.spec)
            self._saved.remove()  # of an earlier upgrade: it would take this one's place after a reboot
        if decision.forget_departure:
            forget_departure(self._ports.root)
            facts = replace(facts, departure=None)
        resource.write_status(decision.cr)
        if decision.forget_rollback:
            self._rollback.remove()
        if decision.consume_annotation:
            resource.annotate(Annotation.MANUAL_CLEANUP_DONE, None)
        if decision.work is None:
            self._resume = ""
            return decision.requeue_after
        return self._run(decision.work, StageContext(self._ports, resource, facts, deployments, self._now))

    def _run(self, work: Work, context: StageContext) -> timedelta | None:
        """Run the itinerary until a step is not done, writing down what happens as it happens."""
        resource, facts, step = context.resource, context.facts, _BEFORE_THE_FIRST_STEP
        resume, self._resume = self._resume, ""
        after: timedelta | None = None
        try:
            for event in replay(load_itinerary(work), context, resume=resume):
                if isinstance(event, Started):
                    step = event.step
                resource.write_status(fold_event(resource.cr, facts, event, self._now()))
                if isinstance(event, Ended):
                    after = self._note_end(work, event)
        except errors.Conflict:
            raise
        except Exception as error:
            self._resume = step.name
            self._show_error(context, step, error)
            raise
        log.info("pass ended", extra={"work": work, "stage": find_current_stage(resource.cr.status.conditions)})
        return after

    def _note_end(self, work: Work, event: Ended) -> timedelta | None:
        if isinstance(event.outcome, Wait):
            self._resume, self._watched = event.step.name, event.outcome.watched
            return event.outcome.after
        if isinstance(event.outcome, Failed):
            log.error("stage failed", extra={"work": work, "step": event.step.name, "reason": event.outcome.message})
            if work in _CLEANUPS:
                return self._retries.note_failure(self._clock())
            return timedelta(0) if work is Work.POST_PIVOT and self._rollback.read() else None
        return None

    def _show_error(self, context: StageContext, step: Step[StageContext], error: Exception) -> None:
        """Let the user see what the log says; if even that fails, the log has to do."""
        if find_current_stage(context.cr.status.conditions) is None:
            return
        try:
            context.resource.write_status(fold_error(context.cr, context.facts, step, str(error), self._now()))
        except errors.ApiError as refused:
            log.warning("could not show the error in the status", extra={"reason": str(refused)})


def _log_annotations(cr: ImageBasedUpgrade) -> None:
    for key in cr.metadata.annotations:
        if key == Annotation.TRIGGER_RECONCILE:
            log.debug("pass asked for", extra={"annotation": key})
        elif key.startswith(_MISSPELLED_PREFIX):
            right = key.replace(_MISSPELLED_PREFIX, "lca.openshift.io/", 1)
            log.warning("annotation has no effect: misspelled", extra={"annotation": key, "meant": right})
