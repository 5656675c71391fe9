"""The controller's pass: read, observe, decide, run an itinerary, write down what happens."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from agent.kube import errors
from agent.runtime.worker import Request
from agent.seedgen import messages
from agent.seedgen.builder import is_builder_running
from agent.seedgen.context import Context
from agent.seedgen.decide import Facts, Work, decide
from agent.seedgen.fold import fail, is_settled, show_progress
from agent.seedgen.itineraries import ITINERARIES
from agent.seedgen.journal import Journal, Journals, Phase
from agent.seedgen.kind import SEEDGEN_NAME
from agent.seedgen.ports import Ports
from agent.seedgen.resource import LiveGenerator
from agent.seedgen.stored import has_stored_files
from agent.workflow.conditions import find_condition
from agent.workflow.outcome import Failed, Wait
from agent.workflow.replay import Ended, Started, replay
from crds.seedgenerator import ConditionType
from hostops import files
from seeds.creation.workspace import WORKSPACE

log = logging.getLogger(__name__)

_AT_ONCE = timedelta(0)


class SeedController:
    """Reconciles the one SeedGenerator; called by one thread."""

    def __init__(self, ports: Ports, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._ports = ports
        self._now = now
        self._journals = Journals(ports.root)
        self._resume = ""

    def reconcile(self, request: Request) -> timedelta | None:
        """Make one pass; return after which time to look again. What it raises means: back off and start over."""
        if request.name != SEEDGEN_NAME:
            log.warning("ignored: the only valid name is 'seedimage'", extra={"object": str(request)})
            return None
        journal, damaged = self._read_journal()
        stored = journal is None and (damaged or has_stored_files(self._ports.root))
        resource = LiveGenerator(self._ports.client)
        builder_runs = (journal is not None or stored) and is_builder_running(self._ports.runner)
        work = decide(Facts(resource.cr, journal, builder_runs, stored))
        if work is Work.NOTHING:
            return None
        log.info("pass begins", extra={"work": work, "phase": journal.phase if journal else "-"})
        return self._run(work, Context(self._ports, resource, self._journals, journal, self._now))

    def _read_journal(self) -> tuple[Journal | None, bool]:
        try:
            return self._journals.read(), False
        except ValueError as error:
            log.error("the journal of the generation is damaged: %s", error)
            return None, True

    def _run(self, work: Work, context: Context) -> timedelta | None:
        resume, self._resume = self._resume, ""
        try:
            for event in replay(ITINERARIES[work], context, resume=resume):
                if isinstance(event, Started) and event.announce:
                    self._show(context, event.announce)
                elif isinstance(event, Ended) and isinstance(event.outcome, Wait):
                    self._resume = event.step.name
                    self._show(context, event.outcome.message)
                    return event.outcome.after
                elif isinstance(event, Ended) and isinstance(event.outcome, Failed):
                    return self._fail(work, context, event.step.name, event.outcome.message)
        except errors.Conflict:
            raise
        except Exception as error:
            self._show_error(context, error)
            raise
        return _AT_ONCE

    def _fail(self, work: Work, context: Context, step: str, message: str) -> timedelta | None:
        """Nothing has happened before the end of the validation; later everything is taken back first."""
        log.error("seed generation failed", extra={"work": work, "step": step, "reason": message})
        if context.journal is None:
            files.remove_tree(self._ports.root.path(WORKSPACE))
            context.resource.write_status(fail(context.cr, message, self._now()))
            return None
        context.note(phase=Phase.UNDOING, failure=message, waits={})
        return _AT_ONCE

    def _show(self, context: Context, message: str) -> None:
        cr = context.resource.cr
        if cr is not None and cr.status.conditions and not is_settled(cr):
            context.resource.write_status(show_progress(cr, message, self._now()))

    def _show_error(self, context: Context, error: Exception) -> None:
        """Let the user see what the log says; if even that fails, the log has to do."""
        cr = context.resource.cr
        shown = find_condition(cr.status.conditions, ConditionType.IN_PROGRESS) if cr is not None else None
        if shown is None:
            return
        doing = shown.message.partition(":")[0]
        try:
            self._show(context, messages.error_retrying(doing, str(error)))
        except errors.ApiError as refused:
            log.warning("could not show the error in the status", extra={"reason": str(refused)})
