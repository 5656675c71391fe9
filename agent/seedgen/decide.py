"""What is to be done about a generation: a pure function of what is seen (seed-image-and-gitops.md A.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agent.seedgen.fold import is_settled
from agent.seedgen.journal import Journal, Phase
from crds.seedgenerator import SeedGenerator


class Work(StrEnum):
    """What a pass does."""

    NOTHING = "nothing"
    VALIDATE = "validate"
    STABILIZE = "stabilize"
    PREPARE = "prepare"
    CLEAN = "clean"
    LAUNCH = "launch"
    AWAIT_BUILDER = "await-builder"
    FINALIZE = "finalize"
    CALL_OFF = "call-off"
    """Turn to UNDO: nobody wants the image any more."""
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a pass has found. `stored` says that files of a generation lie on the host without a journal."""

    cr: SeedGenerator | None
    journal: Journal | None
    builder_runs: bool
    stored: bool = False


_BEFORE_DELETION = {
    Phase.STABILIZING: Work.STABILIZE,
    Phase.PREPARING: Work.PREPARE,
    Phase.CLEANING: Work.CLEAN,
}


def decide(facts: Facts) -> Work:
    """Return the work of a pass.

    Until the object is deleted by us it has to be there and the same, or the generation is called off. As long as the
    builder runs nothing is touched: the cluster's data may be on its way into the image.
    """
    journal, cr = facts.journal, facts.cr
    if facts.builder_runs:
        return Work.AWAIT_BUILDER
    if journal is None:
        if facts.stored:
            return Work.CALL_OFF
        return Work.NOTHING if cr is None or is_settled(cr) else Work.VALIDATE
    if journal.phase in _BEFORE_DELETION:
        if cr is None or cr.metadata.uid != journal.uid or is_settled(cr):
            return Work.CALL_OFF
        return _BEFORE_DELETION[journal.phase]
    return {Phase.LAUNCHING: Work.LAUNCH, Phase.BUILDING: Work.FINALIZE, Phase.UNDOING: Work.UNDO}[journal.phase]
