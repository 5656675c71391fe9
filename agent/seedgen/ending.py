"""The steps that end a generation: its result in the custom resource, nothing left on the host (A.7 undo, A.8)."""

from __future__ import annotations

from pathlib import PurePath

from agent.seedgen.builder import find_builder_problem
from agent.seedgen.context import Context
from agent.seedgen.fold import complete, fail, is_settled
from agent.seedgen.journal import Journal, Phase
from agent.seedgen.messages import builder_failed
from crds.seedgenerator import SeedGenerator
from hostops import files
from seeds.creation.workspace import JOURNAL_FILE, WORKSPACE

_LOST = "the record of the generation was lost; delete and create the SeedGenerator to start over"


def call_off(context: Context) -> None:
    """The user has deleted the object, or nobody knows how far the generation was: take everything back."""
    if context.journal is None:
        context.journal = Journal(Phase.UNDOING, "", "", "", failure=_LOST)
        context.journals.write(context.journal)
    else:
        context.note(phase=Phase.UNDOING, failure="", waits={})


def report_result(context: Context) -> None:
    """Tell how the builder ended."""
    cr = _find_unsettled(context)
    if cr is None:
        return
    problem = find_builder_problem(context.ports)
    now = context.now()
    context.resource.write_status(fail(cr, builder_failed(problem), now) if problem else complete(cr, now))


def report_failure(context: Context) -> None:
    """Tell why the generation failed; of one that was called off there is nobody to tell."""
    cr, failure = _find_unsettled(context), context.generation.failure
    if cr is not None and failure:
        context.resource.write_status(fail(cr, failure, context.now()))


def remove_workspace(context: Context) -> None:
    """Forget the generation; the journal goes last."""
    folder = context.ports.root.path(WORKSPACE)
    for path in sorted(folder.iterdir(), key=lambda path: path.name == PurePath(JOURNAL_FILE).name):
        if path.is_dir():
            files.remove_tree(path)
        else:
            files.remove_durably(path)
    files.remove_tree(folder)
    context.journal = None


def _find_unsettled(context: Context) -> SeedGenerator | None:
    """The object that the generation is about: a fresh one, made in place of it, has no conditions."""
    cr = context.resource.cr
    return None if cr is None or not cr.status.conditions or is_settled(cr) else cr
